# The installed package: `find_package(thalweg)` gives `thalweg::thalweg`.
include(CMakePackageConfigHelpers)
set(THALWEG_CMAKEDIR ${CMAKE_INSTALL_LIBDIR}/cmake/thalweg)

install(TARGETS thalweg EXPORT thalwegTargets)
install(TARGETS thalweg_command)
if(TARGET thalweg_mpi)
  install(TARGETS thalweg_mpi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})   # in the folder of the library, which loads it
endif()
if(TARGET thalweg_cuda)
  install(TARGETS thalweg_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})   # the same
endif()
install(DIRECTORY include/thalweg TYPE INCLUDE FILES_MATCHING PATTERN *.hpp)
install(FILES LICENSE TYPE DOC)

install(EXPORT thalwegTargets NAMESPACE thalweg:: DESTINATION ${THALWEG_CMAKEDIR})
configure_package_config_file(cmake/thalwegConfig.cmake.in thalwegConfig.cmake INSTALL_DESTINATION ${THALWEG_CMAKEDIR})
# Before 1.0 a new minor version may change the interface.
write_basic_package_version_file(thalwegConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/thalwegConfig.cmake ${PROJECT_BINARY_DIR}/thalwegConfigVersion.cmake
              cmake/Dependencies.cmake DESTINATION ${THALWEG_CMAKEDIR})

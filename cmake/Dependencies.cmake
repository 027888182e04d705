find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(Eigen3 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(CLI11 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_library(LIBHWY hwy REQUIRED)
find_library(LIBCSV csv REQUIRED)
find_path(RANDOM123_INCLUDE Random123/philox.h REQUIRED)

# Not find_package(dnnl): a package built with its GPU side demands OpenCL of everyone.
find_library(LIBDNNL dnnl REQUIRED)
find_path(DNNL_INCLUDE dnnl.hpp REQUIRED)
if(NOT TARGET DNNL::dnnl)
  add_library(DNNL::dnnl UNKNOWN IMPORTED)
  set_target_properties(DNNL::dnnl PROPERTIES IMPORTED_LOCATION ${LIBDNNL} INTERFACE_INCLUDE_DIRECTORIES ${DNNL_INCLUDE})
endif()

# What the library links: none of it shows in a public header. Of Highway only what its headers leave over, if anything
# (src/kernels/targets.cpp).
set(THALWEG_LIBRARIES Threads::Threads DNNL::dnnl OpenMP::OpenMP_CXX ZLIB::ZLIB PNG::PNG JPEG::JPEG
    -Wl,--push-state,--as-needed ${LIBHWY} -Wl,--pop-state ${LIBCSV} fmt::fmt tomlplusplus::tomlplusplus)

# Sounds: the library itself is opened when the first one is read (src/data/sound.cpp). Without its header all builds, and
# says so where it is asked to read one.
find_path(SNDFILE_INCLUDE sndfile.h)
if(NOT SNDFILE_INCLUDE)
  message(STATUS "No libsndfile: sounds are not read (Debian: libsndfile1-dev)")
endif()

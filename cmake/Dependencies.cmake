# The libraries that thalweg links. The installed package of a static library reads this file too.
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

# Not find_package(dnnl): if oneDNN was built with GPU support, its package requires OpenCL of every program.
find_library(LIBDNNL dnnl REQUIRED)
find_path(DNNL_INCLUDE dnnl.hpp REQUIRED)
if(NOT TARGET DNNL::dnnl)
  add_library(DNNL::dnnl UNKNOWN IMPORTED)
  set_target_properties(DNNL::dnnl PROPERTIES IMPORTED_LOCATION ${LIBDNNL} INTERFACE_INCLUDE_DIRECTORIES ${DNNL_INCLUDE})
endif()

# What the library links. No public header includes any of it. Highway is used mostly by its headers, so that the library
# may need nothing of its binary (src/kernels/targets.cpp).
set(THALWEG_LIBRARIES Threads::Threads DNNL::dnnl OpenMP::OpenMP_CXX ZLIB::ZLIB PNG::PNG JPEG::JPEG
    -Wl,--push-state,--as-needed ${LIBHWY} -Wl,--pop-state ${LIBCSV} fmt::fmt tomlplusplus::tomlplusplus)

# libsndfile is loaded when the first sound is read (src/data/sound.cpp), so only its header is needed here. Without the
# header the build works too, but the library refuses to read sounds.
find_path(SNDFILE_INCLUDE sndfile.h)
if(NOT SNDFILE_INCLUDE)
  message(STATUS "No libsndfile: sounds are not read (Debian: libsndfile1-dev)")
endif()

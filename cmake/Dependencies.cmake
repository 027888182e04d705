find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(Eigen3 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(CLI11 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(dnnl CONFIG REQUIRED)
find_library(LIBHWY hwy REQUIRED)
find_library(LIBCSV csv REQUIRED)

# What the library links: none of it shows in a public header.
set(THALWEG_LIBRARIES Threads::Threads DNNL::dnnl OpenMP::OpenMP_CXX ZLIB::ZLIB ${LIBHWY} ${LIBCSV} fmt::fmt-header-only)

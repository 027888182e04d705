#include "kernels/versions.hpp"

#include <fmt/format.h>
#include <hwy/highway.h>
#include <Eigen/Core>
#include <dnnl.hpp>

#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

namespace thalweg {

std::map<std::string, std::string> library_versions() {
  const dnnl_version_t* const onednn = dnnl_version();
  std::map<std::string, std::string> versions = {
      {"oneDNN", fmt::format("{}.{}.{}", onednn->major, onednn->minor, onednn->patch)},
      {"Eigen", fmt::format("{}.{}.{}", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION)},
      {"Highway", fmt::format("{}.{}.{}", HWY_MAJOR, HWY_MINOR, HWY_PATCH)}};
#ifdef __GLIBC__
  versions["C library"] = gnu_get_libc_version();
#endif
  return versions;
}

}  // namespace thalweg

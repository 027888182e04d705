#pragma once
// The kernels of a plan, and the time of each on this machine when it runs by itself.

#include <string>
#include <unordered_map>
#include <vector>

#include "device/device.hpp"

namespace thalweg {

/// This CPU as a device that records the kernels of the programs planned for it.
class NotedKernels : public Device {
 public:
  struct Noted {
    std::string kind;  ///< the op; "elementwise", "copy"
    Kernel kernel;
    std::vector<Signature> inputs;  ///< as rows of all elements that the kernel may access
    std::vector<Signature> outputs;
    std::int64_t times = 1;  ///< number of occurrences in the plan

    [[nodiscard]] std::size_t bytes() const;  ///< bytes of the operands, each aligned
  };

  [[nodiscard]] Kernel tiles(const TileProgram& program) override;
  [[nodiscard]] Kernel copy(const View& view, DType dtype) override;
  [[nodiscard]] Kernel op(const OpKernel& op, const KernelSite& site) override;

  /// Each kernel once, in the order of the plans.
  [[nodiscard]] const std::vector<Noted>& kernels() const { return kernels_; }

 private:
  Kernel note(const std::string& key, Noted noted);

  std::vector<Noted> kernels_;
  std::unordered_map<std::string, std::size_t> known_;
};

struct KernelTime {
  std::string kind;
  std::int64_t times = 1;
  double seconds = 0;  ///< of one run
};

/// The time of each kernel when `at_once` copies of it run in parallel, each on its own operands. The operands lie in a
/// ring of copies of up to `memory` bytes, so that the caches hold about the same as in a program with this much
/// memory. `bound`: the work that depends only on addresses is done before, as in a step of one small shard.
[[nodiscard]] std::vector<KernelTime> time_kernels(const NotedKernels& noted, std::int64_t at_once, std::size_t memory,
                                                   bool bound, Workers& workers);

/// Seconds of one run of a plan: of all its kernels, one after another.
[[nodiscard]] double total_seconds(const std::vector<KernelTime>& times);

}  // namespace thalweg

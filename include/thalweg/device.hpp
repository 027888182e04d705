#pragma once
// Devices: where training steps, evaluations and compiled functions run. This CPU is one, and each GPU another.
//
//   tw::OnDevice gpu("cuda");
//   tw::Trainer trainer(tw::nn::mlp(10, {.hidden = {512, 256}}), tw::loss::cross_entropy, tw::optim::adamw());
//   trainer.fit(data);   // its steps run on the GPU; state and reports are read as usual

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace thalweg {

/// A device of this machine.
struct DeviceInfo {
  std::string name;                    ///< the name for OnDevice and `train.device`: "cpu", "cuda:0"
  std::string model;                   ///< "AMD EPYC 7763 64-Core Processor", "NVIDIA H200"
  std::string details;                 ///< "2 cores, avx2"; "compute capability 9.0, driver 580.65, NVRTC 13.0"
  std::size_t memory = 0, unused = 0;  ///< total bytes, and for a GPU the free bytes
};

/// This CPU, and the GPUs of this machine. If no GPU can be used, `why_no_gpu` is set to a sentence that names what is
/// missing and the package that has it.
[[nodiscard]] std::vector<DeviceInfo> devices(std::string* why_no_gpu = nullptr);

/// While it lives, the trainers, steps, Apply and Model objects that are created compute on this device; objects
/// created before or after do not. "cpu" is this CPU, "cuda" the first GPU, "cuda:1" the second.
///
/// The same program run twice on one GPU gives the same bits. Compared with this CPU, products, convolutions,
/// exponentials and what depends on them differ in the last digits. `tf32` lets a GPU round the operands of f32
/// products to TF32, with 11 significant bits: faster, but noticeably less exact.
///
/// Throws UsageError that names what to install if the device does not exist. Computations on a GPU may throw
/// MemoryError if its memory is too small, and DeviceError if it is lost.
class OnDevice {
 public:
  explicit OnDevice(std::string_view name, bool tf32 = false);
  ~OnDevice();
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  /// The device with the versions of its libraries: "NVIDIA H200, driver 580.65, NVRTC 13.0".
  [[nodiscard]] std::string facts() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace thalweg

#pragma once
// Devices: where training steps, evaluations and compiled functions run. This CPU is one, and each GPU another.
//
//   tw::OnDevice gpu("cuda");
//   tw::Trainer trainer(tw::nn::mlp(10, {.hidden = {512, 256}}), tw::loss::cross_entropy, tw::optim::adamw());
//   trainer.fit(data);   // its steps run there; the state and the reports are read as always

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace thalweg {

/// A device of this machine.
struct DeviceInfo {
  std::string name;                    ///< what OnDevice and `train.device` take: "cpu", "cuda:0"
  std::string model;                   ///< "AMD EPYC 7763 64-Core Processor", "NVIDIA H200"
  std::string details;                 ///< "2 cores, avx2"; "compute capability 9.0, driver 580.65, NVRTC 13.0"
  std::size_t memory = 0, unused = 0;  ///< bytes that there are, and of a GPU how many are free
};

/// This CPU, and the GPUs of this machine. Where no GPU can be used, `why_no_gpu` becomes a sentence that says what is
/// missing and in which package it is.
[[nodiscard]] std::vector<DeviceInfo> devices(std::string* why_no_gpu = nullptr);

/// While it lives, the trainers, steps, Apply and Model objects that are made compute on a device; those made before
/// and after stay where they were made. "cpu" is this CPU, "cuda" the first GPU, "cuda:1" the second.
///
/// The same program run twice on one GPU gives the same bits. Against this CPU, products, convolution, exponentials and
/// what follows from them differ in their last digits. `tf32` lets a GPU round what products of f32 read to TF32, which
/// has 11 significant bits: faster, and visibly less exact.
///
/// Throws UsageError, with what to install, where there is no such device; what runs on a GPU may throw MemoryError,
/// where its memory is too small, and DeviceError, where it is lost.
class OnDevice {
 public:
  explicit OnDevice(std::string_view name, bool tf32 = false);
  ~OnDevice();
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  /// What it is, with the versions of its libraries: "NVIDIA H200, driver 580.65, NVRTC 13.0".
  [[nodiscard]] std::string facts() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace thalweg

#pragma once
// GPUs. Each vendor's GPUs have a separate library, which is opened only when a GPU is asked for; nothing else links or
// loads it. This header is the interface between the two sides. The library (driver, compiler, products, convolutions)
// knows nothing of programs, and the side that opens it knows nothing of a vendor.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/kernel.hpp"
#include "device/device.hpp"
#include "thalweg/error.hpp"

namespace thalweg {

/// A GPU of this machine, as its driver describes it.
struct GpuFacts {
  std::string name;                   ///< "NVIDIA H200"
  int major = 0, minor = 0;           ///< compute capability
  int processors = 0;                 ///< streaming multiprocessors
  std::size_t bytes = 0, unused = 0;  ///< size of its memory, and the unused part
  std::string versions;               ///< versions of driver, compiler and libraries, for the manifest
};

struct GpuOptions {
  int index = 0;                       ///< number in the driver's list
  bool tf32 = false;                   ///< whether products of f32 may be rounded to TF32
  std::span<const MicroOp> micro_ops;  ///< all of them; the GPU's are made from their formulas
  std::filesystem::path cache;         ///< folder in which machine code is kept; empty: none
};

/// One GPU with one order of work. All calls but `wait` may return before they are carried out. Any thread may call.
class GpuDriver {
 public:
  GpuDriver() = default;
  GpuDriver(const GpuDriver&) = delete;
  GpuDriver& operator=(const GpuDriver&) = delete;
  virtual ~GpuDriver() = default;

  [[nodiscard]] virtual const GpuFacts& facts() const = 0;

  /// Null if there is not enough memory. Addresses are multiples of 256.
  [[nodiscard]] virtual std::byte* allocate(std::size_t bytes) = 0;
  virtual void release(std::byte* there) = 0;
  /// The bytes `here` may change as soon as it returns.
  virtual void write(std::byte* there, const std::byte* here, std::size_t bytes) = 0;
  virtual void copy_there(std::byte* to, const std::byte* from, std::size_t bytes) = 0;
  [[nodiscard]] virtual Mark read(std::byte* here, const std::byte* there, std::size_t bytes) = 0;
  /// Throws the error of a kernel before the mark, also one in its error word.
  virtual void wait(Mark mark) = 0;

  /// See Device::error_words: of its own kernels, and of those of the host.
  [[nodiscard]] virtual const std::byte* error_words() const = 0;

  /// Elementwise work and reductions, and copies, as Device::tiles and Device::copy. A kernel is compiled when it is
  /// run for the first time, together with all others that wait for it; equal ones are compiled once.
  [[nodiscard]] virtual Kernel tiles(const TileProgram& program) = 0;
  [[nodiscard]] virtual Kernel copy(const View& view, DType dtype) = 0;
  /// The kernel of an opaque op on this GPU; one without `run` if there is none.
  [[nodiscard]] virtual Kernel op(std::string_view name, const KernelSite& site) = 0;
  /// Rows of a table, as Device::rows.
  [[nodiscard]] virtual Kernel rows(std::size_t row_bytes, std::int64_t count) = 0;
  /// A kernel of this CPU at its place in the order of work: its inputs are copied to the host, its outputs sent back.
  [[nodiscard]] virtual Kernel here(Kernel kernel, std::vector<std::size_t> input_bytes, std::size_t output_bytes) = 0;
  /// The calls as one graph, which can be launched repeatedly.
  [[nodiscard]] virtual std::function<void()> record(std::vector<std::function<void()>> calls) = 0;
};

// The functions that a library of GPUs exports.
inline constexpr const char* list_gpus_name = "thalweg_list_gpus";
inline constexpr const char* open_gpu_name = "thalweg_open_gpu";
using ListGpus = void (*)(std::vector<GpuFacts>& into);
using OpenGpu = void (*)(const GpuOptions& options, std::unique_ptr<GpuDriver>& into);

/// The GPUs of this machine, none where there are none. Throws UsageError, with what to install, where the library or
/// a piece of the vendor's is missing.
[[nodiscard]] std::vector<GpuFacts> list_gpus();

/// A GPU as a device: an op without a kernel on the GPU is computed by this CPU at its place in the order.
class Gpu final : public Device {
 public:
  explicit Gpu(std::unique_ptr<GpuDriver> driver, bool tf32 = false) : driver_(std::move(driver)), tf32_(tf32) {}

  [[nodiscard]] bool is_here() const override { return false; }
  [[nodiscard]] std::size_t alignment() const override { return 256; }
  [[nodiscard]] bool takes_batches_whole() const override { return true; }
  [[nodiscard]] std::byte* allocate(std::size_t bytes, std::string_view who) override;
  void release(std::byte* there) override { driver_->release(there); }
  void write(std::byte* there, const std::byte* here, std::size_t bytes) override;
  void copy_there(std::byte* to, const std::byte* from, std::size_t bytes) override;
  [[nodiscard]] Mark read(std::byte* here, const std::byte* there, std::size_t bytes) override;
  void wait(Mark mark) override { driver_->wait(mark); }

  [[nodiscard]] Kernel tiles(const TileProgram& program) override;
  [[nodiscard]] Kernel copy(const View& view, DType dtype) override;
  [[nodiscard]] Kernel op(const OpKernel& op, const KernelSite& site) override;
  [[nodiscard]] Kernel rows(std::size_t row_bytes, std::int64_t count) override;
  [[nodiscard]] std::function<void()> record(std::vector<std::function<void()>> calls) override;

  [[nodiscard]] const std::byte* error_words() const override { return driver_->error_words(); }
  [[nodiscard]] std::string facts() const override;
  [[nodiscard]] std::vector<std::string> left_here() const override;

 private:
  std::unique_ptr<GpuDriver> driver_;
  bool tf32_;
  mutable std::mutex mutex_;
  std::set<std::string> left_here_;  // guarded by mutex_
};

/// Opens the GPU of a number, from 0.
[[nodiscard]] std::unique_ptr<Gpu> open_gpu(int index, bool tf32);

/// The form of device names, for messages.
inline constexpr std::string_view wanted_devices =
    "Wanted: \"cpu\", \"cuda\", or \"cuda:1\" for the second GPU of several";
/// Whether a text is a device name, whether or not such a device exists.
[[nodiscard]] bool is_device_name(std::string_view name);

/// The device of a name, open until the process ends: "cpu"; "cuda", or "cuda:1" for the second of several.
[[nodiscard]] Device& device_named(std::string_view name, bool tf32 = false);

}  // namespace thalweg

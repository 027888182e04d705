#pragma once
// The context of one GPU, and resources in it that must be released.

#include <utility>

#include "cuda/driver_functions.hpp"

namespace thalweg::cuda {

/// The primary context, which NVIDIA's libraries work in too. A thread enters it before it makes other calls.
class Context {
 public:
  explicit Context(CUdevice device) : device_(device) {
    THALWEG_CALL(functions, cuDevicePrimaryCtxRetain, &context_, device_);
    enter();
  }
  ~Context() { functions.cuDevicePrimaryCtxRelease(device_); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  void enter() const { THALWEG_CALL(functions, cuCtxSetCurrent, context_); }
  void enter_quietly() const noexcept { functions.cuCtxSetCurrent(context_); }
  /// For destructors: ignores errors, because after the GPU was lost the resource no longer exists.
  template <class Function, class... Handle>
  void give_back(Function function, Handle... handle) const noexcept {
    enter_quietly();
    function(handle...);
  }

  const DriverFunctions& functions = driver_functions();

 private:
  CUdevice device_;
  CUcontext context_ = nullptr;
};

/// Pinned memory of this host: the GPU reaches it while the host does something else.
class Pinned {
 public:
  Pinned(const Context& context, std::size_t bytes) : context_(&context), bytes_(bytes) {
    if (bytes == 0) return;
    context.enter();
    void* memory = nullptr;
    const CUresult result = context.functions.cuMemHostAlloc(&memory, bytes, 0);
    if (result == CUDA_ERROR_OUT_OF_MEMORY)
      fail<MemoryError>("[device] {} bytes of pinned memory asked for, and this host has not that much", bytes);
    context.functions.check(result, "cuMemHostAlloc");
    data_ = static_cast<std::byte*>(memory);
  }
  Pinned(Pinned&& other) noexcept
      : context_(other.context_), data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}
  Pinned& operator=(Pinned&& other) noexcept {
    std::swap(context_, other.context_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Pinned() {
    if (data_ != nullptr) context_->give_back(context_->functions.cuMemFreeHost, data_);
  }

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  const Context* context_;
  std::byte* data_ = nullptr;
  std::size_t bytes_;
};

/// An event: a place in the order of a stream, which can be waited for.
class Event {
 public:
  explicit Event(const Context& context) : context_(&context) {
    context.enter();
    THALWEG_CALL(context.functions, cuEventCreate, &event_, CU_EVENT_DISABLE_TIMING);
  }
  Event(Event&& other) noexcept : context_(other.context_), event_(std::exchange(other.event_, nullptr)) {}
  Event& operator=(Event&& other) noexcept {
    std::swap(context_, other.context_);
    std::swap(event_, other.event_);
    return *this;
  }
  ~Event() {
    if (event_ != nullptr) context_->give_back(context_->functions.cuEventDestroy, event_);
  }

  void record(CUstream stream) const { THALWEG_CALL(context_->functions, cuEventRecord, event_, stream); }
  void wait() const { THALWEG_CALL(context_->functions, cuEventSynchronize, event_); }

 private:
  const Context* context_;
  CUevent event_ = nullptr;
};

/// A stream that waits for no other one.
class OwnStream {
 public:
  explicit OwnStream(const Context& context) : context_(context) {
    context.enter();
    THALWEG_CALL(context.functions, cuStreamCreate, &stream_, CU_STREAM_NON_BLOCKING);
  }
  ~OwnStream() { context_.give_back(context_.functions.cuStreamDestroy, stream_); }
  OwnStream(const OwnStream&) = delete;
  OwnStream& operator=(const OwnStream&) = delete;

  [[nodiscard]] CUstream get() const { return stream_; }
  void wait() const { THALWEG_CALL(context_.functions, cuStreamSynchronize, stream_); }
  /// For destructors, as Context::give_back.
  void wait_quietly() const noexcept { context_.give_back(context_.functions.cuStreamSynchronize, stream_); }

 private:
  const Context& context_;
  CUstream stream_ = nullptr;
};

}  // namespace thalweg::cuda

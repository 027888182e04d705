#include "core/mirrored.hpp"

#include <mutex>

namespace thalweg {

struct Mirrored::State {
  DeviceMemory& device;
  std::byte* there;
  std::size_t bytes;  // of the whole buffer
  std::mutex mutex = {};
  bool is_new_there = true, is_new_here = false;

  void bring(std::byte* here) {
    const std::lock_guard lock(mutex);
    if (!is_new_here) device.fetch(here, there, bytes);
    is_new_here = true;
  }
};

/// Frees a buffer on the host and on the device.
struct Mirrored::Release {
  std::unique_ptr<State> state;
  void operator()(std::byte* here) const {
    Deallocate{}(here);
    state->device.release(state->there);
  }
};

Mirrored::State* Mirrored::state_of(const Tensor& tensor) {
  if (!tensor.mirrored_) return nullptr;
  const Release* release = std::get_deleter<Release>(tensor.buffer_);
  return release == nullptr ? nullptr : release->state.get();
}

void Tensor::bring() const {
  if (Mirrored::State* state = Mirrored::state_of(*this)) state->bring(buffer_.get());
}

void Mirrored::write_here(Tensor& tensor) {
  State* state = state_of(tensor);
  if (state == nullptr) return;
  state->bring(tensor.buffer_.get());
  state->is_new_there = false;
}

std::byte* Mirrored::write_there(DeviceMemory& device, Tensor& tensor) {
  State* state = state_of(tensor);
  const bool is_known = state != nullptr && &state->device == &device;
  if (is_known && tensor.buffer_.use_count() == 1) {
    if (!state->is_new_there) device.write(state->there, tensor.buffer_.get(), state->bytes);
    state->is_new_there = true;
    state->is_new_here = false;
    return state->there + tensor.offset_;
  }
  const std::size_t bytes = tensor.bytes();
  Block there(bytes, &device);
  if (is_known && state->is_new_there) {
    device.copy_there(there.data(), state->there + tensor.offset_, bytes);
  } else {
    device.write(there.data(), tensor.raw(), bytes);
  }
  std::unique_ptr<std::byte, Deallocate> here(allocate(bytes, "tensor"));
  auto own = std::make_unique<State>(device, there.data(), bytes);
  std::byte* const result = there.release();
  tensor.buffer_ = std::shared_ptr<std::byte[]>(here.release(), Release{std::move(own)});
  tensor.offset_ = 0;
  tensor.mirrored_ = true;
  return result;
}

std::byte* Mirrored::found_there(const DeviceMemory& device, const Tensor& tensor) {
  const State* state = state_of(tensor);
  const bool is_there = state != nullptr && &state->device == &device && state->is_new_there;
  return is_there ? state->there + tensor.offset_ : nullptr;
}

BytesThere::BytesThere(DeviceMemory& device, const Tensor& tensor)
    : tensor_(tensor), data_(Mirrored::found_there(device, tensor)) {
  if (data_ != nullptr) return;
  copy_ = Block(tensor.bytes(), &device);
  data_ = copy_.data();
  device.write(data_, tensor.raw(), tensor.bytes());
}

}  // namespace thalweg

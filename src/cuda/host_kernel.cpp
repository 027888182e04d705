#include "cuda/host_kernel.hpp"

#include <algorithm>
#include <cstring>

namespace thalweg::cuda {

namespace {

std::size_t rounded(std::size_t bytes) {
  constexpr std::size_t alignment = 256;
  return (bytes + alignment - 1) / alignment * alignment;
}

std::size_t room_of(const Kernel& kernel, const std::vector<std::size_t>& input_bytes, std::size_t output_bytes) {
  std::size_t room = rounded(output_bytes) + rounded(kernel.scratch);
  for (const std::size_t bytes : input_bytes) room += rounded(bytes);
  return room;
}

}  // namespace

// ---------------------------------------------------------------------------------------------------------------------
// Errors

void HostErrors::keep(std::exception_ptr error) {
  const std::lock_guard lock(mutex_);
  if (!error_) error_ = std::move(error);
  constexpr int set = 1;
  std::memcpy(word_.data(), &set, sizeof(set));
}

bool HostErrors::is_set() const {
  const std::lock_guard lock(mutex_);
  return error_ != nullptr;
}

std::exception_ptr HostErrors::take() {
  const std::lock_guard lock(mutex_);
  clear();
  return std::exchange(error_, nullptr);
}

void HostErrors::clear() { std::memset(word_.data(), 0, sizeof(int)); }

// ---------------------------------------------------------------------------------------------------------------------
// Kernels

HostKernel::HostKernel(const Context& context, HostErrors& errors, Kernel kernel,
                       const std::vector<std::size_t>& input_bytes, std::size_t output_bytes)
    : context_(context),
      errors_(errors),
      kernel_(std::move(kernel)),
      memory_(context, room_of(kernel_, input_bytes, output_bytes)) {
  std::byte* next = memory_.data();
  const auto piece = [&next](std::size_t bytes) {
    const Piece made{next, bytes};
    next += rounded(bytes);
    return made;
  };
  for (const std::size_t bytes : input_bytes) inputs_.push_back(piece(bytes));
  output_ = piece(output_bytes);
  scratch_ = piece(kernel_.scratch).here;
}

void HostKernel::enqueue(CUstream stream, const KernelCall& call, CUdeviceptr error_word) {
  const DriverFunctions& functions = context_.functions;
  for (std::size_t k = 0; k < inputs_.size(); ++k) {
    const auto [here, bytes] = inputs_[k];
    const auto there = reinterpret_cast<CUdeviceptr>(call.inputs[k]);
    if (bytes > 0) THALWEG_CALL(functions, cuMemcpyDtoHAsync, here, there, bytes, stream);
  }
  THALWEG_CALL(functions, cuLaunchHostFunc, stream, &HostKernel::run, &caller(call.workers));
  const auto there = reinterpret_cast<CUdeviceptr>(call.outputs[0]);
  if (output_.bytes > 0) THALWEG_CALL(functions, cuMemcpyHtoDAsync, there, output_.here, output_.bytes, stream);
  THALWEG_CALL(functions, cuMemcpyHtoDAsync, error_word, errors_.word(), sizeof(int), stream);
}

HostKernel::Caller& HostKernel::caller(Workers& workers) {
  std::fenv_t mode;
  std::fegetenv(&mode);
  const std::lock_guard lock(mutex_);
  for (Caller& known : callers_) {
    if (&known.workers == &workers && std::memcmp(&known.mode, &mode, sizeof(mode)) == 0) return known;
  }
  return callers_.emplace_back(Caller{*this, workers, mode});
}

void HostKernel::run(void* caller) {
  const Caller& given = *static_cast<const Caller*>(caller);
  std::fenv_t own;
  std::fegetenv(&own);
  std::fesetenv(&given.mode);
  given.kernel.run(given.workers);
  std::fesetenv(&own);
}

void HostKernel::run(Workers& workers) const {
  if (errors_.is_set()) return;
  try {
    std::vector<const std::byte*> inputs;
    for (const Piece& input : inputs_) inputs.push_back(input.here);
    std::byte* output = output_.here;
    kernel_.run({&output, inputs.data(), scratch_, workers});
  } catch (...) {
    errors_.keep(std::current_exception());
  }
}

}  // namespace thalweg::cuda

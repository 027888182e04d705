#pragma once
// Kernels of this CPU at their place in the order of the GPU's work.

#include <cfenv>
#include <deque>
#include <exception>
#include <mutex>
#include <vector>

#include "cuda/context.hpp"

namespace thalweg::cuda {

/// The first error of kernels of this CPU, until `wait` throws it.
class HostErrors {
 public:
  explicit HostErrors(const Context& context) : word_(context, sizeof(int)) { clear(); }

  /// Keeps the first error and sets the word. From now on kernels of this CPU are skipped.
  void keep(std::exception_ptr error);
  [[nodiscard]] bool is_set() const;
  /// May be called only when no kernel runs.
  std::exception_ptr take();
  /// 1 if there is an error. It is copied to the GPU after each kernel, so that it is part of the order of work.
  [[nodiscard]] const std::byte* word() const { return word_.data(); }

 private:
  void clear();

  mutable std::mutex mutex_;
  std::exception_ptr error_;
  Pinned word_;
};

/// A kernel of this host, and the pinned memory that it works in.
class HostKernel {
 public:
  HostKernel(const Context& context, HostErrors& errors, Kernel kernel, const std::vector<std::size_t>& input_bytes,
             std::size_t output_bytes);

  /// Enqueues it on a stream: its inputs are copied to the host, then its outputs to the GPU, then the error word to
  /// `error_word`.
  void enqueue(CUstream stream, const KernelCall& call, CUdeviceptr error_word);

 private:
  struct Piece {
    std::byte* here;
    std::size_t bytes;
  };
  /// The workers and the floating-point mode with which it is called.
  struct Caller {
    HostKernel& kernel;
    Workers& workers;
    std::fenv_t mode;
  };
  [[nodiscard]] Caller& caller(Workers& workers);
  static void run(void* caller);
  void run(Workers& workers) const;

  const Context& context_;
  HostErrors& errors_;
  Kernel kernel_;
  Pinned memory_;
  std::vector<Piece> inputs_;
  Piece output_{};
  std::byte* scratch_ = nullptr;
  std::mutex mutex_;
  std::deque<Caller> callers_;  // few; what is enqueued refers to them as long as the kernel lives
};

}  // namespace thalweg::cuda

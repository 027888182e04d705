#pragma once
// Kernels of this host in the order of the GPU's work.

#include <cfenv>
#include <deque>
#include <exception>
#include <mutex>
#include <vector>

#include "cuda/context.hpp"

namespace thalweg::cuda {

/// What kernels of this host threw, until somebody waits for it.
class HostErrors {
 public:
  explicit HostErrors(const Context& context) : word_(context, sizeof(int)) { clear(); }

  /// Keeps the first error and sets the word. Kernels of this host are left out from now on.
  void keep(std::exception_ptr error);
  [[nodiscard]] bool is_set() const;
  /// For a time when no kernel runs.
  std::exception_ptr take();
  /// 1 where there is an error. Copied to the GPU behind each kernel, so that it has its place in the order.
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

  /// Puts it into the order of a stream: what it reads comes here, and what it writes goes back, and then the word of
  /// the errors to `error_word`.
  void enqueue(CUstream stream, const KernelCall& call, CUdeviceptr error_word);

 private:
  struct Piece {
    std::byte* here;
    std::size_t bytes;
  };
  /// How it is called: by which workers, and with whose floating-point mode.
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

#pragma once
// The far CPU: a fake device for testing device code without a GPU. The host must not touch its memory, and its kernels
// run late. It uses the kernels of this CPU, so its results have the same bits. Library code that accesses device
// memory from the host crashes, and code that does not wait for a result gets different bits.

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "device/device.hpp"

namespace thalweg::testing {

/// Its memory is mapped twice. The addresses that it returns to callers have no access rights, so reading or writing
/// them on the host raises a signal; kernels get the addresses of the other mapping. Work is queued, and runs on a
/// thread of the device in its order, but only when a caller waits for it or the queue is long. New memory is filled
/// with NaNs.
class FarCpu : public Device {
 public:
  /// `rough`: products and convolutions of some shapes have other last digits, as where a library chooses another
  /// algorithm for them.
  explicit FarCpu(bool rough = false);
  ~FarCpu() override;

  [[nodiscard]] bool is_here() const override { return false; }
  [[nodiscard]] std::size_t alignment() const override { return 256; }
  [[nodiscard]] std::byte* allocate(std::size_t bytes, std::string_view who) override;
  void release(std::byte* there) override;
  void write(std::byte* there, const std::byte* here, std::size_t bytes) override;
  void copy_there(std::byte* to, const std::byte* from, std::size_t bytes) override;
  [[nodiscard]] Mark read(std::byte* here, const std::byte* there, std::size_t bytes) override;
  void wait(Mark mark) override;

  [[nodiscard]] Kernel tiles(const TileProgram& program) override;
  [[nodiscard]] Kernel copy(const View& view, DType dtype) override;
  [[nodiscard]] Kernel op(const OpKernel& op, const KernelSite& site) override;
  [[nodiscard]] Kernel rows(std::size_t row_bytes, std::int64_t count) override;
  [[nodiscard]] std::function<void()> record(std::vector<std::function<void()>> calls) override;

  /// The bytes that are allocated now, the bytes written from the host so far, the kernels that ran, and the programs
  /// that were recorded as one call.
  [[nodiscard]] std::size_t given_out();
  [[nodiscard]] std::size_t written();
  [[nodiscard]] std::size_t kernels();
  [[nodiscard]] std::size_t recorded();
  /// The number of calls of wait().
  [[nodiscard]] std::size_t waits();

 private:
  using Work = std::function<void()>;
  /// After a kernel has thrown, later kernels are skipped until its error has been rethrown to a waiting caller.
  enum class Kind { memory, kernel };

  /// The address of a byte in the accessible mapping. Aborts if the address is not of this device.
  [[nodiscard]] std::byte* near(const std::byte* there) const;
  Mark push(Kind kind, Work work);
  [[nodiscard]] Kernel late(Kernel inner, std::size_t inputs, std::size_t outputs);
  void work_until_stopped();
  void put_back(std::byte* there);

  bool rough_;
  std::byte *far_ = nullptr, *near_ = nullptr;
  std::mutex mutex_;
  std::condition_variable wake_, done_changed_;
  std::deque<std::pair<Kind, Work>> waiting_;
  std::uint64_t pushed_ = 0, done_ = 0, wanted_ = 0;
  std::exception_ptr error_;
  std::uint64_t failed_ = 0, left_out_ = 0;  // numbers: of the work that threw; of the last work that is skipped
  bool stopping_ = false;
  std::map<const std::byte*, std::size_t> sizes_;  // of allocated blocks
  std::multimap<std::size_t, std::byte*> free_;    // free blocks by size
  std::size_t end_ = 0, given_out_ = 0, written_ = 0, kernels_ = 0, recorded_ = 0, waits_ = 0;
  Workers alone_{1};
  std::thread thread_;
};

/// The far CPU of this process if THALWEG_TEST_DEVICE=far (or rough) chooses it for all tests of the program; otherwise
/// null.
[[nodiscard]] FarCpu* far_cpu_of_all_tests();

/// Whether THALWEG_TEST_DEVICE chooses a GPU for all tests of a program, or the rough far CPU, which is like one:
/// numbers of a GPU in f32 have no denormals, its functions are those of its compiler, and products of other shapes may
/// add in another order.
[[nodiscard]] bool is_on_a_gpu();

}  // namespace thalweg::testing

#pragma once
// The far CPU: a device whose memory the host must not touch, and whose kernels run late. It computes with the kernels
// of this CPU, and so to the same bits; whatever in the library would forget that memory is elsewhere, or not wait for
// it, crashes or differs.

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

/// Its memory is mapped twice. The addresses that it gives out have no access rights: who reads or writes there is
/// stopped by a signal. Kernels are given the other ones. Nothing runs before somebody waits for it, or many things
/// wait; then a thread of its own runs them in their order. New memory holds NaNs.
class FarCpu : public Device {
 public:
  FarCpu();
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

  /// Bytes that are given out, bytes written to it so far, kernels that ran, and programs that became one recorded
  /// call.
  [[nodiscard]] std::size_t given_out();
  [[nodiscard]] std::size_t written();
  [[nodiscard]] std::size_t kernels();
  [[nodiscard]] std::size_t recorded();
  /// How often somebody waited.
  [[nodiscard]] std::size_t waits();

 private:
  using Work = std::function<void()>;
  /// Kernels are left out after one that threw, until it was waited for.
  enum class Kind { memory, kernel };

  /// The address at which the device itself finds a byte. Ends the program where it was not given out.
  [[nodiscard]] std::byte* near(const std::byte* there) const;
  Mark push(Kind kind, Work work);
  [[nodiscard]] Kernel late(Kernel inner, std::size_t inputs, std::size_t outputs);
  void work_until_stopped();
  void put_back(std::byte* there);

  std::byte *far_ = nullptr, *near_ = nullptr;
  std::mutex mutex_;
  std::condition_variable wake_, done_changed_;
  std::deque<std::pair<Kind, Work>> waiting_;
  std::uint64_t pushed_ = 0, done_ = 0, wanted_ = 0;
  std::exception_ptr error_;
  std::uint64_t failed_ = 0, left_out_ = 0;  // the work that threw, and that up to which no kernel is run after one
  bool stopping_ = false;
  std::map<const std::byte*, std::size_t> sizes_;  // of what is given out
  std::multimap<std::size_t, std::byte*> free_;    // by size
  std::size_t end_ = 0, given_out_ = 0, written_ = 0, kernels_ = 0, recorded_ = 0, waits_ = 0;
  Workers alone_{1};
  std::thread thread_;
};

/// The far CPU of this process, where THALWEG_TEST_DEVICE=far chooses it for all tests of a program; else null.
[[nodiscard]] FarCpu* far_cpu_of_all_tests();

}  // namespace thalweg::testing

#include "far_cpu.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>

#include "core/error.hpp"
#include "device/gpu.hpp"

namespace thalweg::testing {

namespace {

constexpr std::size_t room = std::size_t{16} << 30;  // of addresses; the system allocates pages when they are written
constexpr std::size_t gap = 256;                     // bytes behind each block that show writes beyond its end
constexpr std::size_t most_waiting = 2000;

std::byte* mapped(int file, int rights) {
  void* memory = mmap(nullptr, room, rights, MAP_SHARED | MAP_NORESERVE, file, 0);
  if (memory == MAP_FAILED) std::abort();
  return static_cast<std::byte*>(memory);
}

[[noreturn]] void stop(const char* why) {
  std::fprintf(stderr, "[far] %s\n", why);
  std::abort();
}

}  // namespace

FarCpu::FarCpu(bool rough) : rough_(rough) {
  const int file = memfd_create("far", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, static_cast<off_t>(room)) != 0) std::abort();
  far_ = mapped(file, PROT_NONE);
  near_ = mapped(file, PROT_READ | PROT_WRITE);
  close(file);
  thread_ = std::thread([this] { work_until_stopped(); });
}

FarCpu::~FarCpu() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
  munmap(far_, room);
  munmap(near_, room);
}

std::byte* FarCpu::near(const std::byte* there) const {
  if (there < far_ || there >= far_ + room) stop("an address that is not of this device");
  return near_ + (there - far_);
}

// ---------------------------------------------------------------------------------------------------------------------
// Memory

std::byte* FarCpu::allocate(std::size_t bytes, std::string_view who) {
  const std::size_t size = (std::max<std::size_t>(1, bytes) + alignment() - 1) / alignment() * alignment() + gap;
  const std::lock_guard lock(mutex_);
  std::byte* there = nullptr;
  if (const auto found = free_.find(size); found != free_.end()) {
    there = found->second;
    free_.erase(found);
  } else if (size > room - end_) {
    fail<MemoryError>("[{}] {} bytes requested, but the far CPU does not have that much memory", who, bytes);
  } else {
    there = far_ + end_;
    end_ += size;
  }
  sizes_[there] = size;
  given_out_ += size;
  std::memset(near(there), 0xff, size);  // NaN in f32 and f64
  return there;
}

void FarCpu::release(std::byte* there) {
  push(Kind::memory, [this, there] { put_back(there); });
}

void FarCpu::put_back(std::byte* there) {
  const std::lock_guard lock(mutex_);
  const auto found = sizes_.find(there);
  if (found == sizes_.end()) stop("released memory that was not allocated");
  const std::size_t size = found->second;
  sizes_.erase(found);
  for (const std::byte* b = near(there) + size - gap; b < near(there) + size; ++b) {
    if (*b != std::byte{0xff}) stop("something was written behind the end of a block");
  }
  given_out_ -= size;
  free_.emplace(size, there);
}

void FarCpu::write(std::byte* there, const std::byte* here, std::size_t bytes) {
  if (bytes == 0) return;
  auto sent = std::make_shared<std::vector<std::byte>>(here, here + bytes);
  push(Kind::memory, [this, to = near(there), sent] {
    std::ranges::copy(*sent, to);
    const std::lock_guard lock(mutex_);
    written_ += sent->size();
  });
}

void FarCpu::copy_there(std::byte* to, const std::byte* from, std::size_t bytes) {
  if (bytes == 0) return;
  push(Kind::memory, [to = near(to), from = near(from), bytes] { std::memmove(to, from, bytes); });
}

Mark FarCpu::read(std::byte* here, const std::byte* there, std::size_t bytes) {
  return push(Kind::memory, [here, from = near(there), bytes] { std::copy_n(from, bytes, here); });
}

// ---------------------------------------------------------------------------------------------------------------------
// Order

Mark FarCpu::push(Kind kind, Work work) {
  const std::lock_guard lock(mutex_);
  waiting_.emplace_back(kind, std::move(work));
  ++pushed_;
  if (waiting_.size() > most_waiting) {
    wanted_ = pushed_;
    wake_.notify_all();
  }
  return {pushed_};
}

void FarCpu::wait(Mark mark) {
  std::unique_lock lock(mutex_);
  wanted_ = std::max(wanted_, mark.number);
  wake_.notify_all();
  done_changed_.wait(lock, [&] { return done_ >= mark.number; });
  ++waits_;
  if (!error_ || failed_ > mark.number) return;
  left_out_ = pushed_;
  std::rethrow_exception(std::exchange(error_, nullptr));
}

void FarCpu::work_until_stopped() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || (done_ < wanted_ && !waiting_.empty()); });
    if (waiting_.empty()) return;
    auto [kind, work] = std::move(waiting_.front());
    waiting_.pop_front();
    const bool left_out = kind == Kind::kernel && (error_ || done_ < left_out_);
    lock.unlock();
    std::exception_ptr error;
    try {
      if (!left_out) work();
    } catch (...) {
      error = std::current_exception();
    }
    work = {};  // destroys its captures before the work counts as done
    lock.lock();
    ++done_;
    if (kind == Kind::kernel) ++kernels_;
    if (error) error_ = error, failed_ = done_;
    done_changed_.notify_all();
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Kernels

Kernel FarCpu::late(Kernel inner, std::size_t inputs, std::size_t outputs) {
  auto kernel = std::make_shared<const Kernel>(std::move(inner));
  const auto enqueue = [this, kernel, inputs, outputs](const KernelCall& call) {
    std::vector<std::byte*> addresses;
    for (std::size_t k = 0; k < inputs; ++k) addresses.push_back(near(call.inputs[k]));
    for (std::size_t k = 0; k < outputs; ++k) addresses.push_back(near(call.outputs[k]));
    std::byte* const scratch = kernel->scratch > 0 ? near(call.scratch) : nullptr;
    const bool flushes = FlushDenormals::is_on();
    push(Kind::kernel, [this, kernel, inputs, addresses = std::move(addresses), scratch, flushes] {
      std::optional<FlushDenormals> flush;
      if (flushes) flush.emplace();
      kernel->run({addresses.data() + inputs, addresses.data(), scratch, alone_});
    });
  };
  return {enqueue, kernel->scratch,
          [enqueue](const KernelCall& call) -> std::function<void()> { return [enqueue, call] { enqueue(call); }; }};
}

Kernel FarCpu::tiles(const TileProgram& program) {
  int inputs = 0, outputs = 0;
  for (const auto& load : program.loads) inputs = std::max(inputs, load.input + 1);
  for (const auto& store : program.stores) outputs = std::max(outputs, store.output + 1);
  for (const auto& reduce : program.reductions) outputs = std::max(outputs, reduce.output + 1);
  return late(Device::tiles(program), static_cast<std::size_t>(inputs), static_cast<std::size_t>(outputs));
}

Kernel FarCpu::copy(const View& view, DType dtype) { return late(Device::copy(view, dtype), 1, 1); }

namespace {

template <class T>
void move_digits(std::byte* values, std::int64_t count) {
  auto* const x = reinterpret_cast<T*>(values);
  for (std::int64_t i = 0; i < count; ++i) {
    if (std::isnormal(x[i])) x[i] = std::nextafter(x[i], std::numeric_limits<T>::infinity());
  }
}

/// A product whose last digit depends on the sizes of its operands.
Kernel roughened(Kernel inner, const KernelSite& site) {
  std::int64_t sizes = 0;
  for (const Signature& input : site.inputs) {
    for (const std::int64_t size : input.shape.sizes()) sizes += size;
  }
  if (sizes % 2 == 0 || site.result != Stored::plain) return inner;
  const auto move = site.output.dtype == f32 ? move_digits<float> : move_digits<double>;
  return {[run = std::move(inner.run), move, count = site.output.shape.size()](const KernelCall& call) {
            run(call);
            move(call.outputs[0], count);
          },
          inner.scratch};
}

}  // namespace

Kernel FarCpu::op(const OpKernel& op, const KernelSite& site) {
  Kernel inner = Device::op(op, site);
  const bool sums = site.op == "matmul" || site.op.starts_with("convolution");
  if (rough_ && sums) inner = roughened(std::move(inner), site);
  return late(std::move(inner), site.inputs.size(), 1);
}

Kernel FarCpu::rows(std::size_t row_bytes, std::int64_t count) { return late(Device::rows(row_bytes, count), 2, 1); }

std::function<void()> FarCpu::record(std::vector<std::function<void()>> calls) {
  {
    const std::lock_guard lock(mutex_);
    ++recorded_;
  }
  return Device::record(std::move(calls));
}

std::size_t FarCpu::waits() {
  const std::lock_guard lock(mutex_);
  return waits_;
}

std::size_t FarCpu::given_out() {
  const std::lock_guard lock(mutex_);
  return given_out_;
}

std::size_t FarCpu::written() {
  const std::lock_guard lock(mutex_);
  return written_;
}

std::size_t FarCpu::kernels() {
  const std::lock_guard lock(mutex_);
  return kernels_;
}

std::size_t FarCpu::recorded() {
  const std::lock_guard lock(mutex_);
  return recorded_;
}

// ---------------------------------------------------------------------------------------------------------------------
// All tests of a program

FarCpu* far_cpu_of_all_tests() {
  static FarCpu* const far = []() -> FarCpu* {
    const char* text = std::getenv("THALWEG_TEST_DEVICE");
    const std::string_view device = text == nullptr ? "" : text;
    if (device != "far" && device != "rough") return nullptr;
    static FarCpu cpu(device == "rough");
    return &cpu;
  }();
  return far;
}

namespace {

/// The GPU that THALWEG_TEST_DEVICE names, or null if it names none. If that GPU is missing, the program exits with the
/// code that CTest counts as skipped.
Device* gpu_of_all_tests() {
  constexpr int left_out = 77;
  const char* name = std::getenv("THALWEG_TEST_DEVICE");
  if (name == nullptr || !std::string_view(name).starts_with("cuda")) return nullptr;
  try {
    return &device_named(name);
  } catch (const Error& error) {
    std::fprintf(stderr, "left out: %s\n", error.what());
    std::exit(left_out);
  }
}

struct ChosenForAllTests {
  ChosenForAllTests() {
    if (FarCpu* far = far_cpu_of_all_tests()) chosen.emplace(*far);
    if (gpu != nullptr) chosen.emplace(*gpu);
  }
  Device* gpu = gpu_of_all_tests();
  std::optional<ChosenDevice> chosen;
} chosen_for_all_tests;
}  // namespace

bool is_on_a_gpu() {
  const char* device = std::getenv("THALWEG_TEST_DEVICE");
  return chosen_for_all_tests.gpu != nullptr || (device != nullptr && std::string_view(device) == "rough");
}

}  // namespace thalweg::testing

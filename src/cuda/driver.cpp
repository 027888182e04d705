#include "cuda/driver.hpp"

#include <algorithm>
#include <array>
#include <thread>

#include "cuda/counts.hpp"
#include "cuda/graph.hpp"
#include "cuda/host_kernel.hpp"
#include "cuda/memory.hpp"
#include "cuda/module.hpp"
#include "kernels/rows.hpp"

namespace thalweg::cuda {

const DriverFunctions& driver_functions() {
  static const DriverFunctions functions;
  return functions;
}

namespace {

// ---------------------------------------------------------------------------------------------------------------------
// The list of GPUs

std::string version_of_driver(const DriverFunctions& functions) {
  int version = 0;
  THALWEG_CALL(functions, cuDriverGetVersion, &version);
  return fmt::format("driver {}.{}", version / 1000, version % 1000 / 10);
}

/// The number of GPUs that the driver knows.
int count_gpus() {
  const DriverFunctions& functions = driver_functions();
  int count = 0;
  const CUresult result = functions.cuInit(0);
  if (result == CUDA_ERROR_NO_DEVICE) return 0;
  if (result != CUDA_SUCCESS) {
    fail<UsageError>("[device] NVIDIA's driver does not start: {}. Hint: nvidia-smi says whether it works at all.",
                     functions.words(result));
  }
  THALWEG_CALL(functions, cuDeviceGetCount, &count);
  return count;
}

CUdevice device_of(int index) {
  const int count = count_gpus();
  if (count == 0) fail<UsageError>("[device] NVIDIA's driver finds no GPU. Hint: without --device, this CPU computes.");
  if (index < 0 || index >= count)
    fail<UsageError>("[device] there is no GPU number {}: there are {}, the first is \"cuda:0\"", index, count);
  CUdevice device = 0;
  THALWEG_CALL(driver_functions(), cuDeviceGet, &device, index);
  return device;
}

/// All facts that need no context.
GpuFacts facts_of(CUdevice device) {
  const DriverFunctions& functions = driver_functions();
  const auto attribute = [&](CUdevice_attribute which) {
    int value = 0;
    THALWEG_CALL(functions, cuDeviceGetAttribute, &value, which, device);
    return value;
  };
  GpuFacts facts;
  std::array<char, 256> name{};
  THALWEG_CALL(functions, cuDeviceGetName, name.data(), static_cast<int>(name.size()) - 1, device);
  facts.name = name.data();
  facts.major = attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
  facts.minor = attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  facts.processors = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  THALWEG_CALL(functions, cuDeviceTotalMem, &facts.bytes, device);
  facts.versions = version_of_driver(functions);
  return facts;
}

/// Unused bytes of its memory, which are known only in a context; 0 if no context can be made.
std::size_t unused_of(CUdevice device) {
  try {
    const Context context(device);
    std::size_t unused = 0, all = 0;
    THALWEG_CALL(context.functions, cuMemGetInfo, &unused, &all);
    context.functions.cuCtxSetCurrent(nullptr);  // the context may end here; code that works in it enters it again
    return unused;
  } catch (const Error&) {
    return 0;
  }
}

/// NVIDIA's libraries of one major version need a driver of that version, and say no more than that they do not start.
void check_version() {
  constexpr int least = 13000;
  const DriverFunctions& functions = driver_functions();
  int version = 0;
  THALWEG_CALL(functions, cuDriverGetVersion, &version);
  if (version >= least) return;
  fail<UsageError>(
      "[device] {} is older than cuBLASLt 13 and cuDNN for CUDA 13 need. Wanted: a driver of CUDA {}.0 or later. Hint: "
      "NVIDIA's packages of the driver, from 580 on.",
      version_of_driver(functions), least / 1000);
}

/// Checks that the libraries needed for a listed GPU exist; throws an error that names a missing one.
GpuFacts listed(CUdevice device) {
  check_version();
  GpuFacts facts = facts_of(device);
  const Compiler compiler(facts.major, facts.minor);
  facts.versions += ", " + compiler.version() + ", " + versions_of_libraries();
  facts.unused = unused_of(device);
  return facts;
}

// ---------------------------------------------------------------------------------------------------------------------
// The driver of one GPU

class Driver final : public GpuDriver, public Stream {
 public:
  explicit Driver(const GpuOptions& options)
      : options_(options),
        device_(device_of(options.index)),
        facts_(facts_of(device_)),
        compiler_(facts_.major, facts_.minor),
        context_(device_),
        modules_(context_, options_, compiler_) {
    check_version();
    facts_.versions += ", " + compiler_.version() + ", " + versions_of_libraries();
    std::size_t all = 0;
    THALWEG_CALL(functions(), cuMemGetInfo, &facts_.unused, &all);
    words_ = reinterpret_cast<CUdeviceptr>(pool_.take(sizeof(ErrorWords)));
    if (words_ == 0)
      fail<MemoryError>("[device] {} has no memory left. Hint: nvidia-smi says what uses it.", facts_.name);
    clear_words();
  }
  ~Driver() override {
    stream_.wait_quietly();  // after which nothing of this host is used
    context_.enter_quietly();
    dnn.reset();
    blas.reset();
  }

  [[nodiscard]] const GpuFacts& facts() const override { return facts_; }
  [[nodiscard]] const DriverFunctions& functions() const override { return context_.functions; }
  [[nodiscard]] const GpuOptions& options() const override { return options_; }
  void enter() const override { context_.enter(); }
  /// Also enters the context on this thread, because all work asks for the stream first. While this thread records, its
  /// work goes into the graph; the work of other threads runs as usual.
  [[nodiscard]] CUstream stream() const override {
    context_.enter();
    return records() ? capturing_.get() : stream_.get();
  }
  [[nodiscard]] Counts counts() const {
    return {launches_, modules_.compiled(), modules_.found(), graphs_, uncaptured_};
  }

  [[nodiscard]] std::byte* allocate(std::size_t bytes) override;
  void release(std::byte* there) override;
  void write(std::byte* there, const std::byte* here, std::size_t bytes) override;
  void copy_there(std::byte* to, const std::byte* from, std::size_t bytes) override;
  [[nodiscard]] Mark read(std::byte* here, const std::byte* there, std::size_t bytes) override;
  void wait(Mark mark) override;
  [[nodiscard]] const std::byte* error_words() const override { return reinterpret_cast<const std::byte*>(words_); }

  [[nodiscard]] Kernel text(EmittedKernel kernel) override { return kernel_of(std::move(kernel), false); }
  [[nodiscard]] Kernel tiles(const TileProgram& program) override { return text(emit_tiles(program, text_name)); }
  [[nodiscard]] Kernel copy(const View& view, DType dtype) override { return text(emit_copy(view, dtype, text_name)); }
  [[nodiscard]] Kernel op(std::string_view name, const KernelSite& site) override;
  [[nodiscard]] Kernel rows(std::size_t row_bytes, std::int64_t count) override;
  [[nodiscard]] Kernel here(Kernel kernel, std::vector<std::size_t> input_bytes, std::size_t output_bytes) override;
  [[nodiscard]] std::function<void()> record(std::vector<std::function<void()>> calls) override;

 private:
  /// A text with its launches.
  struct Launched {
    std::shared_ptr<Text> text;
    EmittedKernel kernel;  ///< without its text
    bool takes_error_word;
  };
  using Addresses = std::vector<CUdeviceptr>;
  /// Marks the thread that records, during its lifetime.
  struct Recorder {
    explicit Recorder(std::atomic<std::thread::id>& which) : recorder(which) { recorder = std::this_thread::get_id(); }
    ~Recorder() { recorder = std::thread::id(); }
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;
    std::atomic<std::thread::id>& recorder;
  };

  [[nodiscard]] bool records() const { return recorder_.load() == std::this_thread::get_id(); }
  void refuse_in_graph(const char* what) const;
  void clear_words();
  [[noreturn]] void throw_wrong(const ErrorWords& words);

  [[nodiscard]] Kernel kernel_of(EmittedKernel kernel, bool takes_error_word);
  void put_addresses(const Launched& launched, const KernelCall& call, Addresses& addresses) const;
  void launch(const Launched& launched, Addresses& addresses);

  GpuOptions options_;
  CUdevice device_;
  GpuFacts facts_;
  Compiler compiler_;
  Context context_;
  Modules modules_;
  OwnStream stream_{context_}, capturing_{context_};
  HostErrors host_errors_{context_};

  std::mutex mutex_;  // guards what follows
  MemoryPool pool_{context_, stream_};
  SendingRing sending_{context_, stream_};
  Readings readings_{context_, stream_};
  CUdeviceptr words_ = 0;        // ErrorWords
  std::uint64_t forgotten_ = 0;  // reads up to this number saw errors that have been thrown since

  std::mutex waiting_;       // one thread waits at a time: this guards what follows
  std::exception_ptr lost_;  // set when the GPU was lost: no more results will arrive

  std::mutex making_;     // one thread makes kernels at a time: NVIDIA's libraries begin with the first
  std::mutex recording_;  // one thread records at a time: this one
  std::atomic<std::thread::id> recorder_;
  std::atomic<std::int64_t> launches_ = 0;
  std::atomic<int> graphs_ = 0, uncaptured_ = 0;
};

// ---------------------------------------------------------------------------------------------------------------------
// Memory

/// Throws for work through host memory, which would be done now and not when the graph is launched.
void Driver::refuse_in_graph(const char* what) const {
  if (records()) defect("{} is among the calls that are recorded", what);
}

std::byte* Driver::allocate(std::size_t bytes) {
  context_.enter();
  const std::lock_guard lock(mutex_);
  return pool_.take(bytes);
}

void Driver::release(std::byte* there) {
  const std::lock_guard lock(mutex_);
  pool_.give_back(there);
}

void Driver::write(std::byte* there, const std::byte* here, std::size_t bytes) {
  refuse_in_graph("a write");
  context_.enter();
  const std::lock_guard lock(mutex_);
  sending_.send(there, here, bytes);
}

void Driver::copy_there(std::byte* to, const std::byte* from, std::size_t bytes) {
  if (bytes == 0) return;
  THALWEG_CALL(functions(), cuMemcpyDtoDAsync, reinterpret_cast<CUdeviceptr>(to), reinterpret_cast<CUdeviceptr>(from),
               bytes, stream());
}

Mark Driver::read(std::byte* here, const std::byte* there, std::size_t bytes) {
  refuse_in_graph("a read");
  context_.enter();
  const std::lock_guard lock(mutex_);
  return {readings_.ask(here, there, bytes, words_)};
}

void Driver::wait(Mark mark) {
  refuse_in_graph("a wait");
  context_.enter();
  const std::lock_guard one(waiting_);
  if (lost_) std::rethrow_exception(lost_);
  std::vector<Reading> arrived;
  {
    const std::lock_guard lock(mutex_);
    arrived = readings_.take(mark.number);
  }
  if (arrived.empty()) return;
  try {
    arrived.back().done.wait();  // without the lock, so that other threads can continue
  } catch (...) {
    lost_ = std::current_exception();
    throw;
  }
  for (const Reading& reading : arrived) reading.copy_out();

  const std::lock_guard lock(mutex_);
  const bool forgotten = arrived.back().number <= forgotten_;
  const ErrorWords words = arrived.back().words();  // they stay set, so the last ones are enough
  readings_.give_back(std::move(arrived));
  if (!forgotten && (words.kernels != 0 || words.host != 0)) throw_wrong(words);
}

// ---------------------------------------------------------------------------------------------------------------------
// Errors

void Driver::clear_words() {
  constexpr std::size_t ints = sizeof(ErrorWords) / sizeof(int);
  THALWEG_CALL(functions(), cuMemsetD32Async, words_, 0, ints, stream_.get());
}

void Driver::throw_wrong(const ErrorWords& words) {
  stream_.wait();
  const std::exception_ptr thrown = host_errors_.take();
  clear_words();
  forgotten_ = readings_.last();
  // a wrong index first, because it may be the cause of an error in a kernel of the host
  if (words.kernels == static_cast<int>(Wrong::index)) {
    throw IndexError(
        "device", "an index that its table does not have", 0, 1,
        " of those that a kernel of the GPU read. Hint: indices run from 0 to the rows of the table less 1.");
  }
  if (words.kernels != 0) defect("a kernel of the GPU said {}, which means nothing", words.kernels);
  if (thrown) std::rethrow_exception(thrown);
  defect("a kernel of this host failed, and kept no error");
}

// ---------------------------------------------------------------------------------------------------------------------
// Kernels

Kernel Driver::op(std::string_view name, const KernelSite& site) {
  context_.enter();  // NVIDIA's libraries choose their algorithms in the context
  const std::lock_guard one(making_);
  auto text = text_of_op(name, site);
  if (text && name.starts_with("attention")) {
    const auto own = [this, text = *text] { return kernel_of(text, true); };
    Kernel fused = make_attention(*this, name, site, own, text->scratch);
    if (fused.run) return fused;
  }
  if (text) return kernel_of(std::move(*text), true);
  if (name == "matmul") return make_product(*this, site);
  if (name.starts_with("convolution")) return make_convolution(*this, name, site);
  return {};
}

Kernel Driver::rows(std::size_t row_bytes, std::int64_t count) {
  return kernel_of(text_of_rows(row_bytes, count), true);
}

Kernel Driver::kernel_of(EmittedKernel kernel, bool takes_error_word) {
  if (kernel.launches.empty()) return {[](const KernelCall&) {}};
  for (const EmittedLaunch& launch : kernel.launches) {
    constexpr std::int64_t most_blocks = 0x7fffffff;
    if (launch.blocks < 1 || launch.blocks > most_blocks) defect("a kernel of {} blocks", launch.blocks);
  }
  const auto launched = std::make_shared<Launched>(Launched{modules_.add(kernel), std::move(kernel), takes_error_word});
  launched->kernel.text.clear();
  return {[this, launched](const KernelCall& call) {
            thread_local Addresses addresses;
            put_addresses(*launched, call, addresses);
            launch(*launched, addresses);
          },
          launched->kernel.scratch,
          [this, launched](const KernelCall& call) -> std::function<void()> {
            const auto addresses = std::make_shared<Addresses>();
            put_addresses(*launched, call, *addresses);
            return [this, launched, addresses] { launch(*launched, *addresses); };
          }};
}

void Driver::put_addresses(const Launched& launched, const KernelCall& call, Addresses& addresses) const {
  const auto put = [&addresses](const std::byte* there) { addresses.push_back(reinterpret_cast<CUdeviceptr>(there)); };
  addresses.clear();
  for (int k = 0; k < launched.kernel.inputs; ++k) put(call.inputs[k]);
  for (int k = 0; k < launched.kernel.outputs; ++k) put(call.outputs[k]);
  put(call.scratch);
  if (launched.takes_error_word) addresses.push_back(words_);
}

void Driver::launch(const Launched& launched, Addresses& addresses) {
  const std::vector<CUfunction>& functions_of_launches = modules_.functions_of(*launched.text);
  const CUstream into = stream();
  std::size_t bytes = addresses.size() * sizeof(CUdeviceptr);
  void* parameters[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, addresses.data(), CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
                        CU_LAUNCH_PARAM_END};
  for (std::size_t k = 0; k < functions_of_launches.size(); ++k) {
    const EmittedLaunch& launch = launched.kernel.launches[k];
    THALWEG_CALL(functions(), cuLaunchKernel, functions_of_launches[k], static_cast<unsigned>(launch.blocks), 1, 1,
                 static_cast<unsigned>(launch.threads), 1, 1, 0, into, nullptr, parameters);
    ++launches_;
  }
}

Kernel Driver::here(Kernel kernel, std::vector<std::size_t> input_bytes, std::size_t output_bytes) {
  // enqueued work uses its pinned memory, so it is released when nothing is enqueued
  const auto when_done = [this](HostKernel* done) {
    stream_.wait_quietly();
    delete done;
  };
  const std::shared_ptr<HostKernel> made(
      new HostKernel(context_, host_errors_, std::move(kernel), input_bytes, output_bytes), when_done);
  return {[this, made](const KernelCall& call) { made->enqueue(stream(), call, words_ + offsetof(ErrorWords, host)); }};
}

std::function<void()> Driver::record(std::vector<std::function<void()>> calls) {
  context_.enter();
  modules_.compile_waiting();  // nothing can be loaded while calls are captured
  const auto graph = std::make_shared<Graph>(context_, stream_, std::move(calls));
  const std::lock_guard lock(recording_);
  const Recorder recorder(recorder_);
  const bool captured = graph->capture(capturing_);
  ++(captured ? graphs_ : uncaptured_);
  return [graph] { graph->launch(); };
}

}  // namespace

}  // namespace thalweg::cuda

// ---------------------------------------------------------------------------------------------------------------------
// The functions that this library exports

extern "C" void thalweg_list_gpus(std::vector<thalweg::GpuFacts>& into) {
  const int count = thalweg::cuda::count_gpus();
  bool one_is_usable = count == 0;
  std::exception_ptr why;
  for (int index = 0; index < count; ++index) {
    const CUdevice device = thalweg::cuda::device_of(index);
    try {
      into.push_back(thalweg::cuda::listed(device));
      one_is_usable = true;
    } catch (const thalweg::UsageError&) {  // it keeps its place in the list, next to GPUs that can be used
      why = std::current_exception();
      into.push_back(thalweg::cuda::facts_of(device));
    }
  }
  if (one_is_usable) return;
  into.clear();
  std::rethrow_exception(why);
}

extern "C" void thalweg_open_gpu(const thalweg::GpuOptions& options, std::unique_ptr<thalweg::GpuDriver>& into) {
  into = std::make_unique<thalweg::cuda::Driver>(options);
}

extern "C" void thalweg_cuda_counts(const thalweg::GpuDriver& driver, thalweg::cuda::Counts& into) {
  into = dynamic_cast<const thalweg::cuda::Driver&>(driver).counts();
}

// The stand-in for libcuda.so.1: streams, graphs and kernels.

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cfenv>
#include <cstring>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#include "machine.hpp"

using namespace thalweg::nvidia;

namespace {
constexpr std::uint64_t most_waiting = 2000;
}

std::uint64_t CUstream_st::push(Work work) {
  const std::lock_guard lock(mutex);
  if (capture) {
    capture->nodes.push_back(std::move(work));
    return pushed;
  }
  waiting.push_back(std::move(work));
  ++pushed;
  if (waiting.size() > most_waiting) {
    wanted = pushed;
    wake.notify_all();
  }
  return pushed;
}

void CUstream_st::wait(std::uint64_t number) {
  std::unique_lock lock(mutex);
  wanted = std::max(wanted, number);
  wake.notify_all();
  done_changed.wait(lock, [&] { return done >= number; });
}

bool CUstream_st::refuses() {
  const std::lock_guard lock(mutex);
  if (capture) invalid = true;
  return capture != nullptr;
}

void CUstream_st::work_until_stopped() {
  std::unique_lock lock(mutex);
  while (true) {
    wake.wait(lock, [&] { return stopping || (done < wanted && !waiting.empty()); });
    if (waiting.empty()) return;
    Work work = std::move(waiting.front());
    waiting.pop_front();
    lock.unlock();
    if (!machine().lost) work();
    work = {};  // destroys its captures before the work counts as done
    lock.lock();
    ++done;
    done_changed.notify_all();
  }
}

void thalweg::nvidia::enqueue(CUstream stream, std::function<void()> work) {
  stream->push([work = std::move(work)] {
    Machine& here = machine();
    if (++here.launches > here.lost_after) here.lost = true;
    if (!here.lost) work();
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// Streams and events

CUresult CUDAAPI cuStreamCreate(CUstream* stream, unsigned) {
  if (state() != CUDA_SUCCESS) return state();
  *stream = new CUstream_st();
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuStreamDestroy(CUstream stream) {
  must_have_context();
  delete stream;
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuStreamSynchronize(CUstream stream) {
  if (in_host_function) return CUDA_ERROR_NOT_PERMITTED;
  if (stream->refuses()) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  stream->wait(stream->push([] {}));
  return state();
}

CUresult CUDAAPI cuEventCreate(CUevent* event, unsigned) {
  if (state() != CUDA_SUCCESS) return state();
  *event = new CUevent_st();
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuEventDestroy(CUevent event) {
  must_have_context();
  delete event;
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuEventRecord(CUevent event, CUstream stream) {
  if (state() != CUDA_SUCCESS) return state();
  event->stream = stream;
  event->number = stream->push([] {});
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuEventSynchronize(CUevent event) {
  if (in_host_function) return CUDA_ERROR_NOT_PERMITTED;
  if (event->stream != nullptr) event->stream->wait(event->number);
  return state();
}

CUresult CUDAAPI cuLaunchHostFunc(CUstream stream, CUhostFn function, void* data) {
  if (state() != CUDA_SUCCESS) return state();
  stream->push([function, data] {
    in_host_function = true;
    function(data);
    in_host_function = false;
  });
  return CUDA_SUCCESS;
}

// ---------------------------------------------------------------------------------------------------------------------
// Graphs

CUresult CUDAAPI cuStreamBeginCapture(CUstream stream, CUstreamCaptureMode) {
  if (state() != CUDA_SUCCESS) return state();
  const std::lock_guard lock(stream->mutex);
  if (stream->capture) return CUDA_ERROR_ILLEGAL_STATE;
  stream->capture = std::make_unique<CUgraph_st>();
  stream->invalid = false;
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuStreamEndCapture(CUstream stream, CUgraph* graph) {
  const std::lock_guard lock(stream->mutex);
  *graph = nullptr;
  if (!stream->capture) return CUDA_ERROR_ILLEGAL_STATE;
  const std::unique_ptr<CUgraph_st> captured = std::move(stream->capture);
  if (stream->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  *graph = new CUgraph_st(*captured);
  return state();
}

CUresult CUDAAPI cuGraphInstantiateWithFlags(CUgraphExec* executable, CUgraph graph, unsigned long long) {
  if (state() != CUDA_SUCCESS) return state();
  *executable = new CUgraphExec_st{std::make_shared<const std::vector<Work>>(graph->nodes)};
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuGraphLaunch(CUgraphExec graph, CUstream stream) {
  if (state() != CUDA_SUCCESS) return state();
  stream->push([nodes = graph->nodes] {
    for (const Work& node : *nodes) {
      if (!machine().lost) node();
    }
  });
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuGraphDestroy(CUgraph graph) {
  must_have_context();
  delete graph;
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuGraphExecDestroy(CUgraphExec graph) {
  must_have_context();
  delete graph;
  return CUDA_SUCCESS;
}

// ---------------------------------------------------------------------------------------------------------------------
// Kernels

CUresult CUDAAPI cuModuleLoadData(CUmodule* module, const void* image) {
  if (state() != CUDA_SUCCESS) return state();
  const auto* const bytes = static_cast<const char*>(image);
  const std::string_view magic = image_magic;
  if (std::memcmp(bytes, magic.data(), magic.size()) != 0) return CUDA_ERROR_INVALID_IMAGE;
  std::uint64_t size = 0;
  std::memcpy(&size, bytes + magic.size(), sizeof(size));
  auto made = std::make_unique<CUmod_st>();
  made->file = memfd_create("module", MFD_CLOEXEC);  // stays open, because the library is loaded through its descriptor
  const char* const code = bytes + magic.size() + sizeof(size);
  for (std::uint64_t done = 0; done < size;) {
    const ssize_t written = write(made->file, code + done, size - done);
    if (written <= 0) stop("a module does not fit into memory");
    done += static_cast<std::uint64_t>(written);
  }
  made->library = dlopen(("/proc/self/fd/" + std::to_string(made->file)).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (made->library == nullptr) {
    close(made->file);
    return CUDA_ERROR_INVALID_IMAGE;
  }
  *module = made.release();
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuModuleUnload(CUmodule module) {
  must_have_context();
  dlclose(module->library);
  close(module->file);
  delete module;
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
  if (state() != CUDA_SUCCESS) return state();
  const auto find = [module](const std::string& symbol) { return dlsym(module->library, symbol.c_str()); };
  void* const call = find(name);
  const auto* const addresses = static_cast<const int*>(find(std::string(name) + "_addresses"));
  const auto* const threads = static_cast<const int*>(find(std::string(name) + "_threads"));
  const auto* const flushes = static_cast<const int*>(find("tw_flushes"));
  void* const block = find("tw_block");
  if (call == nullptr || addresses == nullptr || threads == nullptr || flushes == nullptr || block == nullptr)
    return CUDA_ERROR_NOT_FOUND;
  module->functions[name] = {reinterpret_cast<void (*)(void* const*)>(call),
                             reinterpret_cast<void (*)(long long)>(block), *addresses, *threads, *flushes != 0};
  *function = &module->functions[name];
  return CUDA_SUCCESS;
}

namespace {

/// Flushes denormal f32 numbers to 0, for kernels that are compiled with -ftz. (Also f64 numbers, unlike a GPU.)
class FlushedDenormals {
 public:
  explicit FlushedDenormals(bool flushes) {
    std::fegetenv(&mode_);
#ifdef __SSE2__
    constexpr unsigned flush_bits = 0x8040;
    if (flushes) _mm_setcsr(_mm_getcsr() | flush_bits);
#endif
  }
  ~FlushedDenormals() { std::fesetenv(&mode_); }

 private:
  std::fenv_t mode_;
};

/// The accessible address of a kernel's argument. For an address that a kernel must not use, an unmapped one, so that
/// access raises a signal.
void* translated(void* address) {
  auto* const there = static_cast<std::byte*>(address);
  const bool is_known = machine().has(there) || machine().is_pinned(there);
  return is_known ? near(address) : reinterpret_cast<void*>(std::uintptr_t{16});
}

}  // namespace

CUresult CUDAAPI cuLaunchKernel(CUfunction function, unsigned blocks, unsigned y, unsigned z, unsigned threads,
                                unsigned thread_y, unsigned thread_z, unsigned shared_bytes, CUstream stream,
                                void** parameters, void** extra) {
  if (state() != CUDA_SUCCESS) return state();
  const bool is_line = y == 1 && z == 1 && thread_y == 1 && thread_z == 1;
  const bool has_threads = threads > 0 && threads <= static_cast<unsigned>(function->threads);
  if (!is_line || !has_threads || blocks == 0 || shared_bytes != 0 || parameters != nullptr || extra == nullptr ||
      extra[0] != CU_LAUNCH_PARAM_BUFFER_POINTER || extra[2] != CU_LAUNCH_PARAM_BUFFER_SIZE ||
      extra[4] != CU_LAUNCH_PARAM_END) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  if (*static_cast<const std::size_t*>(extra[3]) != static_cast<std::size_t>(function->addresses) * sizeof(void*))
    return CUDA_ERROR_INVALID_VALUE;
  auto* const given = static_cast<void**>(extra[1]);
  std::vector<void*> addresses(given, given + function->addresses);
  std::ranges::transform(addresses, addresses.begin(), translated);
  enqueue(stream, [kernel = *function, blocks, addresses = std::move(addresses)] {
    const FlushedDenormals mode(kernel.flushes);
    for (unsigned b = 0; b < blocks; ++b) {
      kernel.block(b);
      kernel.call(addresses.data());
    }
  });
  return CUDA_SUCCESS;
}

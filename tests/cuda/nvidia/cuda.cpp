// The stand-in for libcuda.so.1. Its memory is mapped twice, and the addresses that it returns have no access rights,
// so that access by the host raises a signal. Work on a stream is queued and runs on a thread of the stream, but only
// when the caller waits for it or the queue is long. New memory is filled with NaNs, and a write beyond the end of a
// block is detected when the block is freed.
//
// Environment variables, read by cuInit, simulate machines and failures: THALWEG_STAND_IN_GPUS (the number of GPUs),
// THALWEG_STAND_IN_BYTES (the size of the memory), THALWEG_STAND_IN_LOST_AFTER (the number of launches after which the
// GPU is lost), THALWEG_STAND_IN_DRIVER (the driver's version), THALWEG_STAND_IN_MAJOR (the major compute capability).

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "machine.hpp"

using namespace thalweg::nvidia;

namespace {

constexpr std::size_t room = Machine::room;
constexpr std::size_t gap = 256;  // bytes behind each block that show writes beyond its end

std::byte* mapped(int file, int rights) {
  void* memory = mmap(nullptr, room, rights, MAP_SHARED | MAP_NORESERVE, file, 0);
  if (memory == MAP_FAILED) stop("no room for its memory");
  return static_cast<std::byte*>(memory);
}

std::size_t number_from(const char* variable, std::size_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

namespace thalweg::nvidia {

void stop(const char* why) {
  std::fprintf(stderr, "[stand-in for libcuda] %s\n", why);
  std::abort();
}

Machine::Machine() {
  const int file = memfd_create("gpu", MFD_CLOEXEC);
  if (file < 0 || ftruncate(file, static_cast<off_t>(room)) != 0) stop("no memory");
  far_memory = mapped(file, PROT_NONE);
  near_memory = mapped(file, PROT_READ | PROT_WRITE);
  close(file);
}

void Machine::read_environment() {
  gpus = static_cast<int>(number_from("THALWEG_STAND_IN_GPUS", 1));
  bytes = std::min(room, number_from("THALWEG_STAND_IN_BYTES", std::size_t{8} << 30));
  lost_after = number_from("THALWEG_STAND_IN_LOST_AFTER", ~std::size_t{0});
  launches = 0;
  lost = false;
}

Machine& machine() {
  static Machine& machine = *new Machine();
  return machine;
}

CUresult state() {
  if (in_host_function) return CUDA_ERROR_NOT_PERMITTED;
  if (!machine().started) return CUDA_ERROR_NOT_INITIALIZED;
  if (!has_context) return CUDA_ERROR_INVALID_CONTEXT;
  return machine().lost ? lost_error : CUDA_SUCCESS;
}

void must_have_context() {
  if (!has_context) stop("something is given back without a context");
}

std::byte* near(const void* address) {
  const auto* there = static_cast<const std::byte*>(address);
  Machine& here = machine();
  if (here.has(there)) return here.near_memory + (there - here.far_memory);
  if (here.is_pinned(there)) return const_cast<std::byte*>(there);
  stop("an address that is neither of the GPU nor of pinned memory");
}

}  // namespace thalweg::nvidia

// ---------------------------------------------------------------------------------------------------------------------
// Initialisation and properties

CUresult CUDAAPI cuInit(unsigned) {
  machine().read_environment();
  machine().started = true;
  return machine().gpus == 0 ? CUDA_ERROR_NO_DEVICE : CUDA_SUCCESS;
}

CUresult CUDAAPI cuDriverGetVersion(int* version) {
  *version = static_cast<int>(number_from("THALWEG_STAND_IN_DRIVER", 13000));
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuGetErrorName(CUresult error, const char** name) {
  static const std::map<CUresult, const char*> names = {
      {CUDA_SUCCESS, "CUDA_SUCCESS"},
      {CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"},
      {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"},
      {CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT"},
      {CUDA_ERROR_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE"},
      {CUDA_ERROR_NO_DEVICE, "CUDA_ERROR_NO_DEVICE"},
      {CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND"},
      {CUDA_ERROR_NOT_PERMITTED, "CUDA_ERROR_NOT_PERMITTED"},
      {CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"},
      {lost_error, "CUDA_ERROR_ECC_UNCORRECTABLE"}};
  const auto found = names.find(error);
  *name = found == names.end() ? nullptr : found->second;
  return found == names.end() ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult CUDAAPI cuGetErrorString(CUresult error, const char** text) {
  *text = error == lost_error ? "uncorrectable ECC error encountered" : "the stand-in has no words for it";
  return CUDA_SUCCESS;
}

/// NVIDIA's real compiler calls this if it finds a driver, and also works without these tables.
CUresult CUDAAPI cuGetExportTable(const void** table, const CUuuid*) {
  *table = nullptr;
  return CUDA_ERROR_NOT_FOUND;
}

CUresult CUDAAPI cuDeviceGetCount(int* count) {
  *count = machine().gpus;
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuDeviceGet(CUdevice* device, int ordinal) {
  if (ordinal < 0 || ordinal >= machine().gpus) return CUDA_ERROR_INVALID_DEVICE;
  *device = ordinal;
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuDeviceGetName(char* name, int length, CUdevice) {
  std::snprintf(name, static_cast<std::size_t>(length), "Stand-in for a GPU");
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice) {
  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
      *value = static_cast<int>(number_from("THALWEG_STAND_IN_MAJOR", 9));
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = 0; return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 132; return CUDA_SUCCESS;
    default: return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult CUDAAPI cuDeviceTotalMem(size_t* bytes, CUdevice) {
  *bytes = machine().bytes;
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice) {
  *context = reinterpret_cast<CUcontext>(&machine());
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuDevicePrimaryCtxRelease(CUdevice) { return CUDA_SUCCESS; }

CUresult CUDAAPI cuCtxSetCurrent(CUcontext context) {
  if (in_host_function) return CUDA_ERROR_NOT_PERMITTED;
  has_context = context != nullptr;
  return CUDA_SUCCESS;
}

// ---------------------------------------------------------------------------------------------------------------------
// Memory

CUresult CUDAAPI cuMemGetInfo(size_t* unused, size_t* all) {
  Machine& here = machine();
  const std::lock_guard lock(here.mutex);
  *all = here.bytes;
  *unused = here.bytes - here.given_out;
  return state();
}

CUresult CUDAAPI cuMemAlloc(CUdeviceptr* address, size_t bytes) {
  if (state() != CUDA_SUCCESS) return state();
  if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  Machine& here = machine();
  constexpr std::size_t alignment = 512;
  const std::size_t size = (bytes + alignment - 1) / alignment * alignment;
  const std::lock_guard lock(here.mutex);
  if (size > here.bytes || here.given_out > here.bytes - size) return CUDA_ERROR_OUT_OF_MEMORY;
  std::byte* there = here.far_memory + here.end;
  if (const auto found = here.unused.find(size); found != here.unused.end()) {
    there = found->second;
    here.unused.erase(found);
  } else if (size + gap > room - here.end) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  } else {
    here.end += size + alignment;  // the gap, and the next one's alignment
  }
  here.sizes[there] = size;
  here.given_out += size;
  std::memset(here.near_memory + (there - here.far_memory), 0xff, size + gap);  // NaN in f32 and f64
  *address = reinterpret_cast<CUdeviceptr>(there);
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuMemFree(CUdeviceptr address) {
  must_have_context();
  Machine& here = machine();
  auto* const there = reinterpret_cast<std::byte*>(address);
  const std::lock_guard lock(here.mutex);
  const auto found = here.sizes.find(there);
  if (found == here.sizes.end()) stop("freed memory that was not allocated");
  const std::size_t size = found->second;
  const std::byte* const behind = here.near_memory + (there - here.far_memory) + size;
  for (std::size_t k = 0; k < gap; ++k) {
    if (behind[k] != std::byte{0xff}) stop("something was written behind the end of a block");
  }
  std::memset(here.near_memory + (there - here.far_memory), 0xff, size);
  here.sizes.erase(found);
  here.given_out -= size;
  here.unused.emplace(size, there);
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuMemHostAlloc(void** address, size_t bytes, unsigned) {
  if (state() != CUDA_SUCCESS) return state();
  constexpr std::size_t page = 4096;
  *address = std::aligned_alloc(page, (bytes + page - 1) / page * page);
  if (*address == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  const std::lock_guard lock(machine().mutex);
  machine().pinned[static_cast<std::byte*>(*address)] = bytes;
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuMemFreeHost(void* address) {
  must_have_context();
  {
    const std::lock_guard lock(machine().mutex);
    if (machine().pinned.erase(static_cast<std::byte*>(address)) == 0) stop("memory freed that is not pinned");
  }
  std::free(address);
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuMemcpyHtoDAsync(CUdeviceptr to, const void* from, size_t bytes, CUstream stream) {
  if (state() != CUDA_SUCCESS) return state();
  const auto* const bytes_here = static_cast<const std::byte*>(from);
  if (machine().is_pinned(bytes_here)) {  // pinned memory is read when the copy runs, not now
    stream->push([to = near(to), bytes_here, bytes] { std::copy_n(bytes_here, bytes, to); });
    return CUDA_SUCCESS;
  }
  if (stream->refuses()) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  const auto sent = std::make_shared<std::vector<std::byte>>(bytes_here, bytes_here + bytes);
  stream->push([to = near(to), sent] { std::ranges::copy(*sent, to); });
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuMemcpyDtoHAsync(void* to, CUdeviceptr from, size_t bytes, CUstream stream) {
  if (state() != CUDA_SUCCESS) return state();
  auto* const bytes_here = static_cast<std::byte*>(to);
  const bool is_pinned = machine().is_pinned(bytes_here);
  if (!is_pinned && stream->refuses()) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  const std::uint64_t number =
      stream->push([bytes_here, from = near(from), bytes] { std::copy_n(from, bytes, bytes_here); });
  if (!is_pinned) stream->wait(number);  // a copy to pageable memory is synchronous, as on a GPU
  return state();
}

CUresult CUDAAPI cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  if (state() != CUDA_SUCCESS) return state();
  stream->push([to = near(to), from = near(from), bytes] { std::copy_n(from, bytes, to); });
  return CUDA_SUCCESS;
}

CUresult CUDAAPI cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream stream) {
  if (state() != CUDA_SUCCESS) return state();
  stream->push([to = near(to), value, count] { std::fill_n(reinterpret_cast<unsigned*>(to), count, value); });
  return CUDA_SUCCESS;
}

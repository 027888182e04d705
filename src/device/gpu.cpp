#include "device/gpu.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>

#include "core/beside.hpp"
#include "core/error.hpp"
#include "tiles/micro_ops.hpp"

namespace fs = std::filesystem;

namespace thalweg {

// ---------------------------------------------------------------------------------------------------------------------
// The device

std::byte* Gpu::allocate(std::size_t bytes, std::string_view who) {
  std::byte* there = driver_->allocate(bytes);
  if (there != nullptr) return there;
  const GpuFacts& facts = driver_->facts();
  fail<MemoryError>(
      "[{}] {} bytes asked for on {}, which has not that much left of its {}. Hint: a smaller batch_size, "
      "train.memory = \"lean\", a train.shard_size below it, or precision = \"bf16\".",
      who, bytes, facts.name, facts.bytes);
}

void Gpu::write(std::byte* there, const std::byte* here, std::size_t bytes) {
  if (bytes > 0) driver_->write(there, here, bytes);
}

void Gpu::copy_there(std::byte* to, const std::byte* from, std::size_t bytes) {
  if (bytes > 0) driver_->copy_there(to, from, bytes);
}

Mark Gpu::read(std::byte* here, const std::byte* there, std::size_t bytes) { return driver_->read(here, there, bytes); }

Kernel Gpu::tiles(const TileProgram& program) { return driver_->tiles(program); }

Kernel Gpu::copy(const View& view, DType dtype) { return driver_->copy(view, dtype); }

Kernel Gpu::op(const OpKernel& op, const KernelSite& site) {
  if (Kernel own = driver_->op(site.op, site); own.run) return own;
  {
    const std::lock_guard lock(mutex_);
    left_here_.emplace(site.op);
  }
  std::vector<std::size_t> inputs;
  for (std::size_t i = 0; i < site.inputs.size(); ++i) {
    const bool narrow = !site.stored.empty() && site.stored[i] == Stored::bf16;
    inputs.push_back(narrow ? site.inputs[i].bytes() / 2 : site.inputs[i].bytes());
  }
  const std::size_t output = site.result == Stored::bf16 ? site.output.bytes() / 2 : site.output.bytes();
  return driver_->here(Device::op(op, site), std::move(inputs), output);
}

Kernel Gpu::rows(std::size_t row_bytes, std::int64_t count) { return driver_->rows(row_bytes, count); }

std::function<void()> Gpu::record(std::vector<std::function<void()>> calls) {
  return driver_->record(std::move(calls));
}

std::string Gpu::facts() const {
  const GpuFacts& facts = driver_->facts();
  return fmt::format("{}, {}{}", facts.name, facts.versions, tf32_ ? ", products in TF32" : "");
}

std::vector<std::string> Gpu::left_here() const {
  const std::lock_guard lock(mutex_);
  return {left_here_.begin(), left_here_.end()};
}

// ---------------------------------------------------------------------------------------------------------------------
// Its library

namespace {

template <class F>
F function_named(const char* name) {
  static void* const library =
      open_beside("libthalweg_cuda.so", RTLD_NOW | RTLD_LOCAL, "device",
                  "Wanted: the library for NVIDIA's GPUs. Hint: it is built where the headers of the CUDA toolkit and "
                  "of cuDNN are found.");
  const auto found = reinterpret_cast<F>(::dlsym(library, name));
  if (found == nullptr) fail<UsageError>("[device] libthalweg_cuda.so is of another version: it has no {}", name);
  return found;
}

/// Where machine code is kept from one run to the next: a folder of the user's caches.
fs::path cache_folder() {
  const auto folder_in = [](const char* variable) -> fs::path {
    const char* text = std::getenv(variable);
    return text != nullptr && *text != '\0' ? fs::path(text) : fs::path();
  };
  if (const fs::path given = folder_in("XDG_CACHE_HOME"); !given.empty()) return given / "thalweg";
  const fs::path home = folder_in("HOME");
  return home.empty() ? fs::path() : home / ".cache" / "thalweg";
}

/// Below 0 where it is no name of a GPU.
int index_in(std::string_view name) {
  if (name == "cuda") return 0;
  constexpr std::string_view prefix = "cuda:";
  const std::string_view digits = name.starts_with(prefix) ? name.substr(prefix.size()) : "";
  if (digits.empty() || digits.size() > 3 || digits.find_first_not_of("0123456789") != std::string_view::npos)
    return -1;
  return std::atoi(std::string(digits).c_str());
}

}  // namespace

std::vector<GpuFacts> list_gpus() {
  std::vector<GpuFacts> all;
  function_named<ListGpus>(list_gpus_name)(all);
  return all;
}

std::unique_ptr<Gpu> open_gpu(int index, bool tf32) {
  std::unique_ptr<GpuDriver> driver;
  const GpuOptions options{index, tf32, micro_ops(), cache_folder()};
  function_named<OpenGpu>(open_gpu_name)(options, driver);
  return std::make_unique<Gpu>(std::move(driver), tf32);
}

bool is_device_name(std::string_view name) { return name == "cpu" || index_in(name) >= 0; }

Device& device_named(std::string_view name, bool tf32) {
  if (name == "cpu") return this_cpu();
  const int index = index_in(name);
  if (index < 0) fail<UsageError>("[device] there is no device \"{}\". {}.", name, wanted_devices);
  // never closed: what was computed there may be asked for until the process ends
  static std::mutex mutex;
  static auto& open = *new std::map<std::pair<int, bool>, std::unique_ptr<Gpu>>();
  const std::lock_guard lock(mutex);
  std::unique_ptr<Gpu>& gpu = open[{index, tf32}];
  if (!gpu) gpu = open_gpu(index, tf32);
  return *gpu;
}

}  // namespace thalweg

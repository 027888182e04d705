#pragma once
// A device for tests: its kernels are the emitted source texts of tiles and copies, compiled by g++ to a shared
// library.

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "device/device.hpp"
#include "emit/emit.hpp"
#include "temporary_folder.hpp"

namespace thalweg {

/// Collects the kernels of any number of programs. `compile` makes one shared library of them; only then can they run.
class CompiledText : public Device {
 public:
  ~CompiledText() override {
    if (library_ != nullptr) dlclose(library_);
  }

  Kernel tiles(const TileProgram& program) override { return kernel_of(emit_tiles(program, name_)); }
  Kernel copy(const View& view, DType dtype) override { return kernel_of(emit_copy(view, dtype, name_)); }
  /// A kernel from any other text with the calling convention of tiles and copies.
  Kernel kernel_of(EmittedKernel emitted) {
    if (emitted.launches.empty()) return {[](const KernelCall&) {}, 0};
    std::shared_ptr<Slot>& slot = known_[emitted.text];
    if (!slot) slot = std::make_shared<Slot>(Slot{"k" + std::to_string(known_.size()), emitted, {}});
    return {[this, slot](const KernelCall& call) { run(*slot, call); }, emitted.scratch};
  }

  /// Runs the blocks of each launch in reverse order, which must not change a result.
  void run_backwards(bool backwards) { backwards_ = backwards; }
  /// The error that a kernel has written since the last call, or 0. Kernels get its address after that of the scratch.
  [[nodiscard]] int error() { return std::exchange(error_, 0); }

  [[nodiscard]] std::size_t kernels() const { return known_.size(); }
  [[nodiscard]] std::string text() const {
    std::string all = emitted_prelude() + emitted_micro_ops(micro_ops());
    for (const auto& [text, slot] : known_) all += renamed(text, slot->name);
    return all;
  }

  void compile() {
    const testing::TemporaryFolder folder;
    const std::string source = (folder / "kernels.cpp").string(), library = (folder / "kernels.so").string();
    std::ofstream(source) << text();
    const std::string command =
        "g++ -std=c++20 -O0 -ffp-contract=off -fno-math-errno -fsanitize=alignment -fsanitize-undefined-trap-on-error "
        "-shared -fPIC -o " +
        library + " " + source;
    ASSERT_EQ(std::system(command.c_str()), 0) << text().substr(0, 20000);
    library_ = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library_, nullptr) << dlerror();
    block_ = reinterpret_cast<void (*)(long long)>(dlsym(library_, "tw_block"));
    for (auto& [text, slot] : known_) {
      for (std::size_t k = 0; k < slot->emitted.launches.size(); ++k) {
        const std::string name = renamed(slot->emitted.launches[k].name, slot->name);
        slot->functions.push_back(reinterpret_cast<Function>(dlsym(library_, name.c_str())));
        ASSERT_NE(slot->functions.back(), nullptr) << name;
      }
    }
  }

 private:
  using Function = void (*)(void* const*);
  struct Slot {
    std::string name;
    EmittedKernel emitted;
    std::vector<Function> functions;
  };

  static std::string renamed(std::string text, const std::string& name) {
    for (std::size_t i = 0; (i = text.find(name_, i)) != std::string::npos; i += name.size())
      text.replace(i, std::string(name_).size(), name);
    return text;
  }

  void run(const Slot& slot, const KernelCall& call) const {
    std::vector<void*> addresses;
    for (int k = 0; k < slot.emitted.inputs; ++k) addresses.push_back(const_cast<std::byte*>(call.inputs[k]));
    for (int k = 0; k < slot.emitted.outputs; ++k) addresses.push_back(call.outputs[k]);
    addresses.push_back(call.scratch);
    addresses.push_back(&error_);
    for (std::size_t l = 0; l < slot.functions.size(); ++l) {
      const std::int64_t blocks = slot.emitted.launches[l].blocks;
      for (std::int64_t b = 0; b < blocks; ++b) {
        block_(backwards_ ? blocks - 1 - b : b);
        slot.functions[l](addresses.data());
      }
    }
  }

  static constexpr const char* name_ = "KERNEL_NAME";
  std::map<std::string, std::shared_ptr<Slot>> known_;
  mutable int error_ = 0;
  bool backwards_ = false;
  void* library_ = nullptr;
  void (*block_)(long long) = nullptr;
};

}  // namespace thalweg

#pragma once
// Modules: groups of kernel texts that are compiled together.

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "cuda/compiler.hpp"
#include "cuda/context.hpp"
#include "emit/emit.hpp"

namespace thalweg::cuda {

/// One text. It has functions, one for each launch, after it was compiled.
struct Text {
  std::string_view text;           ///< in the table of all
  std::vector<std::string> names;  ///< of the functions, as the text has them
  std::vector<CUfunction> functions = {};
  std::atomic<bool> compiled = false;
};

/// All texts of a driver; equal texts are stored once.
class Modules {
 public:
  Modules(const Context& context, const GpuOptions& options, Compiler compiler)
      : context_(context),
        prelude_(emitted_prelude() + emitted_micro_ops(options.micro_ops)),
        compiler_(std::move(compiler)),
        cache_(options.cache) {}
  ~Modules();
  Modules(const Modules&) = delete;
  Modules& operator=(const Modules&) = delete;

  [[nodiscard]] std::shared_ptr<Text> add(const EmittedKernel& kernel);
  /// Compiles all texts that are not compiled yet, as one module.
  void compile_waiting();
  /// The functions of a text, compiled now if need be.
  [[nodiscard]] const std::vector<CUfunction>& functions_of(const Text& text) {
    if (!text.compiled.load(std::memory_order_acquire)) compile_waiting();
    return text.functions;
  }

  /// The number of modules that were compiled, and of those whose machine code was in the cache.
  [[nodiscard]] int compiled() const { return compiled_; }
  [[nodiscard]] int found() const { return found_; }

 private:
  [[nodiscard]] std::string joined() const;
  [[nodiscard]] CUmodule module_of(const std::string& text);

  const Context& context_;
  std::string prelude_;
  Compiler compiler_;
  CodeCache cache_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Text>> known_;
  std::vector<std::shared_ptr<Text>> waiting_;
  std::vector<CUmodule> modules_;
  std::atomic<int> compiled_ = 0, found_ = 0;
};

}  // namespace thalweg::cuda

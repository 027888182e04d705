#include "cuda/module.hpp"

#include <string_view>

namespace thalweg::cuda {

namespace {

/// The name of the text at a place of a module. Its letter at the end keeps "name1" of text 1 apart from text 11.
std::string name_of(std::size_t place) { return fmt::format("k{}k", place); }

std::string renamed(std::string text, const std::string& name) {
  const std::string_view old = text_name;
  for (std::size_t i = 0; (i = text.find(old, i)) != std::string::npos; i += name.size())
    text.replace(i, old.size(), name);
  return text;
}

}  // namespace

Modules::~Modules() {
  for (CUmodule module : modules_) context_.give_back(context_.functions.cuModuleUnload, module);
}

std::shared_ptr<Text> Modules::add(const EmittedKernel& kernel) {
  const std::lock_guard lock(mutex_);
  const auto [place, is_new] = known_.try_emplace(kernel.text);
  std::shared_ptr<Text>& text = place->second;
  if (!is_new) return text;
  text = std::make_shared<Text>();
  text->text = place->first;
  for (const EmittedLaunch& launch : kernel.launches) text->names.push_back(launch.name);
  waiting_.push_back(text);
  return text;
}

std::string Modules::joined() const {
  std::string all = prelude_;
  for (std::size_t i = 0; i < waiting_.size(); ++i) all += renamed(std::string(waiting_[i]->text), name_of(i));
  return all;
}

void Modules::compile_waiting() {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) return;
  context_.enter();
  const CUmodule module = module_of(joined());
  modules_.push_back(module);
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    Text& text = *waiting_[i];
    text.functions.resize(text.names.size());
    for (std::size_t k = 0; k < text.names.size(); ++k) {
      const std::string name = renamed(text.names[k], name_of(i));
      THALWEG_CALL(context_.functions, cuModuleGetFunction, &text.functions[k], module, name.c_str());
    }
    text.compiled.store(true, std::memory_order_release);
  }
  waiting_.clear();
}

CUmodule Modules::module_of(const std::string& text) {
  const std::string made_from = compiler_.settings() + "\n" + text;
  CUmodule module = nullptr;
  if (const auto code = cache_.find(made_from)) {
    // the file is complete, but the driver may still reject it: then it is compiled again
    if (context_.functions.cuModuleLoadData(&module, code->data()) == CUDA_SUCCESS) {
      ++found_;
      return module;
    }
  }
  const std::string code = compiler_.compile(text);
  THALWEG_CALL(context_.functions, cuModuleLoadData, &module, code.data());
  cache_.keep(made_from, code);
  ++compiled_;
  return module;
}

}  // namespace thalweg::cuda

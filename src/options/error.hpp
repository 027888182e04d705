#pragma once
// Errors about an option, which know its key.

#include "core/error.hpp"

namespace thalweg {

/// A key that does not exist, or a value that its option cannot have.
class OptionError : public UsageError {
 public:
  OptionError(std::string key, const std::string& message) : UsageError(message), key_(std::move(key)) {}
  /// The key in the configuration, relative to its section: "lr", "layers[2].units".
  [[nodiscard]] const std::string& key() const noexcept { return key_; }

 private:
  std::string key_;
};

/// fail_option("width", "[gpt] width = {} ...", width)
template <class... Args>
[[noreturn]] void fail_option(std::string_view key, fmt::format_string<Args...> format, Args&&... args) {
  throw OptionError(std::string(key), fmt::format(format, std::forward<Args>(args)...));
}

/// The result of `make`. The key of an OptionError gets the prefix `option`, because it is one of the options inside
/// it.
template <class Make>
auto in_option(std::string_view option, const Make& make) {
  try {
    return make();
  } catch (const OptionError& error) {
    fail_option(fmt::format("{}.{}", option, error.key()), "{}", error.what());
  }
}

}  // namespace thalweg

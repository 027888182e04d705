#pragma once
// Path: the name of a file or a folder, as text.

#include <concepts>
#include <string>
#include <string_view>
#include <utility>

namespace thalweg {

/// Can be made from a text or a std::filesystem::path. It does not include <filesystem>, which would add a sixth of a
/// second to the compilation of every program.
class Path {
 public:
  Path() = default;
  Path(const char* text) : text_(text) {}
  Path(std::string_view text) : text_(text) {}
  Path(std::string text) : text_(std::move(text)) {}
  template <class P>
  requires requires(const P& path) {
    { path.lexically_normal() } -> std::same_as<P>;
    { path.string() } -> std::same_as<std::string>;
  }
  Path(const P& path) : text_(path.string()) {}

  /// Converts back to a std::filesystem::path.
  template <class P>
  requires requires(const P& path) {
    { path.lexically_normal() } -> std::same_as<P>;
  }
  operator P() const { return P(text_); }

  [[nodiscard]] const std::string& string() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }

 private:
  std::string text_;
};

}  // namespace thalweg

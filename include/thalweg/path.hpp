#pragma once
// Path: the name of a file or a folder, as text.

#include <concepts>
#include <string>
#include <string_view>
#include <utility>

namespace thalweg {

/// Made from a text or a std::filesystem::path, and no more than that: <filesystem> would take a sixth of a second of
/// every compilation that includes us.
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

  /// And back again.
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

#pragma once
// Maps names to their positions in a list, so that no search along the list is needed.

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace thalweg {

class NameIndex {
 public:
  /// Appends a name. Returns false if the name is already present; the index then keeps the first position.
  bool add(std::string_view name) { return places_.try_emplace(std::string(name), size_++).second; }
  [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const {
    const auto found = places_.find(name);
    return found == places_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  std::map<std::string, std::size_t, std::less<>> places_;
  std::size_t size_ = 0;
};

}  // namespace thalweg

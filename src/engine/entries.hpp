#pragma once
// The parameters of a layout, found by name.

#include "core/name_index.hpp"
#include "core/signature.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

/// The layout must outlive it.
class Entries {
 public:
  explicit Entries(const Layout& layout) : entries_(layout.entries), dtype_(layout.dtype) {
    for (const ParameterEntry& entry : entries_) index_.add(entry.name);
  }

  /// Null where there is none.
  [[nodiscard]] const ParameterEntry* find(std::string_view name) const {
    const auto found = index_.find(name);
    return found ? &entries_[*found] : nullptr;
  }
  /// Throws ModelError where there is none, or where it has another shape.
  [[nodiscard]] const ParameterEntry& at(std::string_view name, const Signature& wanted) const;

 private:
  const std::vector<ParameterEntry>& entries_;
  DType dtype_;
  NameIndex index_;
};

}  // namespace thalweg

#pragma once
// Batch: the named columns of a batch, as an objective sees them.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "thalweg/var.hpp"

namespace thalweg {

class Batch {
 public:
  explicit Batch(std::vector<std::pair<std::string, Var>> columns) : columns_(std::move(columns)) {}
  /// Throws UsageError, naming the existing columns.
  [[nodiscard]] Var operator[](std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const;
  /// The number of samples: the first axis of the first column that has an axis; 1 if no column has one.
  [[nodiscard]] std::int64_t rows() const;

 private:
  std::vector<std::pair<std::string, Var>> columns_;
};

}  // namespace thalweg

#include <algorithm>

#include "core/error.hpp"
#include "data/gather.hpp"
#include "thalweg/data.hpp"
#include "thalweg/options.hpp"

namespace thalweg {

namespace {

std::int64_t rows_of(const Shape& shape) {
  if (shape.rank() == 0) fail<UsageError>("[dataset] inputs of shape (). Hint: the first axis counts the rows.");
  return shape[0];
}

Dataset with_input(std::span<const float> inputs, const Shape& shape) {
  Dataset result;
  result.set("input", Tensor::from(inputs, shape));
  return result;
}

}  // namespace

Dataset Dataset::from(std::span<const float> inputs, const Shape& shape, std::span<const std::int32_t> labels) {
  const std::int64_t rows = rows_of(shape);
  if (static_cast<std::int64_t>(labels.size()) != rows) {
    fail<UsageError>("[dataset] {} labels for {} rows of inputs of shape {}", labels.size(), rows, shape);
  }
  const auto negative = std::ranges::find_if(labels, [](std::int32_t label) { return label < 0; });
  if (negative != labels.end()) {
    fail<DataError>("[dataset] label {} in row {}. Wanted: 0 or more", *negative, negative - labels.begin());
  }
  Dataset result = with_input(inputs, shape);
  result.set("target", Tensor::from(labels, {rows}));
  return result;
}

Dataset Dataset::from(std::span<const float> inputs, const Shape& shape, std::span<const float> targets) {
  const std::int64_t rows = rows_of(shape), count = static_cast<std::int64_t>(targets.size());
  if (rows == 0 ? count != 0 : count == 0 || count % rows != 0) {
    fail<UsageError>("[dataset] {} targets for {} rows of inputs of shape {}. Hint: the same number for each row.",
                     count, rows, shape);
  }
  Dataset result = with_input(inputs, shape);
  result.set("target", Tensor::from(targets, {rows, rows ? count / rows : 1}));
  return result;
}

const Tensor* Dataset::find(std::string_view name) const {
  const auto found = std::ranges::find(columns_, name, &std::pair<std::string, Tensor>::first);
  return found == columns_.end() ? nullptr : &found->second;
}

void Dataset::set(std::string_view name, Tensor column) {
  if (column.shape().rank() == 0) fail<UsageError>("[dataset] column '{}' is a scalar. Wanted: one row or more", name);
  const auto old = std::ranges::find(columns_, name, &std::pair<std::string, Tensor>::first);
  const bool only = old != columns_.end() && columns_.size() == 1;
  if (!columns_.empty() && !only && column.shape()[0] != rows()) {
    fail<UsageError>("[dataset] column '{}' of shape {} has {} rows, and the others have {}", name, column.shape(),
                     column.shape()[0], rows());
  }
  if (old != columns_.end()) {
    old->second = std::move(column);
  } else {
    columns_.emplace_back(name, std::move(column));
  }
}

bool Dataset::has(std::string_view name) const { return find(name) != nullptr; }

const Tensor& Dataset::operator[](std::string_view name) const {
  if (const Tensor* column = find(name)) return *column;
  fail<UsageError>("[dataset] no column '{}'. Hint: there are {}.", name,
                   columns_.empty() ? "none" : fmt::format("{}", fmt::join(names(), ", ")));
}

std::vector<std::string> Dataset::names() const {
  std::vector<std::string> result;
  for (const auto& [name, column] : columns_) result.push_back(name);
  return result;
}

Dataset Dataset::slice(std::int64_t begin, std::int64_t end) const {
  Dataset result;
  for (const auto& [name, column] : columns_) result.set(name, column.rows(begin, end));
  return result;
}

Dataset Dataset::take(std::span<const std::int64_t> rows) const {
  Dataset result;
  for (const auto& [name, column] : columns_) {
    Shape shape = column.shape();
    shape.set(0, static_cast<std::int64_t>(rows.size()));
    Tensor taken(shape, column.dtype());
    data::gather(column, rows, {taken.mutable_raw(), taken.bytes()});
    result.set(name, std::move(taken));
  }
  return result;
}

namespace data {

void gather(const Tensor& column, std::span<const std::int64_t> rows, std::span<std::byte> into) {
  const std::int64_t count = column.shape()[0];
  const std::size_t row_bytes = count ? column.bytes() / static_cast<std::size_t>(count) : 0;
  // With no rows to pick from, the first row asked for is refused below.
  if (count != 0 && into.size() != row_bytes * rows.size()) {
    fail<UsageError>("[gather] {} rows of {} bytes into {} bytes", rows.size(), row_bytes, into.size());
  }
  const std::byte* from = column.raw();
  std::byte* to = into.data();
  for (const std::int64_t row : rows) {
    if (row < 0 || row >= count) fail<UsageError>("[gather] row {} of {} rows", row, count);
    if (row_bytes != 0) std::memcpy(to, from + static_cast<std::size_t>(row) * row_bytes, row_bytes);
    to += row_bytes;
  }
}

}  // namespace data
}  // namespace thalweg

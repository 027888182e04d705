// Dataset: named columns of equal length, and rows chosen from them.

#include <algorithm>
#include <numeric>

#include "core/error.hpp"
#include "data/gather.hpp"
#include "kernels/copy_rows.hpp"
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

std::size_t checked_row(std::int64_t row, std::int64_t rows) {
  if (row < 0 || row >= rows) fail<UsageError>("[dataset] row {} of {} rows", row, rows);
  return static_cast<std::size_t>(row);
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

const std::pair<std::string, Tensor>* Dataset::find(std::string_view name) const {
  const auto found = std::ranges::find(columns_, name, &std::pair<std::string, Tensor>::first);
  return found == columns_.end() ? nullptr : &*found;
}

void Dataset::insert(std::string_view name, Tensor column, std::int64_t rows) {
  const auto old = std::ranges::find(columns_, name, &std::pair<std::string, Tensor>::first);
  const bool only = old != columns_.end() && columns_.size() == 1;
  if (!columns_.empty() && !only && rows != rows_) {
    fail<UsageError>("[dataset] column '{}' of shape {} has {} rows, and the others have {}", name, column.shape(),
                     rows, rows_);
  }
  rows_ = rows;
  identity_ = std::make_shared<const char>();
  if (const auto stream = streams_.find(name); stream != streams_.end()) streams_.erase(stream);
  if (old != columns_.end()) {
    old->second = std::move(column);
  } else {
    columns_.emplace_back(name, std::move(column));
  }
}

void Dataset::set(std::string_view name, Tensor column) {
  if (column.shape().rank() == 0) fail<UsageError>("[dataset] column '{}' is a scalar. Wanted: one row or more", name);
  const std::int64_t rows = column.shape()[0];
  insert(name, std::move(column), rows);
}

void Dataset::set(std::string_view name, RowReader reader, std::int64_t rows) {
  if (rows < 0) fail<UsageError>("[dataset] column '{}' of {} rows", name, rows);
  Shape none{0};
  for (const std::int64_t size : reader.row) none.push_back(size);
  insert(name, Tensor(none, reader.dtype), rows);
  Stream stream{std::make_shared<const RowReader>(std::move(reader)), std::vector<std::int64_t>(std::size_t(rows))};
  std::iota(stream.rows.begin(), stream.rows.end(), 0);
  streams_.emplace(name, std::move(stream));
}

bool Dataset::has(std::string_view name) const { return find(name) != nullptr; }

const Tensor& Dataset::operator[](std::string_view name) const {
  if (streams_.contains(name))
    fail<UsageError>("[dataset] the rows of column '{}' are yet to be read. Hint: take(rows)[\"{}\"].", name, name);
  if (const auto* column = find(name)) return column->second;
  fail<UsageError>("[dataset] no column '{}'. Hint: there are {}.", name,
                   columns_.empty() ? "none" : fmt::format("{}", fmt::join(names(), ", ")));
}

std::vector<std::string> Dataset::names() const {
  std::vector<std::string> result;
  for (const auto& [name, column] : columns_) result.push_back(name);
  return result;
}

Dataset Dataset::slice(std::int64_t begin, std::int64_t end) const {
  if (streams()) {
    if (begin < 0 || begin > end || end > rows_)
      fail<UsageError>("[rows] rows {} to {} of a dataset of {}", begin, end, rows_);
    std::vector<std::int64_t> rows(static_cast<std::size_t>(end - begin));
    std::iota(rows.begin(), rows.end(), begin);
    return take(rows);
  }
  Dataset result;
  result.unit_ = unit_;
  result.preprocessing_ = preprocessing_;
  for (const auto& [name, column] : columns_) result.set(name, column.rows(begin, end));
  return result;
}

Dataset Dataset::take(std::span<const std::int64_t> rows) const {
  Dataset result;
  result.unit_ = unit_;
  result.preprocessing_ = preprocessing_;
  for (const auto& [name, column] : columns_) {
    Shape shape = column.shape();
    shape.set(0, static_cast<std::int64_t>(rows.size()));
    Tensor taken(shape, column.dtype());
    read(name, rows, taken);
    result.set(name, std::move(taken));
  }
  return result;
}

Dataset Dataset::select(std::span<const std::int64_t> rows) const {
  if (!streams()) return take(rows);
  Dataset result;
  result.unit_ = unit_;
  result.preprocessing_ = preprocessing_;
  for (const auto& [name, column] : columns_) {
    const auto found = streams_.find(name);
    if (found == streams_.end()) {
      Dataset kept;
      kept.set(name, column);
      result.set(name, kept.take(rows)[name]);
      continue;
    }
    Stream chosen{found->second.reader, {}};
    for (const std::int64_t row : rows) chosen.rows.push_back(found->second.rows[checked_row(row, rows_)]);
    result.insert(name, column, static_cast<std::int64_t>(rows.size()));
    result.streams_.emplace(name, std::move(chosen));
  }
  return result;
}

void Dataset::read(std::string_view name, std::span<const std::int64_t> rows, Tensor& into) const {
  const std::span<std::byte> bytes(into.mutable_raw(), into.bytes());
  const auto found = streams_.find(name);
  if (found == streams_.end()) return data::gather(data::row_source(find(name)->second), rows, bytes);
  const std::size_t row_bytes = rows.empty() ? 0 : bytes.size() / rows.size();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    found->second.reader->read(found->second.rows[checked_row(rows[i], rows_)],
                               bytes.subspan(i * row_bytes, row_bytes));
  }
}

namespace data {

RowSource row_source(const Tensor& column) {
  const std::int64_t count = column.shape()[0];
  return {column.raw(), count, count ? column.bytes() / static_cast<std::size_t>(count) : 0};
}

void throw_missing(std::span<const std::int64_t> rows, std::int64_t count) {
  const auto missing = [&](std::int64_t row) { return is_missing(row, count); };
  fail<UsageError>("[gather] row {} of {} rows", *std::ranges::find_if(rows, missing), count);
}

void gather(const RowSource& source, std::span<const std::int64_t> rows, std::span<std::byte> into) {
  check_rows(rows, source.count);
  if (into.size() != source.row_bytes * rows.size())
    fail<UsageError>("[gather] {} rows of {} bytes into {} bytes", rows.size(), source.row_bytes, into.size());
  copy_rows(source.first, source.row_bytes, rows, into.data());
}

}  // namespace data
}  // namespace thalweg

#include "data/preprocessing.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/checked.hpp"
#include "data/cell.hpp"

namespace thalweg::data {

namespace {

/// Mean 0 and standard deviation 1 over the values; constant values get the scale given.
Affine standardising(std::span<const double> values, double scale_of_constant) {
  if (values.empty()) return {.shift = 0, .scale = scale_of_constant};
  const auto [low, high] = std::ranges::minmax(values);
  if (low == high) return {.shift = low, .scale = scale_of_constant};
  const double count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  const double squares = std::accumulate(values.begin(), values.end(), 0.0,
                                         [&](double sum, double x) { return sum + (x - mean) * (x - mean); });
  return {.shift = mean, .scale = 1 / std::sqrt(squares / count)};
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

FeatureEncoding fit_number(const Table& table, std::size_t column, std::span<const std::int64_t> rows) {
  std::vector<double> values;
  values.reserve(rows.size());
  for (const std::int64_t row : rows) {
    if (!is_missing(table.cell(row, column))) values.push_back(number_at(table, row, column));
  }
  FeatureEncoding encoding;
  encoding.marks_missing = values.size() < rows.size();
  encoding.fill = median(values);
  values.resize(rows.size(), encoding.fill);
  encoding.affine = standardising(values, 0);
  return encoding;
}

FeatureEncoding fit_category(const Table& table, std::size_t column, std::span<const std::int64_t> rows) {
  std::vector<std::string_view> levels;
  FeatureEncoding encoding;
  for (const std::int64_t row : rows) {
    const std::string_view cell = table.cell(row, column);
    if (is_missing(cell)) {
      encoding.marks_missing = true;
    } else {
      levels.push_back(cell);
    }
  }
  std::ranges::sort(levels);
  const auto rest = std::ranges::unique(levels);
  encoding.levels.assign(levels.begin(), rest.begin());
  return encoding;
}

std::int64_t width_of(const Schema::Feature& feature, const FeatureEncoding& encoding) {
  const auto own = feature.kind == ColumnKind::number ? 1 : static_cast<std::int64_t>(encoding.levels.size());
  return own + (encoding.marks_missing ? 1 : 0);
}

std::string at(const Place& place) {
  return place.file.empty() ? "" : fmt::format("{}, line {}, ", place.file, place.line);
}

[[noreturn]] void refuse_missing(const Schema::Feature& feature, Missing policy, const Place& place) {
  fail<DataError>("[data] {}column '{}': no value, and the model was trained with missing = \"{}\"", at(place),
                  feature.name, name(policy));
}

[[noreturn]] void refuse_far(const Schema::Feature& feature, std::string_view cell, const Place& place) {
  fail<DataError>("[data] {}column '{}': '{}' is too far from what the model was trained on", at(place), feature.name,
                  cell);
}

float checked_float(double value, std::string_view cell, const Schema::Feature& feature, const Place& place) {
  const float narrow = static_cast<float>(value);
  if (!std::isfinite(narrow)) refuse_far(feature, cell, place);
  return narrow;
}

}  // namespace

TablePreprocessing::TablePreprocessing(const Table& table, Schema schema, std::span<const std::int64_t> training_rows)
    : schema_(std::move(schema)) {
  for (const Schema::Feature& feature : schema_.features) {
    const std::size_t column = column_of(table, feature.name);
    encodings_.push_back(feature.kind == ColumnKind::number ? fit_number(table, column, training_rows)
                                                            : fit_category(table, column, training_rows));
  }
  if (schema_.task == Task::regression) {
    const std::size_t column = column_of(table, schema_.target);
    std::vector<double> values;
    for (const std::int64_t row : training_rows) values.push_back(number_at(table, row, column));
    target_ = standardising(values, 1);
  }
  index();
}

TablePreprocessing::TablePreprocessing(Schema schema, std::vector<FeatureEncoding> encodings, Affine target)
    : schema_(std::move(schema)), encodings_(std::move(encodings)), target_(target) {
  if (encodings_.size() != schema_.features.size()) {
    fail<ModelError>("[preprocessing] {} encodings of {} features", encodings_.size(), schema_.features.size());
  }
  const std::size_t classes = schema_.classes.size();
  if (schema_.task == Task::regression ? classes != 0 : schema_.task == Task::binary ? classes != 2 : classes < 2) {
    fail<ModelError>("[preprocessing] {} with {} classes", name(schema_.task), classes);
  }
  if (target_.scale == 0) fail<ModelError>("[preprocessing] the target's scale is 0");
  for (std::size_t i = 0; i < encodings_.size(); ++i) {
    const std::vector<std::string>& levels = encodings_[i].levels;
    if (std::ranges::adjacent_find(levels, std::ranges::greater_equal{}) != levels.end()) {
      fail<ModelError>("[preprocessing] the levels of '{}' are not in order", schema_.features[i].name);
    }
  }
  index();
}

void TablePreprocessing::index() {
  width_ = 0;
  for (std::size_t i = 0; i < encodings_.size(); ++i) width_ += width_of(schema_.features[i], encodings_[i]);
  numeric_levels_.resize(encodings_.size());
  for (std::size_t i = 0; i < encodings_.size(); ++i) {
    const std::vector<std::string>& levels = encodings_[i].levels;
    for (std::size_t place = 0; place < levels.size(); ++place) {
      if (const auto number = number_in(levels[place])) numeric_levels_[i].emplace(*number, place);
    }
  }
}

std::vector<std::string> TablePreprocessing::input_names() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < encodings_.size(); ++i) {
    const auto& [feature, kind] = schema_.features[i];
    if (kind == ColumnKind::number) names.push_back(feature);
    for (const std::string& level : encodings_[i].levels) names.push_back(fmt::format("{}={}", feature, level));
    if (encodings_[i].marks_missing) names.push_back(feature + " is missing");
  }
  return names;
}

std::vector<std::size_t> TablePreprocessing::match(const std::vector<std::string>& header,
                                                   std::string_view file) const {
  std::vector<std::size_t> columns;
  std::vector<std::string> absent;
  for (const Schema::Feature& feature : schema_.features) {
    const auto found = std::ranges::find(header, feature.name);
    if (found == header.end()) absent.push_back(feature.name);
    columns.push_back(static_cast<std::size_t>(found - header.begin()));
  }
  if (!absent.empty()) {
    fail<DataError>("[data] {}: the model needs the column{} '{}'. Hint: the file has {}.", file,
                    absent.size() > 1 ? "s" : "", fmt::join(absent, "', '"), fmt::join(header, ", "));
  }
  return columns;
}

namespace {

/// One cell at its feature: fills the feature's columns, which are zeros. False for a level that is not known.
struct CellEncoder {
  const Schema::Feature& feature;
  const FeatureEncoding& encoding;
  std::span<float> into;
  const Place& place;

  bool number(std::string_view cell, bool missing) const {
    const auto value = missing ? encoding.fill : number_in(cell);
    if (!value) fail<DataError>("[data] {}column '{}': '{}' is not a finite number", at(place), feature.name, cell);
    into[0] = checked_float(encoding.affine(*value), cell, feature, place);
    return true;
  }

  bool category(std::string_view cell, bool missing) const {
    if (missing) return encoding.marks_missing;
    const auto level = std::ranges::lower_bound(encoding.levels, cell, std::less<std::string_view>{});
    if (level == encoding.levels.end() || *level != cell) return false;
    into[static_cast<std::size_t>(level - encoding.levels.begin())] = 1;
    return true;
  }

  bool operator()(std::string_view cell, Missing policy) const {
    const bool missing = is_missing(cell);
    if (missing && policy != Missing::impute) refuse_missing(feature, policy, place);
    if (missing && encoding.marks_missing) into.back() = 1;
    return feature.kind == ColumnKind::number ? number(cell, missing) : category(cell, missing);
  }
};

}  // namespace

void TablePreprocessing::encode_row(std::span<const std::string_view> cells, std::span<float> into,
                                    std::span<std::int64_t> unknown, Place place) const {
  if (cells.size() != encodings_.size() || into.size() != static_cast<std::size_t>(width_) ||
      (!unknown.empty() && unknown.size() != encodings_.size())) {
    fail<UsageError>("[encode_row] {} cells for {} features, into {} places. Wanted: {}", cells.size(),
                     encodings_.size(), into.size(), width_);
  }
  std::ranges::fill(into, 0.0F);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto width = static_cast<std::size_t>(width_of(schema_.features[i], encodings_[i]));
    const bool known =
        CellEncoder{schema_.features[i], encodings_[i], into.first(width), place}(cells[i], schema_.missing);
    if (!known && !unknown.empty()) ++unknown[i];
    into = into.subspan(width);
  }
}

void TablePreprocessing::encode_numbers(std::span<const float> row, std::span<float> into) const {
  if (row.size() != encodings_.size() || into.size() != static_cast<std::size_t>(width_)) {
    fail<UsageError>("[encode_numbers] {} numbers for {} features, into {} places. Wanted: {}", row.size(),
                     encodings_.size(), into.size(), width_);
  }
  std::ranges::fill(into, 0.0F);
  for (std::size_t i = 0; i < row.size(); ++i) {
    const Schema::Feature& feature = schema_.features[i];
    const FeatureEncoding& encoding = encodings_[i];
    const std::span<float> own = into.first(static_cast<std::size_t>(width_of(feature, encoding)));
    const bool missing = std::isnan(row[i]);
    if (missing && schema_.missing != Missing::impute) refuse_missing(feature, schema_.missing, {});
    if (missing && encoding.marks_missing) own.back() = 1;
    if (feature.kind == ColumnKind::number) {
      const double value = missing ? encoding.fill : static_cast<double>(row[i]);
      own[0] = static_cast<float>(encoding.affine(value));
      if (!std::isfinite(own[0])) refuse_far(feature, fmt::format("{}", row[i]), {});
    } else if (const auto level = numeric_levels_[i].find(row[i]); level != numeric_levels_[i].end()) {
      own[level->second] = 1;
    }
    into = into.subspan(own.size());
  }
}

Tensor TablePreprocessing::encode_target(const Table& table, std::span<const std::int64_t> rows) const {
  const auto count = static_cast<std::int64_t>(rows.size());
  if (schema_.task == Task::multiclass) return Tensor::from(class_labels(table, schema_, rows), {count});
  Tensor target({count, 1}, f32);
  const std::span<float> into = target.mutable_values<float>();
  if (schema_.task == Task::binary) {
    std::ranges::transform(class_labels(table, schema_, rows), into.begin(),
                           [](std::int32_t label) { return static_cast<float>(label); });
  } else {
    const std::size_t column = column_of(table, schema_.target);
    std::ranges::transform(rows, into.begin(), [&](std::int64_t row) {
      return static_cast<float>(target_(number_at(table, row, column)));
    });
  }
  return target;
}

Dataset TablePreprocessing::encode(const Table& table, std::span<const std::int64_t> rows,
                                   std::span<std::int64_t> unknown, std::int64_t budget) const {
  const auto count = static_cast<std::int64_t>(rows.size());
  const std::int64_t bytes = checked_mul(checked_mul(count, width_, "encode"), 4, "encode");
  if (bytes > budget) {
    fail<MemoryError>(
        "[data] {}: {} rows of {} encoded columns take {:.1f} MB, and {:.1f} MB are allowed. Hint: drop the "
        "categories with most levels.",
        table.file(), count, width_, static_cast<double>(bytes) / 0x1p20, static_cast<double>(budget) / 0x1p20);
  }
  const std::vector<std::size_t> columns = match(table.names(), table.file());
  std::vector<std::string_view> cells(columns.size());
  Tensor input({count, width_}, f32);
  std::span<float> into = input.mutable_values<float>();
  for (const std::int64_t row : rows) {
    std::ranges::transform(columns, cells.begin(), [&](std::size_t column) { return table.cell(row, column); });
    encode_row(cells, into.first(static_cast<std::size_t>(width_)), unknown, {table.file(), table.line(row)});
    into = into.subspan(static_cast<std::size_t>(width_));
  }
  Dataset result;
  result.set("input", std::move(input));
  result.set("target", encode_target(table, rows));
  result.set_unit({.shift = target_.shift, .scale = 1 / target_.scale});
  if (const auto column = schema_.weight.empty() ? std::nullopt : table.find(schema_.weight)) {
    Tensor weight({count}, f32);
    std::ranges::transform(rows, weight.mutable_values<float>().begin(),
                           [&](std::int64_t row) { return static_cast<float>(weight_at(table, row, *column)); });
    result.set("weight", std::move(weight));
  }
  return result;
}

}  // namespace thalweg::data

#include "data/preprocessing.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <unordered_map>

#include "core/checked.hpp"
#include "data/cell.hpp"
#include "data/feature_columns.hpp"
#include "data/listed.hpp"
#include "data/row_weights.hpp"

namespace thalweg::data {

namespace {

/// Mean 0 and standard deviation 1 over the values; constant values get the given scale. Numbers are scaled by a power
/// of two before they are squared, which is exact and keeps the squares of very large and very small numbers in range.
Affine standardising(std::span<const double> values, double scale_of_constant, std::string_view column) {
  if (values.empty()) return {.shift = 0, .scale = scale_of_constant};
  const auto [low, high] = std::ranges::minmax(values);
  if (low == high) return {.shift = low, .scale = scale_of_constant};
  const double count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  const int exponent = std::ilogb(high - low);
  const double squares = std::accumulate(values.begin(), values.end(), 0.0, [&](double sum, double x) {
    const double distance = std::ldexp(x - mean, -exponent);
    return sum + distance * distance;
  });
  const double scale = 1 / std::ldexp(std::sqrt(squares / count), exponent);
  if (!std::isfinite(scale)) {
    fail<DataError>("[data] column '{}': its values differ by at most {}, which is too little to standardise them",
                    column, high - low);
  }
  return {.shift = mean, .scale = scale};
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

/// Fits numbers, or dates as days.
FeatureEncoding fit_values(std::vector<double> values, std::size_t rows, std::string_view column) {
  FeatureEncoding encoding;
  encoding.marks_missing = values.size() < rows;
  encoding.fill = median(values);
  values.resize(rows, encoding.fill);
  encoding.affine = standardising(values, 0, column);
  return encoding;
}

FeatureEncoding fit_number(const Table& table, std::size_t column, std::span<const std::int64_t> rows,
                           const NumberForm& form) {
  std::vector<double> values;
  values.reserve(rows.size());
  for (const std::int64_t row : rows) {
    if (!is_missing(table.cell(row, column))) values.push_back(number_at(table, row, column, form));
  }
  return fit_values(std::move(values), rows.size(), table.names()[column]);
}

FeatureEncoding fit_date(const Table& table, std::size_t column, std::span<const std::int64_t> rows, DateOrder order) {
  std::vector<double> values;
  for (const std::int64_t row : rows) {
    if (!is_missing(table.cell(row, column))) values.push_back(days_at(table, row, column, order));
  }
  const bool clock = std::ranges::any_of(values, [](double days) { return days != std::floor(days); });
  FeatureEncoding encoding = fit_values(std::move(values), rows.size(), table.names()[column]);
  encoding.clock = clock;
  return encoding;
}

FeatureEncoding fit_category(const Table& table, std::size_t column, std::span<const std::int64_t> rows,
                             const LevelBounds& bounds) {
  std::vector<std::string_view> cells;
  FeatureEncoding encoding;
  for (const std::int64_t row : rows) {
    const std::string_view cell = table.cell(row, column);
    if (is_missing(cell)) {
      encoding.marks_missing = true;
    } else {
      cells.push_back(cell);
    }
  }
  std::ranges::sort(cells);
  // negative counts, so that the most frequent levels sort first
  std::vector<std::pair<std::int64_t, std::string_view>> levels;
  for (const std::string_view cell : cells) {
    if (levels.empty() || levels.back().second != cell) levels.emplace_back(0, cell);
    --levels.back().first;
  }
  const std::size_t all = levels.size();
  std::erase_if(levels, [&](const auto& level) { return -level.first < bounds.rare; });
  if (static_cast<std::int64_t>(levels.size()) > bounds.most) {
    std::ranges::sort(levels);
    levels.resize(static_cast<std::size_t>(bounds.most));
  }
  encoding.pools = levels.size() < all;
  for (const auto& [count, text] : levels) encoding.levels.emplace_back(text);
  std::ranges::sort(encoding.levels);
  return encoding;
}

std::int64_t width_of(const Schema::Feature& feature, const FeatureEncoding& encoding) {
  const std::int64_t mark = encoding.marks_missing ? 1 : 0;
  switch (feature.kind) {
    case ColumnKind::number: return mark + 1;
    case ColumnKind::date: return mark + (encoding.clock ? 7 : 5);
    case ColumnKind::category:
      return mark + (encoding.pools ? 1 : 0) + static_cast<std::int64_t>(encoding.levels.size());
  }
  return 0;
}

FeatureEncoding fit(const Table& table, const Schema::Feature& feature, std::span<const std::int64_t> rows,
                    const LevelBounds& bounds) {
  const std::size_t column = column_of(table, feature.name);
  switch (feature.kind) {
    case ColumnKind::number: return fit_number(table, column, rows, feature.form);
    case ColumnKind::date: return fit_date(table, column, rows, feature.order);
    case ColumnKind::category: return fit_category(table, column, rows, bounds);
  }
  return {};
}

std::string at(const Place& place) {
  return place.file.empty() ? "" : fmt::format("{}, line {}, ", place.file, place.line);
}

[[noreturn]] void refuse_missing(const Schema::Feature& feature, Missing policy, const Place& place) {
  fail<DataError>(
      "[data] {}column '{}': no value, and the model was trained with missing = \"{}\". Hint: leave "
      "such rows out, or train with missing = \"impute\"",
      at(place), feature.name, name(policy));
}

[[noreturn]] void refuse_far(const Schema::Feature& feature, std::string_view cell, const Place& place) {
  fail<DataError>("[data] {}column '{}': '{}' is too far from the values of the training data", at(place), feature.name,
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
  for (const Schema::Feature& feature : schema_.features)
    encodings_.push_back(fit(table, feature, training_rows, schema_.levels));
  if (schema_.task == Task::regression) {
    const std::size_t column = column_of(table, schema_.target);
    std::vector<double> values;
    for (const std::int64_t row : training_rows) values.push_back(number_at(table, row, column, schema_.target_form));
    target_ = standardising(values, 1, schema_.target);
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
    const std::string& feature = schema_.features[i].name;
    if (schema_.features[i].kind == ColumnKind::number) names.push_back(feature);
    if (schema_.features[i].kind == ColumnKind::date) {
      names.push_back(feature + " (days)");
      for (const char* cycle : {"year", "week", "day"}) {
        if (!encodings_[i].clock && cycle == std::string_view("day")) continue;
        for (const char* part : {"sine", "cosine"}) names.push_back(fmt::format("{} ({}, {})", feature, cycle, part));
      }
    }
    for (const std::string& level : encodings_[i].levels) names.push_back(fmt::format("{}={}", feature, level));
    if (encodings_[i].pools) names.push_back(feature + ", other levels");
    if (encodings_[i].marks_missing) names.push_back(feature + " is missing");
  }
  return names;
}

std::vector<std::size_t> TablePreprocessing::match(const std::vector<std::string>& header,
                                                   std::string_view file) const {
  std::unordered_map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < header.size(); ++i) places.emplace(header[i], i);
  std::vector<std::size_t> columns;
  std::vector<std::string> absent;
  for (const Schema::Feature& feature : schema_.features) {
    const auto found = places.find(feature.name);
    if (found == places.end()) {
      absent.push_back(feature.name);
    } else {
      columns.push_back(found->second);
    }
  }
  if (!absent.empty()) {
    fail<DataError>(
        "[data] {}: the model needs the column{} '{}'. Hint: the file has {}.", file, absent.size() > 1 ? "s" : "",
        fmt::join(absent.begin(), std::next(absent.begin(), std::min<std::ptrdiff_t>(std::ssize(absent), 12)), "', '"),
        listed(header));
  }
  return columns;
}

namespace {

/// Encodes a cell of a feature into the feature's columns, which are zero on entry. False for an unknown level, and for
/// a missing value if the training part had none.
struct CellEncoder {
  const Schema::Feature& feature;
  const FeatureEncoding& encoding;
  std::span<float> into;
  const Place& place;

  [[noreturn]] void refuse(std::string_view cell, std::string_view what) const {
    fail<DataError>("[data] {}column '{}': '{}' is {}", at(place), feature.name, cell, what);
  }

  void standardised(double value, std::string_view cell) const {
    into[0] = checked_float(encoding.affine(value), cell, feature, place);
  }

  void number(std::string_view cell) const {
    const auto value = number_in(cell, feature.form);
    if (!value) refuse(cell, why_no_number(cell, feature.form));
    standardised(*value, cell);
  }

  void date(std::string_view cell) const {
    const auto value = days_in(cell, feature.order);
    if (!value) refuse(cell, fmt::format("no date ({})", name(feature.order)));
    moment(*value, cell);
  }

  void moment(double days, std::string_view cell) const {
    standardised(days, cell);
    const CalendarParts parts = calendar_parts(days);
    const std::array<double, 3> turns = {parts.year, parts.week, parts.day};
    for (std::size_t i = 0; i < (encoding.clock ? 3 : 2); ++i) {
      const double angle = 2 * std::numbers::pi * turns[i];
      into[1 + 2 * i] = static_cast<float>(std::sin(angle));
      into[2 + 2 * i] = static_cast<float>(std::cos(angle));
    }
  }

  [[nodiscard]] bool category(std::string_view cell) const {
    const auto level = std::ranges::lower_bound(encoding.levels, cell, std::less<std::string_view>{});
    if (level == encoding.levels.end() || *level != cell) {
      if (encoding.pools) into[encoding.levels.size()] = 1;
      return encoding.pools;
    }
    into[static_cast<std::size_t>(level - encoding.levels.begin())] = 1;
    return true;
  }

  [[nodiscard]] bool missing(Missing policy) const {
    if (policy != Missing::impute) refuse_missing(feature, policy, place);
    if (encoding.marks_missing) into.back() = 1;
    if (feature.kind == ColumnKind::number) standardised(encoding.fill, "");
    if (feature.kind == ColumnKind::date) moment(encoding.fill, "");
    return encoding.marks_missing;
  }

  bool operator()(std::string_view cell, Missing policy) const {
    if (is_missing(cell)) return missing(policy);
    if (feature.kind == ColumnKind::category) return category(cell);
    feature.kind == ColumnKind::number ? number(cell) : date(cell);
    return true;
  }

  /// The same for a number; `levels` has the index of each level that is a number.
  void operator()(float value, Missing policy, const std::map<double, std::size_t>& levels) const {
    const auto number = static_cast<double>(value);
    if (std::isnan(value)) {
      static_cast<void>(missing(policy));
    } else if (feature.kind == ColumnKind::category) {
      const auto level = levels.find(number);
      if (level != levels.end()) {
        into[level->second] = 1;
      } else if (encoding.pools) {
        into[encoding.levels.size()] = 1;
      }
    } else if (!std::isfinite(value)) {
      refuse(fmt::format("{}", value), "not a finite number");
    } else {
      feature.kind == ColumnKind::number ? standardised(number, fmt::format("{}", value))
                                         : moment(number, fmt::format("{}", value));
    }
  }
};

}  // namespace

void TablePreprocessing::encode_row(std::span<const std::string_view> cells, std::span<float> into,
                                    std::span<std::int64_t> unknown, Place place) const {
  if (cells.size() != encodings_.size())
    fail<UsageError>("[encode_row] {} cells. Wanted: one for each of {} features", cells.size(), encodings_.size());
  if (into.size() != static_cast<std::size_t>(width_))
    fail<UsageError>("[encode_row] into {} places. Wanted: {}", into.size(), width_);
  if (!unknown.empty() && unknown.size() != encodings_.size())
    fail<UsageError>("[encode_row] {} counts of unknown values. Wanted: none, or one for each of {} features",
                     unknown.size(), encodings_.size());
  std::ranges::fill(into, 0.0F);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto width = static_cast<std::size_t>(width_of(schema_.features[i], encodings_[i]));
    const bool known =
        CellEncoder{schema_.features[i], encodings_[i], into.first(width), place}(cells[i], schema_.missing);
    if (!known && !unknown.empty()) ++unknown[i];
    into = into.subspan(width);
  }
}

void TablePreprocessing::encode_numbers(std::span<const float> numbers, std::span<float> into) const {
  if (numbers.size() != encodings_.size() || into.size() != static_cast<std::size_t>(width_)) {
    fail<UsageError>("[encode_numbers] {} numbers for {} features, into {} places. Wanted: {}", numbers.size(),
                     encodings_.size(), into.size(), width_);
  }
  std::ranges::fill(into, 0.0F);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto width = static_cast<std::size_t>(width_of(schema_.features[i], encodings_[i]));
    CellEncoder{schema_.features[i], encodings_[i], into.first(width), {}}(numbers[i], schema_.missing,
                                                                           numeric_levels_[i]);
    into = into.subspan(width);
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
      return static_cast<float>(target_(number_at(table, row, column, schema_.target_form)));
    });
  }
  return target;
}

std::vector<InputSegment> TablePreprocessing::segments() const {
  std::vector<InputSegment> result;
  for (std::size_t i = 0; i < encodings_.size(); ++i) {
    result.push_back({.width = width_of(schema_.features[i], encodings_[i]),
                      .one_hot = schema_.features[i].kind == ColumnKind::category});
  }
  return result;
}

void TablePreprocessing::for_each_row(const Table& table, std::span<const std::int64_t> rows,
                                      std::span<std::int64_t> unknown,
                                      const std::function<void(std::span<const float>)>& take) const {
  const std::vector<std::size_t> columns = match(table.names(), table.file());
  std::vector<std::string_view> cells(columns.size());
  std::vector<float> encoded(static_cast<std::size_t>(width_));
  for (const std::int64_t row : rows) {
    std::ranges::transform(columns, cells.begin(), [&](std::size_t column) { return table.cell(row, column); });
    encode_row(cells, encoded, unknown, {table.file(), table.line(row)});
    take(encoded);
  }
}

void TablePreprocessing::encode_input(const Table& table, std::span<const std::int64_t> rows,
                                      std::span<std::int64_t> unknown, std::int64_t budget, Dataset& into) const {
  constexpr std::int64_t large = 8 << 20;  // smaller data is stored unpacked, which is the fastest to read
  const auto count = static_cast<std::int64_t>(rows.size());
  const std::int64_t dense = checked_mul(checked_mul(count, width_, "encode"), 4, "encode");
  PackedRows packed(segments());
  const bool packs = dense > large && packed.row_bytes() * 4 <= width_ * 4;
  const std::int64_t bytes = packs ? count * packed.row_bytes() : dense;
  if (bytes > budget) {
    fail<MemoryError>(
        "[data] {}: {} rows of {} encoded columns take {:.1f} MB, and {:.1f} MB are allowed. Hint: drop the "
        "categories with most levels.",
        table.file(), count, width_, static_cast<double>(bytes) / 0x1p20, static_cast<double>(budget) / 0x1p20);
  }
  if (packs) {
    packed.reserve(count);
    for_each_row(table, rows, unknown, [&](std::span<const float> row) { packed.add(row); });
    into.set("input", reader_of(std::move(packed), width_), count);
    return;
  }
  Tensor input({count, width_}, f32);
  auto next = input.mutable_values<float>().begin();
  for_each_row(table, rows, unknown, [&](std::span<const float> row) { next = std::ranges::copy(row, next).out; });
  into.set("input", std::move(input));
}

namespace {

Tensor weights_of(const Table& table, std::span<const std::int64_t> rows, std::size_t column) {
  std::vector<double> weights;
  for (const std::int64_t row : rows) weights.push_back(weight_at(table, row, column));
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  const int exponent = weight_exponent(sum / static_cast<double>(weights.size()));
  Tensor result({std::ssize(weights)}, f32);
  std::ranges::transform(weights, result.mutable_values<float>().begin(),
                         [&](double weight) { return static_cast<float>(std::ldexp(weight, -exponent)); });
  return result;
}

}  // namespace

Dataset TablePreprocessing::encode(const Table& table, std::span<const std::int64_t> rows,
                                   std::span<std::int64_t> unknown, std::int64_t budget) const {
  Dataset result;
  encode_input(table, rows, unknown, budget, result);
  result.set("target", encode_target(table, rows));
  result.set_unit({.shift = target_.shift, .scale = 1 / target_.scale});
  if (const auto column = schema_.weight.empty() ? std::nullopt : table.find(schema_.weight)) {
    result.set("weight", weights_of(table, rows, *column));
  }
  return result;
}

std::vector<std::int64_t> feature_widths(const TablePreprocessing& table) {
  std::vector<std::int64_t> widths;
  for (std::size_t i = 0; i < table.encodings().size(); ++i)
    widths.push_back(width_of(table.schema().features[i], table.encodings()[i]));
  return widths;
}

std::vector<EmbeddedColumns> embedded_columns(const TablePreprocessing& table) {
  constexpr double most_numbers = 32, factor = 1.6, power = 0.56;
  std::vector<EmbeddedColumns> all;
  const std::vector<std::int64_t> widths = feature_widths(table);
  const Schema& schema = table.schema();
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < widths.size(); begin += widths[i++]) {
    if (schema.features[i].kind != ColumnKind::category) continue;
    if (schema.levels.embed <= 0 || widths[i] <= schema.levels.embed) continue;
    const double numbers = std::min(most_numbers, std::ceil(factor * std::pow(static_cast<double>(widths[i]), power)));
    all.push_back({static_cast<std::int64_t>(i), begin, widths[i], static_cast<std::int64_t>(numbers)});
  }
  return all;
}

}  // namespace thalweg::data

// The reader of tables.

#include "core/counted.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "data/cell.hpp"
#include "data/class_weights.hpp"
#include "data/table.hpp"
#include "run/training_rows.hpp"
#include "thalweg/derivatives.hpp"

namespace thalweg {

namespace {

struct CsvOptions : data::TableOptions {
  void complete() const {
    if (target.empty()) {
      fail_option("target", "[data] target is not set. Hint: --target COLUMN says what to predict.");
    }
  }
};

Dataset encode_rows(const data::TablePreprocessing& fitted, const data::Table& table,
                    std::span<const std::int64_t> rows, std::string_view where, std::vector<std::string>& warnings) {
  std::vector<std::int64_t> unknown(fitted.schema().features.size());
  Dataset result = fitted.encode(table, rows, unknown);
  for (std::size_t i = 0; i < unknown.size(); ++i) {
    if (unknown[i] == 0) continue;
    const data::Schema::Feature& feature = fitted.schema().features[i];
    const std::string rows_have = counted(unknown[i], "rows") + (unknown[i] == 1 ? " has" : " have");
    warnings.push_back(
        feature.kind == data::ColumnKind::category
            ? fmt::format("{}: {} in column {} a level that the training part did not have, or no value", where,
                          rows_have, feature.name)
            : fmt::format(
                  "{}: {} no value in column {}, which was never missing in the training part: its median is used",
                  where, rows_have, feature.name));
  }
  return result;
}

Origin origin_of(const data::Table& table, const data::Schema& schema, std::span<const std::int64_t> rows) {
  Origin origin;
  for (const std::int64_t row : rows) origin.places.push_back(table.line(row));
  if (schema.task != data::Task::regression) return origin;
  const std::size_t target = data::column_of(table, schema.target);
  for (const std::int64_t row : rows) origin.targets.push_back(data::number_at(table, row, target, schema.target_form));
  return origin;
}

/// The hash of all cells of a row, including those of ignored columns.
std::uint64_t content_of_row(const data::Table& table, std::int64_t row) {
  std::uint64_t content = 0;
  for (std::size_t column = 0; column < table.columns(); ++column)
    content = content_of(table.cell(row, column), content);
  return content;
}

/// Whether a loss takes such targets, one a row: some losses of classes take probabilities of each class instead.
bool takes(const LossFunction& loss, data::Task task, std::int64_t classes) {
  if (loss.task() != task || task != data::Task::multiclass) return loss.task() == task;
  try {
    const Function tried(
        Function::Body([&](std::span<const Var> x) { return std::vector<Var>{loss.samples(x[0], x[1])}; }));
    (void)tried.run({Tensor({2, classes}), Tensor({2}, i32)});
    return true;
  } catch (const UsageError&) {
    return false;
  }
}

/// What a loss that does not take the targets of a table is made for.
std::string_view made_for(data::Task task) {
  switch (task) {
    case data::Task::regression: return "numbers";
    case data::Task::binary: return "two classes";
    case data::Task::multiclass: return "several classes, or of their probabilities";
    default: return "vectors, pairs or texts";
  }
}

/// Their names: "mse, mae, huber".
std::string losses_of(data::Task task, std::int64_t classes = 1) {
  std::string names;
  for (const LossRow& row : losses()) {
    if (takes(row.make({}), task, classes)) names += fmt::format("{}{}", names.empty() ? "" : ", ", row.name);
  }
  return names;
}

class TableRows final : public TrainingRows {
 public:
  TableRows(data::Table table, data::Inference inference, bool balanced, double held_out)
      : TrainingRows(held_out), table_(std::move(table)), schema_(std::move(inference.schema)), balanced_(balanced) {
    rows_ = std::move(inference.rows);
    notes_ = std::move(inference.notes);
    warnings_ = std::move(inference.warnings);
    labels_ = data::class_labels(table_, schema_, rows_);
    const bool classes = schema_.task == data::Task::multiclass;
    facts_ = {.task = schema_.task,
              .rows = static_cast<std::int64_t>(rows_.size()),
              .outputs = classes ? static_cast<std::int64_t>(schema_.classes.size()) : 1};
  }

  void suit(const LossFunction& function) override {
    const LossFunction::Traits& loss = function.traits();
    if (schema_.task != data::Task::regression) {
      const auto classes = std::ssize(schema_.classes);
      if (takes(function, schema_.task, classes)) return;
      fail<UsageError>(
          "[loss] {} is a loss of {}, but '{}' has one of {} classes a row. Losses of a {} target: {}.{}",
          function.name(), loss.task == schema_.task ? "probabilities of each class" : made_for(loss.task),
          schema_.target, classes, data::name(schema_.task), losses_of(schema_.task, classes),
          loss.task == data::Task::regression ? " Hint: --task regression, if its classes are numbers." : "");
    }
    if (loss.task != data::Task::regression) {
      fail<UsageError>(
          "[loss] {} is a loss of {}, but '{}' is a column of numbers, so the task is a regression. Losses of a "
          "regression: {}. Hint: {}.",
          function.name(), made_for(loss.task), schema_.target, losses_of(data::Task::regression),
          loss.task == data::Task::other ? "one of these"
                                         : fmt::format("--task multiclass, or {}, if its numbers are names of classes",
                                                       shell_word("--type=" + schema_.target + "=category")));
    }
    if (!loss.standardise) expect_counts();
    standardise_target_ = loss.standardise;
    facts_.outputs *= loss.outputs;
  }

 private:
  /// Checks targets for a loss of counts, which takes targets in their own unit: its likelihood has no maximum for
  /// targets below 0.
  void expect_counts() const {
    const std::size_t target = data::column_of(table_, schema_.target);
    for (const std::int64_t row : rows_) {
      const double value = data::number_at(table_, row, target, schema_.target_form);
      if (value >= 0) continue;
      fail<DataError>(
          "[loss] {}, line {}, column '{}': the loss is one of counts, and {} is below 0. Hint: another loss, such as "
          "mse.",
          table_.file(), table_.line(row), schema_.target, value);
    }
  }
  [[nodiscard]] Parts encode(std::span<const std::int64_t> train,
                             std::span<const std::int64_t> validation) const override {
    data::TablePreprocessing fitted(table_, schema_, train);
    if (!standardise_target_) fitted = {fitted.schema(), fitted.encodings(), data::Affine{}};
    Parts parts{.preprocessing = fitted, .train = fitted.encode(table_, train)};
    if (balanced_) {
      parts.unbalanced = parts.train;
      data::balance_classes(parts.train);
    }
    if (!validation.empty()) parts.validation = encode_rows(fitted, table_, validation, "validation", parts.warnings);
    return parts;
  }
  [[nodiscard]] std::uint64_t content(std::int64_t row) const override { return content_of_row(table_, row); }
  [[nodiscard]] Origin origin(std::span<const std::int64_t> rows) const override {
    return origin_of(table_, schema_, rows);
  }
  [[nodiscard]] Dataset encode_test(Parts& parts, std::span<const std::int64_t> rows) const override {
    return encode_rows(*parts.preprocessing.table(), table_, rows, "fold", parts.warnings);
  }

  data::Table table_;
  data::Schema schema_;
  bool balanced_;                   // classes of unequal size get the same total weight
  bool standardise_target_ = true;  // unless the loss is in the target's own unit
};

data::Table table_at(const OptionValue& place, const data::TableLayout& layout) {
  return data::read_table(*place.get_if<std::string>(), layout.separator, data::memory_budget(), layout.header);
}

std::unique_ptr<TrainingData> read(const DataOptions& data, const CsvOptions& options) {
  data::Table table = table_at(data.train, {data::separator_named(options.separator), options.header});
  data::Inference inference = data::infer_schema(table, options);
  if (options.class_weights == "balanced" && inference.schema.task == data::Task::regression) {
    fail<UsageError>("[data] class_weights = \"balanced\", but the task is regression. Hint: --weight names a column.");
  }
  return std::make_unique<TableRows>(std::move(table), std::move(inference), options.class_weights == "balanced",
                                     data.held_out());
}

/// The number of rows with a target and without a value in some feature.
std::int64_t rows_with_gaps(const data::Table& table, const data::Schema& schema) {
  const std::size_t target = data::column_of(table, schema.target);
  std::vector<std::size_t> columns;
  for (const data::Schema::Feature& feature : schema.features) columns.push_back(data::column_of(table, feature.name));
  std::int64_t gaps = 0;
  for (std::int64_t row = 0; row < table.rows(); ++row) {
    const auto is_gap = [&](std::size_t column) { return data::is_missing(table.cell(row, column)); };
    gaps += !is_gap(target) && std::ranges::any_of(columns, is_gap) ? 1 : 0;
  }
  return gaps;
}

Dataset encode(const Request& request, const CsvOptions& options, std::vector<std::string>& warnings) {
  const data::TablePreprocessing& fitted = *request.preprocessing.table();
  data::TableLayout layout = fitted.schema().layout;  // as the training data, unless the options say otherwise
  if (const auto separator = data::separator_named(options.separator)) layout.separator = separator;
  layout.header = layout.header && options.header;
  const data::Table table = table_at(request.place, layout);
  std::vector<std::int64_t> rows = data::usable_rows(table, fitted.schema());
  if (request.only) {
    std::erase_if(rows, [&](std::int64_t row) { return !request.only->take(content_of_row(table, row)); });
  } else {
    const std::size_t target = data::column_of(table, fitted.schema().target);
    std::int64_t blank = 0;
    for (std::int64_t row = 0; row < table.rows(); ++row) blank += data::is_missing(table.cell(row, target)) ? 1 : 0;
    if (blank > 0)
      warnings.push_back(
          fmt::format("{}: rows without {} were left out: {}", table.file(), fitted.schema().target, blank));
    if (const std::int64_t gaps = rows_with_gaps(table, fitted.schema());
        gaps > 0 && fitted.schema().missing == data::Missing::drop)
      warnings.push_back(fmt::format("{}: rows with missing values, left out as in training (missing = \"drop\"): {}",
                                     table.file(), gaps));
  }
  const std::string& weight = fitted.schema().weight;
  if (!weight.empty() && !table.find(weight))
    warnings.push_back(fmt::format(
        "{} has no column '{}', the weights of the rows in training: here each row counts as 1", table.file(), weight));
  if (request.origin) *request.origin = origin_of(table, fitted.schema(), rows);
  if (request.contents) {
    for (const std::int64_t row : rows) request.contents->push_back(content_of_row(table, row));
  }
  return encode_rows(fitted, table, rows, table.file(), warnings);
}

}  // namespace

std::vector<ReaderRow> csv_readers() {
  return {reader_row<CsvOptions>(
      {.name = "csv",
       .summary = "a table of text with a header (RFC 4180), separated by commas, semicolons or tabs",
       .suits = [](const data::Preprocessing& p) { return p.table() != nullptr; }},
      read, encode)};
}

}  // namespace thalweg

// A table as a dataset, for users of the library.

#include "core/error.hpp"
#include "data/class_weights.hpp"
#include "data/preprocessing.hpp"
#include "data/table.hpp"

namespace thalweg::data {

namespace {

TableOptions table_options(const CsvOptions& options) {
  TableOptions table{.target = options.target,
                     .features = options.features,
                     .drop = options.drop,
                     .missing = options.missing,
                     .weight = options.weight,
                     .separator = options.separator,
                     .header = options.header,
                     .task = options.task,
                     .positive = options.positive,
                     .class_weights = options.class_weights,
                     .rare_levels = options.rare_levels,
                     .max_levels = options.max_levels};
  for (const auto& [column, kind] : options.types) table.types[column] = {kind};
  return table;
}

Dataset encoded(const std::shared_ptr<const Preprocessing>& how, const Table& table,
                std::span<const std::int64_t> rows) {
  Dataset result = how->table()->encode(table, rows);
  result.set_preprocessing(how);
  return result;
}

}  // namespace

Dataset csv(const Path& path, const CsvOptions& options) {
  if (options.target.empty()) fail<UsageError>("[csv] {}: no target. Hint: {{.target = \"column\"}}.", path.string());
  TableOptions wanted = table_options(options);
  check_fields(wanted.fields(), "csv");
  const Table table = read_table(path.string(), separator_named(options.separator), memory_budget(), options.header);
  Inference inference = infer_schema(table, std::move(wanted));
  const auto how =
      std::make_shared<const Preprocessing>(TablePreprocessing(table, std::move(inference.schema), inference.rows));
  Dataset result = encoded(how, table, inference.rows);
  if (options.class_weights == "balanced") balance_classes(result);
  return result;
}

Dataset csv(const Path& path, const Dataset& like) {
  const auto& how = like.preprocessing();
  if (!how || !how->table()) {
    fail<UsageError>("[csv] {}: the other dataset is not one of a table. Hint: tw::data::csv reads one.",
                     path.string());
  }
  const Schema& schema = how->table()->schema();
  const Table table = read_table(path.string(), schema.layout.separator, memory_budget(), schema.layout.header);
  return encoded(how, table, usable_rows(table, schema));
}

}  // namespace thalweg::data

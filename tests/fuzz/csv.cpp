// Fuzz target: a CSV table is read, its schema is inferred, and its rows are encoded.

#include <algorithm>

#include "data/preprocessing.hpp"
#include "fuzz.hpp"

void thalweg::fuzz::run(std::string_view bytes) {
  may_refuse([&] {
    const MemoryFile file(bytes);
    const data::Table table = data::read_table(file.path());
    for (const std::string& target : {table.names().front(), table.names().back()}) {
      may_refuse([&] {
        const data::Inference inference = data::infer_schema(table, {.target = target});
        const data::TablePreprocessing fitted(table, inference.schema, inference.rows);
        const Dataset data = fitted.encode(table, inference.rows);
        if (data.rows() != std::ssize(inference.rows)) broken("rows are lost", target);
      });
    }
  });
}

// Layers that multiply by a matrix, or look up rows of it.

#include "graph/tracing.hpp"
#include "graph/users_line.hpp"
#include "nn/layer_row.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

Var dense(Scope s, const Arg& x, std::int64_t units, const DenseOptions& options) {
  const UsersLine line(x.source());
  if (var_of(x).rank() == 0 || units < 1) {
    fail<UsageError>("[dense] {} units on an input of shape {} in '{}'. Hint: the input is (batch, ..., features).{}",
                     units, var_of(x).shape(), s.path(), at(x.source()));
  }
  const Var weight = s.parameter("weight", {var_of(x).dim(-1), units}, {.initializer = options.initializer});
  const Var y = matmul(x, weight);
  if (!options.bias) return y;
  return y + s.parameter("bias", {units}, {.initializer = options.bias_initializer, .decay = false});
}

Var embedding(Scope s, const Arg& indices, const EmbeddingOptions& options) {
  const UsersLine line(indices.source());
  if (options.count < 1 || options.width < 1) {
    fail<UsageError>("[embedding] a table of {} rows of {} numbers in '{}'. Hint: {{.count = ..., .width = ...}}.",
                     options.count, options.width, s.path());
  }
  const Var table = s.parameter("table", {options.count, options.width}, {.initializer = options.initializer});
  return gather(Arg(table, indices.source()), indices);
}

namespace {

struct DenseLayer : DenseOptions {
  std::int64_t units = 128;
};
Fields fields(DenseLayer& o) {
  return {{"units", &o.units, "number of outputs", {.low = 1}},
          {"bias", &o.bias, bias_doc},
          {"initializer", &o.initializer, "how the weights start"},
          {"bias_initializer", &o.bias_initializer, bias_initializer_doc}};
}
Var dense_layer(Scope s, const Arg& x, const DenseLayer& o) { return dense(s, x, o.units, o); }

Var embedding_layer(Scope s, const Arg& x, const EmbeddingOptions& o) { return embedding(s, cast(x, i32), o); }

}  // namespace

Fields fields(EmbeddingOptions& o) {
  return {{"count", &o.count, "number of rows of the table: the largest index plus 1", {.low = 1}},
          {"width", &o.width, "size of a row", {.low = 1}},
          {"initializer", &o.initializer, "how the table starts"}};
}

std::vector<LayerRow> dense_layers() {
  return {layer_row(dense_layer, {.name = "dense", .summary = "a fully connected layer", .formula = "x W + b"}),
          layer_row(embedding_layer,
                    {.name = "embedding", .summary = "the row of a table at each index", .formula = "table[x]"})};
}

}  // namespace thalweg::nn

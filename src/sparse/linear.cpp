#include "sparse/linear.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "graph/tracing.hpp"
#include "thalweg/derivatives.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

SparseLinear::SparseLinear(std::int64_t features, std::int64_t outputs, LossFunction loss, Optimizer optimizer)
    : outputs_(outputs),
      loss_(std::move(loss)),
      table_(std::move(optimizer), features, outputs, 1),
      place_(static_cast<std::size_t>(features), -1),
      sums_(static_cast<std::size_t>(outputs)) {}

void SparseLinear::trace(Head& head, std::int64_t rows) const {
  Graph graph;
  const Tracing tracing(graph);
  const bool binary = outputs_ == 1;
  const Var outputs = graph.input("outputs", {rows, outputs_}, f32);
  const Var targets = binary ? graph.input("targets", {rows, 1}, f32) : graph.input("targets", {rows}, i32);
  const Loss loss = loss_(outputs, targets);
  const Var gradient = gradients(loss.sum, {outputs}).front(), predictions = loss_.prediction(outputs);
  head.program.emplace(graph, std::vector<Bound>{{outputs, {first_user_base, 0}}, {targets, {first_user_base + 1, 0}}},
                       std::vector<Bound>{{gradient, {first_user_base + 2, 0}},
                                          {predictions, {first_user_base + 3, 0}},
                                          {cast(loss.sum, f64), {first_user_base + 4, 0}},
                                          {cast(loss.weight, f64), {first_user_base + 4, sizeof(double)}}});
  head.predictions.resize(static_cast<std::size_t>(predictions.size()));
  head.arena = Block(head.program->arena_bytes());
}

SparseLinear::Head& SparseLinear::head_for(std::int64_t rows) {
  Head& head = heads_[rows];
  if (head.program) return head;
  trace(head, rows);
  for (std::vector<float>* numbers : {&head.outputs, &head.gradient})
    numbers->resize(static_cast<std::size_t>(rows * outputs_));
  head.values.resize(static_cast<std::size_t>(rows));
  head.labels.resize(static_cast<std::size_t>(rows));
  return head;
}

/// Collects the features of the rows, in the order in which they occur.
void SparseLinear::gather(std::span<const data::SparseRow> rows) {
  features_.clear();
  places_.clear();
  for (const data::SparseRow& row : rows) {
    for (const std::int32_t feature : row.columns) {
      std::int32_t& place = place_[static_cast<std::size_t>(feature)];
      if (place < 0) {
        place = static_cast<std::int32_t>(features_.size());
        features_.push_back(feature);
      }
      places_.push_back(place);
    }
  }
  for (const std::int32_t feature : features_) place_[static_cast<std::size_t>(feature)] = -1;
  touched_ = table_.touch(features_);
}

SparseLinear::Head& SparseLinear::forward(std::span<const data::SparseRow> rows,
                                          std::span<const std::int32_t> targets) {
  gather(rows);
  Head& head = head_for(std::ssize(rows));
  const auto width = static_cast<std::size_t>(outputs_);
  const float* const bias = touched_.values.data() + static_cast<std::size_t>(touched_.tail) * width;
  const std::int32_t* place = places_.data();
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::copy_n(bias, width, sums_.begin());
    for (const float value : rows[r].values) {
      const float* const weights = touched_.values.data() + static_cast<std::size_t>(*place++) * width;
      for (std::size_t o = 0; o < width; ++o) sums_[o] += static_cast<double>(value) * static_cast<double>(weights[o]);
    }
    std::ranges::transform(sums_, head.outputs.begin() + static_cast<std::ptrdiff_t>(r * width),
                           [](double sum) { return static_cast<float>(sum); });
    head.labels[r] = targets[r];
    head.values[r] = static_cast<float>(targets[r]);
  }
  std::byte* const target = outputs_ == 1 ? reinterpret_cast<std::byte*>(head.values.data())
                                          : reinterpret_cast<std::byte*>(head.labels.data());
  std::byte* const bases[] = {
      reinterpret_cast<std::byte*>(head.outputs.data()), target, reinterpret_cast<std::byte*>(head.gradient.data()),
      reinterpret_cast<std::byte*>(head.predictions.data()), reinterpret_cast<std::byte*>(head.sums)};
  head.program->run(bases, head.arena.data(), *alone_, head.calls);
  return head;
}

SparseLinear::Learned SparseLinear::predict(std::span<const data::SparseRow> rows,
                                            std::span<const std::int32_t> targets) {
  const Head& head = forward(rows, targets);
  return {head.predictions, head.sums[0], head.sums[1]};
}

SparseLinear::Learned SparseLinear::learn(std::span<const data::SparseRow> rows, std::span<const std::int32_t> targets,
                                          double lr, std::optional<double> momentum) {
  const Head& head = forward(rows, targets);
  Learned learned{head.predictions, head.sums[0], head.sums[1]};
  if (learned.weight == 0) return learned;
  const auto width = static_cast<std::size_t>(outputs_);
  float* const bias = touched_.gradient.data() + static_cast<std::size_t>(touched_.tail) * width;
  const std::int32_t* place = places_.data();
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const float* const of_row = head.gradient.data() + r * width;
    for (const float value : rows[r].values) {
      float* const into = touched_.gradient.data() + static_cast<std::size_t>(*place++) * width;
      for (std::size_t o = 0; o < width; ++o) into[o] += value * of_row[o];
    }
    for (std::size_t o = 0; o < width; ++o) bias[o] += of_row[o];
  }
  learned.gradient_norm = table_.step(learned.weight, lr, momentum);
  return learned;
}

}  // namespace thalweg

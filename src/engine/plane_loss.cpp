#include "engine/plane_loss.hpp"

#include <algorithm>

#include "engine/entries.hpp"
#include "engine/random_block.hpp"
#include "graph/graph.hpp"
#include "thalweg/derivatives.hpp"

namespace thalweg {

namespace {

enum PlaneBase {
  parameters_base = first_user_base,
  vector_base,
  value_base,
  change_base,
  sums_base,
  random_base,
  first_column_base
};

/// How a node depends on the trained parameters.
enum class Dependence : char { none, affine, other };

Dependence of_op(const Node& node, const std::vector<Dependence>& known) {
  const bool view = node.op->kind == OpKind::view;
  const std::size_t used = view ? 1 : node.inputs.size();
  std::int64_t affine = 0;
  for (const int input : std::span(node.inputs).first(used)) {
    if (at(known, input) == Dependence::other) return Dependence::other;
    affine += at(known, input) == Dependence::affine;
  }
  if (affine == 0) return Dependence::none;
  // stop_gradient and custom derivatives have no transpose: their jvp is not the change of the value
  const bool linear = node.op->transpose && (view || node.op->jointly_linear || affine == 1);
  return linear && !node.op->converts ? Dependence::affine : Dependence::other;
}

/// Products of something that does not depend on the parameters with something that does so linearly.
std::vector<Var> linear_products(Graph& graph, const std::vector<Var>& trained) {
  std::vector<Dependence> known(static_cast<std::size_t>(graph.size()), Dependence::none);
  for (const Var& parameter : trained) at(known, parameter.index()) = Dependence::affine;
  std::vector<Var> products;
  for (int i = 0; i < graph.size(); ++i) {
    const Node& node = graph.node(i);
    if (node.op->kind == OpKind::leaf) continue;
    at(known, i) = of_op(node, known);
    const bool product = node.op->kind == OpKind::opaque && !node.op->jointly_linear && node.inputs.size() == 2;
    if (product && at(known, i) == Dependence::affine) products.push_back({graph, i});
  }
  return products;
}

template <class T>
void combine(const std::byte* terms, std::size_t bytes, double a, double b, std::byte* into) {
  const auto* origin = reinterpret_cast<const T*>(terms);
  const auto* first = reinterpret_cast<const T*>(terms + bytes);
  const auto* second = reinterpret_cast<const T*>(terms + 2 * bytes);
  auto* sum = reinterpret_cast<T*>(into);
  const auto x = static_cast<T>(a), y = static_cast<T>(b);
  for (std::size_t i = 0; i < bytes / sizeof(T); ++i) sum[i] = origin[i] + x * first[i] + y * second[i];
}

}  // namespace

/// Two programs for a number of rows: one that computes the products and how they change along a vector, and one that
/// computes the loss from products that are given.
class PlaneLoss::Shard {
 public:
  Shard(const EvaluationFunction& function, const State& at, const Dataset& data, std::int64_t rows,
        std::size_t most_bytes)
      : dtype_(at.layout->dtype),
        rows_(rows),
        columns_(columns_of(data)),
        traced_(trace_objective(function, columns_, rows, Mode::evaluate, dtype_)) {
    bind_inputs(*at.layout);
    keep_products(most_bytes);
    plan();
  }

  [[nodiscard]] std::size_t kept() const { return products_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }  ///< of the products at one point
  [[nodiscard]] std::size_t memory_bytes() const { return memory_bytes_; }

  /// Writes the products at the state and their change along the vector.
  void run(const State& at, const RowSelection& rows, std::int64_t begin, const Tensor& vector, std::byte* values,
           std::byte* change, std::byte* memory, Workers& workers) const {
    bases(at, rows, begin, memory);
    base(memory, vector_base) = const_cast<std::byte*>(vector.raw());
    base(memory, value_base) = values;
    base(memory, change_base) = change;
    changes_->run(all_bases(memory), memory, workers);
  }

  /// The loss, summed, and its weight, where the products are `origin + a first + b second`.
  std::array<double, 2> loss(const State& at, const RowSelection& rows, std::int64_t begin, const std::byte* terms,
                             double a, double b, std::byte* memory, Workers& workers) const {
    bases(at, rows, begin, memory);
    std::byte* products = memory + products_at_;
    if (dtype_ == f32) combine<float>(terms, bytes_, a, b, products);
    if (dtype_ == f64) combine<double>(terms, bytes_, a, b, products);
    base(memory, value_base) = products;
    loss_->run(all_bases(memory), memory, workers);
    const Loss& loss = traced_.result.loss;
    return {number_at(memory + sums_at_, loss.sum.dtype()),
            number_at(memory + sums_at_ + sizeof(double), loss.weight.dtype())};
  }

 private:
  void bind_inputs(const Layout& layout) {
    const auto element = static_cast<std::int64_t>(size_of(dtype_));
    for (std::size_t i = 0; i < columns_.size(); ++i)
      inputs_.push_back({traced_.columns[i], {first_column_base + static_cast<int>(i), 0}});
    const Entries entries(layout);
    for (const TracedParameter& p : traced_.parameters) {
      const ParameterEntry& entry = entries.at(p.name, {p.var.shape(), p.var.dtype()});
      inputs_.push_back({p.var, {parameters_base, entry.offset * element}});
      if (entry.frozen) continue;
      trained_.push_back(p.var);
      vector_places_.push_back({vector_base, entry.offset * element});
    }
    if (traced_.random) bind_random(*traced_.random, random_base, inputs_);
  }

  void keep_products(std::size_t most_bytes) {
    for (const Var& product : linear_products(*traced_.graph, trained_)) {
      const std::size_t bytes = aligned(static_cast<std::size_t>(product.size()) * size_of(product.dtype()));
      if (product.dtype() != dtype_ || bytes_ + bytes > most_bytes) continue;
      products_.push_back({product, {value_base, static_cast<std::int64_t>(bytes_)}});
      bytes_ += bytes;
    }
  }

  void plan() {
    if (products_.empty()) return;
    const Loss& loss = traced_.result.loss;
    std::vector<Bound> given = inputs_;
    given.insert(given.end(), products_.begin(), products_.end());
    loss_.emplace(*traced_.graph, given,
                  std::vector<Bound>{{loss.sum, {sums_base, 0}}, {loss.weight, {sums_base, sizeof(double)}}});
    plan_changes();
    std::size_t end = std::max(loss_->arena_bytes(), changes_->arena_bytes());
    const auto next = [&](std::size_t bytes) {
      const std::size_t begin = aligned(end);
      end = begin + bytes;
      return begin;
    };
    bases_at_ = next((first_column_base + columns_.size()) * sizeof(std::byte*));
    sums_at_ = next(shard_doubles * sizeof(double));
    random_at_ = next(traced_.random ? random_block_bytes(rows_) : 0);
    products_at_ = next(bytes_);
    columns_at_ = next(0);
    for (const ColumnSpec& column : columns_) (void)next(column.row.bytes() * static_cast<std::size_t>(rows_));
    memory_bytes_ = next(0);
  }

  void plan_changes() {
    std::vector<Bound> inputs = inputs_, outputs = products_;
    std::vector<Var> vector, values;
    for (std::size_t i = 0; i < trained_.size(); ++i) {
      vector.push_back(traced_.graph->input("vector:" + std::to_string(i), trained_[i].shape(), dtype_));
      inputs.push_back({vector.back(), vector_places_[i]});
    }
    for (const Bound& product : products_) values.push_back(product.var);
    const std::vector<Var> changes = jvp(values, trained_, vector);
    for (std::size_t i = 0; i < changes.size(); ++i)
      outputs.push_back({changes[i], {change_base, products_[i].place.offset}});
    changes_.emplace(*traced_.graph, inputs, outputs);
  }

  [[nodiscard]] std::byte*& base(std::byte* memory, int which) const {
    return reinterpret_cast<std::byte**>(memory + bases_at_)[which - first_user_base];
  }
  [[nodiscard]] std::span<std::byte* const> all_bases(std::byte* memory) const {
    return {&base(memory, first_user_base), first_column_base - first_user_base + columns_.size()};
  }
  void bases(const State& at, const RowSelection& rows, std::int64_t begin, std::byte* memory) const {
    base(memory, parameters_base) = const_cast<std::byte*>(at.parameters.raw());
    base(memory, sums_base) = memory + sums_at_;
    base(memory, random_base) = memory + random_at_;
    if (traced_.random) fill_random_block(memory + random_at_, {at.seed, at.step, begin}, rows_);
    place_columns(rows, begin, rows_, memory + columns_at_, &base(memory, first_column_base));
  }

  DType dtype_;
  std::int64_t rows_;
  std::vector<ColumnSpec> columns_;
  TracedObjective traced_;
  std::vector<Bound> inputs_ = {}, products_ = {};
  std::vector<Var> trained_ = {};
  std::vector<Place> vector_places_ = {};
  std::size_t bytes_ = 0;
  std::optional<Program> loss_ = {}, changes_ = {};
  // where things are in the memory of a run, behind the arena
  std::size_t bases_at_ = 0, sums_at_ = 0, random_at_ = 0, products_at_ = 0, columns_at_ = 0, memory_bytes_ = 0;
};

PlaneLoss::PlaneLoss(EvaluationFunction function, const State& origin, std::span<const double> first,
                     std::span<const double> second, const Dataset& rows, Workers& workers, std::size_t most_bytes)
    : products_(function, workers), point_(origin), rows_(rows), workers_(workers) {
  plane_ = {std::vector<double>(first.size()), {first.begin(), first.end()}, {second.begin(), second.end()}};
  for (std::size_t i = 0; i < first.size(); ++i) plane_[0][i] = origin.parameters.at(static_cast<std::int64_t>(i));
  if (rows.streams()) return;  // its rows are read anew for each point
  shard_rows_ = products_.rows_a_shard(origin, {rows});
  shards_ = (rows.rows() + shard_rows_ - 1) / shard_rows_;
  const std::size_t most = most_bytes / 3 / static_cast<std::size_t>(shards_);
  whole_ = std::make_unique<Shard>(function, origin, rows, shard_rows_, most);
  last_ = std::make_unique<Shard>(function, origin, rows, rows.rows() - (shards_ - 1) * shard_rows_, most);
  if (kept() > 0) keep();
}

PlaneLoss::~PlaneLoss() = default;

std::size_t PlaneLoss::kept() const { return whole_ ? std::min(whole_->kept(), last_->kept()) : 0; }

void PlaneLoss::keep() {
  const FlushDenormals flush;
  const auto size = static_cast<std::int64_t>(plane_[0].size());
  const DType dtype = point_.layout->dtype;
  const Tensor first = Tensor::from(plane_[1], {size}).to(dtype), second = Tensor::from(plane_[2], {size}).to(dtype);
  sums_.resize(static_cast<std::size_t>(shards_));
  for (std::int64_t shard = 0; shard < shards_; ++shard)
    products_of_.emplace_back(3 * (shard + 1 < shards_ ? *whole_ : *last_).bytes());
  workers_.run(shards_, [&](std::int64_t shard) {
    const Shard& program = shard + 1 < shards_ ? *whole_ : *last_;
    const auto memory = pool_.take(program.memory_bytes());
    std::byte* terms = products_of_[static_cast<std::size_t>(shard)].data();
    program.run(point_, {rows_}, shard * shard_rows_, first, terms, terms + program.bytes(), memory.data(), workers_);
    program.run(point_, {rows_}, shard * shard_rows_, second, terms, terms + 2 * program.bytes(), memory.data(),
                workers_);
  });
}

void PlaneLoss::place(double a, double b) {
  const auto write = [&]<class T>(std::span<T> into) {
    for (std::size_t i = 0; i < plane_[0].size(); ++i)
      into[i] = static_cast<T>(plane_[0][i] + a * plane_[1][i] + b * plane_[2][i]);
  };
  if (point_.layout->dtype == f32) write(point_.parameters.mutable_values<float>());
  if (point_.layout->dtype == f64) write(point_.parameters.mutable_values<double>());
}

double PlaneLoss::operator()(double a, double b) {
  place(a, b);
  if (kept() == 0) return products_.value(point_, {rows_});
  const FlushDenormals flush;
  workers_.run(shards_, [&](std::int64_t shard) {
    const Shard& program = shard + 1 < shards_ ? *whole_ : *last_;
    const auto memory = pool_.take(program.memory_bytes());
    sums_[static_cast<std::size_t>(shard)] =
        program.loss(point_, {rows_}, shard * shard_rows_, products_of_[static_cast<std::size_t>(shard)].data(), a, b,
                     memory.data(), workers_);
  });
  double sum = 0, weight = 0;
  for (const auto& [loss, of] : sums_) sum += loss, weight += of;
  return sum / weight;
}

}  // namespace thalweg

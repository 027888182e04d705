// The emitted source text of kernels against the tile kernels of this CPU, for every row of the op table and for random
// graphs with their gradients. Arithmetic gives the same bits; functions such as exp come from another library and
// differ slightly.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "compiled_text.hpp"
#include "evaluate.hpp"
#include "ops/table.hpp"
#include "random_graph.hpp"
#include "sample_inputs.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

/// A traced function, planned for the tile kernels and for the emitted text.
class Pair {
 public:
  Pair(const Traced& f, std::vector<Tensor> inputs, CompiledText& text, Passes passes = {})
      : inputs_(std::move(inputs)),
        trace_(f, inputs_),
        here_(trace_.graph, trace_.inputs, trace_.outputs, passes),
        text_(trace_.graph, trace_.inputs, trace_.outputs, passes, text) {}

  /// Whether the graph contains an op that is not arithmetic.
  [[nodiscard]] bool has_functions() const {
    for (int i = 0; i < trace_.graph.size(); ++i) {
      const OpKernel* kernel = trace_.graph.node(i).op->kernel;
      const MicroOp* micro = kernel == nullptr ? nullptr : find_micro_op(kernel->micro);
      if (micro != nullptr && !micro->is_arithmetic()) return true;
    }
    return false;
  }
  [[nodiscard]] std::int64_t bf16_values() const { return text_.bf16_values(); }
  [[nodiscard]] std::vector<Tensor> tiles() const { return run(here_); }
  [[nodiscard]] std::vector<Tensor> emitted() const { return run(text_); }

 private:
  [[nodiscard]] std::vector<Tensor> run(const Program& program) const {
    std::vector<std::byte*> bases;
    for (const Tensor& x : inputs_) bases.push_back(const_cast<std::byte*>(x.raw()));
    std::vector<Tensor> results;
    for (const Bound& y : trace_.outputs) results.emplace_back(y.var.shape(), y.var.dtype());
    for (Tensor& result : results) bases.push_back(result.mutable_raw());
    const Block arena(program.arena_bytes());
    Workers alone(1);
    program.run(bases, arena.data(), alone);
    return results;
  }

  std::vector<Tensor> inputs_;
  Trace trace_;
  Program here_, text_;
};

void expect_same(const Pair& pair, const std::string& what, double f32_tolerance) {
  const bool exact = !pair.has_functions();
  const std::vector<Tensor> wanted = pair.tiles(), got = pair.emitted();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    SCOPED_TRACE(what + ", output " + std::to_string(i));
    if (exact) {
      EXPECT_TRUE(same_bits(got[i], wanted[i])) << distance(got[i], wanted[i]);
    } else {
      EXPECT_LE(distance(got[i], wanted[i]), wanted[i].dtype() == f64 ? 1e-9 * f32_tolerance : f32_tolerance);
    }
  }
}

TEST(EmittedText, OfEveryRowOfTheOpTableAgreesWithTheTiles) {
  CompiledText text;
  std::vector<std::pair<std::string, std::unique_ptr<Pair>>> pairs;
  for (const Op* op : all_ops()) {
    if (op->kind == OpKind::leaf) continue;
    for (const Sample& sample : op->samples) {
      for (const DType dtype : {f32, f64}) {
        const Traced call = [&sample](const std::vector<Var>& x) {
          const Var y = sample.call(x);
          std::vector<Var> all{y}, floats;
          for (const Var& v : x) {
            if (is_float(v.dtype())) floats.push_back(v);
          }
          if (!is_float(y.dtype())) return all;
          for (const Var& g : gradients(sum(y * y), floats)) all.push_back(g);
          return all;
        };
        pairs.emplace_back(std::string(op->name), std::make_unique<Pair>(call, inputs_of(sample, dtype), text));
      }
    }
  }
  ASSERT_NO_FATAL_FAILURE(text.compile());
  for (const auto& [name, pair] : pairs) expect_same(*pair, name, 2e-5);
}

TEST(EmittedText, OfRandomGraphsAgreesWithTheTiles) {
  CompiledText text;
  std::vector<std::unique_ptr<Pair>> pairs;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const DType dtype = seed % 2 == 0 ? f32 : f64;
    const std::int64_t columns = seed % 10 == 0 ? 700 : 6;
    const Functions functions = seed % 3 == 0 ? Functions::arithmetic : Functions::all;
    const auto inputs = inputs_of(dtype, seed, 3 + static_cast<std::int64_t>(seed % 3), columns);
    pairs.push_back(
        std::make_unique<Pair>(random_function(seed, 5 + static_cast<int>(seed % 30), functions), inputs, text));
  }
  ASSERT_NO_FATAL_FAILURE(text.compile());
  int exact = 0;
  for (std::size_t seed = 0; seed < pairs.size(); ++seed) {
    exact += pairs[seed]->has_functions() ? 0 : 1;
    expect_same(*pairs[seed], "seed " + std::to_string(seed), 2e-5);
  }
  EXPECT_GE(exact, 90);
}

TEST(EmittedText, WithoutElementsIsNoKernel) {
  EXPECT_TRUE(emit_copy(View::dense({0, 3}), f32, "k").launches.empty());
  TileProgram rows;
  rows.dtype = f32;
  rows.reduced = 3;
  rows.loads.push_back({0, View::dense({0, 3}), f32});
  rows.reductions.push_back({find_reducer("sum"), 0, 0});
  rows.outer = 0;
  EXPECT_TRUE(emit_tiles(rows, "k").launches.empty());
  rows.outer = 3, rows.reduced = 0;  // its sums are zeros
  rows.loads[0].view = View::dense({3, 0});
  EXPECT_EQ(emit_tiles(rows, "k").launches.size(), 1U);
}

/// 64-bit divisions for the index calculation would take longer than the memory accesses.
TEST(EmittedText, Uses32BitIndicesIfTheyAreLargeEnough) {
  const auto is_short = [](const EmittedKernel& kernel) {
    return kernel.text.find("typedef int tw_index") != std::string::npos;
  };
  const auto sum_of = [](std::int64_t outer, std::int64_t reduced, const View& view) {
    TileProgram program;
    program.dtype = f32;
    program.outer = outer, program.reduced = reduced;
    program.loads.push_back({0, view, f32});
    program.reductions.push_back({find_reducer("sum"), 0, 0});
    return emit_tiles(program, "k");
  };
  constexpr std::int64_t many = std::int64_t{1} << 31;
  EXPECT_TRUE(is_short(sum_of(1000, 5000, View::dense({1000, 5000}))));
  EXPECT_FALSE(is_short(sum_of(many, 3, View::dense({many, 3}))));
  View far = View::dense({1000, 5000});
  far.offset = many;
  EXPECT_FALSE(is_short(sum_of(1000, 5000, far)));
  EXPECT_TRUE(is_short(emit_copy(View::dense({300}), f32, "k")));
  EXPECT_FALSE(is_short(emit_copy(View::dense({many}), f32, "k")));
}

/// Sizes around those of lanes, rows and blocks, in both layouts, and several reductions at once.
TEST(EmittedText, ReductionsRoundAsTheTilesDo) {
  CompiledText text;
  std::vector<std::pair<std::string, std::unique_ptr<Pair>>> pairs;
  for (const DType dtype : {f32, f64}) {
    for (const std::int64_t n : {1, 15, 16, 17, 128, 129, 256, 257, 4096, 4097, 10000}) {
      for (const std::int64_t inner : {1, 3}) {
        const auto name = std::to_string(n) + " x " + std::to_string(inner);
        const Traced reduce = [](const std::vector<Var>& x) {
          const Var y = x[0] * 0.5 - 0.125;
          return std::vector<Var>{sum(y, 1), sum(square(y), 1), max(y, 1), min(x[0], 1), y};
        };
        pairs.emplace_back(
            name,
            std::make_unique<Pair>(reduce, std::vector{random_uniform({3, n, inner}, -1, 1, 5, f64).to(dtype)}, text));
      }
    }
  }
  ASSERT_NO_FATAL_FAILURE(text.compile());
  for (const auto& [name, pair] : pairs) expect_same(*pair, name, 0);
}

/// Products read and write bf16, so tiles convert to f32 when they load and round when they store.
TEST(EmittedText, OfValuesInBf16AgreesWithTheTiles) {
  CompiledText text;
  std::vector<std::pair<std::string, std::unique_ptr<Pair>>> pairs;
  for (const std::int64_t rows : {1, 7, 300}) {
    const Traced layers = [](const std::vector<Var>& x) {
      const Var hidden = max(matmul(x[0], x[1]) * 0.75 + 0.125, -1, Keep::yes) + relu(matmul(x[0] * x[0], x[1]));
      const Var y = matmul(transpose(hidden, {1, 0}) - 0.5, matmul(hidden * abs(hidden), x[2]));
      std::vector<Var> all{y, sum(square(y), 0)};
      for (const Var& g : gradients(sum(y * y), x)) all.push_back(g);
      return all;
    };
    const std::vector<Tensor> inputs{random_uniform({rows, 9}, -1, 1, 1), random_uniform({9, 20}, -1, 1, 2),
                                     random_uniform({20, 5}, -1, 1, 3)};
    pairs.emplace_back(std::to_string(rows) + " rows",
                       std::make_unique<Pair>(layers, inputs, text, Passes{.precision = Precision::bf16}));
    EXPECT_GT(pairs.back().second->bf16_values(), 5);
  }
  ASSERT_NO_FATAL_FAILURE(text.compile());
  for (const auto& [name, pair] : pairs) expect_same(*pair, name, 0);
}

/// |a - b| in units in the last place of the largest of |a|, |b| and `least`.
std::int64_t ulps(double a, double b, DType dtype, double least) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
  if (std::isnan(a) || std::isnan(b) || std::isinf(a) || std::isinf(b)) return std::numeric_limits<std::int64_t>::max();
  const double larger = std::max({std::abs(a), std::abs(b), least});
  const double unit = dtype == f32
                          ? std::nextafter(static_cast<float>(larger), std::numeric_limits<float>::infinity()) -
                                static_cast<double>(static_cast<float>(larger))
                          : std::nextafter(larger, std::numeric_limits<double>::infinity()) - larger;
  return static_cast<std::int64_t>(std::ceil(std::abs(a - b) / unit));
}

/// gelu and its slope are sums or products of terms up to 1 that cancel, so their errors are in units of these terms,
/// not of the small result.
double least_of(const MicroOp& op) { return op.name.starts_with("gelu_tanh") ? 1 : 0; }

/// One more unit for ops that are made of two functions.
std::int64_t most_units(const MicroOp& op) { return op.name == "softplus" || op.name == "gelu_tanh_slope" ? 3 : 2; }

TEST(EmittedText, FunctionsAreWithinTwoUnitsOfTheLastPlace) {
  for (const DType dtype : {f32, f64}) {
    CompiledText text;
    std::vector<Kernel> kernels;
    std::vector<TileProgram> programs;
    const std::int64_t n = 20000;
    for (const MicroOp& op : micro_ops()) {
      const bool exists = dtype == f32 ? op.run<float>() != nullptr : op.run<double>() != nullptr;
      if (op.is_arithmetic() || !exists) continue;
      TileProgram program;
      program.dtype = dtype;
      program.outer = n;
      for (int k = 0; k < op.arity; ++k) program.loads.push_back({k, View::dense({n}), dtype});
      program.steps = {{&op, {0, 1, 0, 0}}};
      program.stores = {{op.arity, 0, {}}};
      programs.push_back(program);
      kernels.push_back(text.tiles(program));
    }
    ASSERT_NO_FATAL_FAILURE(text.compile());
    Tensor x = random_uniform({n}, -20, 20, 1, f64), y = random_uniform({n}, -3, 3, 2, f64);
    for (std::int64_t i = 0; i < n / 2; ++i) x.set(i, x.at(i) / 20);
    x = x.to(dtype), y = y.to(dtype);
    Workers alone(1);
    for (std::size_t k = 0; k < programs.size(); ++k) {
      Tensor wanted({n}, dtype), got({n}, dtype);
      const std::byte* inputs[] = {x.raw(), y.raw()};
      std::byte* to = wanted.mutable_raw();
      make_tile_kernel(programs[k]).run({&to, inputs, nullptr, alone});
      to = got.mutable_raw();
      kernels[k].run({&to, inputs, nullptr, alone});
      std::int64_t worst = 0;
      double where = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t distance = ulps(wanted.at(i), got.at(i), dtype, least_of(*programs[k].steps[0].op));
        if (distance > worst) worst = distance, where = x.at(i);
      }
      EXPECT_LE(worst, most_units(*programs[k].steps[0].op))
          << programs[k].steps[0].op->name << " at " << where << ", " << name(dtype);
    }
  }
}

}  // namespace
}  // namespace thalweg

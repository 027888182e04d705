// Compiled loops against the micro-ops that they replace, bit for bit: every op, numbers and arrays as every operand,
// lengths around those of a vector and of a tile, and special values.

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <limits>
#include <random>

#include "tiles/tile_code.hpp"
#include "tiles/tile_plan.hpp"
#include "tiles/tiles.hpp"

namespace thalweg {
namespace {

/// The rows of the table that have machine code.
std::vector<const MicroOp*> arithmetic_ops() {
  std::vector<const MicroOp*> ops;
  for (const MicroOp& op : micro_ops()) {
    if (op.is_arithmetic()) ops.push_back(&op);
  }
  return ops;
}

template <class T>
std::vector<T> values(std::size_t n, unsigned seed) {
  using L = std::numeric_limits<T>;
  const T special[] = {0,        -T{0},       1,        -1,     L::infinity(), -L::infinity(), L::quiet_NaN(),
                       L::max(), L::lowest(), L::min(), T(0.5), T(-2.5)};
  std::mt19937 random(seed);
  std::vector<T> all(n);
  for (T& x : all) {
    const auto kind = random() % 24;
    x = kind < std::size(special) ? special[kind] : std::uniform_real_distribution<T>(-4, 4)(random);
  }
  return all;
}

/// A tile program with its inputs, each an array or a single number.
template <class T>
struct Site {
  TileProgram program;
  std::vector<std::vector<T>> inputs;

  Site(std::int64_t n, const std::vector<bool>& is_number, unsigned seed) {
    program.dtype = sizeof(T) == 4 ? f32 : f64;
    program.outer = n;
    for (std::size_t i = 0; i < is_number.size(); ++i) {
      View view = View::dense(Shape{n});
      if (is_number[i]) view.strides[0] = 0;
      program.loads.push_back({static_cast<int>(i), view, program.dtype});
      inputs.push_back(values<T>(is_number[i] ? 1 : static_cast<std::size_t>(n), seed + static_cast<unsigned>(i)));
    }
  }

  std::vector<std::vector<T>> run(bool compile) {
    program.compile = compile;
    const Kernel kernel = make_tile_kernel(program);
    const std::vector<T> untouched(static_cast<std::size_t>(program.outer) + 1,
                                   T(77));  // one more element than is written
    std::vector<std::vector<T>> results(program.stores.size(), untouched);
    std::vector<const std::byte*> in;
    std::vector<std::byte*> out;
    for (const auto& x : inputs) in.push_back(reinterpret_cast<const std::byte*>(x.data()));
    for (auto& x : results) out.push_back(reinterpret_cast<std::byte*>(x.data()));
    std::vector<std::byte> scratch(kernel.scratch);
    Workers workers(1);
    kernel.run({out.data(), in.data(), scratch.data(), workers});
    return results;
  }

  void expect_the_same() {
    const auto wanted = run(false), found = run(true);
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      for (std::size_t i = 0; i < wanted[k].size(); ++i) {
        const T a = wanted[k][i], b = found[k][i];
        const bool same = std::memcmp(&a, &b, sizeof(T)) == 0 || (a != a && b != b);
        ASSERT_TRUE(same) << "output " << k << ", element " << i << ": " << b << " for " << a;
      }
    }
  }
};

template <class T>
void every_op() {
  for (const MicroOp* op : arithmetic_ops()) {
    for (unsigned numbers = 0; numbers < 1U << op->arity; ++numbers) {
      for (const std::int64_t n : {2, 7, 16, 33, 511, 513, 2048 + 5}) {
        std::vector<bool> is_number;
        for (int i = 0; i < op->arity; ++i) is_number.push_back(numbers >> i & 1U);
        Site<T> site(n, is_number, numbers + static_cast<unsigned>(n));
        site.program.steps.push_back({op, {0, 1, 2, 3}});
        site.program.stores.push_back({op->arity, 0, {}});
        SCOPED_TRACE(testing::Message() << op->name << ", numbers " << numbers << ", " << n << " elements");
        EXPECT_EQ(plan_tiles(site.program).compiled_loops(), TileCode::is_available() ? 1 : 0);
        site.expect_the_same();
        if (testing::Test::HasFailure()) return;
      }
    }
  }
}

/// A formula that is called with symbols records its instructions.
TEST(Compiled, AFormulaIsRecordedAsInstructions) {
  const VectorFormula& formula = find_micro_op("mul_add")->formula();
  EXPECT_EQ(formula.operands, 3);
  ASSERT_EQ(formula.instructions.size(), 2U);
  EXPECT_EQ(formula.instructions[0].operation, Operation::mul);
  EXPECT_EQ(formula.instructions[0].in, (std::array<int, 4>{0, 1, 0, 0}));
  EXPECT_EQ(formula.instructions[1].operation, Operation::add);
  EXPECT_EQ(formula.instructions[1].in, (std::array<int, 4>{3, 2, 0, 0}));
  EXPECT_EQ(formula.result, 4);
}

/// Functions that need dozens of instructions have no machine code.
TEST(Compiled, OnlyArithmeticClaimsMachineCode) {
  for (const char* name : {"copy", "add", "relu", "where", "clamp", "blend_square"})
    EXPECT_TRUE(find_micro_op(name)->is_arithmetic()) << name;
  for (const char* name : {"exp", "tanh", "sin", "pow"}) EXPECT_FALSE(find_micro_op(name)->is_arithmetic()) << name;
}

TEST(Compiled, EveryMicroOpInF32) { every_op<float>(); }
TEST(Compiled, EveryMicroOpInF64) { every_op<double>(); }

/// Random chains of steps that need more registers than the CPU has, with steps between them that have no machine code.
template <class T>
void random_chains() {
  const std::vector<const MicroOp*> ops = arithmetic_ops();
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](std::size_t n) { return static_cast<int>(random() % n); };
    const int loads = 2 + below(18), steps = 1 + below(40);
    std::vector<bool> is_number;
    for (int i = 0; i < loads; ++i) is_number.push_back(i > 0 && below(3) == 0);
    Site<T> site(1 + below(3000), is_number, seed);
    for (int s = 0; s < steps; ++s) {
      const MicroOp* op = ops[static_cast<std::size_t>(below(ops.size()))];
      if (below(12) == 0) op = find_micro_op("tanh");
      TileProgram::Step step{op, {0, 0, 0, 0}};
      // the first operand is never a number, because tiles contain no steps on numbers only
      step.registers[0] = below(2) == 0 || s == 0 ? 0 : loads + below(static_cast<std::size_t>(s));
      for (std::size_t i = 1; i < 4; ++i) step.registers[i] = below(static_cast<std::size_t>(loads + s));
      site.program.steps.push_back(step);
    }
    const int outputs = 1 + below(4);
    for (int k = 0; k < outputs; ++k)
      site.program.stores.push_back({loads + below(static_cast<std::size_t>(steps)), k, {}});
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    site.expect_the_same();
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(Compiled, RandomChainsInF32) { random_chains<float>(); }
TEST(Compiled, RandomChainsInF64) { random_chains<double>(); }

TEST(Compiled, CodeRunsOnCpusThatSupportIt) {
  const bool wide = instruction_set() == "AVX2" || instruction_set() == "AVX3";
  EXPECT_EQ(TileCode::is_available(), wide);
  Site<float> site(100, {false, true}, 1);
  for (const char* name : {"mul", "tanh", "add", "sqrt"}) {
    const int last = static_cast<int>(1 + site.program.steps.size());
    site.program.steps.push_back({find_micro_op(name), {site.program.steps.empty() ? 0 : last, 1, 0, 0}});
  }
  site.program.stores.push_back({5, 0, {}});
  EXPECT_EQ(plan_tiles(site.program).compiled_loops(), wide ? 2 : 0);  // one before tanh and one after it
  site.program.compile = false;
  EXPECT_EQ(plan_tiles(site.program).compiled_loops(), 0);
}

}  // namespace
}  // namespace thalweg

// Tile programs against plain loops: inputs that are broadcast, and the fixed order of sums.

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tiles/tile_plan.hpp"
#include "tiles/tiles.hpp"

namespace thalweg {
namespace {

template <class T>
std::vector<T> numbers(std::int64_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<T> x(static_cast<std::size_t>(n));
  for (T& value : x) value = std::uniform_real_distribution<T>(-1, 1)(random);
  return x;
}

template <class T>
constexpr DType dtype() {
  return sizeof(T) == 4 ? f32 : f64;
}

template <class T>
void run(const TileProgram& program, std::vector<const T*> inputs, T* output) {
  const Kernel kernel = make_tile_kernel(program);
  std::vector<const std::byte*> in;
  for (const T* x : inputs) in.push_back(reinterpret_cast<const std::byte*>(x));
  std::byte* out = reinterpret_cast<std::byte*>(output);
  std::vector<std::byte> scratch(kernel.scratch);
  Workers workers(1);
  kernel.run({&out, in.data(), scratch.data(), workers});
}

template <class T>
class Tiles : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Tiles, Types);

/// (samples, places, channels) times (samples, 1, channels).
TYPED_TEST(Tiles, RowsOfEachSampleAreBroadcastOverItsPlaces) {
  using T = TypeParam;
  for (const std::int64_t channels : {1, 3, 8, 64, 200}) {
    for (const std::int64_t places : {1, 5, 100, 1023}) {
      const std::int64_t samples = 3, n = samples * places * channels;
      const std::vector<T> x = numbers<T>(n, 1), rows = numbers<T>(samples * channels, 2);
      View repeated = View::dense({samples, places, channels});
      repeated.strides[0] = channels, repeated.strides[1] = 0;
      TileProgram program;
      program.dtype = dtype<T>();
      program.outer = n;
      program.loads = {{0, View::dense({n}), program.dtype}, {1, repeated, program.dtype}};
      program.steps = {{find_micro_op("mul"), {0, 1, 0, 0}}};
      program.stores = {{2, 0, {}}};
      std::vector<T> y(x.size());
      run<T>(program, {x.data(), rows.data()}, y.data());
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t sample = i / (places * channels);
        ASSERT_EQ(y[static_cast<std::size_t>(i)],
                  x[static_cast<std::size_t>(i)] * rows[static_cast<std::size_t>(sample * channels + i % channels)])
            << "element " << i << " of " << samples << " x " << places << " x " << channels;
      }
    }
  }
}

/// A sum by the rule of the design: running values by the place in the row, folded in halves, then blocks in order.
template <class T>
T sum_by_the_rule(const std::vector<T>& x) {
  const auto n = static_cast<std::int64_t>(x.size());
  const auto block = [&](std::int64_t begin, std::int64_t end, std::int64_t lanes) {
    std::vector<T> running(static_cast<std::size_t>(lanes), 0);
    for (std::int64_t i = begin; i < end; ++i)
      running[static_cast<std::size_t>((i - begin) % lanes)] += x[static_cast<std::size_t>(i)];
    for (std::int64_t half = lanes / 2; half > 0; half /= 2) {
      for (std::int64_t i = 0; i < half; ++i)
        running[static_cast<std::size_t>(i)] += running[static_cast<std::size_t>(i + half)];
    }
    return running[0];
  };
  if (n <= short_row<T>) return block(0, n, 16);
  if (n <= reduce_block) return block(0, n, reduce_lanes<T>);
  double total = 0;
  for (std::int64_t begin = 0; begin < n; begin += reduce_block)
    total += static_cast<double>(block(begin, std::min(n, begin + reduce_block), reduce_lanes<T>));
  return static_cast<T>(total);
}

TYPED_TEST(Tiles, TheRoundingOfASumDependsOnlyOnItsLength) {
  using T = TypeParam;
  for (const std::int64_t n : {1, 7, 16, 100, 128, 129, 256, 257, 300, 512, 513, 4096, 4097, 20000}) {
    const std::vector<T> x = numbers<T>(n, 3);
    std::vector<T> squares;
    for (const T value : x) squares.push_back(value * value);
    TileProgram program;
    program.dtype = dtype<T>();
    program.reduced = n;
    program.loads = {{0, View::dense({n}), program.dtype}};
    program.reductions = {{find_reducer("sum"), 0, 0}};
    T sum = 0, of_squares = 0;
    run<T>(program, {x.data()}, &sum);
    EXPECT_EQ(sum, sum_by_the_rule(x)) << n;
    program.steps = {{find_micro_op("square"), {0, 0, 0, 0}}};
    program.reductions[0].reg = 1;
    EXPECT_TRUE(plan_tiles(program).steps.empty());  // the sum squares its terms, without a step
    run<T>(program, {x.data()}, &of_squares);
    EXPECT_EQ(of_squares, sum_by_the_rule(squares)) << n;
  }
}

/// exp(x * y) - y^x and its parts for two numbers, one of them of the other dtype. The steps are of all kinds: machine
/// code, vector loops and functions of one number.
template <class T>
TileProgram program_of_numbers() {
  const DType other = dtype<T>() == f32 ? f64 : f32;
  TileProgram program;
  program.dtype = dtype<T>();
  program.loads = {{0, View::dense({}), dtype<T>()}, {1, View::dense({1}), other}};
  program.steps = {{find_micro_op("mul"), {0, 1, 0, 0}},
                   {find_micro_op("exp"), {2, 0, 0, 0}},
                   {find_micro_op("pow"), {1, 0, 0, 0}},
                   {find_micro_op("sub"), {3, 4, 0, 0}},
                   {find_micro_op("exp"), {0, 0, 0, 0}}};
  program.stores = {{5, 0, {}}, {4, 1, {}}, {6, 2, {}}, {2, 3, {}, Stored::plain}};
  return program;
}

/// Equal programs share their plan. Programs that differ in one thing must not.
TYPED_TEST(Tiles, ThatDifferInOneThingHaveTheirOwnResults) {
  using T = TypeParam;
  constexpr std::int64_t n = 300;
  const std::vector<T> x = numbers<T>(2 * n, 1), y = numbers<T>(n, 2);
  TileProgram program;
  program.dtype = dtype<T>();
  program.outer = n;
  program.loads = {{0, View::dense({n}), program.dtype}, {1, View::dense({n}), program.dtype}};
  program.steps = {{find_micro_op("sub"), {0, 1, 0, 0}}};
  program.stores = {{2, 0, {}}};
  std::vector<TileProgram> all(6, program);
  all[1].steps[0].registers = {1, 0, 0, 0};
  all[2].steps[0].op = find_micro_op("add");
  all[3].loads[0].view.offset = n;
  all[4].loads[0].view.strides[0] = 2;
  all[5].loads[1].input = 0;
  std::vector<Kernel> alive;
  for (const TileProgram& each : all) alive.push_back(make_tile_kernel(each));
  std::vector<std::vector<T>> got(all.size(), std::vector<T>(n));
  for (std::size_t k = 0; k < all.size(); ++k) run<T>(all[k], {x.data(), y.data()}, got[k].data());
  for (std::size_t i = 0; i < n; ++i) {
    const T wanted[] = {x[i] - y[i], y[i] - x[i], x[i] + y[i], x[n + i] - y[i], x[2 * i] - y[i], 0};
    for (std::size_t k = 0; k < all.size(); ++k) ASSERT_EQ(got[k][i], wanted[k]) << k << ", element " << i;
  }
  std::vector<T> shorter(n, 7);
  program.outer = n - 1;
  for (TileProgram::Load& load : program.loads) load.view = View::dense({n - 1});
  run<T>(program, {x.data(), y.data()}, shorter.data());
  EXPECT_EQ(shorter[n - 2], x[n - 2] - y[n - 2]);
  EXPECT_EQ(shorter[n - 1], 7);
}

TYPED_TEST(Tiles, OfASingleNumberWriteOnlyThatNumber) {
  using T = TypeParam;
  const Kernel kernel = make_tile_kernel(program_of_numbers<T>());
  ASSERT_TRUE(kernel.bind);
  Workers workers(1);
  const std::size_t room = 32;
  for (const bool compile : {true, false}) {
    TileProgram program = program_of_numbers<T>();
    program.compile = compile;
    const Kernel same = make_tile_kernel(program);
    T x = 1;
    std::conditional_t<sizeof(T) == 4, double, float> y = 1;
    std::vector<std::vector<T>> wanted(4, std::vector<T>(room, 7)), got = wanted;
    const std::byte* in[] = {reinterpret_cast<const std::byte*>(&x), reinterpret_cast<const std::byte*>(&y)};
    std::vector<std::byte*> to, into;
    for (auto& values : wanted) to.push_back(reinterpret_cast<std::byte*>(values.data()));
    for (auto& values : got) into.push_back(reinterpret_cast<std::byte*>(values.data()));
    const auto bound = same.bind({into.data(), in, nullptr, workers});
    for (const double value : {0.5, -1.25, 3.0, 0.0}) {
      x = static_cast<T>(value), y = static_cast<decltype(y)>(value + 1.5);
      kernel.run({to.data(), in, nullptr, workers});
      bound();
      EXPECT_EQ(got, wanted) << "compiled: " << compile << ", x = " << value;
      EXPECT_NEAR(got[2][0], std::exp(x), 1e-6 * std::exp(x));
    }
  }
}

TEST(MicroOps, ThatCallAFunctionOfOneNumberAreMarked) {
  EXPECT_TRUE(find_micro_op("pow")->by_number);
  EXPECT_TRUE(find_micro_op("atan")->by_number);
  EXPECT_FALSE(find_micro_op("exp")->by_number);
  EXPECT_FALSE(find_micro_op("mul")->by_number);
}

/// In the sum of a column, the rows of a block are added in order, and the blocks in f64, for any number of columns.
TYPED_TEST(Tiles, TheRoundingOfColumnSumsDependsOnlyOnTheNumberOfRows) {
  using T = TypeParam;
  for (const std::int64_t columns : {2, 3, 8, 16, 31, 32, 33, 64, 100, 129, 3000}) {
    for (const std::int64_t rows : {std::int64_t{1}, std::int64_t{7}, 2 * reduce_block_rows + 3}) {
      const std::vector<T> x = numbers<T>(rows * columns, 4);
      TileProgram program;
      program.dtype = dtype<T>();
      program.reduced = rows;
      program.inner = columns;
      program.loads = {{0, View::dense({rows * columns}), program.dtype}};
      program.reductions = {{find_reducer("sum"), 0, 0}, {find_reducer("max"), 0, 1}};
      std::vector<T> sums(static_cast<std::size_t>(columns)), most(sums.size());
      std::array<std::byte*, 2> out{reinterpret_cast<std::byte*>(sums.data()),
                                    reinterpret_cast<std::byte*>(most.data())};
      const std::byte* in = reinterpret_cast<const std::byte*>(x.data());
      Workers workers(1);
      make_tile_kernel(program).run({out.data(), &in, nullptr, workers});
      for (std::size_t c = 0; c < sums.size(); ++c) {
        double total = 0;
        T largest = x[c];
        for (std::int64_t first = 0; first < rows; first += reduce_block_rows) {
          T block = 0;
          for (std::int64_t row = first; row < std::min(rows, first + reduce_block_rows); ++row) {
            const T value = x[static_cast<std::size_t>(row * columns) + c];
            block += value;
            largest = std::max(largest, value);
          }
          total += static_cast<double>(block);
        }
        ASSERT_EQ(sums[c], static_cast<T>(total)) << "column " << c << " of " << columns << ", " << rows << " rows";
        ASSERT_EQ(most[c], largest) << "column " << c << " of " << columns << ", " << rows << " rows";
      }
    }
  }
}

}  // namespace
}  // namespace thalweg

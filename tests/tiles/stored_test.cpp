// Tiles that load and store bf16 compute the same as f32 tiles on the same numbers.

#include <gtest/gtest.h>

#include <cstring>

#include "thalweg/tensor.hpp"
#include "tiles/tiles.hpp"

namespace thalweg {
namespace {

std::vector<Bf16> narrowed(const Tensor& x) {
  std::vector<Bf16> values(static_cast<std::size_t>(x.size()));
  narrow(values.data(), x.values<float>().data(), x.size());
  return values;
}
Tensor rounded(const Tensor& x) {
  Tensor y(x.shape(), f32);
  round_to_bf16(y.mutable_values<float>().data(), x.values<float>().data(), x.size());
  return y;
}

/// (a * b, tanh(a * b)) for views of two inputs; `output` is the stored type of the second result.
TileProgram program_of(const View& a, const View& b, Stored inputs, Stored output) {
  TileProgram program;
  program.outer = a.shape.size();
  program.loads = {{0, a, f32, inputs}, {1, b, f32, inputs}};
  program.steps = {{find_micro_op("mul"), {0, 1, 0, 0}}, {find_micro_op("tanh"), {2, 0, 0, 0}}};
  program.stores = {{3, 0, {}, output}, {2, 1, {}, Stored::plain}};
  return program;
}

/// Runs a kernel directly, or bound to its addresses.
void run(const Kernel& kernel, std::vector<const std::byte*> inputs, std::vector<std::byte*> outputs, bool bind) {
  Workers workers(2);
  const KernelCall call{outputs.data(), inputs.data(), nullptr, workers};
  if (bind && kernel.bind) return kernel.bind(call)();
  kernel.run(call);
}

template <class T>
const std::byte* bytes(const std::vector<T>& values) {
  return reinterpret_cast<const std::byte*>(values.data());
}

TEST(StoredTiles, ComputeTheSameAsF32TilesOfTheSameNumbers) {
  for (const std::int64_t rows : {1, 7, 300, 90'000 / 40}) {
    const std::int64_t columns = 40, n = rows * columns;
    const Tensor a = random_normal({rows, columns}, 1), b = random_normal({rows, columns}, 2);
    const std::vector<Bf16> a_stored = narrowed(a), b_stored = narrowed(b);
    const Tensor a_read = rounded(a), b_read = rounded(b);
    View dense = View::dense({rows, columns}),
         turned = View::dense({columns, rows}).transpose(std::vector<std::int64_t>{1, 0});
    View number = View::dense({}).broadcast({rows, columns});
    View row = View::dense({columns}).broadcast({rows, columns});
    for (const View& view : {dense, turned, number, row}) {
      for (const bool bind : {false, true}) {
        Tensor wanted({n}, f32), product({n}, f32), same({n}, f32);
        std::vector<Bf16> got(static_cast<std::size_t>(n));
        run(make_tile_kernel(program_of(dense, view, Stored::plain, Stored::plain)), {a_read.raw(), b_read.raw()},
            {wanted.mutable_raw(), product.mutable_raw()}, bind);
        run(make_tile_kernel(program_of(dense, view, Stored::bf16, Stored::bf16)), {bytes(a_stored), bytes(b_stored)},
            {reinterpret_cast<std::byte*>(got.data()), same.mutable_raw()}, bind);
        EXPECT_TRUE(identical(same, product));
        for (std::int64_t i = 0; i < n; ++i) {
          const float x = wanted.values<float>()[static_cast<std::size_t>(i)];
          ASSERT_EQ(got[static_cast<std::size_t>(i)].bits, to_bf16(x).bits) << i << " of " << n;
        }
      }
    }
  }
}

TEST(StoredTiles, MayOverwriteTheirInputs) {
  for (const std::int64_t n : {100, 5000, 100'000}) {
    const Tensor a = random_normal({n}, 1);
    std::vector<Bf16> values = narrowed(a);
    TileProgram program;
    program.outer = n;
    program.loads = {{0, View::dense({n}), f32, Stored::bf16}};
    program.steps = {{find_micro_op("square"), {0, 0, 0, 0}}};
    program.stores = {{1, 0, {0}, Stored::bf16}};
    std::vector<Bf16> wanted(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto x = static_cast<float>(values[i]);
      wanted[i] = to_bf16(x * x);
    }
    run(make_tile_kernel(program), {bytes(values)}, {reinterpret_cast<std::byte*>(values.data())}, false);
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i].bits, wanted[i].bits);
  }
}

TEST(StoredTiles, ReduceStoredValues) {
  for (const std::int64_t columns : {3, 500, 9000}) {
    for (const bool along_rows : {true, false}) {
      const std::int64_t rows = 30;
      const Tensor a = random_normal({rows, columns}, 4), read = rounded(a);
      const std::vector<Bf16> stored = narrowed(a);
      const auto sums = [&](Stored how, const std::byte* input) {
        TileProgram program;
        program.outer = along_rows ? rows : 1, program.reduced = along_rows ? columns : rows;
        program.inner = along_rows ? 1 : columns;
        program.loads = {{0, View::dense({rows * columns}), f32, how}};
        program.reductions = {{find_reducer("sum"), 0, 0}};
        Tensor out({along_rows ? rows : columns}, f32);
        const Kernel kernel = make_tile_kernel(program);
        std::vector<std::byte> scratch(kernel.scratch + 64);
        Workers workers(2);
        std::byte* to = out.mutable_raw();
        kernel.run({&to, &input, scratch.data(), workers});
        return out;
      };
      EXPECT_TRUE(identical(sums(Stored::bf16, bytes(stored)), sums(Stored::plain, read.raw()))) << columns;
    }
  }
}

TEST(StoredTiles, TheRoundingStepFollowsTheDefinition) {
  std::vector<float> x;
  for (std::uint32_t upper = 0; upper < 0x10000; upper += 3) {
    for (const std::uint32_t lower : {0U, 1U, 0x7fffU, 0x8000U, 0x8001U, 0xffffU})
      x.push_back(std::bit_cast<float>(upper << 16 | lower));
  }
  std::vector<float> got(x.size());
  const void* operand = x.data();
  find_micro_op("round_to_bf16")->run<float>()(got.data(), &operand, static_cast<std::int64_t>(x.size()));
  for (std::size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(got[i]), std::uint32_t{to_bf16(x[i]).bits} << 16)
        << std::bit_cast<std::uint32_t>(x[i]);
  }
}

}  // namespace
}  // namespace thalweg

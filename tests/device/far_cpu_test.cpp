// The far CPU (far_cpu.hpp): its memory is protected, its kernels run late, and programs on it give the bits of this
// CPU.

#include "far_cpu.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/mirrored.hpp"
#include "evaluate.hpp"
#include "ops/table.hpp"
#include "random_graph.hpp"
#include "sample_inputs.hpp"
#include "sanitized.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

using testing::FarCpu;

std::vector<float> ramp(std::size_t n) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(i);
  return values;
}

const std::byte* bytes_of(const std::vector<float>& values) {
  return reinterpret_cast<const std::byte*>(values.data());
}

/// Whether a process ended by SIGSEGV. A sanitizer handles the signal, prints a report and exits with an error.
bool stopped(int status) {
  return ::testing::KilledBySignal(SIGSEGV)(status) ||
         ((testing::address_sanitizer || testing::thread_sanitizer) && !::testing::ExitedWithCode(0)(status));
}

class FarCpuTest : public ::testing::Test {
 protected:
  FarCpu far_;
};
using FarCpuDeathTest = FarCpuTest;

TEST_F(FarCpuDeathTest, AccessByTheHostRaisesASignal) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const Block there(64, &far_);
  EXPECT_EXIT((void)*static_cast<volatile std::byte*>(there.data()), stopped, "");
  EXPECT_EXIT(*static_cast<volatile std::byte*>(there.data()) = {}, stopped, "");
}

TEST_F(FarCpuDeathTest, AKernelWithAnAddressOfTheHostAborts) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const Kernel copy = far_.copy(View::dense({4}), f32);
  const Block there(16, &far_), here(16);
  Workers alone(1);
  const std::byte* input = here.data();
  std::byte* output = there.data();
  EXPECT_DEATH(copy.run({&output, &input, nullptr, alone}), "not of this device");
}

TEST_F(FarCpuTest, WritesKernelsAndReadsAreInOrderAndLate) {
  const Kernel copy = far_.copy(View::dense({4}), f32);
  const Block a(16, &far_), b(16, &far_);
  Workers alone(1);
  std::vector<float> sent = {1, 2, 3, 4}, first(4, -1), second(4, -1);
  const std::byte* input = a.data();
  std::byte* output = b.data();
  const auto here = [](std::vector<float>& x) { return reinterpret_cast<std::byte*>(x.data()); };
  far_.write(a.data(), bytes_of(sent), 16);
  copy.run({&output, &input, nullptr, alone});
  const Mark mark = far_.read(here(first), b.data(), 16);
  sent = {5, 6, 7, 8};  // after the call of write
  far_.write(a.data(), bytes_of(sent), 16);
  copy.run({&output, &input, nullptr, alone});
  const Mark last = far_.read(here(second), b.data(), 16);
  EXPECT_EQ(first, std::vector<float>(4, -1));
  far_.wait(mark);
  EXPECT_EQ(first, (std::vector<float>{1, 2, 3, 4}));
  far_.wait(last);
  EXPECT_EQ(second, (std::vector<float>{5, 6, 7, 8}));
}

TEST_F(FarCpuTest, RowsAreCopiedAsBytes) {
  const std::vector<float> table = ramp(12);
  const std::vector<std::int64_t> numbers = {3, 0, 3};
  const Block rows(48, &far_), picked(24, &far_), result(36, &far_);
  far_.write(rows.data(), bytes_of(table), 48);
  far_.write(picked.data(), reinterpret_cast<const std::byte*>(numbers.data()), 24);
  Workers alone(1);
  const std::byte* inputs[] = {rows.data(), picked.data()};
  std::byte* output = result.data();
  far_.rows(12, 3).run({&output, inputs, nullptr, alone});
  std::vector<float> got(9);
  far_.fetch(reinterpret_cast<std::byte*>(got.data()), result.data(), 36);
  EXPECT_EQ(got, (std::vector<float>{9, 10, 11, 0, 1, 2, 9, 10, 11}));
}

TEST_F(FarCpuTest, ATensorsBytesStayOnTheDeviceUntilTheHostReadsThem) {
  Tensor x = Tensor::from(ramp(5), {5});
  const std::vector<float> other = {5, 4, 3, 2, 1};
  far_.write(Mirrored::write_there(far_, x), bytes_of(other), 20);
  const Tensor shared = x;  // shares the bytes on the device
  const std::vector<float> third = {9, 9, 9, 9, 9};
  far_.write(Mirrored::write_there(far_, x), bytes_of(third), 20);
  EXPECT_EQ(shared.at(0), 5);
  EXPECT_EQ(x.at(0), 9);
  EXPECT_EQ(shared.rows(3, 5).at(1), 1);
}

TEST_F(FarCpuTest, ATensorThatTheHostHasChangedIsWrittenAgain) {
  Tensor x = Tensor::from(ramp(3), {3});
  (void)Mirrored::write_there(far_, x);
  x.set(1, 7);
  const std::size_t before = far_.written();
  std::vector<float> got(3);
  far_.fetch(reinterpret_cast<std::byte*>(got.data()), Mirrored::write_there(far_, x), 12);
  EXPECT_EQ(got, (std::vector<float>{0, 7, 2}));
  EXPECT_EQ(far_.written(), before + 12);
  far_.fetch(reinterpret_cast<std::byte*>(got.data()), Mirrored::write_there(far_, x), 12);
  EXPECT_EQ(far_.written(), before + 12);  // nothing is written if nothing has changed
}

TEST_F(FarCpuTest, AllMemoryIsReleased) {
  {
    Tensor x = Tensor::from(ramp(300), {300});
    (void)Mirrored::write_there(far_, x);
    const BytesThere plain(far_, Tensor::from(ramp(300), {300}));
    const ChosenDevice chosen(far_);
    EXPECT_EQ(evaluate([](const std::vector<Var>& v) { return std::vector<Var>{sum(exp(v[0]) * 2)}; }, {x}).size(), 1U);
    EXPECT_GT(far_.given_out(), 2400U);
  }
  std::byte byte{};
  const Block last(1, &far_);
  far_.fetch(&byte, last.data(), 1);
  EXPECT_EQ(far_.given_out(), 512U);  // only the last block is left
}

class Programs : public FarCpuTest {
 protected:
  void expect_same(const Traced& f, const std::vector<Tensor>& inputs, Passes passes = {}) {
    const std::vector<Tensor> wanted = evaluate(f, inputs, passes);
    const ChosenDevice chosen(far_);
    const std::vector<Tensor> got = evaluate(f, inputs, passes);
    for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_TRUE(identical(got[i], wanted[i])) << "output " << i;
  }
};
using FarCpuPrograms = Programs;

TEST_F(FarCpuPrograms, OfEveryRowOfTheOpTableGiveTheSameBits) {
  for (const Op* op : all_ops()) {
    if (op->kind == OpKind::leaf) continue;
    for (const Sample& sample : op->samples) {
      SCOPED_TRACE(std::string(op->name));
      for (const DType dtype : {f32, f64}) {
        const Traced value_and_gradients = [&sample](const std::vector<Var>& x) {
          const Var y = sample.call(x);
          std::vector<Var> all{y}, floats;
          for (const Var& v : x) {
            if (is_float(v.dtype())) floats.push_back(v);
          }
          if (!is_float(y.dtype())) return all;
          for (const Var& g : gradients(sum(y * sin(y)), floats)) all.push_back(g);
          return all;
        };
        expect_same(value_and_gradients, inputs_of(sample, dtype));
      }
    }
  }
}

TEST_F(FarCpuPrograms, OfRandomGraphsGiveTheSameBits) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    const DType dtype = seed % 2 == 0 ? f32 : f64;
    const std::int64_t columns = seed % 10 == 0 ? 700 : 6;
    const auto inputs = inputs_of(dtype, seed, 3 + static_cast<std::int64_t>(seed % 3), columns);
    const bool none = seed % 4 == 3;
    expect_same(random_function(seed, 5 + static_cast<int>(seed % 30), Functions::all), inputs,
                none ? Passes{false, false, false, false, false} : Passes{});
  }
  EXPECT_GT(far_.kernels(), 3000U);
}

TEST_F(FarCpuPrograms, TheErrorOfAKernelIsThrownByTheNextWait) {
  const ChosenDevice chosen(far_);
  const Traced f = [](const std::vector<Var>& x) { return std::vector<Var>{gather(x[0], x[1]) + 1}; };
  const Tensor table = Tensor::from(ramp(6), {3, 2});
  EXPECT_THROW((void)evaluate(f, {table, Tensor::of<std::int32_t>({0, 3})}), UsageError);
  EXPECT_EQ(evaluate(f, {table, Tensor::of<std::int32_t>({2, 0})})[0].at(0), 5);  // the device works again
}

TEST_F(FarCpuPrograms, AreRecordedWhenTheyRunAgainInTheSameMemory) {
  const Tensor x = random_normal({40}, 1);
  const Trace trace([](const std::vector<Var>& v) { return std::vector<Var>{sum(exp(v[0])), cumsum(v[0], 0)}; }, {x});
  const Program program(trace.graph, trace.inputs, trace.outputs, {}, far_);
  const std::vector<Tensor> wanted = trace.run({x});
  const BytesThere input(far_, x);
  const Block first(4, &far_), second(160, &far_), arena(program.arena_bytes(), &far_);
  std::byte* const bases[] = {input.data(), first.data(), second.data()};
  Workers alone(1);
  Program::Calls calls;
  for (int run = 0; run < 5; ++run) {
    program.run(bases, arena.data(), alone, calls);
    Tensor sum(Shape{}, f32), running({40}, f32);
    far_.fetch(sum.mutable_raw(), first.data(), 4);
    far_.fetch(running.mutable_raw(), second.data(), 160);
    EXPECT_TRUE(identical(sum, wanted[0]));
    EXPECT_TRUE(identical(running, wanted[1]));
  }
  EXPECT_EQ(far_.recorded(), 1U);
}

TEST_F(FarCpuPrograms, OfFunctionsOnTensorsRunOnTheDevice) {
  const Function f([](Var x, Var y) { return sum(x * y) + 1; });
  const Tensor x = random_normal({30}, 1), y = random_normal({30}, 2);
  const Tensor wanted = f(x, y), slope = grad(f)(x, y);
  const std::size_t before = far_.kernels();
  const ChosenDevice chosen(far_);
  EXPECT_TRUE(identical(f(x, y), wanted));
  EXPECT_TRUE(identical(grad(f)(x, y), slope));
  EXPECT_GT(far_.kernels(), before + 1);
}

/// As on a GPU, whose library chooses an algorithm by the sizes: not the bits of this CPU, and the same each time.
TEST(RoughFarCpu, ProductsOfSomeShapesHaveOtherLastDigits) {
  FarCpu rough(true);
  const auto product = [](std::int64_t rows) {
    return evaluate([](const std::vector<Var>& x) { return std::vector<Var>{matmul(x[0], x[1])}; },
                    {random_normal({rows, 5}, 1), random_normal({5, 4}, 2)})[0];
  };
  const auto there = [&](std::int64_t rows) {
    const ChosenDevice chosen(rough);
    return product(rows);
  };
  EXPECT_TRUE(same_bits(there(4), product(4)));
  EXPECT_FALSE(same_bits(there(3), product(3)));
  EXPECT_LE(distance(there(3), product(3)), 2e-7);
  EXPECT_TRUE(same_bits(there(3), there(3)));
}

}  // namespace
}  // namespace thalweg

// The emitted texts of ops against the kernels of this CPU. A shim turns the texts into C++, so they run on this CPU.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "../device/compiled_text.hpp"
#include "cases.hpp"
#include "sample_inputs.hpp"

namespace thalweg {
namespace {

using testing::all_cases;
using testing::Case;
using testing::drawn;

/// A device that runs tiles, and all ops that have a text, by their texts.
class TextDevice : public CompiledText {
 public:
  Kernel op(const OpKernel& op, const KernelSite& site) override {
    const auto row = std::ranges::find(all_ops(), &op, &Op::kernel);
    const auto text = cuda::text_of_op((*row)->name, site);
    if (!text) without_text.insert(std::string((*row)->name));
    return text ? kernel_of(*text) : Device::op(op, site);
  }

  std::set<std::string> without_text;
};

/// A sample of the op table and its gradients, planned for this CPU and for the texts.
class Pair {
 public:
  Pair(const Sample& sample, DType dtype, TextDevice& device)
      : inputs_(inputs_of(sample, dtype)), trace_(calls(sample), inputs_) {
    here_ = std::make_unique<Program>(trace_.graph, trace_.inputs, trace_.outputs);
    text_ = std::make_unique<Program>(trace_.graph, trace_.inputs, trace_.outputs, Passes{}, device);
  }

  [[nodiscard]] bool exact() const {
    for (int i = 0; i < trace_.graph.size(); ++i) {
      const Op* op = trace_.graph.node(i).op;
      const MicroOp* micro = op->kernel == nullptr ? nullptr : find_micro_op(op->kernel->micro);
      if ((micro != nullptr && !micro->is_arithmetic()) || !testing::is_exact(op->name)) return false;
    }
    return true;
  }
  [[nodiscard]] std::vector<Tensor> here() const { return run(*here_); }
  [[nodiscard]] std::vector<Tensor> text() const { return run(*text_); }

 private:
  static Traced calls(const Sample& sample) {
    return [&sample](const std::vector<Var>& x) {
      const Var y = sample.call(x);
      std::vector<Var> all{y}, floats;
      for (const Var& v : x) {
        if (is_float(v.dtype())) floats.push_back(v);
      }
      if (!is_float(y.dtype())) return all;
      for (const Var& g : gradients(sum(y * y), floats)) all.push_back(g);
      return all;
    };
  }
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
  std::unique_ptr<Program> here_, text_;
};

void expect_same(const Tensor& got, const Tensor& wanted, bool exact, Stored stored = Stored::plain) {
  if (exact) {
    EXPECT_TRUE(same_bits(got, wanted)) << distance(got, wanted);
  } else {
    const double tolerance = stored == Stored::bf16 ? 0x1p-7 : wanted.dtype() == f64 ? 1e-9 : 2e-5;
    EXPECT_LE(distance(got, wanted), tolerance);
  }
}

// Ops without a text are computed by one of NVIDIA's libraries or by the host.
const std::set<std::string> without_text{"convolution",
                                         "convolution_filter",
                                         "convolution_image",
                                         "ctc",
                                         "damped_inverse",
                                         "eigenvectors",
                                         "gru",
                                         "gru_gradient",
                                         "inverse_root",
                                         "lstm",
                                         "lstm_gradient",
                                         "matmul",
                                         "orthogonal_iteration"};

TEST(Texts, OfEveryRowOfTheOpTableAgreeWithTheCpu) {
  TextDevice device;
  std::vector<std::pair<std::string, std::unique_ptr<Pair>>> pairs;
  for (const Op* op : all_ops()) {
    if (op->kind != OpKind::opaque) continue;
    for (const Sample& sample : op->samples) {
      for (const DType dtype : {f32, f64})
        pairs.emplace_back(std::string(op->name), std::make_unique<Pair>(sample, dtype, device));
    }
  }
  EXPECT_EQ(device.without_text, without_text);
  ASSERT_NO_FATAL_FAILURE(device.compile());
  for (const auto& [name, pair] : pairs) {
    const std::vector<Tensor> wanted = pair->here(), got = pair->text();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      SCOPED_TRACE(name + ", output " + std::to_string(i));
      expect_same(got[i], wanted[i], pair->exact());
    }
  }
  EXPECT_EQ(device.error(), 0);
}

/// Runs each case on the CPU and by its text; with the blocks in reverse order, the text must give the same bits.
void expect_same_cases(const std::vector<Case>& cases) {
  TextDevice device;
  std::vector<Kernel> kernels;
  for (const Case& c : cases) {
    const auto text = c.text();
    ASSERT_TRUE(text.has_value()) << c.name();
    kernels.push_back(device.kernel_of(*text));
  }
  ASSERT_NO_FATAL_FAILURE(device.compile());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(cases[i].name());
    const Tensor wanted = cases[i].run(cases[i].here()), got = cases[i].run(kernels[i]);
    expect_same(got, wanted, testing::is_exact(cases[i].op), cases[i].result);
    device.run_backwards(true);
    EXPECT_TRUE(same_bits(cases[i].run(kernels[i]), got));
    device.run_backwards(false);
    EXPECT_EQ(device.error(), 0);
  }
}

TEST(Texts, OfRowsAgreeWithTheCpu) {
  for (const DType dtype : {f32, f64}) expect_same_cases(testing::row_cases(dtype));
}
TEST(Texts, OfPlacesAgreeWithTheCpu) {
  for (const DType dtype : {f32, f64}) expect_same_cases(testing::place_cases(dtype));
}
TEST(Texts, OfScatterAddAddInTheOrderOfTheCpu) {
  for (const DType dtype : {f32, f64}) expect_same_cases(testing::scatter_cases(dtype));
}
TEST(Texts, OfStandardiseAgreeWithTheCpu) {
  for (const DType dtype : {f32, f64}) expect_same_cases(testing::standardise_cases(dtype));
}
TEST(Texts, OfImagesAgreeWithTheCpu) {
  for (const DType dtype : {f32, f64}) expect_same_cases(testing::image_cases(dtype));
}
TEST(Texts, OfRandomNumbersGiveThoseOfTheCpu) {
  for (const DType dtype : {f32, f64}) expect_same_cases(testing::random_cases(dtype));
}
TEST(Texts, OfAttentionAgreeWithTheCpu) {
  for (const DType dtype : {f32, f64}) expect_same_cases(testing::attention_cases(dtype));
}

/// The f32 cases with operands that are stored in bf16, or in f32 and rounded when read, and results in f32 or bf16.
std::vector<Case> stored_cases() {
  std::vector<Case> cases;
  int turn = 0;
  for (Case c : all_cases(f32)) {
    for (const Tensor& x : c.inputs) {
      const Stored stored = turn % 4 == 3 ? Stored::rounded : turn % 4 == 2 ? Stored::plain : Stored::bf16;
      c.stored.push_back(x.dtype() == f32 ? stored : Stored::plain);
    }
    c.result = c.output.dtype == f32 && turn % 2 == 0 ? Stored::bf16 : Stored::plain;
    ++turn;
    cases.push_back(c);
  }
  return cases;
}

TEST(Texts, ReadAndWriteBf16) { expect_same_cases(stored_cases()); }

TEST(Texts, ReportWrongIndicesAndWriteNothingOutside) {
  std::vector<Case> cases;
  for (const double wrong : {-1.0, 40.0, 2e9, -2e9}) {
    for (const std::int64_t count : {30, 1500}) {
      Tensor places = testing::drawn_below({count}, 40);
      places.set(count / 2, wrong);
      cases.push_back({"gather", {drawn({40, 3}, f32), places}, {{count, 3}, f32}});
      cases.push_back({"scatter_add", {drawn({count, 3}, f32), places}, {{40, 3}, f32}, {40}});
      cases.push_back({"pick", {drawn({count, 40}, f32), places}, {{count}, f32}});
    }
  }
  cases.push_back({"gather", {Tensor({0, 3}, f32), testing::drawn_below({5}, 2)}, {{5, 3}, f32}});
  TextDevice device;
  std::vector<Kernel> kernels;
  for (const Case& c : cases) kernels.push_back(device.kernel_of(*c.text()));
  ASSERT_NO_FATAL_FAILURE(device.compile());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    (void)cases[i].run(kernels[i]);
    EXPECT_EQ(device.error(), static_cast<int>(cuda::Wrong::index)) << cases[i].name();
  }
}

/// Valid indices beside a wrong one are still added.
TEST(Texts, OfScatterAddLeaveWrongIndicesOut) {
  Tensor places = testing::drawn_below({1500}, 40), right = places;
  const Tensor updates = drawn({1500, 3}, f32);
  Tensor fewer = updates;
  for (std::int64_t i = 0; i < 1500; i += 7) {
    places.set(i, i % 2 == 0 ? -5 : 40);
    right.set(i, 0);
    for (std::int64_t k = 0; k < 3; ++k) fewer.set(3 * i + k, 0);
  }
  const Case given{"scatter_add", {updates, places}, {{40, 3}, f32}, {40}};
  const Case wanted{"scatter_add", {fewer, right}, {{40, 3}, f32}, {40}};
  TextDevice device;
  const Kernel kernel = device.kernel_of(*given.text());
  ASSERT_NO_FATAL_FAILURE(device.compile());
  EXPECT_TRUE(same_bits(given.run(kernel), wanted.run(wanted.here())));
}

TEST(Texts, OfRowsOfBytesCopyThem) {
  TextDevice device;
  std::map<std::size_t, Kernel> kernels;
  constexpr std::int64_t count = 300, rows = 70;
  for (const std::size_t bytes : {0, 1, 2, 3, 4, 12, 16, 784, 3072})
    kernels[bytes] = device.kernel_of(cuda::text_of_rows(bytes, count));
  const Kernel none = device.kernel_of(cuda::text_of_rows(16, 0));
  ASSERT_NO_FATAL_FAILURE(device.compile());
  std::vector<std::int64_t> numbers;
  for (std::int64_t i = 0; i < count; ++i) numbers.push_back(i * i % rows);
  Workers alone(1);
  for (const auto& [bytes, kernel] : kernels) {
    const Block table(rows * bytes + 1), into(count * bytes + 1);
    for (std::size_t i = 0; i < rows * bytes; ++i) table.data()[i] = static_cast<std::byte>(i * 31 + i / 251);
    into.data()[count * bytes] = std::byte{7};
    const std::byte* inputs[] = {table.data(), reinterpret_cast<const std::byte*>(numbers.data())};
    std::byte* to = into.data();
    kernel.run({&to, inputs, nullptr, alone});
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_EQ(
          std::memcmp(into.data() + i * bytes, table.data() + static_cast<std::size_t>(numbers[i]) * bytes, bytes), 0)
          << bytes;
    }
    EXPECT_EQ(into.data()[count * bytes], std::byte{7});
  }
  none.run({nullptr, nullptr, nullptr, alone});
}

/// A tile of such wide heads does not fit in a block's shared memory, so the host computes them.
TEST(Texts, OfAttentionLeaveWideHeadsToTheHost) {
  for (const auto& [width, there] : {std::pair{128, true}, {512, false}}) {
    const Signature parts[] = {{{1, 8, 3, 1, width}, f32}, {{1, 8, 1, width}, f32}};
    const std::int64_t ints[] = {1, 0, 0};
    const KernelSite forward{.inputs = std::span(parts).first(1), .output = parts[1], .ints = std::span(ints).first(2)};
    const KernelSite backward{.inputs = parts, .output = parts[0], .ints = ints};
    EXPECT_EQ(cuda::text_of_op("attention", forward).has_value(), there);
    EXPECT_EQ(cuda::text_of_op("attention_gradient", backward).has_value(), there);
  }
}

/// Indices above 2^31 in tables of 3 billion elements: this test can only inspect the text and compile it.
TEST(Texts, OfLargeValuesUse64BitIndices) {
  constexpr std::int64_t rows = 4'000'000, width = 768;
  const Signature table{{rows, width}, f32}, places{{100}, i32}, taken{{100, width}, f32};
  const std::int64_t ints[] = {rows};
  const Signature gathered[] = {table, places}, scattered[] = {taken, places}, whole[] = {table};
  TextDevice device;
  for (const auto& text : {cuda::text_of_op("gather", {.inputs = gathered, .output = taken, .ints = {}}),
                           cuda::text_of_op("scatter_add", {.inputs = scattered, .output = table, .ints = ints}),
                           cuda::text_of_op("softmax", {.inputs = whole, .output = table, .ints = {}})}) {
    ASSERT_TRUE(text.has_value());
    EXPECT_EQ(text->text.find("typedef int tw_index"), std::string::npos);
    (void)device.kernel_of(*text);
  }
  ASSERT_NO_FATAL_FAILURE(device.compile());
}

}  // namespace
}  // namespace thalweg

#include "cases.hpp"

#include <limits>

namespace thalweg::testing {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

Shape without_last(const Shape& shape) {
  return Shape(shape.sizes().first(static_cast<std::size_t>(shape.rank() - 1)));
}

/// Rows of random numbers; some rows have equal numbers, infinities or NaNs.
Tensor rows_of(const Shape& shape, DType dtype) {
  Tensor x = drawn(shape, dtype);
  const std::int64_t n = shape[-1];
  for (std::int64_t row = 0; row < x.size() / n; ++row) {
    const std::int64_t begin = row * n, last = begin + n - 1;
    if (row % 7 == 1) x.set(last, infinity);
    if (row % 7 == 2) x.set(begin + n / 2, nan), x.set(last, nan);
    if (row % 7 == 3) x.set(begin, -infinity);
    for (std::int64_t i = begin; row % 7 == 4 && i <= last; ++i) x.set(i, -infinity);
    for (std::int64_t i = begin; row % 7 == 5 && i <= last; ++i) x.set(i, static_cast<double>((i * i) % 3));
  }
  return x;
}

}  // namespace

std::vector<Case> row_cases(DType dtype) {
  std::vector<Case> cases;
  for (const Shape& shape :
       {Shape{1, 1}, Shape{9, 5}, Shape{300, 10}, Shape{8, 257}, Shape{2, 4, 1100}, Shape{1, 20000}, Shape{0, 6}}) {
    const Tensor x = rows_of(shape, dtype);
    Shape pairs = without_last(shape);
    pairs.push_back(2);
    cases.push_back({"logsumexp", {x}, {pairs, dtype}});
    cases.push_back({"softmax", {x}, {shape, dtype}});
    cases.push_back({"argmax", {x}, {without_last(shape), i32}});
  }
  for (const Shape& shape :
       {Shape{300, 7}, Shape{3, 64}, Shape{3, 65}, Shape{2, 1024}, Shape{2, 1025}, Shape{5, 1025}, Shape{1, 9000}}) {
    for (const std::int64_t from_end : {0, 1})
      cases.push_back({"cumsum", {drawn(shape, dtype)}, {shape, dtype}, {from_end}});
  }
  return cases;
}

std::vector<Case> place_cases(DType dtype) {
  std::vector<Case> cases;
  for (const Shape& table : {Shape{50, 768}, Shape{7, 3}, Shape{5}, Shape{9, 2, 5}, Shape{1, 1}}) {
    for (const Shape& places : {Shape{0}, Shape{1}, Shape{3, 100}}) {
      Shape out = places;
      for (int axis = 1; axis < table.rank(); ++axis) out.push_back(table[axis]);
      cases.push_back({"gather", {drawn(table, dtype), drawn_below(places, table[0])}, {out, dtype}});
    }
  }
  for (const Shape& shape : {Shape{1, 1}, Shape{300, 7}, Shape{2, 3, 11}})
    cases.push_back(
        {"pick", {drawn(shape, dtype), drawn_below(without_last(shape), shape[-1])}, {without_last(shape), dtype}});
  Tensor x = drawn({300}, dtype, 1, -3e9, 3e9);
  for (const auto& [i, value] :
       {std::pair{0, nan}, {1, infinity}, {2, -infinity}, {3, -0.99}, {4, 2147483647.0}, {5, -2147483649.0}})
    x.set(i, value);
  cases.push_back({"to_i32", {x}, {{300}, i32}});
  const Tensor a = drawn({3, 5, 70}, dtype, 1), b = drawn({3, 2, 70}, dtype, 2), c = drawn({3, 0, 70}, dtype, 3);
  cases.push_back({"concat", {a, b, c, b}, {{3, 9, 70}, dtype}, {1}});
  cases.push_back({"concat", {a, a}, {{6, 5, 70}, dtype}, {0}});
  cases.push_back({"concat", {drawn_below({4, 3}, 100), drawn_below({4, 1}, 100)}, {{4, 4}, i32}, {1}});
  cases.push_back({"pad", {a}, {{4, 10, 75}, dtype}, {1, 0, 1, 0, 1, 2, 2, 3, 1}});
  cases.push_back({"pad", {drawn({6}, dtype)}, {{20}, dtype}, {2, 2, 3}});
  cases.push_back({"pad", {drawn({0, 2}, dtype)}, {{3, 2}, dtype}, {1, 2, 1, 0, 0, 1}});
  return cases;
}

std::vector<Case> scatter_cases(DType dtype) {
  std::vector<Case> cases;
  const auto add = [&](std::int64_t rows, std::int64_t width, const Tensor& places) {
    cases.push_back({"scatter_add", {drawn({places.size(), width}, dtype), places}, {{rows, width}, dtype}, {rows}});
  };
  for (const std::int64_t places : {0, 1, 5, 257, 1024, 1025, 5000}) {
    for (const std::int64_t rows : {1, 3, 300}) add(rows, 5, drawn_below({places}, rows));
  }
  add(50257, 3, drawn_below({2000}, 50257));
  add(1, 3, drawn_below({20000}, 1));         // several blocks of sums
  add(70000, 1, drawn_below({1500}, 70000));  // sorted by three digits
  add(300, 70, drawn_below({2000}, 2));       // many equal indices
  return cases;
}

std::vector<Case> standardise_cases(DType dtype) {
  std::vector<Case> cases;
  for (const Shape& shape :
       {Shape{1, 1}, Shape{300, 7}, Shape{3, 768}, Shape{2, 8192}, Shape{3, 10001}, Shape{260, 8200}, Shape{0, 4}}) {
    for (const std::int64_t centred : {0, 1}) {
      if (shape[0] == 260 && centred == 0) continue;  // many long rows take time, so they are tested only once
      cases.push_back({"standardise", {drawn(shape, dtype)}, {shape, dtype}, {centred}, 0.01});
      cases.push_back(
          {"standardise_pull", {drawn(shape, dtype), drawn(shape, dtype, 2)}, {shape, dtype}, {centred}, 0.01});
    }
  }
  return cases;
}

std::vector<Case> image_cases(DType dtype) {
  std::vector<Case> cases;
  struct Pooling {
    Shape image, result;
    std::vector<std::int64_t> ints;
  };
  for (const Pooling& p : {Pooling{{2, 4, 6, 2}, {2, 2, 3, 2}, {2, 2, 2, 2, 0, 0}},
                           Pooling{{1, 9, 8, 3}, {1, 5, 4, 3}, {3, 3, 2, 2, 1, 1}},
                           Pooling{{1, 5, 7, 1}, {1, 2, 5, 1}, {2, 3, 2, 1, 0, 0}},
                           Pooling{{1, 6, 6, 2}, {1, 2, 2, 2}, {2, 2, 3, 3, 0, 0}},  // some elements are in no window
                           Pooling{{3, 14, 14, 21}, {3, 7, 7, 21}, {2, 2, 2, 2, 0, 0}}}) {
    const auto giving = [&p](const Shape& made) {
      std::vector<std::int64_t> ints = p.ints;
      ints.insert(ints.end(), {made[1], made[2]});
      return ints;
    };
    Tensor x = drawn(p.image, dtype);
    for (std::int64_t i = 0; i < x.size(); i += 5) x.set(i, i % 3 == 0 ? nan : 1.5);  // equal numbers and NaNs
    cases.push_back({"max_pool", {x, drawn(p.image, dtype, 2)}, {p.result, dtype}, giving(p.result)});
    cases.push_back({"max_unpool", {x, drawn(p.result, dtype, 2)}, {p.image, dtype}, giving(p.image)});
    cases.push_back({"sum_pool", {drawn(p.image, dtype)}, {p.result, dtype}, giving(p.result)});
    cases.push_back({"sum_unpool", {drawn(p.result, dtype)}, {p.image, dtype}, giving(p.image)});
  }
  for (const std::int64_t how : {0, 1, 2}) {
    for (const auto& [small, large] : {std::pair{Shape{2, 3, 4, 2}, Shape{2, 6, 7, 2}},
                                       {{1, 1, 1, 2}, {1, 4, 5, 2}},
                                       {{1, 7, 5, 3}, {1, 3, 2, 3}},
                                       {{1, 5, 6, 1}, {1, 1, 1, 1}},
                                       {{1, 13, 9, 2}, {1, 40, 31, 2}}}) {
      cases.push_back({"resize", {drawn(small, dtype)}, {large, dtype}, {large[1], large[2], how}});
      cases.push_back({"resize_transposed", {drawn(large, dtype)}, {small, dtype}, {small[1], small[2], how}});
    }
  }
  for (const std::vector<std::int64_t>& ints : {std::vector<std::int64_t>{1, 0, 0}, {0, 2, 0}, {1, 4, 8}}) {
    const Shape shape{16, 9, 10, 3};
    for (const std::string op : {"augment", "augment_transposed"})
      cases.push_back({op, {drawn(shape, dtype), drawn({16, 5}, dtype, 3, 0, 1)}, {shape, dtype}, ints});
  }
  return cases;
}

std::vector<Case> random_cases(DType dtype) {
  std::vector<Case> cases;
  Tensor seed({}, f64), step({}, f64);
  seed.set(0, 9007199254740991.0), step.set(0, 12345);
  for (const std::int64_t share : {1, 4, 5, 1003}) {
    cases.push_back({"uniform",
                     {seed, step, drawn_below({7}, 1 << 30)},
                     {{7, share}, dtype},
                     {-0x123456789abcdef, static_cast<std::int64_t>(dtype), 7, share}});
  }
  Tensor mean = drawn({3, 200}, dtype, 2, 0, 40);
  for (const auto& [i, value] : {std::pair{0, 0.0}, {1, 1e5}, {2, -1.0}, {3, nan}, {4, 1e-3}, {5, 2e8}})
    mean.set(i, value);
  cases.push_back({"poisson_count", {drawn({3, 200}, dtype, 3, 0, 1), mean}, {{3, 200}, dtype}});
  return cases;
}

std::vector<Case> attention_cases(DType dtype) {
  std::vector<Case> cases;
  const auto add = [&](const std::vector<Shape>& shapes, bool causal, bool has_lengths) {
    const Shape &first = shapes.front(), &last = shapes.back();
    const Shape result{first[0], first[1], first[-2], first[-1]};
    std::vector<Tensor> inputs;
    for (const Shape& shape : shapes) inputs.push_back(drawn(shape, dtype, inputs.size() + 1, -1, 1));
    if (has_lengths) {
      inputs.push_back(drawn_below({first[0]}, last[1] + 1));
      inputs.back().set(0, 0);
      inputs.back().set(first[0] - 1, static_cast<double>(last[1]) + 5);  // more than the number of keys
    }
    cases.push_back({"attention", inputs, {result, dtype}, {causal, has_lengths}, 0.3});
    inputs.push_back(drawn(result, dtype, 9));
    for (std::size_t which = 0; which < shapes.size(); ++which)
      cases.push_back({"attention_gradient",
                       inputs,
                       {shapes[which], dtype},
                       {causal, has_lengths, static_cast<std::int64_t>(which)},
                       0.3});
  };
  add({{2, 130, 3, 2, 17}}, true, false);
  add({{3, 70, 3, 1, 64}}, false, true);
  add({{2, 20, 2, 3}, {2, 75, 2, 2, 3}}, true, true);
  add({{1, 90, 2, 8}, {1, 33, 2, 8}, {1, 33, 2, 8}}, true, false);  // the first queries see no key
  add({{1, 5, 1, 1}, {1, 100, 1, 1}, {1, 100, 1, 1}}, false, false);
  if (dtype == f32) add({{1, 40, 3, 1, 128}}, true, false);
  for (const std::int64_t back : {0, 1})
    cases.push_back(
        {"rotary", {drawn({3, 20, 4, 6}, dtype), drawn_below({20}, 1000)}, {{3, 20, 4, 6}, dtype}, {3, back}, 10000});
  return cases;
}

std::vector<Case> all_cases(DType dtype) {
  std::vector<Case> all;
  for (const auto& family : {row_cases(dtype), place_cases(dtype), scatter_cases(dtype), standardise_cases(dtype),
                             image_cases(dtype), random_cases(dtype), attention_cases(dtype)})
    all.insert(all.end(), family.begin(), family.end());
  return all;
}

}  // namespace thalweg::testing

// Attention and rotary positions.

#include "kernels/attention.hpp"

#include <cmath>

#include "core/error.hpp"
#include "ops/table.hpp"
#include "thalweg/derivatives.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/sequence.hpp"

namespace thalweg {

namespace {

using S = const Site&;
using In = std::span<const Var>;
using Values = std::span<const Tensor>;
enum Flag { causal_flag, lengths_flag, which_flag };

/// The inputs with queries, keys and values, and optional lengths.
struct Inputs {
  std::vector<Var> parts;
  Var lengths;  // undefined if there are none
};

Inputs inputs_of(S s, int after) {
  Inputs in;
  const int end = s.inputs() - after - static_cast<int>(s.attributes().ints[lengths_flag]);
  for (int i = 0; i < end; ++i) in.parts.push_back(s.x(i));
  if (s.attributes().ints[lengths_flag]) in.lengths = s.x(end);
  return in;
}

void expect_parts(std::span<const Signature> parts) {
  const auto is = [&](std::size_t i, int rank, std::int64_t packed) {
    const Shape& shape = parts[i].shape;
    return shape.rank() == rank && (packed == 0 || shape[2] == packed);
  };
  const auto same = [&](std::size_t i, std::size_t k) {
    const Shape &a = parts[i].shape, &b = parts[k].shape;
    return a[0] == b[0] && a[-2] == b[-2] && a[-1] == b[-1];
  };
  bool fits = false;
  if (parts.size() == 1) fits = is(0, 5, 3);
  if (parts.size() == 2) fits = is(0, 4, 0) && is(1, 5, 2) && same(0, 1);
  if (parts.size() == 3) {
    fits = is(0, 4, 0) && is(1, 4, 0) && same(0, 1) && parts[1].shape == parts[2].shape;
  }
  if (fits) return;
  std::string shapes;
  for (const Signature& part : parts) shapes += (shapes.empty() ? "" : ", ") + part.shape.str();
  fail<UsageError>(
      "[attention] {}. Wanted: q (batch, time, heads, width) with k and v or kv (batch, keys, 2, heads, width), or qkv "
      "(batch, time, 3, heads, width)",
      shapes);
}

std::span<const Signature> checked_parts(std::span<const Signature> in, const Attributes& a, std::size_t after) {
  const bool has_lengths = a.ints[lengths_flag] != 0;
  const auto parts = in.first(in.size() - after - (has_lengths ? 1 : 0));
  expect_float("attention", parts[0]);
  expect_same_dtype("attention", parts);
  expect_parts(parts);
  const Signature& lengths = in[parts.size() - (has_lengths ? 0 : 1)];
  if (has_lengths && (lengths.dtype != i32 || lengths.shape != Shape{parts[0].shape[0]})) {
    fail<UsageError>("[attention] lengths of {} {}. Wanted: i32, one a sample, {}", lengths.dtype, lengths.shape,
                     Shape{parts[0].shape[0]});
  }
  return parts;
}

Signature infer_attention(std::span<const Signature> in, const Attributes& a) {
  const auto parts = checked_parts(in, a, 0);
  const AttentionShape shape = AttentionShape::of(parts);
  return {{shape.batch, shape.queries, shape.heads, shape.width}, parts[0].dtype};
}

Signature infer_attention_gradient(std::span<const Signature> in, const Attributes& a) {
  (void)checked_parts(in, a, 1);
  return at(in, a.ints[which_flag]);
}

/// Queries, keys and values, each (batch, heads, time, width).
std::vector<Var> apart(const std::vector<Var>& parts) {
  std::vector<Var> result;
  for (const Var& part : parts) {
    const Shape& shape = part.shape();
    const std::int64_t count = shape.rank() == 5 ? shape[2] : 1;
    for (std::int64_t i = 0; i < count; ++i) {
      const Var one = shape.rank() == 5 ? squeeze(slice(part, i, i + 1, 2), 2) : part;
      result.push_back(transpose(one, {0, 2, 1, 3}));
    }
  }
  return result;
}

/// 1 where a query may attend to a key, (1 or batch, 1, queries, keys).
Var mask(const Inputs& in, bool causal, std::int64_t queries, std::int64_t keys) {
  Graph& graph = in.parts[0].graph();
  const DType dtype = in.parts[0].dtype();
  Tensor seen = ones({1, 1, queries, keys}, dtype);
  for (std::int64_t i = 0; causal && i < queries; ++i) {
    for (std::int64_t j = std::max<std::int64_t>(0, i + 1 + keys - queries); j < keys; ++j) seen.set(i * keys + j, 0);
  }
  Var result = graph.constant(seen);
  if (!in.lengths.defined()) return result;
  Tensor places({keys}, dtype);
  for (std::int64_t j = 0; j < keys; ++j) places.set(j, static_cast<double>(j));
  const Var lengths = reshape(cast(in.lengths, dtype), {in.lengths.dim(0), 1, 1, 1});
  return result * (graph.constant(places) < lengths);
}

/// Attention in primitive ops, for derivatives of higher order.
Var body(const Inputs& in, bool causal, double scale) {
  const std::vector<Var> qkv = apart(in.parts);
  const Var scores = scale * matmul(qkv[0], qkv[1], false, true);
  const Var seen = mask(in, causal, qkv[0].dim(2), qkv[1].dim(2));
  const Var probabilities = softmax(where(seen, scores, -1e30)) * seen;
  return transpose(matmul(probabilities, qkv[2]), {0, 2, 1, 3});
}

Var pull_attention(S s, int input, Var g) {
  std::vector<Var> all;
  for (int i = 0; i < s.inputs(); ++i) all.push_back(s.x(i));
  all.push_back(g);
  Attributes attributes = with_ints({s.attributes().ints[0], s.attributes().ints[1], input});
  attributes.number = s.attributes().number;
  return s.graph.append(op_named("attention_gradient"), std::move(all), std::move(attributes), {});
}

Var pull_attention_gradient(S s, int input, Var h) {
  Inputs in = inputs_of(s, 1);
  for (Var& part : in.parts) part = place_of_its_own(part);
  const int g_input = s.inputs() - 1;
  const Var g = place_of_its_own(s.x(g_input));
  const Var y = body(in, s.attributes().ints[causal_flag] != 0, s.attributes().number);
  const auto which = static_cast<std::size_t>(s.attributes().ints[which_flag]);
  const Var gradient = vjp({y}, {g}, {in.parts[which]})[0];
  return vjp({gradient}, {h}, {input == g_input ? g : at(in.parts, input)})[0];
}

SampleAxis attention_samples_along(const SampleSite& site) {
  const SampleAxis all = elementwise_samples(site);
  return all == SampleAxis::along(0) ? all : SampleAxis::mixed();
}

Var attend(std::vector<Var> parts, const AttentionOptions& options, Var lengths, Source source) {
  const double width = static_cast<double>(parts[0].rank() > 0 ? parts[0].dim(-1) : 1);
  Attributes attributes = with_ints({options.causal, lengths.defined()});
  attributes.number = options.scale > 0 ? options.scale : 1 / std::sqrt(width);
  Graph& graph = parts[0].graph();
  if (lengths.defined()) parts.push_back(lengths);
  return graph.append(op_named("attention"), std::move(parts), std::move(attributes), source);
}

/// The reference by plain loops.
Tensor attention_reference(Values x, bool causal, bool has_lengths) {
  std::vector<Signature> signatures;
  for (const Tensor& t : x.first(x.size() - has_lengths)) signatures.push_back({t.shape(), t.dtype()});
  const AttentionShape s = AttentionShape::of(signatures);
  Tensor y({s.batch, s.queries, s.heads, s.width}, x[0].dtype());
  const auto element = [&](const AttentionShape::Part& part, std::int64_t b, std::int64_t t, std::int64_t h,
                           std::int64_t i) {
    return at(x, part.input).at(part.offset + b * part.batch + t * part.time + h * s.width + i);
  };
  for (std::int64_t place = 0; place < y.size(); ++place) {
    const std::int64_t i = place % s.width, h = place / s.width % s.heads, t = place / (s.width * s.heads) % s.queries,
                       b = place / (s.width * s.heads * s.queries);
    std::int64_t seen = causal ? std::min(s.keys, t + 1 + s.keys - s.queries) : s.keys;
    if (has_lengths) seen = std::min(seen, static_cast<std::int64_t>(x.back().at(b)));
    double total = 0, value = 0;
    for (std::int64_t j = 0; j < seen; ++j) {
      double score = 0;
      for (std::int64_t k = 0; k < s.width; ++k) score += element(s.q, b, t, h, k) * element(s.k, b, j, h, k);
      const double e = std::exp(score / std::sqrt(static_cast<double>(s.width)));
      total += e;
      value += e * element(s.v, b, j, h, i);
    }
    y.set(place, seen > 0 ? value / total : 0);
  }
  return y;
}

std::vector<Sample> attention_samples() {
  std::vector<Sample> samples;
  const auto add = [&](std::vector<Shape> shapes, bool causal, std::int64_t longest) {
    Sample sample;
    sample.shapes = shapes;
    sample.tolerance = 10;
    const bool has_lengths = longest > 0;
    if (has_lengths) {
      sample.indices = {{count(shapes), longest + 1}};
      sample.shapes.push_back({shapes[0][0]});
    }
    sample.call = [=, parts = shapes.size()](In x) {
      const Var lengths = has_lengths ? x[parts] : Var{};
      return attend({x.begin(), x.begin() + static_cast<std::ptrdiff_t>(parts)}, {.causal = causal}, lengths, {});
    };
    sample.expected = [=](Values x) { return attention_reference(x, causal, has_lengths); };
    samples.push_back(std::move(sample));
  };
  add({{2, 3, 3, 2, 2}}, true, 0);
  add({{2, 3, 3, 1, 3}}, false, 3);
  add({{1, 1, 3, 2, 5}}, true, 0);  // one token
  add({{2, 2, 2, 3}, {2, 5, 2, 2, 3}}, false, 5);
  add({{1, 3, 2, 3}, {1, 5, 2, 3}, {1, 5, 2, 3}}, true, 0);
  add({{3, 2, 1, 2}, {3, 2, 1, 2}, {3, 2, 1, 2}}, true, 2);
  add({{2, 131, 3, 2, 17}}, true, 0);  // several blocks, and a part of one
  add({{3, 70, 2, 16}, {3, 133, 2, 2, 16}}, true, 133);
  return samples;
}

std::vector<Sample> attention_gradient_samples() {
  const auto gradient = [](In x, std::vector<Var> parts, bool causal) {
    const Var y = attend(std::move(parts), {.causal = causal}, {}, {});
    return vjp({y}, {x.back()}, {x[0]})[0];
  };
  // with one key the probability is 1: the cotangent of its value is the output's, the other cotangents are zero
  const auto one_key = [](Values x) {
    Tensor d(x[0].shape(), x[0].dtype());
    const std::int64_t row = x[1].shape()[-1] * x[1].shape()[-2];
    for (std::int64_t b = 0; b < d.shape()[0]; ++b) {
      for (std::int64_t i = 0; i < row; ++i) d.set((3 * b + 2) * row + i, x[1].at(b * row + i));
    }
    return d;
  };
  return {{.shapes = {{3, 1, 3, 2, 4}, {3, 1, 2, 4}},
           .call = [gradient](In x) { return gradient(x, {x[0]}, true); },
           .expected = one_key}};
}

Signature infer_rotary(std::span<const Signature> in, const Attributes& a) {
  expect_float("rotary", in[0]);
  const Shape& x = in[0].shape;
  if (x.rank() != 4 || x[3] % 2 != 0 || a.ints[0] > x[2]) {
    fail<UsageError>("[rotary] {}, {} heads. Wanted: (batch, time, heads, width), an even width", x, a.ints[0]);
  }
  if (in[1].dtype != i32 || in[1].shape != Shape{x[1]}) {
    fail<UsageError>("[rotary] positions of {} {} for {}. Wanted: i32, {}", in[1].dtype, in[1].shape, x, Shape{x[1]});
  }
  return in[0];
}

Var rotary_transposed(S s, int input, Var g) {
  if (input != 0) return {};
  Attributes attributes = s.attributes();
  attributes.ints[1] = 1 - attributes.ints[1];
  return s.graph.append(op_named("rotary"), {g, s.x(1)}, attributes, {});
}

SampleAxis rotary_samples_along(const SampleSite& site) {
  const bool apart = site.inputs[0] == SampleAxis::along(0) && site.inputs[1] == SampleAxis{};
  return apart ? SampleAxis::along(0) : SampleAxis::mixed();
}

Tensor rotary_reference(Values x, std::int64_t heads) {
  Tensor y = x[0];
  const Shape& shape = y.shape();
  const std::int64_t width = shape[3], half = width / 2;
  for (std::int64_t place = 0; place < y.size(); ++place) {
    const std::int64_t i = place % width, head = place / width % shape[2], t = place / (width * shape[2]) % shape[1];
    if (head >= heads) continue;
    const double angle = x[1].at(t) * std::pow(10'000, -2 * static_cast<double>(i % half) / static_cast<double>(width));
    const double other = i < half ? -x[0].at(place + half) : x[0].at(place - half);
    y.set(place, x[0].at(place) * std::cos(angle) + other * std::sin(angle));
  }
  return y;
}

/// The operations of one product of queries and keys for all heads; `others` inputs follow queries, keys and values.
std::int64_t operations_of_product(const KernelSite& site, std::size_t others) {
  const AttentionShape shape = AttentionShape::of(site.inputs.first(site.inputs.size() - others));
  const std::int64_t all = 2 * shape.batch * shape.heads * shape.queries * shape.keys * shape.width;
  return site.ints[0] != 0 ? all / 2 : all;  // half of the keys lie in the future
}

std::vector<Op> make_rows() {
  static const OpKernel attention_kernel{
      .make = make_attention,
      .operations = [](const KernelSite&s) { return 2 * operations_of_product(s, s.ints[1] != 0 ? 1 : 0); },
      .products = ComputesProducts::of_operands},
      gradient_kernel{
          .make = make_attention_gradient,
          .operations = [](const KernelSite&s) { return 5 * operations_of_product(s, s.ints[1] != 0 ? 2 : 1); },
          .products = ComputesProducts::of_operands},
      rotary_kernel{.make = make_rotary};
  return {{.name = "attention",
           .formula = "softmax(scale q k^T) v",
           .arity = -1,
           .infer = infer_attention,
           .pull = pull_attention,
           .samples_along = attention_samples_along,
           .kernel = &attention_kernel,
           .samples = attention_samples()},
          {.name = "attention_gradient",
           .formula = "dV = P^T G, dS = scale P (G V^T - rowsum(P G V^T)), dQ = dS K, dK = dS^T Q",
           .arity = -1,
           .infer = infer_attention_gradient,
           .pull = pull_attention_gradient,
           .samples_along = attention_samples_along,
           .kernel = &gradient_kernel,
           .samples = attention_gradient_samples()},
          {.name = "rotary",
           .formula = "pairs rotated by position * base^(-2 i / width)",
           .arity = 2,
           .infer = infer_rotary,
           .transpose = rotary_transposed,
           .samples_along = rotary_samples_along,
           .kernel = &rotary_kernel,
           .samples = {{.shapes = {{2, 3, 2, 4}, {3}},
                        .call = [](In x) { return rotary(x[0], x[1]); },
                        .expected = [](Values x) { return rotary_reference(x, 2); },
                        .indices = {{1, 9}}},
                       {.shapes = {{1, 3, 3, 2}, {3}},
                        .call = [](In x) { return rotary(x[0], x[1], 10'000, 2); },
                        .expected = [](Values x) { return rotary_reference(x, 2); },
                        .indices = {{1, 9}}}}}};
}

}  // namespace

std::span<const Op> attention_ops() {
  static const std::vector<Op> rows = make_rows();
  return rows;
}

Var attention(const Arg& q, const Arg& k, const Arg& v, const AttentionOptions& options, Var lengths) {
  const Arg args[] = {q, k, v};
  return attend(as_vars("attention", args), options, lengths, q.source());
}
Var cross_attention(const Arg& q, const Arg& kv, const AttentionOptions& options, Var lengths) {
  const Arg args[] = {q, kv};
  return attend(as_vars("attention", args), options, lengths, q.source());
}
Var self_attention(const Arg& qkv, const AttentionOptions& options, Var lengths) {
  const Arg args[] = {qkv};
  return attend(as_vars("attention", args), options, lengths, qkv.source());
}

Var rotary(const Arg& x, const Arg& positions, double base, std::int64_t heads) {
  const std::int64_t all = var_of(x).rank() == 4 ? var_of(x).dim(2) : 0;
  Attributes attributes = with_ints({heads == 0 ? all : heads, 0});
  attributes.number = base;
  return apply("rotary", {x, positions}, attributes);
}

}  // namespace thalweg

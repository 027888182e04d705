#include "estimate/layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

namespace thalweg::estimate {

namespace {

double number(std::int64_t n) { return static_cast<double>(n); }

/// Micro-batches of a replica per step.
double micro_batches(const Work& work, const Layout& l) { return number(work.batch) / number(l.data * l.micro_batch); }

/// Parameters on the rank that holds the most: that of the pipeline's first stage, which has the embeddings.
double parameters_a_rank(const Work& work, const Layout& l) {
  const Gpt& m = work.model;
  return (number(m.layers) * m.block_parameters() / number(l.pipeline) + m.embedding_parameters()) / number(l.tensor);
}

/// The number of layers whose activations are kept at the same time on the first stage: with the micro-batches in
/// flight one after another, as many as the whole model has, and more if each rank has several parts (Korthikanti et
/// al. 2022, section 4.2.3).
double layers_kept(const Work& work, const Layout& l) {
  const double p = number(l.pipeline), stage = number(work.model.layers) / p;
  if (l.pipeline == 1) return number(work.model.layers);
  const double in_flight = l.interleave > 1 ? p * (1 + (p - 1) / (p * number(l.interleave))) : p;
  return stage * std::min(in_flight, micro_batches(work, l));
}

/// Bytes that a ring sends in each direction to reduce or gather `bytes` over n ranks.
double ring(double bytes, double n) { return bytes * (n - 1) / n; }

}  // namespace

std::string Layout::str() const {
  std::string text = fmt::format("{} data x {} tensor x {} pipeline", data, tensor, pipeline);
  if (interleave > 1) text += fmt::format(" ({} parts a rank)", interleave);
  text += fmt::format(", micro-batch {}", micro_batch);
  if (level > 0) text += fmt::format(", {} sharded", level == 1 ? "slots" : level == 2 ? "slots and gradients" : "all");
  if (recompute != Recompute::none)
    text += recompute == Recompute::full ? ", blocks computed again" : ", attention computed again";
  return text;
}

Memory memory_of(const Work& work, const Layout& l) {
  const double kept = kept_bytes(work.model, number(l.micro_batch), l.tensor, l.sequence_parallel, l.recompute) *
                      work.precision.value / 2;
  double activations = layers_kept(work, l) * kept;
  if (l.recompute == Recompute::full)  // a whole block while it is recomputed
    activations += kept_bytes(work.model, number(l.micro_batch), l.tensor, l.sequence_parallel, Recompute::none) *
                   work.precision.value / 2;
  return {state_bytes(parameters_a_rank(work, l), work.precision, l.data, l.level), activations};
}

StepTime time_of(const Work& work, const Layout& l, const Machine& machine) {
  const Gpt& m = work.model;
  const double t = number(l.tensor), p = number(l.pipeline), d = number(l.data);
  const double tokens = number(m.sequence) * number(l.micro_batch), sbh = tokens * number(m.width);
  const double layers = number(m.layers) / p, value = work.precision.value;
  const bool full = l.recompute == Recompute::full, selective = l.recompute == Recompute::selective;

  const double size = number(m.width) / t;
  const double peak =
      (value < 4 ? machine.half : machine.single) * machine.matrix_efficiency * size / (size + machine.half_reached_at);
  // forward, backward for inputs and for parameters, and forward again if recomputed
  const double passes = full ? 4 : 3;
  const double products =
      layers * (passes * m.block_operations(tokens) + (selective ? m.attention_operations(tokens) : 0)) +
      3 * m.logit_operations(tokens) / p;

  // what is kept is written once and read, forward and backward, in each of the passes
  const double outside = kept_bytes(m, number(l.micro_batch), l.tensor, l.sequence_parallel, Recompute::selective);
  const double attention =
      kept_bytes(m, number(l.micro_batch), l.tensor, l.sequence_parallel, Recompute::none) - outside;
  const double moved = layers * value / 2 * (passes * outside + (full || selective ? 4 : 3) * attention);

  // an all-reduce, or a gather and a scatter: twice forward and twice backward per block, and again if recomputed
  const double sums = layers * (full ? 6 : 4) * 2 * ring(value * sbh, t) / machine.link;

  const double micro_products = products / t / peak,
               micro_moved = moved / (machine.bandwidth * machine.moved_efficiency),
               micro_tensor = sums / machine.moved_efficiency;
  const double micro = micro_products + micro_moved + micro_tensor, n = micro_batches(work, l);

  const double own = parameters_a_rank(work, l);
  const double between = (l.tensor * l.pipeline * l.data > machine.ranks_a_node ? machine.network : machine.link) *
                         machine.moved_efficiency;
  const double gradients = ring(work.precision.gradient * own, d) / between;
  const double values = ring(value * own, d) / between;
  // sharded parameters are gathered for every pass; the backward pass of the last micro-batch hides the gradients
  const double exchanged = gradients + values * (l.level == 3 ? 2 * n : 1);
  const double hidden = (l.level == 3 ? n : 1) * micro * 2 / 3;
  const double update_bytes =
      (2 * work.precision.slots + 2 * work.precision.gradient + work.precision.value) * own / (l.level > 0 ? d : 1);

  return {.products = n * micro_products,
          .elementwise = n * micro_moved,
          .tensor = n * micro_tensor,
          .pipeline = micro * (p - 1) / number(l.interleave),
          .data = std::max(0.0, exchanged - hidden),
          .update = update_bytes / (machine.bandwidth * machine.moved_efficiency)};
}

double utilisation(const Work& work, std::int64_t ranks, double seconds, double peak) {
  return work.model.model_operations(number(work.batch) * number(work.model.sequence)) /
         (seconds * number(ranks) * peak);
}

namespace {

/// Calls `take` with every way to distribute `ranks`.
template <class Take>
void for_each_layout(const Work& work, std::int64_t ranks, const Machine& machine, const Take& take) {
  const Gpt& m = work.model;
  for (std::int64_t t = 1; t <= std::min(ranks, machine.ranks_a_node); t *= 2) {
    if (ranks % t != 0 || m.heads % t != 0) continue;
    for (std::int64_t p = 1; p <= std::min(ranks / t, m.layers); ++p) {
      if ((ranks / t) % p != 0 || m.layers % p != 0) continue;
      const std::int64_t d = ranks / t / p;
      if (work.batch % d != 0) continue;
      for (std::int64_t parts = 1; parts <= (p > 1 ? m.layers / p : 1); ++parts) {
        if ((m.layers / p) % parts != 0) continue;
        for (std::int64_t b = 1; b <= std::min<std::int64_t>(16, work.batch / d); b *= 2) {
          if ((work.batch / d) % b != 0 || (parts > 1 && (work.batch / d / b) % p != 0)) continue;
          for (int level = 0; level <= (d > 1 ? 3 : 0); ++level) {
            for (const Recompute recompute : {Recompute::none, Recompute::selective, Recompute::full})
              take(Layout{d, t, p, parts, b, level, true, recompute});
          }
        }
      }
    }
  }
}

}  // namespace

std::optional<Layout> smallest_layout(const Work& work, std::int64_t ranks, const Machine& machine) {
  std::optional<Layout> smallest;
  for_each_layout(work, ranks, machine, [&](const Layout& layout) {
    if (!smallest || memory_of(work, layout).total() < memory_of(work, *smallest).total()) smallest = layout;
  });
  return smallest;
}

std::vector<Planned> fastest_layouts(const Work& work, std::int64_t ranks, const Machine& machine) {
  std::map<std::tuple<std::int64_t, std::int64_t>, Planned> best;
  for_each_layout(work, ranks, machine, [&](const Layout& layout) {
    const Memory memory = memory_of(work, layout);
    if (memory.total() > usable_memory * machine.memory) return;
    const Planned planned{layout, memory, time_of(work, layout, machine)};
    const auto [at, is_new] = best.try_emplace({layout.tensor, layout.pipeline}, planned);
    if (!is_new && planned.time.total() < at->second.time.total()) at->second = planned;
  });
  std::vector<Planned> sorted;
  for (const auto& [key, planned] : best) sorted.push_back(planned);
  std::ranges::stable_sort(sorted, {}, [](const Planned& p) { return p.time.total(); });
  return sorted;
}

}  // namespace thalweg::estimate

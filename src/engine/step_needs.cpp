#include "engine/step_needs.hpp"

#include <algorithm>
#include <limits>

#include "engine/buckets.hpp"
#include "engine/engine.hpp"
#include "engine/shard_size.hpp"
#include "engine/slot_shares.hpp"
#include "graph/graph.hpp"
#include "optim/asks.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

std::int64_t bytes_of(const std::vector<UpdateSlot>& slots) {
  std::int64_t bytes = 0;
  for (const UpdateSlot& slot : slots) bytes += slot.size * static_cast<std::int64_t>(size_of(slot.dtype));
  return bytes;
}

/// The largest fraction of the parameters that any rank updates; 1 where every rank updates all.
double largest_part(const Optimizer& optimizer, const Layout& trained, int ranks) {
  if (ranks < 2 || optimizer.method) return 1;
  const auto shares = share_slots(optimizer, trained, 0, ranks, fewest_shared);
  if (!shares) return 1;
  std::int64_t most = 0;
  for (const std::vector<Share>& runs : shares->parts) {
    std::int64_t size = 0;
    for (const Share run : runs) size += run.size();
    most = std::max(most, size);
  }
  return static_cast<double>(most) / static_cast<double>(trained.trained_size);
}

/// The kernel of an addition of two sums, and of the norm of a gradient: see TreeSum and GradientNorm.
void note_sums(std::int64_t values, std::int64_t trained, DType dtype, StepKernels& kernels) {
  Graph addition;
  const Var a = addition.input("a", {values}, dtype), b = addition.input("b", {values}, dtype);
  (void)Program(addition, {{a, {first_user_base, 0}}, {b, {first_user_base + 1, 0}}},
                {{a + b, {first_user_base + 2, 0}}}, {}, kernels.join);
  Graph norm;
  const Var g = norm.input("gradient", {trained}, dtype);
  (void)Program(norm, {{g, {first_user_base, 0}}}, {{sum(square(g)), {first_user_base + 1, 0}}}, {}, kernels.update);
}

std::vector<StepNeeds::Bucket> buckets_in(const ShardProgram& shard, std::int64_t shards, std::int64_t values,
                                          DType dtype) {
  const Buckets buckets = buckets_of({&shard, &shard, shards}, values, dtype);
  std::vector<StepNeeds::Bucket> result;
  for (std::size_t i = 0; i < buckets.runs.size(); ++i) {
    const double ready =
        static_cast<double>(buckets.whole_cuts[i]) / static_cast<double>(shard.program().instructions());
    result.push_back({length_of(buckets.runs[i]) * static_cast<std::int64_t>(size_of(dtype)), ready});
  }
  return result;
}

std::vector<StepNeeds::Bucket> arriving_in(const ShardProgram& shard, const Layout& trained) {
  Runs updated;
  for (const ParameterEntry& entry : trained.entries) {
    if (!entry.frozen) updated.push_back({entry.offset, entry.offset + entry.shape.size()});
  }
  std::vector<StepNeeds::Bucket> result;
  for (const auto& [numbers, before] : shard.needed())
    result.push_back({length_of(common_part({numbers}, updated)) * static_cast<std::int64_t>(size_of(trained.dtype)),
                      static_cast<double>(before) / static_cast<double>(shard.program().instructions())});
  return result;
}

}  // namespace

StepNeeds needs_of_step(const EvaluationFunction& function, const Optimizer& optimizer, const Dataset& data,
                        const RunLength& length, std::int64_t shard_size, Memory memory, int ranks, Precision precision,
                        StepKernels* kernels) {
  const std::int64_t rows = length.rows_a_step;
  Engine engine(function, optimizer, 1);
  Engine* const alone[] = {&engine};
  const Layout layout = initial_layout(alone, data, f32, false);
  const StepLayout step = step_layout(layout, {stepped_part(optimizer, layout)});
  Programs programs({function}, nullptr);
  (void)programs.set_memory(memory);
  engine.set_precision(precision);
  (void)programs.set_precision(precision);
  const std::int64_t wanted = std::min(
      rows, shard_size > 0 ? shard_size : default_shard_size({&function, 1}, columns_of(data), layout, length.batch));
  std::unique_ptr<ShardProgram> shard = programs.make(wanted, data, layout, step);
  if (!shard->is_separable() && wanted < rows) shard = programs.make(rows, data, layout, step);
  const Layout& trained = step.objectives.front().layout;
  const UpdateProgram update = make_update(optimizer, trained, {}, {}, engine.factored(0, trained));
  if (kernels) {
    (void)programs.make(shard->rows(), data, layout, step, true, &kernels->shard);
    note_sums(step.size, trained.trained_size, layout.dtype, *kernels);
    if (update.program && !asks_of(optimizer).factors) {
      const TracedUpdate traced = trace_update(optimizer, trained);
      (void)Program(*traced.graph, traced.inputs, traced.outputs, {}, kernels->update);
    }
  }

  StepNeeds needs;
  needs.parameters = layout.size;
  needs.trained = layout.trained_size;
  const auto element = static_cast<std::int64_t>(size_of(layout.dtype));
  needs.parameter_bytes = layout.size * element;
  needs.gradient_bytes = step.size * element;
  needs.slot_bytes = bytes_of(update.slots);
  if (asks_of(optimizer).per_row) {
    needs.row_table = row_table_of(function, optimizer, layout, data, data.rows());
    check_row_table(optimizer, *needs.row_table);
  }
  needs.own_part = largest_part(optimizer, trained, ranks);
  needs.shard_rows = shard->rows();
  needs.separable = shard->is_separable();
  needs.shards = (rows + shard->rows() - 1) / shard->rows();
  needs.shard_bytes = static_cast<std::int64_t>(shard->memory_bytes());
  needs.bf16_values = shard->program().bf16_values();
  needs.one_small_shard = needs.shards == 1 && OneShard::is_for(*shard, step, layout.dtype);
  if (update.program) {
    needs.update_arena_bytes = static_cast<std::int64_t>(update.program->arena_bytes());
    needs.update_arenas = update.program->lanes(std::numeric_limits<int>::max());
  }
  const double share = static_cast<double>(rows) / static_cast<double>(shard->rows());
  needs.last_shard = share - static_cast<double>(needs.shards - 1);
  const auto all_of = [&](std::int64_t a_shard) {
    return static_cast<std::int64_t>(static_cast<double>(a_shard) * share);
  };
  needs.gradient = {0, all_of(shard->program().operations()), all_of(shard->program().bytes_moved())};
  if (ranks > 1 && needs.shards > 1) needs.buckets = buckets_in(*shard, needs.shards, step.size, layout.dtype);
  if (needs.own_part < 1 && needs.shards > 1) {
    needs.keeps_part = !asks_of(optimizer).any() && std::ranges::none_of(optimizer.groups, &ParameterGroup::frozen);
    needs.arriving = arriving_in(*shard, trained);
  }
  if (update.program) needs.update = {0, update.program->operations(), update.program->bytes_moved()};
  return needs;
}

namespace {

/// The time in which a number of threads compute all shards, including the smaller last one, in units of a whole shard.
double rounds_of(std::int64_t shards, double last, std::int64_t threads) {
  if (shards <= threads) return shards > 1 ? 1 : last;
  const std::int64_t full = shards / threads, rest = shards % threads;
  if (rest == 0) return static_cast<double>(full);
  return static_cast<double>(full) + (rest > 1 ? 1 : last);
}

}  // namespace

StepSeconds seconds_of_step(const StepNeeds& needs, const StepKernels& kernels, int ranks, Workers& workers) {
  const std::int64_t threads = workers.threads(), own_threads = std::max<std::int64_t>(1, threads / ranks);
  const std::int64_t own_shards = (needs.shards + ranks - 1) / ranks;
  const std::int64_t own_at_once = std::min(own_shards, own_threads);
  // ranks beyond the threads take turns on them
  const double turns = std::max(1.0, static_cast<double>(ranks) / static_cast<double>(threads));
  StepSeconds step;
  step.at_once = std::min<std::int64_t>(threads, ranks * own_at_once);
  constexpr std::size_t largest_ring = std::size_t{24} << 20;
  const std::size_t ring = std::min(static_cast<std::size_t>(needs.shard_bytes), largest_ring);
  step.shard = time_kernels(kernels.shard, step.at_once, ring, needs.one_small_shard, workers);
  const double join = total_seconds(time_kernels(kernels.join, 1, largest_ring, false, workers));
  // only one rank has the smaller last shard; the step waits for ranks with whole shards
  const double last = ranks == 1 ? needs.last_shard : 1;
  step.gradient = turns * (rounds_of(own_shards, last, own_at_once) * total_seconds(step.shard) +
                           static_cast<double>((own_shards - 1) * std::min<std::int64_t>(ranks, threads)) * join);
  const std::size_t state = static_cast<std::size_t>(needs.parameter_bytes + needs.gradient_bytes + needs.slot_bytes);
  // all ranks update their parts at the same time and share the machine
  step.update =
      static_cast<double>(ranks) * needs.own_part *
      total_seconds(time_kernels(kernels.update, 1, std::min(state, largest_ring), needs.one_small_shard, workers));
  return step;
}

}  // namespace thalweg

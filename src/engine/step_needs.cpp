#include "engine/step_needs.hpp"

#include <algorithm>

#include "engine/engine.hpp"
#include "engine/row_table.hpp"
#include "engine/slot_shares.hpp"

namespace thalweg {

namespace {

std::int64_t bytes_of(const std::vector<UpdateSlot>& slots) {
  std::int64_t bytes = 0;
  for (const UpdateSlot& slot : slots) bytes += slot.size * static_cast<std::int64_t>(size_of(slot.dtype));
  return bytes;
}

/// The part of the parameters that the rank steps which has most of them; 1 where every rank steps all.
double largest_part(const Optimizer& optimizer, const Layout& trained, int ranks) {
  if (ranks < 2 || optimizer.method) return 1;
  const auto shares = share_slots(optimizer, trained, 0, ranks);
  if (!shares) return 1;
  std::int64_t most = 0;
  for (const std::vector<Share>& runs : shares->parts) {
    std::int64_t size = 0;
    for (const Share run : runs) size += run.size();
    most = std::max(most, size);
  }
  return static_cast<double>(most) / static_cast<double>(trained.trained_size);
}

}  // namespace

StepNeeds needs_of_step(const EvaluationFunction& function, const Optimizer& optimizer, const Dataset& data,
                        std::int64_t rows, std::int64_t shard_size, Memory memory, int ranks, Precision precision) {
  Engine engine(function, optimizer, 1);
  Engine* const alone[] = {&engine};
  const Layout layout = initial_layout(alone, data, f32, false);
  const StepLayout step = step_layout(layout, {stepped_part(optimizer, layout)});
  Programs programs({function}, nullptr);
  (void)programs.set_memory(memory);
  engine.set_precision(precision);
  (void)programs.set_precision(precision);
  const std::int64_t wanted =
      std::min(rows, shard_size > 0 ? shard_size : default_shard_size(rows, layout.parameters()));
  std::unique_ptr<ShardProgram> shard = programs.make(wanted, data, layout, step);
  if (!shard->is_separable() && wanted < rows) shard = programs.make(rows, data, layout, step);
  const Layout& trained = step.objectives.front().layout;
  const UpdateProgram update = make_update(optimizer, trained, {}, {}, engine.factored(0, trained));

  StepNeeds needs;
  needs.parameters = layout.size;
  needs.trained = layout.trained_size;
  const auto element = static_cast<std::int64_t>(size_of(layout.dtype));
  needs.parameter_bytes = layout.size * element;
  needs.gradient_bytes = step.size * element;
  needs.slot_bytes = bytes_of(update.slots);
  needs.row_table_bytes =
      row_table_bytes(optimizer, data.rows(), step.objectives.front().layout.trained_size, layout.dtype);
  needs.own_part = largest_part(optimizer, step.objectives.front().layout, ranks);
  needs.shard_rows = shard->rows();
  needs.shards = (rows + shard->rows() - 1) / shard->rows();
  needs.shard_bytes = static_cast<std::int64_t>(shard->memory_bytes());
  needs.bf16_values = shard->program().bf16_values();
  if (update.program) needs.update_arena_bytes = static_cast<std::int64_t>(update.program->arena_bytes());
  const double share =
      static_cast<double>(rows) / static_cast<double>(shard->rows());  // a last smaller one by its share
  const auto all_of = [&](std::int64_t a_shard) {
    return static_cast<std::int64_t>(static_cast<double>(a_shard) * share);
  };
  needs.gradient = {0, all_of(shard->program().operations()), all_of(shard->program().bytes_moved())};
  if (update.program) needs.update = {0, update.program->operations(), update.program->bytes_moved()};
  return needs;
}

}  // namespace thalweg

#include "engine/programs.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "engine/shard_size.hpp"

namespace thalweg {

bool Programs::set_memory(Memory memory) {
  if (memory_ == memory) return false;
  clear();
  memory_ = memory;
  return true;
}

bool Programs::set_precision(Precision precision) {
  if (precision_ == precision) return false;
  clear();
  precision_ = precision;
  return true;
}

void Programs::clear() {
  programs_.clear();
  asked_ = {};
}

std::unique_ptr<ShardProgram> Programs::make(std::int64_t rows, const Dataset& data, const Layout& layout,
                                             const StepLayout& step, bool with_gradient, Device* device) const {
  if (precision_ == Precision::bf16 && layout.dtype != f32) {
    fail<UsageError>("[train] precision = \"bf16\" with parameters in {}. Wanted: parameters in f32, or precision f32",
                     layout.dtype);
  }
  Passes passes;
  passes.recompute = memory_ == Memory::keep   ? Recompute::nothing
                     : memory_ == Memory::fast ? Recompute::arithmetic
                                               : Recompute::cheap;
  passes.precision = precision_;
  Device& own = far_ ? *far_ : this_cpu();
  return std::make_unique<ShardProgram>(functions_, rows, columns_of(data), layout, step, passes, with_gradient,
                                        device ? *device : own);
}

const ShardProgram& Programs::of_rows(std::int64_t rows, const Dataset& data, const Layout& layout,
                                      const StepLayout& step) {
  for (const auto& known : programs_) {
    if (known->is_for(rows, data, layout.dtype)) return *known;
  }
  programs_.push_back(make(rows, data, layout, step));
  return *programs_.back();
}

std::int64_t Programs::default_rows(const State& state, const RowSelection& batch) {
  const std::int64_t rows = batch.count();
  const bool known = default_.layout == state.layout && default_.batch == rows;
  if (!known || !are_columns_of(default_.columns, batch.data)) {
    default_ = {};  // until there is an answer
    std::vector<ColumnSpec> columns = columns_of(batch.data);
    const std::int64_t shard = default_shard_size(functions_, columns, *state.layout, rows);
    default_ = {state.layout, std::move(columns), rows, shard};
  }
  return default_.shard;
}

void Programs::look_up(const State& state, const StepLayout& step, const RowSelection& batch, std::int64_t wanted) {
  const std::int64_t rows = batch.count();
  asked_ = {};  // until there is an answer
  const Layout& layout = *state.layout;
  const bool whole_batch = far_ != nullptr && far_->takes_batches_whole();
  const auto by_default = [&] { return whole_batch ? rows : default_rows(state, batch); };
  const std::int64_t shard = std::min(rows, wanted > 0 ? wanted : by_default());
  const ShardProgram* whole = &of_rows(shard, batch.data, layout, step);
  if (!whole->is_separable() && shard < rows) whole = &of_rows(rows, batch.data, layout, step);
  const std::int64_t size = whole->rows(), shards = (rows + size - 1) / size;
  answer_ = {whole, &of_rows(rows - (shards - 1) * size, batch.data, layout, step), shards};
  asked_ = {batch.data.identity(), state.layout, rows, wanted};
}

}  // namespace thalweg

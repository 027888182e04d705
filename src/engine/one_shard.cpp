#include "engine/one_shard.hpp"

namespace thalweg {

namespace {
constexpr std::size_t most_bytes = std::size_t{1} << 20;

std::size_t gradient_bytes(const StepLayout& step, DType dtype) {
  return static_cast<std::size_t>(step.size) * size_of(dtype);
}
}  // namespace

bool OneShard::is_for(const ShardProgram& program, const StepLayout& step, DType dtype) {
  return gradient_bytes(step, dtype) + program.memory_bytes() <= most_bytes;
}

void OneShard::begin(const ShardProgram& program, const StepLayout& step, const State& state,
                     const RowSelection& batch) {
  program_ = nullptr;  // until the memory is allocated
  const std::size_t bytes = gradient_bytes(step, state.layout->dtype);
  if (gradient_.size() < bytes) gradient_ = Block(bytes);
  if (memory_.size() < program.memory_bytes()) memory_ = Block(program.memory_bytes());
  kept_.calls = {};  // of another program, perhaps at the same addresses
  sums_.assign(static_cast<std::size_t>(program.doubles()), 0);
  if (data_ != batch.data.identity()) {
    kept_.columns.clear();
    for (const auto& [name, values] : batch.data.columns()) kept_.columns.push_back(data::row_source(values));
    data_ = batch.data.identity();
  }
  program_ = &program;
}

}  // namespace thalweg

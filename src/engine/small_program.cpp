#include "engine/small_program.hpp"

#include <string>

#include "thalweg/ops.hpp"

namespace thalweg {

Var SmallProgram::read(const Place& place, DType dtype, const Shape& shape) {
  const Var var = graph_.input(std::to_string(inputs_.size()), shape, dtype);
  inputs_.push_back({var, place});
  return var;
}

Var SmallProgram::read_wide(const Place& place, DType dtype, const Shape& shape) {
  return cast(read(place, dtype, shape), f64);
}

void SmallProgram::write(const Var& value, const Place& place) { outputs_.push_back({value, place}); }

Program SmallProgram::planned(Device& device) const { return {graph_, inputs_, outputs_, Passes{}, device}; }

}  // namespace thalweg

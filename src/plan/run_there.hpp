#pragma once
// Runs a program of another device on tensors in host memory.

#include "plan/program.hpp"
#include "thalweg/tensor.hpp"

namespace thalweg {

/// The outputs of a program whose inputs and outputs have the bases from first_user_base on, one each, inputs first.
/// Returns when the outputs are in host memory.
[[nodiscard]] std::vector<Tensor> run_there(const Program& program, const std::vector<Tensor>& inputs,
                                            const std::vector<Signature>& outputs);

}  // namespace thalweg

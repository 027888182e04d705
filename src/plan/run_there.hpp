#pragma once
// A program of a device that is not here, run on tensors that are.

#include "plan/program.hpp"
#include "thalweg/tensor.hpp"

namespace thalweg {

/// The outputs of a program whose inputs and then outputs have the bases from first_user_base on, one each. Returns
/// when they are here.
[[nodiscard]] std::vector<Tensor> run_there(const Program& program, const std::vector<Tensor>& inputs,
                                            const std::vector<Signature>& outputs);

}  // namespace thalweg

#pragma once
// Initial values of parameters, computed on all workers.

#include "core/workers.hpp"
#include "thalweg/scope.hpp"

namespace thalweg {

/// Initializer::make, shared among workers; the bits are the same for any number of them.
[[nodiscard]] Tensor initial_values(const Initializer& init, const Shape& shape, DType dtype, std::uint64_t seed,
                                    std::string_view path, Workers& workers);

}  // namespace thalweg

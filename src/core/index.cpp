#include "core/index.hpp"

#include "core/error.hpp"

namespace thalweg {

void no_such_index(long long index, std::size_t size) { defect("index {} in a list of {}", index, size); }

}  // namespace thalweg

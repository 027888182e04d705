#include "engine/entries.hpp"

#include "core/error.hpp"

namespace thalweg {

const ParameterEntry& Entries::at(std::string_view name, const Signature& wanted) const {
  const ParameterEntry* entry = find(name);
  if (!entry) fail<ModelError>("[model] the state has no parameter '{}'. Hint: it is of another model.", name);
  if (entry->shape != wanted.shape || dtype_ != wanted.dtype) {
    fail<ModelError>("[model] the parameter '{}' is {} {} in the state and {} {} in the model", name, dtype_,
                     entry->shape, wanted.dtype, wanted.shape);
  }
  return *entry;
}

}  // namespace thalweg

#pragma once
// The options of a model or a system, as its file has them.

#include <string>

#include "store/safetensors.hpp"
#include "thalweg/options.hpp"

namespace thalweg {

/// The table under a key of the metadata, such as "system.options". Throws ModelError, with the name of the file, if it
/// is missing, or is no table.
[[nodiscard]] OptionMap saved_options(const SafetensorsFile& file, const std::string& key, const std::string& name);
/// Reads saved options as read_fields reads those of a configuration; throws ModelError where that throws UsageError.
void read_saved_fields(const Fields& fields, const OptionMap& options, const std::string& name);

}  // namespace thalweg

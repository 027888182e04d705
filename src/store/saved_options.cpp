#include "store/saved_options.hpp"

#include "core/error.hpp"
#include "options/toml.hpp"

namespace thalweg {

OptionMap saved_options(const SafetensorsFile& file, const std::string& key, const std::string& name) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end())
    fail<ModelError>("[model] {} has no '{}' in its metadata. Hint: the file is damaged", name, key);
  try {
    const ConfigTree tree = parse_toml("options = " + found->second);
    const auto* options = tree.values.size() == 1 ? tree.find("options") : nullptr;
    if (const auto* map = options ? options->get_if<OptionMap>() : nullptr) return *map;
  } catch (const UsageError& error) {  // a configuration would be the user's; this is the file's
    fail<ModelError>("[model] {}: {}: {}", name, key, error.what());
  }
  fail<ModelError>("[model] {}: {} is not a table", name, key);
}

void read_saved_fields(const Fields& fields, const OptionMap& options, const std::string& name) {
  try {
    read_fields(fields, options, "options");
  } catch (const UsageError& error) {
    fail<ModelError>("[model] {}: {}", name, error.what());
  }
}

}  // namespace thalweg

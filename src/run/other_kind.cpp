#include "run/other_kind.hpp"

#include "core/error.hpp"
#include "options/toml.hpp"

namespace fs = std::filesystem;

namespace thalweg {

void refuse_run(const fs::path& folder) {
  const fs::path config = folder / "config.toml";
  const ConfigTree tree = fs::exists(config) ? read_toml(config) : ConfigTree{};
  const OptionValue* kind = tree.find("system.kind");
  const auto* name = kind ? kind->get_if<std::string>() : nullptr;
  fail<UsageError>("[model] {} is a run of {}, which does not have this command. Hint: thalweg evaluate",
                   folder.string(), name ? *name : "another kind");
}

void refuse_other_kind(const SafetensorsFile& file, const fs::path& path) {
  const auto has = [&](const char* key) { return file.metadata.contains(key); };
  if (has("fingerprint") && !has("thalweg.model") && !has("thalweg.system")) refuse_run(path.parent_path());
}

}  // namespace thalweg

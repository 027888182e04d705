#pragma once
// A configuration as the command line gives it: a file, a table or a run folder, and overrides.

#include <filesystem>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "run/config.hpp"
#include "run/source.hpp"

namespace thalweg::cli {

struct RankOptions;

struct ConfigArguments {
  std::string source;                                      ///< .toml, .csv, or a run folder
  std::vector<std::pair<std::string, OptionValue>> given;  ///< short forms, by dotted key
  std::vector<std::string> sets;                           ///< --set key=value
  std::vector<std::string> types;                          ///< --type column=kind
  std::string variant = {};                                ///< --variant NAME
};

/// A configuration's `[[variants]]`: a name, and what it has otherwise, section by section.
struct Variant {
  std::string name;
  OptionMap changes;
  [[nodiscard]] std::string folder() const;  ///< its name in lower case, all but letters and digits as dashes
};

/// The source and every option that overrides a key.
void add_config_arguments(CLI::App& command, ConfigArguments& arguments);
/// --distributed and --patience.
void add_rank_options(CLI::App& command, RankOptions& options);

/// The tree that the arguments make, what its paths are relative to, and what a run of it is called.
struct NamedTree {
  ConfigTree tree;
  std::filesystem::path folder;
  std::string name;
  bool run_folder = false;
  std::vector<Variant> variants = {};  ///< those that the source has; none once one is chosen
};
[[nodiscard]] NamedTree read_arguments(const ConfigArguments& arguments, const Registry& registry);

/// A configuration, complete, with its data.
struct LoadedConfig {
  std::string name;
  DataSource source;
  Config config;
};
[[nodiscard]] LoadedConfig load(const NamedTree& named, const Registry& registry);

}  // namespace thalweg::cli

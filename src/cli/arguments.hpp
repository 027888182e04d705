#pragma once
// The configuration on the command line: a file, a table or a run folder, and options that override its keys.

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
  std::vector<std::pair<std::string, OptionValue>> given;  ///< values of short options such as --lr, by dotted key
  std::vector<std::string> sets;                           ///< --set key=value
  std::vector<std::string> types;                          ///< --type column=kind
  std::string variant = {};                                ///< --variant NAME
};

/// One of the `[[variants]]` of a configuration: a name, and its changed keys, section by section.
struct Variant {
  std::string name;
  OptionMap changes;
  [[nodiscard]] std::string folder() const;  ///< the name in lower case; dashes replace all but letters and digits
};

/// Adds the source and every option that overrides a key.
void add_config_arguments(CLI::App& command, ConfigArguments& arguments);
/// Adds --distributed and --patience.
void add_rank_options(CLI::App& command, RankOptions& options);

/// The tree of keys from the arguments, the folder to which its paths are relative, and the name of its runs.
struct NamedTree {
  ConfigTree tree;
  std::filesystem::path folder;
  std::string name;
  bool run_folder = false;
  std::vector<Variant> variants = {};  ///< those in the source; empty if one of them was chosen
};
[[nodiscard]] NamedTree read_arguments(const ConfigArguments& arguments, const Registry& registry);

/// A complete configuration, with its data.
struct LoadedConfig {
  std::string name;
  DataSource source;
  Config config;
};
[[nodiscard]] LoadedConfig load(const NamedTree& named, const Registry& registry);

}  // namespace thalweg::cli

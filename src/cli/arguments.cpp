#include "cli/arguments.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "cli/assignment.hpp"
#include "cli/checks.hpp"
#include "cli/looped.hpp"
#include "cli/ranks.hpp"
#include "core/error.hpp"
#include "data/csv.hpp"
#include "options/nearest_name.hpp"
#include "run/text_classifier.hpp"

namespace fs = std::filesystem;

namespace thalweg::cli {

namespace {

enum class Form { text, toml, list };

struct ShortForm {
  const char *option, *key, *help;
  Form form = Form::text;
  const char* group = "Configuration";
};

constexpr ShortForm short_forms[] = {
    {"--target", "data.target", "Column to predict", Form::text, "Data"},
    {"--task", "data.task", "regression, binary or multiclass (inferred from the target)", Form::text, "Data"},
    {"--positive", "data.positive", "The positive class of two (the rarer)", Form::text, "Data"},
    {"--features", "data.features", "Columns to predict from: a,b,c (all others); \"a,b\" in quotes is one name",
     Form::list, "Data"},
    {"--drop", "data.drop", "Columns to leave out: a,b,c; \"a,b\" in quotes is one name", Form::list, "Data"},
    {"--weight", "data.weight", "Column with the weight of each row", Form::text, "Data"},
    {"--missing", "data.missing", "impute, reject or drop", Form::text, "Data"},
    {"--separator", "data.separator", "comma, semicolon or tab (the most frequent one in the header)", Form::text,
     "Data"},
    {"--test", "data.test", "File to test on at the end", Form::text, "Data"},
    {"--validation", "data.validation", "Fraction of the rows held out for validation, or a file", Form::toml, "Data"},
    {"--model", "model.kind", "Kind of model: thalweg list models"},
    {"--loss", "loss.kind", "The loss: thalweg list losses"},
    {"--optimizer", "optimizer.kind", "The optimizer: thalweg list optimizers"},
    {"--lr", "optimizer.lr", "Learning rate; auto finds one first", Form::toml},
    {"--schedule", "schedule.kind", "How the rate changes: thalweg list schedules"},
    {"--epochs", "train.epochs", "Passes over the training rows", Form::toml},
    {"--batch-size", "train.batch_size", "Rows per step", Form::toml},
    {"--seed", "seed", "Seed of every random number", Form::toml},
    {"--threads", "train.threads", "0 is THALWEG_THREADS, or every core; the result is the same for any number",
     Form::toml},
    {"--device", "train.device", "cpu, cuda, or cuda:1 for the second GPU: thalweg devices (cpu)"},
};

OptionValue value_of(const ShortForm& form, const std::string& text) {
  if (form.form == Form::text) return {text};
  if (form.form == Form::toml) {
    ConfigTree tree;
    tree.set_text(form.key, text);
    return *tree.find(form.key);
  }
  OptionList list;
  for (std::string& item : data::split_names(text)) list.push_back({std::move(item)});
  return {std::move(list)};
}

void set_type(ConfigTree& tree, const std::string& column, const std::string& kind) {
  // not split at dots: the name of a column may contain dots
  OptionMap types;
  if (const OptionValue* known = tree.find("data.types")) {
    if (const auto* map = known->get_if<OptionMap>()) types = *map;
  }
  types[column] = {kind};
  tree.set("data.types", OptionValue{std::move(types)});
}

std::vector<std::string> option_names(const std::vector<OptionDoc>& docs) {
  std::vector<std::string> names;
  for (const OptionDoc& doc : docs) names.push_back(doc.name);
  return names;
}

std::vector<std::string> keys_of(const std::string& section, const std::string& kind, const Registry& registry) {
  if (section == "model") return option_names(registry.model(kind).options);
  if (section == "loss") return option_names(registry.loss(kind).options);
  if (section == "optimizer") return option_names(registry.optimizer(kind).options);
  if (section == "system") return option_names(registry.system(kind).options);
  return option_names(registry.schedule(kind).options);
}

std::string kind_in(const ConfigTree& tree, const std::string& section) {
  const OptionValue* kind = tree.find(section + ".kind");
  const auto* name = kind ? kind->get_if<std::string>() : nullptr;
  return name ? *name : "";
}

/// If the command line names another kind than the file, it keeps those options of the file that it has as well.
void keep_known_options(ConfigTree& tree, const ConfigTree& file, const Registry& registry) {
  for (const char* section : {"model", "loss", "optimizer", "schedule", "system"}) {
    const std::string before = kind_in(file, section), after = kind_in(tree, section);
    const OptionValue* from_file = file.find(section);
    const auto* options = from_file ? from_file->get_if<OptionMap>() : nullptr;
    if (before == after || after.empty() || !options) continue;
    const std::vector<std::string> known = keys_of(section, after, registry);
    auto& kept = *tree.values.at(section).get_if<OptionMap>();
    for (const auto& [key, value] : *options) {
      const bool overridden = kept.contains(key) && kept.at(key).str() != value.str();
      if (key != "kind" && !overridden && std::ranges::find(known, key) == known.end()) kept.erase(key);
    }
  }
}

constexpr const char* variants_hint =
    "Wanted: [[variants]], each with a unique name and with sections: model = { activation = \"tanh\" }";

/// Removes the variants from a tree and returns them. The remaining tree is the configuration that they change.
std::vector<Variant> take_variants(ConfigTree& tree) {
  const auto found = tree.values.find("variants");
  if (found == tree.values.end()) return {};
  std::vector<Variant> variants;
  const auto* list = found->second.get_if<OptionList>();
  if (!list) fail<UsageError>("[config] variants = {}. {}", found->second.str(), variants_hint);
  for (const OptionValue& item : *list) {
    const auto* table = item.get_if<OptionMap>();
    const auto* name = table && table->contains("name") ? table->at("name").get_if<std::string>() : nullptr;
    if (!name) fail<UsageError>("[config] a variant {}. {}", item.str(), variants_hint);
    Variant variant{*name, *table};
    variant.changes.erase("name");
    const std::string folder = variant.folder();
    const bool taken = folder == "latest" || folder == "checkpoints";  // used by the folder of all variants
    const auto like = [&](const Variant& other) { return other.folder() == variant.folder(); };
    if (folder.empty() || taken || std::ranges::any_of(variants, like)) {
      fail<UsageError>("[config] a variant called '{}': its folder '{}' is taken. {}", *name, folder, variants_hint);
    }
    variants.push_back(std::move(variant));
  }
  tree.values.erase(found);
  return variants;
}

const Variant& variant_named(const std::vector<Variant>& variants, const std::string& name) {
  const auto found = std::ranges::find(variants, name, &Variant::name);
  if (found != variants.end()) return *found;
  std::vector<std::string> names;
  for (const Variant& variant : variants) names.push_back(variant.name);
  fail<UsageError>("[config] there is no variant '{}'. Hint: there {}", name,
                   names.empty() ? "are none" : fmt::format("are {}", fmt::join(names, "; ")));
}

/// The changes of a variant, key by key.
void apply(const Variant& variant, ConfigTree& tree) {
  for (const auto& [section, changes] : variant.changes) {
    const auto* map = changes.get_if<OptionMap>();
    if (!map) {
      tree.set(section, changes);
      continue;
    }
    for (const auto& [key, value] : *map) tree.set(section + "." + key, value);
  }
}

NamedTree read_source(const std::string& source) {
  const fs::path path(source);
  if (fs::is_directory(path)) {
    if (!fs::exists(path / "config.toml")) fail<UsageError>("[config] {} is a folder without a config.toml", source);
    const fs::path plain = fs::canonical(path);
    return {read_toml(plain / "config.toml"), plain, plain.filename().string(), true};
  }
  if (path.extension() == ".toml") {
    return {read_toml(path), fs::absolute(path).parent_path(), path.stem().string()};
  }
  if (!fs::exists(path)) fail<UsageError>("[config] there is no file '{}'", source);
  const fs::path unpacked = path.extension() == ".gz" ? path.stem() : path;
  NamedTree named;
  named.folder = fs::current_path();
  named.name = unpacked.stem().string();
  named.tree.set("data.train", OptionValue{source});
  return named;
}

/// A kind that does not exist is named before its data is looked at.
void check_system_kind(const ConfigTree& tree, const Registry& registry) {
  const OptionValue* kind = tree.find("system.kind");
  const auto* name = kind ? kind->get_if<std::string>() : nullptr;
  if (!name || looped_row(tree) || is_text_classifier(tree)) return;
  std::vector<std::string> names = looped_kinds();
  names.emplace_back(TextClassifierConfig::kind);
  for (const SystemRow& row : registry.systems()) names.emplace_back(row.name);
  if (std::ranges::find(names, *name) == names.end())
    fail<UsageError>("[system] there is no system '{}'. Hint: {}", *name, name_hint(*name, names));
}

}  // namespace

std::string Variant::folder() const {
  std::string text;
  for (const char c : name) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      text += c;
    } else if (c >= 'A' && c <= 'Z') {
      text += static_cast<char>(c - 'A' + 'a');
    } else if (!text.empty() && text.back() != '-') {
      text += '-';
    }
  }
  return text.substr(0, text.find_last_not_of('-') + 1);
}

void add_rank_options(CLI::App& command, RankOptions& options) {
  command.add_option("--distributed", options.distributed, "auto: mpi if a launcher started several processes")
      ->check(CLI::IsMember({"auto", "mpi", "none"}));
  command
      .add_option("--patience", options.patience, "Seconds after which a rank that does not answer counts as lost (30)")
      ->check(in_range({.low = 2, .high = 86400}));
}

void add_config_arguments(CLI::App& command, ConfigArguments& arguments) {
  command.add_option("source", arguments.source, "A configuration (.toml), a table (.csv), or a run folder")
      ->required()
      ->type_name("CONFIG|CSV");
  for (const ShortForm& form : short_forms) {
    command
        .add_option_function<std::string>(
            form.option,
            [&arguments, &form](const std::string& text) {
              arguments.given.emplace_back(form.key, value_of(form, text));
            },
            form.help)
        ->group(form.group);
  }
  command
      .add_flag_callback(
          "--no-header", [&arguments] { arguments.given.emplace_back("data.header", OptionValue{false}); },
          "The table has no header: its columns are column 1, column 2, ...")
      ->group("Data");
  command.add_option("--type", arguments.types, "Kind of a column: zip=category, age=number")
      ->allow_extra_args(false)
      ->group("Data");
  command.add_option("--variant", arguments.variant, "One of the configuration's [[variants]]")
      ->type_name("NAME")
      ->group("Configuration");
  command.add_option("--set", arguments.sets, "Any key: --set model.hidden=[512,256] --set schedule.warmup=5%")
      ->allow_extra_args(false)
      ->group("Configuration");
}

NamedTree read_arguments(const ConfigArguments& arguments, const Registry& registry) {
  NamedTree named = read_source(arguments.source);
  named.variants = take_variants(named.tree);
  const ConfigTree file = named.tree;
  if (!arguments.variant.empty()) {
    const Variant chosen = variant_named(named.variants, arguments.variant);
    apply(chosen, named.tree);
    named.name += "-" + chosen.folder();
    if (named.run_folder) named.folder /= chosen.folder();
    named.variants.clear();
  }
  for (const auto& [key, value] : arguments.given) {
    const bool path = key == "data.test" || key == "data.validation";
    const auto* text = value.get_if<std::string>();
    named.tree.set(key, path && text ? OptionValue{fs::absolute(*text).string()} : value);
  }
  for (const std::string& type : arguments.types) {
    const auto [column, kind] =
        split_assignment(type, {.option = "--type", .example = "zip=category", .key_has_equals = true});
    set_type(named.tree, column, kind);
  }
  set_all(named.tree, arguments.sets, "optimizer.lr=1e-3");
  check_system_kind(named.tree, registry);
  keep_known_options(named.tree, file, registry);
  return named;
}

LoadedConfig load(const NamedTree& named, const Registry& registry) {
  refuse_own_loop(named.tree);
  DataSource source(read_data_options(named.tree, named.folder));
  Config config = read_config(named.tree, source.options(), source.facts(), registry);
  if (!config.has_system()) source.suit(registry.loss(config.loss.kind).make(config.loss.options));
  return {named.name, std::move(source), std::move(config)};
}

}  // namespace thalweg::cli

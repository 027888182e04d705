#include "run/trained_part.hpp"

#include <algorithm>

#include "data/preprocessing.hpp"
#include "options/error.hpp"
#include "run/run.hpp"
#include "store/saved_options.hpp"

namespace thalweg {

namespace {

std::string run_named(const SystemRow& row, const OptionMap& options) {
  const auto found = row.part ? options.find(std::string(row.part->option)) : options.end();
  const auto* run = found == options.end() ? nullptr : found->second.get_if<std::string>();
  return run ? *run : std::string();
}

/// The description of a trained system or model in its file, without the parameters.
struct Described {
  std::filesystem::path file;
  Choice choice;
  data::Preprocessing preprocessing;
};

Described described(const std::string& run) {
  const std::filesystem::path file = model_file(run);
  const SafetensorsFile saved = read_safetensors(file);
  const auto& metadata = saved.metadata;
  const auto entry = [&](const std::string& key) -> const std::string& {
    const auto found = metadata.find(key);
    if (found == metadata.end()) fail<UsageError>("[run] {} is not a run of a system or model: it has no {}", run, key);
    return found->second;
  };
  const std::string section = metadata.contains("model.kind") ? "model" : "system";
  return {file,
          {entry(section + ".kind"), saved_options(saved, section + ".options", file.string())},
          data::Preprocessing::from_json(entry("preprocessing"))};
}

void expect_kind(const SystemRow& row, const std::string& run, const Described& trained) {
  if (trained.choice.kind == row.part->kind) return;
  fail_option(row.part->option, "[{}] {} = \"{}\" is a run of {}. Wanted: one of {}", row.name, row.part->option, run,
              trained.choice.kind, row.part->kind);
}

const OptionValue& size_in(const Described& trained, std::string_view name) {
  const auto found = trained.choice.options.find(std::string(name));
  if (found == trained.choice.options.end())
    fail<ModelError>("[model] {}: its options have no {}", trained.file.string(), name);
  return found->second;
}

}  // namespace

OptionMap with_part_sizes(const SystemRow& row, OptionMap options) {
  const std::string run = run_named(row, options);
  const auto is_given = [&](std::string_view size) { return options.contains(std::string(size)); };
  if (run.empty() || std::ranges::all_of(row.part->sizes, is_given)) return options;
  const Described trained = described(run);
  expect_kind(row, run, trained);
  for (const std::string_view name : row.part->sizes) {
    const OptionValue& size = size_in(trained, name);
    const auto [own, fresh] = options.try_emplace(std::string(name), size);
    if (!fresh && own->second.str() != size.str())
      fail_option(name, "[{}] {} = {}, and {} has {}. Hint: leave it out, and it is the run's", row.name, name,
                  own->second.str(), run, size.str());
  }
  return options;
}

void load_part(const SystemRow& row, const OptionMap& options, const data::Preprocessing& preprocessing, State& state) {
  const std::string run = run_named(row, options);
  if (run.empty()) return;
  const Described trained = described(run);
  expect_kind(row, run, trained);
  for (const std::string_view name : row.part->sizes) {
    const std::string own = options.at(std::string(name)).str(), size = size_in(trained, name).str();
    if (own != size) fail_option(name, "[{}] {} = {}, and {} has {}", row.name, name, own, run, size);
  }
  const auto *words = preprocessing.words(), *before = trained.preprocessing.words();
  if (words && before && (words->words != before->words || words->rare != before->rare))
    fail_option(row.part->option,
                "[{}] {} = \"{}\" has {} words, and the data {}, which are not the same. Hint: encoder = \"{}\" in "
                "[data], or none there",
                row.name, row.part->option, run, before->words.size(), words->words.size(), run);
  const auto *text = preprocessing.text(), *read = trained.preprocessing.text();
  if (text && read && !(text->tokenizer == read->tokenizer))
    fail_option(row.part->option,
                "[{}] {} = \"{}\" has {} tokens, and the data {}, which are not the same. Hint: gpt = \"{}\" in "
                "[data], or none there",
                row.name, row.part->option, run, read->tokenizer.size(), text->tokenizer.size(), run);
  state.load(trained.file, row.part->parameters, row.part->under);
}

void expect_run(std::string_view key, const std::string& run) {
  if (!std::filesystem::exists(run))
    fail<UsageError>("{} = \"{}\": there is no such folder. Wanted: that of a trained run", key, run);
}

std::string kind_of_run(const std::string& run) { return described(run).choice.kind; }

data::WordPreprocessing words_of_run(const std::string& run) {
  expect_run("encoder", run);
  const Described trained = described(run);
  if (const auto* words = trained.preprocessing.words()) return *words;
  fail<UsageError>("[run] {} is a run of {}, which has no words", run, trained.choice.kind);
}

data::TextPreprocessing text_of_run(const std::string& run) {
  expect_run("gpt", run);
  const Described trained = described(run);
  if (const auto* text = trained.preprocessing.text()) return *text;
  fail<UsageError>("[run] {} is a run of {}, which reads no text", run, trained.choice.kind);
}

}  // namespace thalweg

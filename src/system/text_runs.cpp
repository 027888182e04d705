#include "system/text_runs.hpp"

#include <algorithm>
#include <filesystem>

#include "data/preprocessing.hpp"
#include "options/error.hpp"
#include "options/toml.hpp"
#include "store/checksum.hpp"
#include "system/acting.hpp"
#include "thalweg/ops.hpp"

namespace fs = std::filesystem;

namespace thalweg {

nn::GptOptions TextRun::gpt() const {
  nn::GptOptions read;
  const Fields known = nn::fields(read);
  OptionMap own;
  for (const auto& [key, value] : options) {
    if (std::ranges::find(known, key, &Field::name) != known.end()) own.insert({key, value});
  }
  read_fields(known, own, "gpt");
  return read;
}

TextRun text_run(std::string_view key, const std::string& run, std::string_view kind) {
  const std::string wanted = fmt::format("Wanted: the folder of a finished run of {}", kind);
  const fs::path file = fs::is_directory(run) ? fs::path(run) / "model.safetensors" : fs::path(run);
  const auto refuse = [&](const std::string& why) { fail_option(key, "{} = \"{}\": {}. {}", key, run, why, wanted); };
  if (!fs::exists(run)) refuse("there is no such folder");
  if (!fs::exists(file)) refuse("there is no model.safetensors in it");
  const SafetensorsFile read = read_safetensors(file);
  const auto entry = [&](const std::string& name) {
    const auto found = read.metadata.find(name);
    return found == read.metadata.end() ? std::string() : found->second;
  };
  const std::string prefix = read.metadata.contains("model.kind") ? "model." : "system.";
  if (entry(prefix + "kind") != kind) refuse(fmt::format("it is a run of {}", entry(prefix + "kind")));
  const ConfigTree tree = parse_toml("options = " + entry(prefix + "options"));
  const OptionValue* value = tree.find("options");
  const auto* options = value ? value->get_if<OptionMap>() : nullptr;
  const auto preprocessing = data::Preprocessing::from_json(entry("preprocessing"));
  if (!options || !preprocessing.text()) refuse("its model does not say how it reads texts");
  return {file.string(), *options, *preprocessing.text(), fmt::format("{:08x}", checksum_of(read))};
}

TextRun text_run_as_it_was(std::string_view key, const std::string& run, std::string_view kind,
                           const std::string& checksum) {
  try {
    TextRun found = text_run(key, run, kind);
    if (found.checksum == checksum) return found;
    fail<DataError>("[run] {} = \"{}\": it has other parameters than it had: their checksum is {}, and was {}", key,
                    run, found.checksum, checksum);
  } catch (const OptionError& error) {  // the configuration was right when the run began
    fail<DataError>("[run] {}. Hint: the run needs that folder as it was when it began", error.what());
  }
}

void expect_same_tokens(std::string_view system, const std::string& gpt, const TextRun& policy,
                        const std::string& reward, const TextRun& judge) {
  if (policy.text.tokenizer == judge.text.tokenizer) return;
  fail_option(
      "reward",
      "[{}] reward = \"{}\" reads {} tokens and gpt = \"{}\" writes {}, which are not the same. Wanted: a reward "
      "that was trained with gpt = \"{}\"",
      system, reward, judge.text.tokenizer.size(), gpt, policy.text.tokenizer.size(), gpt);
}

void expect_reads(std::string_view system, const TextRun& judge, std::int64_t length) {
  const nn::GptOptions o = judge.gpt();
  if (o.positions == "learned" && length > o.context)
    fail_option("length", "[{}] length = {}. Wanted: at most {}, the positions that the reward has", system, length,
                o.context);
}

TrainedPart gpt_part(std::string under) {
  TrainedPart part;
  part.option = part.kind = "gpt";
  nn::GptOptions known;
  for (const Field& field : nn::fields(known)) {
    if (field.name != "dropout") part.sizes.push_back(field.name);  // which is of a training
  }
  part.parameters = "*";
  part.under = std::move(under);
  return part;
}

State state_of(const TextRun& run, const std::function<Var(Scope, Var)>& declare) {
  Dataset like;
  like.set("tokens", Tensor({1, 2}, i32));
  State state = acting::untrained(
      [&](Scope s, const Batch& b) { return Loss::of_samples(mean(flatten(declare(s, b["tokens"])), -1)); }, like, 1);
  state.load(run.file, "*");
  return state;
}

State state_of_gpt(const TextRun& run) { return state_of(run, nn::gpt(run.text.tokenizer.size(), run.gpt())); }

State part_of(const State& state, const std::string& name) {
  const std::string prefix = name + "/";
  Layout layout;
  for (const ParameterEntry& entry : state.layout->entries) {
    if (!entry.name.starts_with(prefix)) continue;
    layout.entries.push_back({.name = entry.name.substr(prefix.size()), .shape = entry.shape, .offset = layout.size});
    layout.size += entry.shape.size();
  }
  layout.dtype = state.layout->dtype;
  layout.decayed_size = layout.trained_size = layout.size;
  State part;
  part.layout = std::make_shared<const Layout>(std::move(layout));
  part.parameters = Tensor({part.layout->size}, part.layout->dtype);
  for (const ParameterEntry& entry : part.layout->entries)
    part.set_parameter(entry.name, state.parameter(prefix + entry.name));
  return part;
}

}  // namespace thalweg

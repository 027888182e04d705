#include "system/text_runs.hpp"

#include <algorithm>

#include "options/error.hpp"
#include "store/saved_options.hpp"
#include "system/acting.hpp"
#include "system/finished_run.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

nn::GptOptions TextRun::gpt() const {
  nn::GptOptions read;
  const Fields known = nn::fields(read);
  OptionMap own;
  for (const auto& [key, value] : options) {
    if (std::ranges::find(known, key, &Field::name) != known.end()) own.insert({key, value});
  }
  read_saved_fields(known, own, file);
  return read;
}

namespace {

TextRun text_run_of(std::string_view key, const std::string& run, FinishedRun found) {
  if (!found.preprocessing.text())
    fail_option(key, "{} = \"{}\": the encoding of texts is missing in its model. Wanted: a run on texts", key, run);
  return {std::move(found.file), std::move(found.options), *found.preprocessing.text(), std::move(found.checksum)};
}

}  // namespace

TextRun text_run(std::string_view key, const std::string& run, std::string_view kind) {
  return text_run_of(key, run, finished_run(key, run, kind));
}

TextRun text_run_as_it_was(std::string_view key, const std::string& run, std::string_view kind,
                           const std::string& checksum) {
  return text_run_of(key, run, finished_run_as_it_was(key, run, kind, checksum));
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
    if (field.name != "dropout") part.sizes.push_back(field.name);  // an option for training only
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

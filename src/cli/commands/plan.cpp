// thalweg plan: the needs and the cost of a training, also on machines that are not at hand.

#include <CLI/CLI.hpp>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "cli/assignment.hpp"
#include "cli/checks.hpp"
#include "cli/here.hpp"
#include "cli/output.hpp"
#include "cli/plan.hpp"
#include "cli/session.hpp"
#include "core/counted.hpp"
#include "core/error.hpp"
#include "estimate/published.hpp"
#include "options/rows.hpp"
#include "thalweg/sequence.hpp"

namespace thalweg::nn {
Fields fields(GptOptions& options);  // defined beside its row, in nn/models/gpt.cpp
}

namespace thalweg::cli {

namespace {

using Json = nlohmann::ordered_json;
using namespace estimate;

constexpr double hour = 3600, day = 24 * hour;
constexpr Range tokens_range{.low = 0, .high = 1e18}, hours_range{.low = 0, .high = 1e9, .low_open = true};
constexpr double most_lost =
    0.5;  // fraction of the time lost to checkpoints and failures; above it the first-order formula does not hold

/// `[plan]` of a configuration without data: the facts that a text would give.
struct TextOptions {
  std::int64_t vocabulary = 50257, sequence_length = 0, batch = 0;
  double tokens = 0;
  std::string precision = "bf16";
};

Fields fields(TextOptions& o) {
  return {{"vocabulary", &o.vocabulary, "number of different tokens", Range{.low = 1}},
          {"sequence_length", &o.sequence_length, "tokens of a sequence; 0 is the model's context", not_negative},
          {"batch", &o.batch, "sequences per step", Range{.low = 1}},
          {"tokens", &o.tokens, "tokens to train on; 0 is 20 per parameter (Hoffmann et al. 2022)", tokens_range},
          {"precision", &o.precision, "of values and gradients; slots are f32", any_number, {"bf16", "f32"}}};
}

struct TextPlan {
  Work work;
  double tokens = 0;
};

OptionMap section(const ConfigTree& tree, const std::string& name) {
  const OptionValue* values = tree.find(name);
  const OptionMap* map = values ? values->get_if<OptionMap>() : nullptr;
  return map ? *map : OptionMap{};
}

/// Refuses other sections: a plan by the formulas of a gpt counts Adam's slots and has no epochs, so they would have no
/// effect.
void refuse_what_says_nothing(const ConfigTree& tree, const PlanArguments& arguments) {
  for (const auto& [name, value] : tree.values) {
    if (name == "model" || name == "plan") continue;
    const auto* map = value.get_if<OptionMap>();
    fail<UsageError>(
        "[plan] {}: a configuration without data is planned by the formulas of a gpt, and this key has no effect "
        "there. "
        "Wanted: model.* and plan.* alone",
        map && !map->empty() ? name + "." + map->begin()->first : name);
  }
  if (!arguments.config.types.empty())
    fail<UsageError>("[plan] --type {}: a configuration without data has no columns", arguments.config.types.front());
  if (!arguments.config.variant.empty())
    fail<UsageError>("[plan] --variant {}: it has no variants", arguments.config.variant);
}

TextPlan text_plan(const ConfigTree& tree, const PlanArguments& arguments) {
  refuse_what_says_nothing(tree, arguments);
  OptionMap model = section(tree, "model");
  const auto kind = model.find("kind");
  if (kind == model.end() || kind->second.str() != "\"gpt\"")
    fail<UsageError>(
        "[plan] {} has no data, and no model of kind \"gpt\". Hint: a configuration with [data] is "
        "planned from its own step; one without by the formulas of a gpt.",
        tree.file);
  model.erase(kind);
  const auto gpt = options_from<nn::GptOptions>(model, "model");
  if (gpt.width % gpt.heads != 0)
    fail<UsageError>("[plan] model.width = {} and model.heads = {}. Wanted: width a multiple of heads", gpt.width,
                     gpt.heads);
  auto text = options_from<TextOptions>(section(tree, "plan"), "plan");
  TextPlan plan;
  plan.work.model = {.layers = gpt.layers,
                     .width = gpt.width,
                     .heads = gpt.heads,
                     .hidden = gpt.hidden,
                     .vocabulary = text.vocabulary,
                     .sequence = text.sequence_length > 0 ? text.sequence_length : gpt.context,
                     .tied = gpt.tied,
                     .learned_positions = gpt.positions == "learned"};
  if (gpt.feed_forward == "swiglu")  // three products instead of two: with the same total size as two
    plan.work.model.hidden = static_cast<std::int64_t>(1.5 * (gpt.hidden > 0 ? gpt.hidden : 8 * gpt.width / 3));
  plan.work.batch = text.batch > 0 ? text.batch : arguments.ranks;
  plan.work.precision = text.precision == "bf16" ? mixed_adam : single_adam;
  plan.tokens = arguments.tokens > 0 ? arguments.tokens : text.tokens;
  if (plan.tokens == 0) plan.tokens = 20 * plan.work.model.parameters();
  return plan;
}

std::string gigabytes(double bytes) { return fmt::format("{:.2f} GB", bytes / 1e9); }

std::string seconds_text(double seconds) {
  return seconds < 1 ? fmt::format("{:.1f} ms", 1e3 * seconds) : fmt::format("{:.2f} s", seconds);
}

std::string time_text(double seconds) {
  return seconds < 2 * day ? duration_text(seconds) : fmt::format("{:.1f} days", seconds / day);
}

std::string money(double dollars) {
  return dollars < 100 ? fmt::format("${:.2f}", dollars) : "$" + with_commas(std::llround(dollars));
}

/// The figures that follow from the time of a step.
struct Course {
  double tokens_a_second, utilisation, seconds, dollars, checkpoint, write;
  CheckpointRhythm rhythm;
};

Course course_of(const TextPlan& plan, double step, const Machine& machine, const PlanArguments& arguments) {
  const double n = static_cast<double>(arguments.ranks);
  const double tokens = static_cast<double>(plan.work.batch) * static_cast<double>(plan.work.model.sequence);
  Course c{};
  c.tokens_a_second = tokens / step;
  c.utilisation =
      utilisation(plan.work, arguments.ranks, step, plan.work.precision.value < 4 ? machine.half : machine.single);
  c.checkpoint = checkpoint_bytes(plan.work.model.parameters(), plan.work.precision);
  c.write = c.checkpoint / (machine.storage * std::max(1.0, std::ceil(n / static_cast<double>(machine.ranks_a_node))));
  c.rhythm = best_rhythm(c.write, arguments.hours_between_failures * hour / n);
  c.seconds = c.rhythm.lost > most_lost ? std::numeric_limits<double>::infinity()
                                        : plan.tokens / c.tokens_a_second / (1 - c.rhythm.lost);
  c.dollars = c.seconds / hour * n * machine.price;
  return c;
}

void emit_parts(const StepTime& time) {
  const std::pair<const char*, double> parts[] = {{"products", time.products},      {"elementwise", time.elementwise},
                                                  {"tensor messages", time.tensor}, {"pipeline waits", time.pipeline},
                                                  {"data messages", time.data},     {"update", time.update}};
  for (const auto& [name, seconds] : parts)
    emit("  {:<18}{:>12} {:>9}\n", name, seconds_text(seconds), percent_text(seconds / time.total()));
}

void emit_memory(const estimate::Memory& memory, const TextPlan& plan, const estimate::Layout& layout,
                 const Machine& machine) {
  emit("memory      {} a rank of {}: parameters {}, gradients {}, slots {}, activations {}\n",
       gigabytes(memory.total()), gigabytes(machine.memory), gigabytes(memory.state.values),
       gigabytes(memory.state.gradients), gigabytes(memory.state.slots), gigabytes(memory.activations));
  for (const auto& [recompute, name] :
       {std::pair(Recompute::none, "all kept"), std::pair(Recompute::selective, "attention computed again"),
        std::pair(Recompute::full, "blocks computed again")}) {
    estimate::Layout other = layout;
    other.recompute = recompute;
    const double bytes = memory_of(plan.work, other).activations;
    emit("  {:<28}{:>14} of activations\n", name, gigabytes(bytes));
  }
}

void emit_assumptions(const Machine& machine, const PlanArguments& arguments) {
  emit(
      "\nAssumed: {}: {:.1f} TFLOP/s in bf16, {:.1f} in f32, of which large products reach {:.0f} %; {} of memory at "
      "{:.0f} GB/s; {:.0f} GB/s between the {} ranks of a node, {:.1f} beyond; {} a rank and hour; files at {:.1f} "
      "GB/s a node; a rank fails once in {} hours (as in Grattafiori et al. 2024, table 5). Attention counts every "
      "pair of places; messages of a pipeline are hidden, those of replicas by the backward pass of the last "
      "micro-batch.\n",
      machine.doc, machine.half / 1e12, machine.single / 1e12, 100 * machine.matrix_efficiency,
      gigabytes(machine.memory), machine.bandwidth / 1e9, machine.link / 1e9, machine.ranks_a_node,
      machine.network / 1e9, money(machine.price), machine.storage / 1e9,
      arguments.hours_between_failures < 10 ? number_text(arguments.hours_between_failures, 3)
                                            : with_commas(std::llround(arguments.hours_between_failures)));
}

void emit_text(const TextPlan& plan, const std::vector<Planned>& found, const Machine& machine,
               const PlanArguments& arguments) {
  const Planned& best = found.front();
  const Course c = course_of(plan, best.time.total(), machine, arguments);
  emit("planned, not run\n");
  emit("model       {} parameters; {} sequences of {} tokens a step on {} of {}\n",
       with_commas(std::llround(plan.work.model.parameters())), with_commas(plan.work.batch),
       with_commas(plan.work.model.sequence), counted(arguments.ranks, "ranks"), machine.name);
  emit("layout      {}\n", best.layout.str());
  emit_memory(best.memory, plan, best.layout, machine);
  emit("step        {}\n", seconds_text(best.time.total()));
  emit_parts(best.time);
  emit("speed       {} tokens a second, {:.1f} % of the peak\n", with_commas(std::llround(c.tokens_a_second)),
       100 * c.utilisation);
  emit("training    {:.3g} tokens ({:.3g} operations) {}\n", plan.tokens, plan.work.model.model_operations(plan.tokens),
       std::isfinite(c.seconds) ? fmt::format("in {}, {}", time_text(c.seconds), money(c.dollars))
                                : "would never end: failures come faster than progress");
  emit("checkpoint  {}, written in {}; best every {}, and {} of the time is lost to writing and failures\n",
       gigabytes(c.checkpoint), seconds_text(c.write), time_text(c.rhythm.interval),
       std::isfinite(c.seconds) ? fmt::format("{:.1f} %", 100 * c.rhythm.lost) : "more than half");
  for (std::size_t i = 1; i < std::min<std::size_t>(4, found.size()); ++i)
    emit("next        {} a step: {}\n", seconds_text(found[i].time.total()), found[i].layout.str());
  emit_assumptions(machine, arguments);
}

void emit_json(const TextPlan& plan, const std::vector<Planned>& found, const Machine& machine,
               const PlanArguments& arguments) {
  Json result{{"planned", true},
              {"machine", machine.name},
              {"ranks", arguments.ranks},
              {"parameters", plan.work.model.parameters()},
              {"tokens", plan.tokens}};
  for (const Planned& p : found) {
    const Course c = course_of(plan, p.time.total(), machine, arguments);
    result["layouts"].push_back({{"data", p.layout.data},
                                 {"tensor", p.layout.tensor},
                                 {"pipeline", p.layout.pipeline},
                                 {"interleave", p.layout.interleave},
                                 {"micro_batch", p.layout.micro_batch},
                                 {"level", p.layout.level},
                                 {"recompute", p.layout.recompute == Recompute::none   ? "none"
                                               : p.layout.recompute == Recompute::full ? "full"
                                                                                       : "selective"},
                                 {"memory",
                                  {{"parameters", p.memory.state.values},
                                   {"gradients", p.memory.state.gradients},
                                   {"slots", p.memory.state.slots},
                                   {"activations", p.memory.activations}}},
                                 {"seconds",
                                  {{"products", p.time.products},
                                   {"elementwise", p.time.elementwise},
                                   {"tensor", p.time.tensor},
                                   {"pipeline", p.time.pipeline},
                                   {"data", p.time.data},
                                   {"update", p.time.update},
                                   {"step", p.time.total()}}},
                                 {"tokens_a_second", c.tokens_a_second},
                                 {"utilisation", c.utilisation},
                                 {"training_seconds", c.seconds},
                                 {"dollars", c.dollars},
                                 {"checkpoint_bytes", c.checkpoint},
                                 {"checkpoint_every_seconds", c.rhythm.interval}});
  }
  emit_line_of(result);
}

/// Throws the reason why there is no layout: none divides the work, or none fits into the memory.
[[noreturn]] void refuse_layouts(const Work& work, std::int64_t ranks, const Machine& machine) {
  const std::optional<estimate::Layout> least = smallest_layout(work, ranks, machine);
  if (!least)
    fail<UsageError>(
        "[plan] {} cannot share the work out: they are tensor x pipeline x data ranks, of which up to {} divide the "
        "{}, "
        "others the {}, and the rest a batch of {}. Hint: ranks, model.heads, model.layers or plan.batch",
        counted(ranks, "ranks"), machine.ranks_a_node, counted(work.model.heads, "heads"),
        counted(work.model.layers, "layers"), counted(work.batch, "sequences"));
  fail<MemoryError>("[plan] no layout of {} of {} fits: the smallest, {}, needs {} a rank, of {}. Hint: more ranks",
                    counted(ranks, "ranks"), machine.name, least->str(), gigabytes(memory_of(work, *least).total()),
                    gigabytes(machine.memory));
}

int plan_text(const ConfigTree& tree, const PlanArguments& arguments, const Context& context) {
  const TextPlan plan = text_plan(tree, arguments);
  const Machine machine = machine_for(arguments.machine, arguments.ranks);
  const std::vector<Planned> found = fastest_layouts(plan.work, arguments.ranks, machine);
  if (found.empty()) refuse_layouts(plan.work, arguments.ranks, machine);
  context.json ? emit_json(plan, found, machine, arguments) : emit_text(plan, found, machine, arguments);
  return 0;
}

const char* name_of(Evidence evidence) {
  return evidence == Evidence::formula ? "formula" : evidence == Evidence::fitted ? "fitted" : "checked";
}

int emit_published(const Context& context) {
  if (context.json) {
    Json all = Json::array();
    for (const PublishedRow& r : published_rows()) {
      all.push_back({{"what", r.what},
                     {"source", r.source},
                     {"unit", r.unit},
                     {"published", r.published},
                     {"computed", r.computed},
                     {"evidence", name_of(r.evidence)}});
    }
    emit_line_of(all);
    return 0;
  }
  emit("| what | published | computed | difference | | source |\n|---|---|---|---|---|---|\n");
  for (const PublishedRow& r : published_rows())
    emit("| {} | {:.4g} {} | {:.4g} | {:+.1f} % | {} | {} |\n", r.what, r.published, r.unit, r.computed,
         100 * r.difference(), name_of(r.evidence), r.source);
  return 0;
}

int emit_machines(const Context& context) {
  if (context.json) {
    Json all = Json::array();
    for (const Machine& m : machines())
      all.push_back({{"machine", m.name},
                     {"what", m.doc},
                     {"memory", m.memory},
                     {"bf16", m.half},
                     {"f32", m.single},
                     {"bandwidth", m.bandwidth},
                     {"ranks_a_node", m.ranks_a_node},
                     {"link", m.link},
                     {"network", m.network},
                     {"price", m.price},
                     {"source", m.source}});
    emit_line_of(all);
    return 0;
  }
  emit(
      "| machine | what | memory | bf16 | f32 | bandwidth | a node | link | network | price | source |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const Machine& m : machines())
    emit("| {} | {} | {:.0f} GB | {:.0f} TFLOP/s | {:.1f} | {:.0f} GB/s | {} | {:.0f} GB/s | {:.1f} GB/s | {} | {} |\n",
         m.name, m.doc, m.memory / 1e9, m.half / 1e12, m.single / 1e12, m.bandwidth / 1e9, m.ranks_a_node, m.link / 1e9,
         m.network / 1e9, money(m.price), m.source);
  return 0;
}

int run(const PlanArguments& arguments, const Context& context) {
  if (arguments.published) return emit_published(context);
  if (arguments.machines) return emit_machines(context);
  if (arguments.config.source.empty())
    fail<UsageError>("[plan] no configuration was given. Hint: thalweg plan CONFIG --ranks 8 --machine h100.");
  const std::filesystem::path path(arguments.config.source);
  if (path.extension() == ".toml") {
    ConfigTree tree = read_toml(path);
    for (const auto& [key, value] : arguments.config.given) tree.set(key, value);
    set_all(tree, arguments.config.sets, "plan.batch=1024");
    refuse_system(tree, "plan");
    if (!tree.find("data")) return plan_text(tree, arguments, context);
  }
  if (arguments.tokens > 0)
    fail<UsageError>("[plan] --tokens {}: a configuration with data says how long it trains by epochs. Hint: --epochs",
                     number_text(arguments.tokens));
  return plan_run(arguments, context);
}

constexpr const char* footer = R"(Examples:
  thalweg plan examples/gpt.toml --ranks 4       from its own step as planned here: memory, time, messages
  thalweg plan gpt-3.toml --ranks 1024 --machine a100
  thalweg plan examples/gpt.toml --machine here  on this machine, measured in some seconds
  thalweg plan big.toml --ranks 8 --machine mine.toml
  thalweg plan --published                       the formulas compared with measurements in papers
  thalweg plan --machines                        the table; a TOML file with these keys describes another

A configuration without [data] describes a gpt by its sizes: [model] kind = "gpt" and [plan] vocabulary,
sequence_length, batch, tokens, precision. The fastest layout that fits into memory is searched; nothing is run. This
version trains on CPUs; its ranks share the rows of a batch, and each holds the whole model. A plan of other layouts
or of accelerators shows what such a training would need.)";

void set_up(CLI::App& command, Context& context) {
  auto arguments = std::make_shared<PlanArguments>();
  command.footer(footer);
  add_config_arguments(command, arguments->config);
  for (CLI::Option* option : command.get_options()) {
    if (option->get_positional()) option->required(false);
  }
  command.add_option("--ranks", arguments->ranks, "Number of accelerators or processes (1)")
      ->check(in_range({.low = 1, .high = 1e7}));
  command.add_option("--machine", arguments->machine,
                     "A row of --machines, \"here\" (this machine), or a TOML file (h100)");
  command.add_option("--tokens", arguments->tokens, "Tokens to train on, as 300e9")
      ->check(in_range({.low = 1, .high = tokens_range.high}));
  command
      .add_option("--hours-between-failures", arguments->hours_between_failures,
                  "Mean hours between failures of one rank (50700)")
      ->check(in_range(hours_range));
  command.add_flag("--published", arguments->published, "Compare the formulas with published figures");
  command.add_flag("--machines", arguments->machines, "Print the table of machines");
  set_run(command, context, [arguments, &context] { return run(*arguments, context); });
}

}  // namespace

std::vector<CommandRow> plan_commands() {
  return {{"plan", "What a training needs and costs: memory, time, layouts, money", CommandGroup::training, set_up}};
}

}  // namespace thalweg::cli

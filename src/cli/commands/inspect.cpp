// thalweg inspect: the parts of a model, and the cost of its training step.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/curvature.hpp"
#include "cli/device.hpp"
#include "cli/output.hpp"
#include "cli/ranks.hpp"
#include "cli/session.hpp"
#include "core/error.hpp"
#include "distributed/communicator.hpp"
#include "engine/objective.hpp"
#include "optim/asks.hpp"
#include "run/model_parts.hpp"

namespace thalweg::cli {

namespace {

/// A model traced for one row: its parameters, and the cost of a prediction.
struct Anatomy {
  std::vector<std::pair<std::string, Shape>> parameters;
  std::int64_t count = 0;
  std::int64_t flops = 0;  // of the forward pass, for one row
  std::string input, output;
};

/// Floating-point operations of a prediction, counted by the rows of the op table.
std::int64_t operations_of(const TracedObjective& traced) {
  int base = first_user_base;
  std::vector<Bound> inputs = {{traced.columns.front(), {base++, 0}}};
  for (const TracedParameter& p : traced.parameters) inputs.push_back({p.var, {base++, 0}});
  return Program(*traced.graph, inputs, {{traced.result.prediction, {base, 0}}}).operations();
}

std::string names_text(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + shown(name);
  return shown(text, 2000);
}

Anatomy anatomy_of(const Recipe& recipe, const Registry& registry) {
  const TracedObjective traced = trace_objective(evaluation_of(recipe.make_model(registry), recipe.make_loss(registry)),
                                                 {{"input", recipe.input()}}, 1, Mode::evaluate, f32);
  Anatomy anatomy;
  for (const TracedParameter& parameter : traced.parameters) {
    anatomy.parameters.emplace_back(parameter.name, parameter.var.shape());
    anatomy.count += parameter.var.size();
  }
  anatomy.flops = operations_of(traced);
  anatomy.input = fmt::format("{} {}", recipe.input().dtype, recipe.input().shape);
  anatomy.output = traced.result.prediction.shape().str();
  return anatomy;
}

/// For people: the first three of a long list, and the number of the others.
OptionMap shortened(OptionMap options) {
  for (auto& [key, value] : options) {
    const auto* list = value.get_if<OptionList>();
    if (!list || list->size() <= 12) continue;
    std::string text;
    for (std::size_t i = 0; i < 3; ++i) text += (*list)[i].str() + ", ";
    value = {text + fmt::format("and {} more", list->size() - 3)};
  }
  return options;
}

void print_anatomy(const Recipe& recipe, const Anatomy& anatomy) {
  emit("{:<12}{} {}\n", "model", recipe.model.kind, OptionValue{shortened(recipe.model.options)}.str());
  emit("{:<12}{}\n{:<12}{} a row\n\n", "loss", recipe.loss.kind, "input", anatomy.input);
  for (const auto& [name, shape] : anatomy.parameters) {
    emit("{:<28}{:<16}{:>12}\n", name, shape.str(), with_commas(shape.size()));
  }
  emit("{:<44}{:>12}\n\n", "parameters", with_commas(anatomy.count));
  emit("{:<12}{} for the parameters\n", "memory", bytes_text(anatomy.count * 4));
  emit("{:<12}{} FLOPs a row to predict, about {} to train\n", "cost", with_commas(anatomy.flops),
       with_commas(3 * anatomy.flops));
}

void print_part(std::string_view name, const StepCost::Part& part, const StepCost& cost) {
  const double rate = static_cast<double>(part.operations) / part.seconds;
  emit("{:<12}{:>12}{:>18} FLOPs{:>14} moved{:>12.1f} GFLOP/s{:>6.0f} % of the peak\n", name,
       fmt::format("{:.3f} ms", 1e3 * part.seconds), with_commas(part.operations), bytes_text(part.bytes), rate / 1e9,
       100 * rate / cost.peak);
}

void print_cost(const StepCost& cost, std::int64_t rows) {
  emit("\nMeasured: a step of {} rows in {} shard{}, {} thread{}, medians; the peak of the machine is {:.0f} GFLOP/s\n",
       rows, cost.shards, cost.shards > 1 ? "s" : "", cost.threads, cost.threads > 1 ? "s" : "", cost.peak / 1e9);
  print_part("forward", cost.forward, cost);
  print_part("backward", cost.backward, cost);
  print_part("update", cost.update, cost);
  emit("{:<12}{:.2f} times forward in time, {:.2f} in FLOPs\n", "backward",
       cost.backward.seconds / cost.forward.seconds,
       static_cast<double>(cost.backward.operations) / static_cast<double>(cost.forward.operations));
  emit("{:<12}{} a shard; the values in it are {}\n", "arena", bytes_text(cost.arena_bytes),
       bytes_text(cost.intermediate_bytes));
}

nlohmann::ordered_json cost_json(const StepCost& cost) {
  const auto part = [](const StepCost::Part& p) {
    return nlohmann::ordered_json{{"seconds", p.seconds}, {"flops", p.operations}, {"bytes", p.bytes}};
  };
  return {{"forward", part(cost.forward)},
          {"backward", part(cost.backward)},
          {"update", part(cost.update)},
          {"shards", cost.shards},
          {"threads", cost.threads},
          {"arena_bytes", cost.arena_bytes},
          {"intermediate_bytes", cost.intermediate_bytes},
          {"peak_flops", cost.peak}};
}

std::string milliseconds(double seconds) { return fmt::format("{:.3f} ms", 1e3 * seconds); }

std::string percent_of(double part, double of) { return percent_text(of > 0 ? part / of : 0); }

void print_shared(const Communicator& ranks, std::int64_t rows) {
  const Communicator::Measured& did = ranks.measured();
  emit("\nMeasured: a step of {} rows in {} shards over {} ranks, medians of the slowest rank\n", rows, did.shards,
       ranks.size());
  emit("{:<12}{:>12}   the shards of a rank, without messages\n", "computing", milliseconds(did.computing));
  emit("{:<12}{:>12}   the gradients alone: a rank sends {}, in {} bucket{}\n", "messages", milliseconds(did.messages),
       bytes_text(did.bytes), did.buckets, did.buckets > 1 ? "s" : "");
  emit("{:<12}{:>12}   both, as in training: {} of these messages are hidden\n", "together", milliseconds(did.together),
       percent_of(did.hidden, did.messages));
  if (did.parameters == 0)
    return emit("{:<12}{:>12}   every rank updates all parameters\n", "update", milliseconds(did.update));
  emit("{:<12}{:>12}   by itself; of it {} for sending parameters, {} per rank\n", "update", milliseconds(did.update),
       milliseconds(did.parameters), bytes_text(did.parameter_bytes));
  emit(
      "{:<12}{:>12}   a step among others: the next one computes while parameters arrive, {} of which are hidden, of "
      "all "
      "messages {}\n",
      "step", milliseconds(did.whole), percent_of(did.parameters_hidden, did.parameters),
      percent_of(did.hidden + did.parameters_hidden, did.messages + did.parameters));
}

nlohmann::ordered_json shared_json(const Communicator& ranks) {
  const Communicator::Measured& did = ranks.measured();
  return {{"ranks", ranks.size()},
          {"shards", did.shards},
          {"buckets", did.buckets},
          {"computing", did.computing},
          {"messages", did.messages},
          {"together", did.together},
          {"hidden", did.hidden},
          {"update", did.update},
          {"parameters", did.parameters},
          {"step", did.whole},
          {"parameters_hidden", did.parameters_hidden},
          {"bytes", did.bytes},
          {"parameter_bytes", did.parameter_bytes}};
}

void print_json(const Recipe& recipe, const Anatomy& anatomy, const std::optional<nlohmann::ordered_json>& step) {
  nlohmann::ordered_json result{{"model", recipe.model.kind},
                                {"loss", recipe.loss.kind},
                                {"input", anatomy.input},
                                {"parameters", anatomy.count},
                                {"flops", anatomy.flops}};
  for (const auto& [name, shape] : anatomy.parameters) {
    result["layers"].push_back({{"name", name}, {"shape", std::vector(shape.begin(), shape.end())}});
  }
  if (step) result["step"] = *step;
  emit_line_of(result);
}

void inspect_run(const std::string& path, const Context& context) {
  const Model model = Model::load(path, context.registry);
  const Recipe& recipe = model.parts().recipe;
  const Anatomy anatomy = anatomy_of(recipe, context.registry);
  if (context.json) return print_json(recipe, anatomy, {});
  print_anatomy(recipe, anatomy);
  emit("{:<12}{} for a block of {} rows\n", "arena",
       bytes_text(static_cast<std::int64_t>(model.parts().forward->memory_bytes())), Model::Parts::block_rows);
  if (!model.classes().empty()) emit("{:<12}{}\n", "classes", names_text(model.classes()));
  if (!model.input_names().empty()) emit("{:<12}{}\n", "features", names_text(model.input_names()));
}

/// Measures a step that the ranks share; rank 0 prints the result.
void measure_shared(Session& session, const Dataset& batch, FitOptions options, const Context& context) {
  options.ranks = context.ranks;
  (void)session.trainer.measure(batch, options);
  if (context.ranks->rank() != 0) return;
  const Anatomy anatomy = anatomy_of(session.recipe, context.registry);
  if (context.json) return print_json(session.recipe, anatomy, shared_json(*context.ranks));
  print_anatomy(session.recipe, anatomy);
  print_shared(*context.ranks, batch.rows());
}

void inspect_config(const ConfigArguments& arguments, bool measured, const Context& context) {
  LoadedConfig loaded = load(read_arguments(arguments, context.registry), context.registry);
  refuse_system(loaded.config, "inspect");
  if (measured) refuse_device(loaded.config.train.device, "the parts of a step are measured");
  const DeviceInUse device(loaded.config);
  if (context.ranks && loaded.config.train.threads == 0) loaded.config.train.threads = threads_of_rank(*context.ranks);
  Session session =
      make_session(loaded.config, loaded.source.facts(), loaded.source.parts(loaded.config.seed), context.registry);
  const std::int64_t rows = loaded.config.train.batch_size.of(session.parts.train.rows());
  const Dataset batch = session.parts.train.slice(0, rows);
  const FitOptions options = loaded.config.fit_options();
  if (context.ranks) return measure_shared(session, batch, options, context);
  const Anatomy anatomy = anatomy_of(session.recipe, context.registry);
  std::optional<StepCost> cost;
  if (measured) cost = session.trainer.measure(batch, options);
  if (context.json) return print_json(session.recipe, anatomy, cost ? std::optional(cost_json(*cost)) : std::nullopt);
  print_anatomy(session.recipe, anatomy);
  if (!cost) return emit("\nA step of {} rows:\n{}", rows, session.trainer.explain(batch, options));
  print_cost(*cost, rows);
  const Optimizer optimizer = loaded.config.make_optimizer(context.registry);
  if (asks_of(optimizer).any())
    emit("{:<12}a step of {} needs more than the one gradient that was measured\n", "beside", optimizer.name);
}

int run(const ConfigArguments& arguments, bool measured, const CurvatureArguments& curvature, const Context& context) {
  const std::filesystem::path path(arguments.source);
  const bool model = path.extension() == ".safetensors" || std::filesystem::exists(path / "model.safetensors");
  if (curvature.wanted) {
    inspect_curvature(arguments.source, curvature, context);
    return 0;
  }
  if (model && measured) {
    fail<UsageError>("[inspect] --measure times training steps, and {} is a model. Hint: give its configuration.",
                     arguments.source);
  }
  if (model) {
    inspect_run(arguments.source, context);
  } else {
    inspect_config(arguments, measured, context);
  }
  return 0;
}

void set_up(CLI::App& command, Context& context) {
  auto arguments = std::make_shared<ConfigArguments>();
  command.footer(
      "Examples:\n  thalweg inspect runs/fashion\n  thalweg inspect runs/fashion --curvature\n"
      "  thalweg inspect fashion.toml --set model.hidden=[1024]\n"
      "  mpirun -n 2 thalweg inspect gpt.toml --measure      how much of its messages a step on two ranks hides");
  add_config_arguments(command, *arguments);
  auto measured = std::make_shared<bool>(false);
  command.add_flag("--measure", *measured, "Time forward, backward and update; count operations and bytes");
  auto curvature = std::make_shared<CurvatureArguments>();
  add_curvature_arguments(command, *curvature);
  auto ranks = std::make_shared<RankOptions>();
  add_rank_options(command, *ranks);
  set_run(command, context, [=, &context] {
    const auto work = [&](const Context& own) { return run(*arguments, *measured, *curvature, own); };
    return *measured ? over_ranks(*ranks, context, work) : work(context);
  });
}

}  // namespace

std::vector<CommandRow> inspect_commands() {
  return {{"inspect", "Layers, shapes, parameters, memory and the cost of a step", CommandGroup::models, set_up}};
}

}  // namespace thalweg::cli

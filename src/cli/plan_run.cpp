// The plan of a configuration with data: its own step, whole shards of a batch for each rank.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/output.hpp"
#include "cli/plan.hpp"
#include "cli/session.hpp"
#include "core/error.hpp"
#include "core/machine.hpp"
#include "core/workers.hpp"
#include "engine/row_table.hpp"
#include "engine/run_length.hpp"
#include "engine/step_needs.hpp"

namespace thalweg::cli {

namespace {

using Json = nlohmann::ordered_json;
using namespace estimate;

constexpr double hour = 3600;
constexpr std::int64_t most_ranks = 4096;  // whose parts are told apart: a batch has few shards

/// Bytes of a rank, by kind.
struct RankMemory {
  double parameters, gradients, slots, row_table, activations, data, program;
  [[nodiscard]] double total() const {
    return parameters + gradients + slots + row_table + activations + data + program;
  }
};

/// Seconds of a step, by part.
struct RankTime {
  double gradient, update, messages;
  [[nodiscard]] double total() const { return gradient + update + messages; }
};

struct RunPlan {
  StepNeeds needs;
  RankMemory memory;
  RankTime time;
  std::int64_t rows = 0, steps = 0;
  double tokens_a_row = 1;
  std::string table = {};  ///< of gradients, where the optimizer keeps one
};

double number(std::int64_t n) { return static_cast<double>(n); }

double bytes_of(const Dataset& data) {
  double bytes = 0;
  for (const auto& [name, column] : data.columns()) bytes += number(static_cast<std::int64_t>(column.bytes()));
  return bytes;
}

/// The shards of the rank that has most of them.
std::int64_t most_shards(std::int64_t shards, std::int64_t ranks) { return (shards + ranks - 1) / ranks; }

RankMemory memory_of(const StepNeeds& needs, const Parts& parts, std::int64_t ranks, std::int64_t threads) {
  const std::int64_t own = most_shards(needs.shards, ranks), at_once = std::min(own, threads);
  // while threads sum their shards, as many sums wait for their other half
  const std::int64_t blocks = std::min(own, 2 * threads);
  double data = bytes_of(parts.train);
  if (parts.validation) data += bytes_of(*parts.validation);
  if (parts.test) data += bytes_of(*parts.test);
  constexpr double program = 14e6;  // code, tables of the libraries, stacks: what `thalweg list` takes
  const double received = ranks > 1 ? number(needs.gradient_bytes) : 0;  // slices of the others' sums
  return {number(needs.parameter_bytes),
          number(blocks * needs.gradient_bytes) + received,
          needs.own_part * number(needs.slot_bytes),
          number(needs.row_table_bytes),
          number(at_once * needs.shard_bytes + needs.update_arena_bytes),
          data,
          program};
}

RankTime time_of(const StepNeeds& needs, const Machine& machine, std::int64_t ranks) {
  const double peak = machine.single * machine.matrix_efficiency,
               bandwidth = machine.bandwidth * machine.moved_efficiency;
  const auto seconds = [&](const StepCost::Part& part) {
    return std::max(number(part.operations) / peak, number(part.bytes) / bandwidth);
  };
  const double share = number(most_shards(needs.shards, ranks)) / number(needs.shards);
  const double n = number(ranks), link = (ranks > machine.ranks_a_node ? machine.network : machine.link);
  // slices of the sums out and in, and the sum round; where the update is shared, what each rank stepped
  const double sums = needs.shards > 1 ? 2 * number(needs.gradient_bytes) : 0;
  const double stepped = needs.own_part < 1 ? number(needs.parameter_bytes) : 0;
  return {share * seconds(needs.gradient), needs.own_part * seconds(needs.update),
          (sums + stepped) * (n - 1) / n / link};
}

RunPlan plan_of(const PlanArguments& arguments, const LoadedConfig& loaded, const Machine& machine,
                const Context& context) {
  const Parts parts = loaded.source.parts(loaded.config.seed);
  const DataFacts& facts = loaded.source.facts();
  const Recipe recipe{loaded.config.model, loaded.config.loss, facts.outputs, parts.preprocessing};
  const FitOptions options = loaded.config.fit_options();
  const RunLength length = run_length(options, parts.train.rows());
  RunPlan plan;
  plan.rows = length.rows_a_step;
  plan.steps = length.steps;
  plan.needs = needs_of_step(
      evaluation_of(recipe.make_model(context.registry, parts.augmentation), recipe.make_loss(context.registry)),
      loaded.config.make_optimizer(context.registry), parts.train, plan.rows, options.shard_size, options.memory,
      static_cast<int>(std::min(arguments.ranks, most_ranks)), options.precision);
  if (plan.needs.row_table_bytes > 0)
    plan.table =
        row_table_text(loaded.config.make_optimizer(context.registry), parts.train.rows(), plan.needs.trained, f32);
  if (const auto* text = parts.preprocessing.text()) plan.tokens_a_row = number(text->sequence_length);
  const std::int64_t threads = loaded.config.train.threads > 0 ? loaded.config.train.threads : default_threads();
  plan.memory = memory_of(plan.needs, parts, arguments.ranks, threads);
  plan.time = time_of(plan.needs, machine, arguments.ranks);
  return plan;
}

void emit_text(const RunPlan& p, const Machine& machine, const PlanArguments& arguments) {
  const auto bytes = [](double b) { return bytes_text(static_cast<std::int64_t>(b)); };
  const double step = p.time.total(), run = step * number(p.steps);
  emit("planned, not run\n");
  emit("model       {} parameters; {} rows a step in {} shards of {} on {} ranks of {}\n",
       with_commas(p.needs.parameters), with_commas(p.rows), p.needs.shards, p.needs.shard_rows,
       with_commas(arguments.ranks), machine.name);
  if (arguments.ranks > p.needs.shards)
    emit("note        {} ranks have no shard. Hint: train.shard_size = {} gives each one, and other bits.\n",
         arguments.ranks - p.needs.shards, std::max<std::int64_t>(1, p.rows / arguments.ranks));
  emit("memory      {} a rank: parameters {}, gradients {}, slots {}{}, activations {}, data {}, program {}\n",
       bytes(p.memory.total()), bytes(p.memory.parameters), bytes(p.memory.gradients), bytes(p.memory.slots),
       p.table.empty() ? "" : ", table " + bytes(p.memory.row_table), bytes(p.memory.activations), bytes(p.memory.data),
       bytes(p.memory.program));
  if (p.needs.bf16_values > 0)
    emit("precision   {} values of a shard are stored in bf16, and counted so\n", p.needs.bf16_values);
  if (!p.table.empty()) emit("table       {}\n", p.table);
  emit("step        at least {:.3f} ms: gradient {:.3f}, update {:.3f}, messages {:.3f}\n", 1e3 * step,
       1e3 * p.time.gradient, 1e3 * p.time.update, 1e3 * p.time.messages);
  emit("speed       at most {} rows a second\n", with_commas(std::llround(number(p.rows) / step)));
  emit("training    {} steps in at least {}, ${:.2f}\n", with_commas(p.steps), duration_text(run),
       run / hour * number(arguments.ranks) * machine.price);
  const double checkpoint = p.memory.parameters + number(p.needs.slot_bytes) + p.memory.row_table;
  const CheckpointRhythm rhythm =
      best_rhythm(checkpoint / machine.storage, arguments.hours_between_failures * hour / number(arguments.ranks));
  emit("checkpoint  {}; best every {}\n", bytes(checkpoint), duration_text(rhythm.interval));
  emit(
      "\nAssumed: arithmetic in f32; each part takes its operations at {:.0f} GFLOP/s or its bytes at {:.0f} GB/s, "
      "whichever is "
      "longer; messages at {:.1f} GB/s, none hidden. Not counted: what starts a kernel or a message, reading the data, "
      "evaluation; a step is one gradient, though some methods (sam, svrg, saga, sophia, adahessian, kfac, lbfgs) ask "
      "for "
      "more. Small steps take many times as long. This version trains on CPUs.\n",
      machine.single * machine.matrix_efficiency / 1e9, machine.bandwidth * machine.moved_efficiency / 1e9,
      (arguments.ranks > machine.ranks_a_node ? machine.network : machine.link) / 1e9);
}

void emit_json(const RunPlan& p, const Machine& machine, const PlanArguments& arguments) {
  emit_line_of(Json{{"planned", true},
                    {"machine", machine.name},
                    {"ranks", arguments.ranks},
                    {"parameters", p.needs.parameters},
                    {"shards", p.needs.shards},
                    {"shard_rows", p.needs.shard_rows},
                    {"bf16_values", p.needs.bf16_values},
                    {"memory",
                     {{"parameters", p.memory.parameters},
                      {"gradients", p.memory.gradients},
                      {"slots", p.memory.slots},
                      {"row_table", p.memory.row_table},
                      {"activations", p.memory.activations},
                      {"data", p.memory.data},
                      {"program", p.memory.program},
                      {"total", p.memory.total()}}},
                    {"seconds",
                     {{"gradient", p.time.gradient},
                      {"update", p.time.update},
                      {"messages", p.time.messages},
                      {"step", p.time.total()}}},
                    {"steps", p.steps}});
}

}  // namespace

int plan_run(const PlanArguments& arguments, const Context& context) {
  const NamedTree named = read_arguments(arguments.config, context.registry);
  refuse_system(named.tree, "plan");
  const LoadedConfig loaded = load(named, context.registry);
  const Machine machine = machine_named(arguments.machine);
  const RunPlan plan = plan_of(arguments, loaded, machine, context);
  if (plan.memory.total() > machine.memory)
    fail<MemoryError>("[plan] a rank needs {}, and one of {} has {}. Hint: train.memory = \"lean\", or smaller shards.",
                      bytes_text(static_cast<std::int64_t>(plan.memory.total())), machine.name,
                      bytes_text(static_cast<std::int64_t>(machine.memory)));
  context.json ? emit_json(plan, machine, arguments) : emit_text(plan, machine, arguments);
  return 0;
}

}  // namespace thalweg::cli

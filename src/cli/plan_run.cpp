// The plan of a configuration with data, from its own training step. Each rank gets whole shards of a batch.

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/device.hpp"
#include "cli/here.hpp"
#include "cli/output.hpp"
#include "cli/plan.hpp"
#include "cli/session.hpp"
#include "core/counted.hpp"
#include "core/error.hpp"
#include "core/machine.hpp"
#include "core/workers.hpp"
#include "engine/row_table.hpp"
#include "engine/step_needs.hpp"

namespace thalweg::cli {

namespace {

using Json = nlohmann::ordered_json;
using namespace estimate;

constexpr double hour = 3600;
constexpr std::int64_t most_ranks = 4096;  // the parts of more ranks are not planned one by one: a batch has few shards

/// The memory of a rank in bytes, by kind.
struct RankMemory {
  double parameters, gradients, slots, row_table, activations, data, program;
  [[nodiscard]] double total() const {
    return parameters + gradients + slots + row_table + activations + data + program;
  }
};

/// The time of a step in seconds, by part.
struct RankTime {
  double gradient, update, messages;
  double hidden = 0;  ///< of the messages, by the shards
  [[nodiscard]] double total() const { return gradient + update + messages - hidden; }
};

/// The measurements for a plan of this machine.
struct Measured {
  Here here;
  StepSeconds step;
};

struct RunPlan {
  StepNeeds needs;
  std::optional<Measured> measured = {};
  RankMemory memory;
  RankTime time;
  std::int64_t rows = 0, steps = 0;
  double tokens_a_row = 1;
  std::string table = {};  ///< describes the table of all rows, if the optimizer keeps one
};

double number(std::int64_t n) { return static_cast<double>(n); }

double bytes_of(const Dataset& data) {
  double bytes = 0;
  for (const auto& [name, column] : data.columns()) bytes += number(static_cast<std::int64_t>(column.bytes()));
  return bytes;
}

/// The number of shards of the rank with the most shards.
std::int64_t most_shards(std::int64_t shards, std::int64_t ranks) { return (shards + ranks - 1) / ranks; }

/// The largest number of gradient sums that exist at the same time: one per thread, and those that wait for the other
/// half of their pair. When n shards are done, as many sums wait as n has binary ones.
std::int64_t sums_at_once(std::int64_t shards, std::int64_t threads) {
  int waiting = 0;
  for (std::uint64_t done = 0; done < static_cast<std::uint64_t>(shards); ++done)
    waiting = std::max(waiting, std::popcount(done));
  return std::min(shards, waiting + threads);
}

RankMemory memory_of(const StepNeeds& needs, const Parts& parts, std::int64_t ranks, std::int64_t threads) {
  const std::int64_t own = most_shards(needs.shards, ranks), at_once = std::min(own, threads);
  const std::int64_t blocks = sums_at_once(own, threads);
  double data = bytes_of(parts.train);
  if (parts.validation) data += bytes_of(*parts.validation);
  if (parts.test) data += bytes_of(*parts.test);
  constexpr double program = 24e6;  // code, tables of the libraries, stacks: the memory of small trainings
  const double received = ranks > 1 ? number(needs.gradient_bytes) : 0;  // slices of the sums of other ranks
  return {number(needs.parameter_bytes),
          number(blocks * needs.gradient_bytes) + received,
          needs.own_part * number(needs.slot_bytes),
          needs.row_table ? number(needs.row_table->bytes()) : 0,
          number(at_once * needs.shard_bytes + std::min(threads, needs.update_arenas) * needs.update_arena_bytes),
          data,
          program};
}

/// Bytes a second, each way, between ranks.
double link_of(const Machine& machine, std::int64_t ranks) {
  return ranks > machine.ranks_a_node ? machine.network : machine.link;
}

/// How often the gradient is sent: slices of the sums, and, unless a rank needs only its own, their totals.
double times_sent(const StepNeeds& needs) { return needs.keeps_part ? 1 : 2; }

double message_seconds(const StepNeeds& needs, const Machine& machine, std::int64_t ranks) {
  const double n = number(ranks), link = link_of(machine, ranks);
  const double sums = needs.shards > 1 ? times_sent(needs) * number(needs.gradient_bytes) : 0;
  const double element = number(needs.parameter_bytes) / number(std::max<std::int64_t>(1, needs.parameters));
  const double stepped = needs.own_part < 1 ? number(needs.trained) * element : 0;  // each rank sends what it updated
  return (sums + stepped) * (n - 1) / n / link;
}

/// The time of messages that a rank's shards hide, of `shard` seconds each. Each bucket leaves when the last shard has
/// finished it and those before it have been sent; the first shard waits for the parameters that it reads. All
/// instructions count as equally long.
double hidden_seconds(const StepNeeds& needs, const Machine& machine, std::int64_t ranks, double shard) {
  const double n = number(ranks), seconds_a_byte = (n - 1) / n / link_of(machine, ranks);
  double sent = 0, all = 0;
  for (const auto& [bytes, ready] : needs.buckets) {
    const double seconds = times_sent(needs) * number(bytes) * seconds_a_byte;
    sent = std::max(sent, ready * shard) + seconds;
    all += seconds;
  }
  double arrived = 0, waited = 0;
  for (const auto& [bytes, needed] : needs.arriving) {
    arrived += number(bytes) * seconds_a_byte;
    waited = std::max(waited, arrived - needed * shard);
  }
  return all - std::max(0.0, sent - shard) + arrived - waited;
}

RankTime time_of(const StepNeeds& needs, const Machine& machine, std::int64_t ranks) {
  const double peak = machine.single * machine.matrix_efficiency,
               bandwidth = machine.bandwidth * machine.moved_efficiency;
  const auto seconds = [&](const StepCost::Part& part) {
    return std::max(number(part.operations) / peak, number(part.bytes) / bandwidth);
  };
  const double shard = seconds(needs.gradient) / number(needs.shards);
  return {number(most_shards(needs.shards, ranks)) * shard, needs.own_part * seconds(needs.update),
          message_seconds(needs, machine, ranks), hidden_seconds(needs, machine, ranks, shard)};
}

RunPlan plan_of(const PlanArguments& arguments, const LoadedConfig& loaded, Machine& machine, const Context& context) {
  const Parts parts = loaded.source.parts(loaded.config.seed);
  const Recipe recipe = make_recipe(loaded.config, loaded.source.facts(), parts, context.registry);
  const FitOptions options = loaded.config.fit_options();
  const RunLength length = run_length(options, parts.train.rows());
  const Optimizer optimizer = loaded.config.make_optimizer(context.registry);
  const int ranks = static_cast<int>(std::min(arguments.ranks, most_ranks));
  const bool here = arguments.machine == here_name;
  RunPlan plan;
  plan.rows = length.rows_a_step;
  plan.steps = length.steps;
  StepKernels kernels;
  plan.needs = needs_of_step(
      evaluation_of(recipe.make_model(context.registry, parts.augmentation), recipe.make_loss(context.registry)),
      optimizer, parts.train, length, options.shard_size, options.memory, ranks, options.precision,
      here ? &kernels : nullptr);
  if (options.layer_norms) plan.needs.keeps_part = false;
  if (plan.needs.row_table) plan.table = row_table_text(optimizer, *plan.needs.row_table);
  if (const auto* text = parts.preprocessing.text()) plan.tokens_a_row = number(text->sequence_length);
  const int threads =
      loaded.config.train.threads > 0 ? static_cast<int>(loaded.config.train.threads) : default_threads();
  if (here) {
    Workers workers(threads);
    plan.measured = {measure_here(workers), seconds_of_step(plan.needs, kernels, ranks, workers)};
    machine = plan.measured->here.machine(arguments.ranks);
    plan.time = {plan.measured->step.gradient, plan.measured->step.update,
                 message_seconds(plan.needs, machine, arguments.ranks)};
  } else {
    plan.time = time_of(plan.needs, machine, arguments.ranks);
  }
  // ranks share the threads of this machine; on other machines each rank has this many
  const std::int64_t own_threads = here ? std::max<std::int64_t>(1, threads / arguments.ranks) : threads;
  plan.memory = memory_of(plan.needs, parts, arguments.ranks, own_threads);
  return plan;
}

/// The time of a shard in seconds by kind of kernel, the longest first.
std::vector<std::pair<std::string, double>> by_kind(const std::vector<KernelTime>& kernels) {
  std::vector<std::pair<std::string, double>> kinds;
  for (const KernelTime& kernel : kernels) {
    auto known = std::ranges::find(kinds, kernel.kind, &std::pair<std::string, double>::first);
    if (known == kinds.end()) known = kinds.insert(kinds.end(), {kernel.kind, 0.0});
    known->second += number(kernel.times) * kernel.seconds;
  }
  std::ranges::sort(kinds, std::greater{}, &std::pair<std::string, double>::second);
  return kinds;
}

std::string kernels_text(const StepSeconds& step) {
  constexpr std::size_t most_shown = 5;
  const double total = total_seconds(step.shard);
  std::int64_t runs = 0;
  for (const KernelTime& kernel : step.shard) runs += kernel.times;
  std::string text = fmt::format("{} in a shard, {} of them different:", runs, step.shard.size());
  const auto kinds = by_kind(step.shard);
  for (std::size_t i = 0; i < std::min(most_shown, kinds.size()); ++i)
    text += fmt::format("{} {} {}", i > 0 ? "," : "", kinds[i].first, percent_text(kinds[i].second / total));
  return text;
}

void emit_assumptions(const RunPlan& p, const Machine& machine, const PlanArguments& arguments) {
  const double link = (arguments.ranks > machine.ranks_a_node ? machine.network : machine.link) / 1e9;
  constexpr const char* one_gradient =
      "a step is one gradient, though some methods (sam, svrg, saga, sophia, adahessian, kfac, lbfgs) need more.";
  if (p.measured)
    return emit(
        "\nMeasured: each different kernel of the step by itself, those of a shard {} at the same time; the step was "
        "not run, and of methods with factors (kfac) or steps of their own (lbfgs) not the update. Assumed: "
        "ranks share the threads and the memory of this machine; messages at {:.1f} GB/s, none hidden, since the same "
        "cores move them; files at {:.1f} "
        "GB/s. Not counted: what lies between kernels, copying rows, evaluation, checkpoints; in memory also what the "
        "data takes while it is read, and a second training where a verdict tries lower rates; {}\n",
        p.measured->step.at_once, link, machine.storage / 1e9, one_gradient);
  emit(
      "\nAssumed: arithmetic in f32; each part takes its operations at {:.0f} GFLOP/s or its bytes at {:.0f} GB/s, "
      "whichever is "
      "longer; messages at {:.1f} GB/s, those with gradients beside the backward pass of a rank's last shard, those "
      "with updated parameters beside the beginning of its first. Not counted: what starts a kernel or a message, "
      "reading the data, "
      "evaluation; {} Small steps take many times as long. This version trains on CPUs.\n",
      machine.single * machine.matrix_efficiency / 1e9, machine.bandwidth * machine.moved_efficiency / 1e9, link,
      one_gradient);
}

void emit_memory(const RunPlan& p) {
  const auto bytes = [](double b) { return bytes_text(static_cast<std::int64_t>(b)); };
  emit("memory      {} a rank: parameters {}, gradients {}, slots {}{}, activations {}, data {}, program {}\n",
       bytes(p.memory.total()), bytes(p.memory.parameters), bytes(p.memory.gradients), bytes(p.memory.slots),
       p.table.empty() ? "" : ", table " + bytes(p.memory.row_table), bytes(p.memory.activations), bytes(p.memory.data),
       bytes(p.memory.program));
  if (p.needs.bf16_values > 0)
    emit("precision   {} values of a shard are stored in bf16, and counted so\n", p.needs.bf16_values);
  if (!p.table.empty()) emit("table       {}\n", p.table);
}

void emit_text(const RunPlan& p, const Machine& machine, const PlanArguments& arguments) {
  const double step = p.time.total(), run = step * number(p.steps);
  const char* const least = p.measured ? "" : "at least ";
  emit("planned, not run\n");
  emit("model       {} parameters; {} a step in {} of {} on {} of {}\n", with_commas(p.needs.parameters),
       counted(p.rows, "rows"), counted(p.needs.shards, "shards"), p.needs.shard_rows,
       counted(arguments.ranks, "ranks"), machine.name);
  if (arguments.ranks > p.needs.shards)
    emit("note        {} {} no shard.{}\n", counted(arguments.ranks - p.needs.shards, "ranks"),
         arguments.ranks - p.needs.shards == 1 ? "has" : "have",
         !p.needs.separable || arguments.ranks > p.rows
             ? ""
             : fmt::format(" Hint: train.shard_size = {} gives each one, and other bits.", p.rows / arguments.ranks));
  if (p.measured) emit("here        {}\n", p.measured->here.text());
  emit_memory(p);
  emit("step        {}{:.3f} ms: gradient {:.3f}, update {:.3f}, messages {:.3f}{}\n", least, 1e3 * step,
       1e3 * p.time.gradient, 1e3 * p.time.update, 1e3 * p.time.messages,
       p.time.hidden > 0 ? fmt::format(", of which {:.3f} are hidden", 1e3 * p.time.hidden) : "");
  if (p.measured) emit("kernels     {}\n", kernels_text(p.measured->step));
  emit("speed       {}{} rows a second\n", p.measured ? "" : "at most ",
       with_commas(std::llround(number(p.rows) / step)));
  emit("training    {} in {}{}, ${:.2f}\n", counted(p.steps, "steps"), least, duration_text(run),
       run / hour * number(arguments.ranks) * machine.price);
  const double checkpoint = p.memory.parameters + number(p.needs.slot_bytes) + p.memory.row_table;
  const CheckpointRhythm rhythm =
      best_rhythm(checkpoint / machine.storage, arguments.hours_between_failures * hour / number(arguments.ranks));
  emit("checkpoint  {}; best every {}\n", bytes_text(static_cast<std::int64_t>(checkpoint)),
       duration_text(rhythm.interval));
  emit_assumptions(p, machine, arguments);
}

Json measured_json(const Measured& m) {
  Json products = Json::array();
  for (const auto& [width, single, twice] : m.here.rates.products)
    products.push_back({{"width", width}, {"f32", single}, {"f64", twice}});
  Json kinds = Json::object();
  for (const auto& [kind, seconds] : by_kind(m.step.shard)) kinds[kind] = seconds;
  return {{"threads", m.here.threads},
          {"products", products},
          {"bandwidth", m.here.rates.memory},
          {"kernel_seconds", m.here.rates.kernel},
          {"shard_seconds_by_kernel", kinds}};
}

void emit_json(const RunPlan& p, const Machine& machine, const PlanArguments& arguments) {
  Json json{{"planned", true},
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
              {"hidden", p.time.hidden},
              {"step", p.time.total()}}},
            {"steps", p.steps}};
  if (p.measured) json["here"] = measured_json(*p.measured);
  emit_line_of(json);
}

}  // namespace

int plan_run(const PlanArguments& arguments, const Context& context) {
  const NamedTree named = read_arguments(arguments.config, context.registry);
  refuse_system(named.tree, "plan");
  const LoadedConfig loaded = load(named, context.registry);
  if (arguments.machine == here_name) refuse_device(loaded.config.train.device, "--machine here measures what is done");
  Machine machine = arguments.machine == here_name ? Machine{} : machine_named(arguments.machine);
  const RunPlan plan = plan_of(arguments, loaded, machine, context);
  if (plan.memory.total() > machine.memory)
    fail<MemoryError>("[plan] a rank needs {}, and one of {} has {}. Hint: train.memory = \"lean\", or smaller shards.",
                      bytes_text(static_cast<std::int64_t>(plan.memory.total())), machine.name,
                      bytes_text(static_cast<std::int64_t>(machine.memory)));
  context.json ? emit_json(plan, machine, arguments) : emit_text(plan, machine, arguments);
  return 0;
}

}  // namespace thalweg::cli

// thalweg schedule: the learning rate, step by step.

#include <fstream>

#include "cli/arguments.hpp"
#include "cli/output.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"

namespace thalweg::cli {

namespace {

struct ScheduleArguments {
  std::string name;
  std::vector<std::string> sets;
  double lr = 1;
  std::int64_t steps = 1000, epoch_steps = 0;
  bool csv = false;
};

Schedule make(const ScheduleArguments& arguments, const Registry& registry) {
  ConfigTree tree;
  for (const std::string& set : arguments.sets) {
    const auto equals = set.find('=');
    if (equals == std::string::npos) fail<UsageError>("[--set] '{}' has no '='. Hint: --set warmup=5%", set);
    const std::string key = set.substr(0, equals);
    tree.set(key.starts_with("schedule.") ? key.substr(9) : key, std::string_view(set).substr(equals + 1));
  }
  return registry.schedule(arguments.name).make(tree.values);
}

int run(const ScheduleArguments& arguments, const Context& context) {
  const Schedule schedule = make(arguments, context.registry);
  const bool table = !arguments.csv && !context.json;
  const std::int64_t every = table ? std::max<std::int64_t>(1, arguments.steps / 20) : 1;
  const std::int64_t epoch = arguments.epoch_steps > 0 ? arguments.epoch_steps : arguments.steps;
  if (arguments.csv) emit("step,lr\n");
  for (std::int64_t step = 0; step < arguments.steps; ++step) {
    if (step % every != 0 && step != arguments.steps - 1) continue;
    const double lr =
        arguments.lr * schedule.factor({.step = step, .total = arguments.steps, .steps_per_epoch = epoch});
    if (context.json) {
      emit("{{\"step\":{},\"lr\":{}}}\n", step + 1, lr);
    } else if (arguments.csv) {
      emit("{},{}\n", step + 1, lr);
    } else {
      const auto width = static_cast<std::size_t>(std::clamp(50 * lr / arguments.lr, 0.0, 200.0));
      emit("{:>8}  {:<12.4g}{}\n", step + 1, lr, std::string(width, '#'));
    }
  }
  return 0;
}

}  // namespace

void add_schedule(CLI::App& app, Context& context) {
  auto arguments = std::make_shared<ScheduleArguments>();
  CLI::App* command = app.add_subcommand("schedule", "The learning rate of a schedule, step by step");
  command->footer("Example:\n  thalweg schedule one_cycle --lr 0.1 --steps 1000 --set warmup=5%");
  command->add_option("name", arguments->name, "thalweg list schedules")->required()->type_name("NAME");
  command->add_option("--lr", arguments->lr, "Learning rate that the schedule multiplies")->check(CLI::PositiveNumber);
  command->add_option("--steps", arguments->steps, "Of the run")->check(CLI::Range(1, 1'000'000'000));
  command->add_option("--epoch", arguments->epoch_steps, "Steps that make an epoch")->check(CLI::PositiveNumber);
  command->add_option("--set", arguments->sets, "An option of the schedule: --set warmup=5%")->allow_extra_args(false);
  command->add_flag("--csv", arguments->csv, "Every step, as CSV");
  add_output_flags(*command, context);
  command->callback(
      [arguments, &context] { context.run = [arguments, &context] { return run(*arguments, context); }; });
}

}  // namespace thalweg::cli

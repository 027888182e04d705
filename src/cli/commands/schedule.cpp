// thalweg schedule: the learning rate, step by step.

#include "cli/assignment.hpp"
#include "cli/checks.hpp"
#include "cli/command.hpp"
#include "cli/output.hpp"
#include "plot/plot.hpp"
#include "store/atomic_file.hpp"

namespace thalweg::cli {

namespace {

struct ScheduleArguments {
  std::string name;
  std::vector<std::string> sets;
  double lr = 1;
  std::int64_t steps = 1000, epoch_steps = 0;
  std::string svg;
  bool csv = false;
};

Schedule make(const ScheduleArguments& arguments, const Registry& registry) {
  ConfigTree tree;
  set_all(tree, arguments.sets, "warmup=5%");
  if (const auto section = tree.values.extract("schedule")) {  // accepts schedule.warmup and warmup
    if (auto* options = section.mapped().get_if<OptionMap>()) tree.values.merge(*options);
  }
  return registry.schedule(arguments.name).make(tree.values);
}

/// The rate at each step, from 1.
Series rates(const ScheduleArguments& arguments, const Schedule& schedule) {
  Series series{arguments.name, {}, {}};
  const std::int64_t epoch = arguments.epoch_steps > 0 ? arguments.epoch_steps : arguments.steps;
  for (std::int64_t step = 0; step < arguments.steps; ++step) {
    const Progress progress{.step = step, .total = arguments.steps, .steps_per_epoch = epoch};
    series.x.push_back(static_cast<double>(step + 1));
    series.y.push_back(arguments.lr * schedule.factor(progress));
  }
  return series;
}

void emit_rows(const Series& series, const Context& context) {
  if (!context.json) emit("step,lr\n");
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    if (context.json) {
      emit("{{\"step\":{},\"lr\":{}}}\n", i + 1, series.y[i]);
    } else {
      emit("{},{}\n", i + 1, series.y[i]);
    }
  }
}

int run(const ScheduleArguments& arguments, const Context& context) {
  const Series series = rates(arguments, make(arguments, context.registry));
  const PlotOptions plot{.title = arguments.name, .x_label = "step", .y_label = "lr"};
  if (!arguments.svg.empty()) write_output(arguments.svg, line_plot_svg(plot, {&series, 1}));
  if (arguments.csv || context.json) {
    emit_rows(series, context);
  } else if (arguments.svg.empty()) {
    emit("{}", line_plot_text(plot, {&series, 1}));
  }
  return 0;
}

void set_up(CLI::App& command, Context& context) {
  auto arguments = std::make_shared<ScheduleArguments>();
  command.footer("Example:\n  thalweg schedule one_cycle --lr 0.1 --steps 1000 --set warmup=5%");
  command.add_option("name", arguments->name, "thalweg list schedules")->required()->type_name("NAME");
  command.add_option("--lr", arguments->lr, "Learning rate that the schedule multiplies")->check(in_range(positive));
  command.add_option("--steps", arguments->steps, "Steps of the run")->check(CLI::Range(1, 10'000'000));
  command.add_option("--epoch", arguments->epoch_steps, "Steps that make an epoch")->check(in_range(positive));
  command.add_option("--set", arguments->sets, "An option of the schedule: --set warmup=5%")->allow_extra_args(false);
  command.add_flag("--csv", arguments->csv, "Every step, as CSV");
  command.add_option("--svg", arguments->svg, "Draw it to a file")->type_name("FILE");
  set_run(command, context, [arguments, &context] { return run(*arguments, context); });
}

}  // namespace

std::vector<CommandRow> schedule_commands() {
  return {{"schedule", "The learning rate of a schedule, step by step", CommandGroup::training, set_up}};
}

}  // namespace thalweg::cli

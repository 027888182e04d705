#include "cli/experiment.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cli/device.hpp"
#include "cli/looped.hpp"
#include "cli/outcome.hpp"
#include "cli/session.hpp"
#include "core/counted.hpp"
#include "core/error.hpp"
#include "core/random.hpp"

namespace thalweg::cli {

namespace {

constexpr double diverged = std::numeric_limits<double>::infinity();

bool has_option(const OptimizerRow& row, std::string_view name) {
  return std::ranges::any_of(row.options, [&](const OptionDoc& doc) { return doc.name == name; });
}

/// x0 for seed 0; otherwise x0 plus normal noise, which is multiplied by max(1, |x0|) in each coordinate.
Tensor start_of(const Tensor& x0, std::int64_t seed, double spread) {
  Tensor x = x0;
  const RandomKey key = RandomKey{static_cast<std::uint64_t>(seed), 0}.fold("compare");
  for (std::int64_t i = 0; seed > 0 && i < x.size(); ++i) {
    const double noise = random_gauss(key, static_cast<std::uint64_t>(i));
    x.set(i, x0.at(i) + spread * std::max(1.0, std::abs(x0.at(i))) * noise);
  }
  return x;
}

}  // namespace

Experiment walk_experiment(const WalkArguments& arguments, const Registry& registry) {
  Settings settings = read_settings(arguments.sets);
  if (!arguments.schedule.empty()) settings.schedule["kind"] = {arguments.schedule};
  const Target target = make_target(arguments.target, settings.problem);
  MinimizeOptions options{.max_steps = arguments.steps, .gradient_norm = 0};
  const auto run = [=, &registry](const std::string& name, double lr, std::int64_t seed) {
    Settings own = settings;  // of the given options, those that this method has
    std::erase_if(own.optimizer,
                  [&](const auto& option) { return !has_option(registry.optimizer(name), option.first); });
    const Tensor x0 = start_of(target.x0, seed, arguments.spread);
    const MinimizeResult result = minimize(target.problem.function, x0, make_method(registry, name, own, lr), options);
    // a walk that ends above its start counts as diverged, also if the value is finite
    const double start = target.problem.function(x0).item();
    return std::isfinite(result.value) && !(result.value > start) ? result.value : diverged;
  };
  return {
      .title = fmt::format("{} from {}{}, {} each", target.name, point_text(target.x0),
                           arguments.seeds == 1 ? "" : " and " + counted(arguments.seeds - 1, "starts") + " near it",
                           counted(arguments.steps, "steps")),
      .measure = target.problem.minimum ? fmt::format("value above the minimum {:.6g}", *target.problem.minimum)
                                        : "value above the lowest that any run found",
      .walk = true,
      .minimum = target.problem.minimum,
      .rates = rate_grid(-5, 1, 2),
      .seeds = arguments.seeds,
      .start = target.problem.function(target.x0).item(),
      .run = run};
}

namespace {

/// The configuration with another method. Options that this method has as well are kept.
Config config_for(const NamedTree& named, const DataSource& source, const OptimizerRow& row, double lr,
                  const Registry& registry) {
  ConfigTree tree = named.tree;
  OptionMap options;
  if (const OptionValue* given = tree.find("optimizer")) {
    if (const auto* map = given->get_if<OptionMap>()) options = *map;
  }
  std::erase_if(options, [&](const auto& option) { return !has_option(row, option.first); });
  set_rate(row, options, {lr});
  options["kind"] = {std::string(row.name)};
  tree.set("optimizer", OptionValue{std::move(options)});
  tree.set("train.early_stopping", OptionValue{false});
  return read_config(tree, source.options(), source.facts(), registry);
}

double train_once(const Config& config, const DataFacts& facts, const Parts& parts, const Registry& registry) {
  const DeviceInUse device(config);
  try {
    Session session = make_session(config, facts, parts, registry);
    FitOptions options = config.fit_options();
    options.validation_data = session.parts.validation;
    const History history = session.trainer.fit(session.parts.train, options);
    const Metrics& last = history.epochs.back().metrics;
    const auto held_out = std::ranges::find(last, "validation.loss", &Metrics::value_type::first);
    const double loss = held_out == last.end() ? last.front().second : held_out->second;
    return std::isfinite(loss) ? loss : diverged;
  } catch (const NumericError&) {
    return diverged;
  }
}

/// The loss of the best constant prediction, on the rows on which trainings are measured.
double constant_loss(const Config& config, const DataFacts& facts, const Parts& parts, const Registry& registry) {
  const Session session = make_session(config, facts, parts, registry);
  const JudgeOptions constants = constants_of(baselines_of(session.recipe.make_loss(registry), session.recipe.outputs,
                                                           session.parts.train, false, config.train.threads),
                                              session);
  return parts.validation ? constants.constant_validation : constants.constant_training;
}

}  // namespace

Experiment training_experiment(const ConfigArguments& arguments, std::int64_t seeds, const Registry& registry) {
  auto named = std::make_shared<const NamedTree>(read_arguments(arguments, registry));
  refuse_own_loop(named->tree);
  auto source = std::make_shared<DataSource>(read_data_options(named->tree, named->folder));
  const Config first = config_for(*named, *source, registry.optimizer("adam"), 1e-3, registry);
  refuse_system(first, "compare");
  refuse_watching(first, "compare");
  source->suit(registry.loss(first.loss.kind).make(first.loss.options));
  auto parts = std::make_shared<const Parts>(source->parts(first.seed));
  const auto run = [=, &registry](const std::string& name, double lr, std::int64_t seed) {
    Config config = config_for(*named, *source, registry.optimizer(name), lr, registry);
    config.seed += static_cast<std::uint64_t>(seed);
    return train_once(config, source->facts(), *parts, registry);
  };
  const std::string length =
      first.train.steps > 0 ? counted(first.train.steps, "steps") : counted(first.train.epochs, "epochs");
  return {.title = fmt::format("{} on {}, {}, {} each", first.model.kind, named->name, counted(seeds, "seeds"), length),
          .measure = parts->validation ? "validation loss at the end" : "training loss of the last epoch",
          .rates = rate_grid(-5, 0, 1),
          .seeds = seeds,
          .nothing = [=, &registry] { return constant_loss(first, source->facts(), *parts, registry); },
          .run = run};
}

}  // namespace thalweg::cli

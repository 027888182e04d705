#include "run/config.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "device/gpu.hpp"
#include "options/differences.hpp"
#include "options/error.hpp"
#include "options/overloaded.hpp"
#include "options/text.hpp"
#include "run/sections.hpp"
#include "run/trained_part.hpp"
#include "run/width_rates.hpp"

namespace thalweg {

OptionValue OptionForm<BatchSize>::write(const BatchSize& size) {
  return size.rows == 0 ? OptionValue{"all"} : OptionValue{size.rows};
}

std::optional<BatchSize> OptionForm<BatchSize>::read(const OptionValue& value) {
  if (const auto* text = value.get_if<std::string>())
    return *text == "all" ? std::optional(BatchSize{0}) : std::nullopt;
  const auto* rows = value.get_if<std::int64_t>();
  return rows && *rows >= 1 ? std::optional(BatchSize{*rows}) : std::nullopt;
}

Fields TrainOptions::fields() {
  const Range count{.low = 1};
  return {
      {"epochs", &epochs, "passes over the training rows", count},
      {"steps", &steps, "number of steps, in place of epochs; 0: epochs decide", not_negative},
      {"batch_size", &batch_size, "rows per step; 1 is stochastic descent, all is gradient descent"},
      {"shard_size", &shard_size, "rows per shard of the batch; 0: chosen from batch and model", not_negative},
      {"accumulate", &accumulate, "batches per step", count},
      {"shuffle", &shuffle, "a new order each epoch"},
      {"early_stopping", &early_stopping, "false, or { metric, patience, restore_best }"},
      {"checkpoint_every", &checkpoint_every, "how often a checkpoint is written", positive},
      {"keep_checkpoints", &keep_checkpoints, "how many are kept", count},
      {.name = "memory",
       .place = &memory,
       .doc = "values kept for the backward pass: all (keep), all but those that are recomputed at no cost (fast), or "
              "all but those that are cheap to recompute (lean); the result is the same",
       .choices = {"keep", "fast", "lean"}},
      {.name = "precision",
       .place = &precision,
       .doc = "how the values of a step are stored: all in f32; or inputs and results of matrix products, convolutions "
              "and attention in bf16, rounded to 8 significant bits. Parameters, their gradients, sums and losses stay "
              "f32, and evaluation and predictions use f32",
       .choices = {"f32", "bf16"}},
      {"layer_norms", &layer_norms, "record the norm of each layer's gradient: the report draws them"},
      {"budget", &budget,
       "\"2 h\", \"30 min\", \"90 s\", or \"$50\" at the price: the run stops when the budget is spent, or earlier if "
       "two looks in a row find that it diverged or is no better than a constant; \"\" is none"},
      {"price", &price, "price of the machine in dollars per hour", not_negative},
      {"threads", &threads, "0 is THALWEG_THREADS, or every core; the result is the same for any number", not_negative},
      {"device", &device, "where steps are computed: cpu, cuda, or cuda:1 for the second GPU (thalweg devices)"},
      {"tf32", &tf32, "whether a GPU may round what products of f32 read to TF32, 11 significant bits"},
  };
}

namespace {

/// A shell expands "$50" to the number 0, which gets the same error message.
[[noreturn]] void refuse_budget(const OptionValue& budget) {
  fail_option("budget",
              "[train] budget = {}. Wanted: hours, minutes or seconds (\"2 h\", \"30 min\", \"90 s\") or dollars "
              "(\"$50\"), above 0. Hint: in a shell use single quotes: --set 'train.budget=$50'.",
              budget.str());
}

}  // namespace

std::optional<double> TrainOptions::allowed_seconds() const {
  if (budget.empty()) return std::nullopt;
  const auto refuse = [&] { refuse_budget(OptionValue{budget}); };
  const bool money = budget.front() == '$';
  const std::size_t end = money ? budget.size() : budget.find_first_not_of("0123456789.");
  const auto amount = parse_number(std::string_view(budget).substr(money ? 1 : 0, end - (money ? 1 : 0)));
  if (!amount || !(*amount > 0) || !std::isfinite(*amount)) refuse();
  if (money) {
    if (price > 0) return *amount / price * 3600;
    fail_option("price", "[train] budget = \"{}\" needs price, the dollars an hour that the machine costs.", budget);
  }
  const std::size_t unit = end == std::string::npos ? end : budget.find_first_not_of(' ', end);
  const std::string_view name = unit == std::string::npos ? "" : std::string_view(budget).substr(unit);
  if (name != "h" && name != "min" && name != "s") refuse();
  return *amount * (name == "h" ? 3600 : name == "min" ? 60 : 1);
}

Fields InsightOptions::fields() {
  return {
      {"every", &every, "how often a look is due, \"1 epoch\"; 0 steps is never", not_negative},
      {"largest", &largest, "also compute the largest eigenvalue of the Hessian at each look: about twenty products"},
      {"budget",
       &budget,
       "fraction of the time that looks may take; a look that would exceed it is left out",
       {.low = 0, .high = 1, .low_open = true}},
  };
}

Fields early_stopping_fields(EarlyStopping& options) {
  return {
      {"metric", &options.metric, "the watched metric; lower is better for losses and errors, higher for all others"},
      {"patience", &options.patience, "how long the metric may stay without a new best value", positive},
      {"restore_best", &options.restore_best, "restore the parameters of the best epoch at the end"},
  };
}

namespace {

bool is_off(const OptionValue& value) {
  const auto* b = value.get_if<bool>();
  return b && !*b;
}

std::optional<EarlyStopping> read_early_stopping(const OptionValue& value) {
  if (is_off(value)) return std::nullopt;
  EarlyStopping result;
  if (const auto* b = value.get_if<bool>(); b && *b) return result;
  const auto* map = value.get_if<OptionMap>();
  if (!map) {
    fail_option("early_stopping",
                "[train] early_stopping = {}. Wanted: false, or {{ metric = \"validation.loss\", patience = \"3 "
                "epochs\" }}",
                value.str());
  }
  in_option("early_stopping", [&] { read_fields(early_stopping_fields(result), *map, "train.early_stopping"); });
  return result;
}

/// The sections of a file; each is read separately, so that an error can name its line.
struct Sections {
  std::int64_t seed = 1;
  OptionMap data, model, loss, optimizer, schedule, train, insight, system;

  Fields fields() {
    return {{"seed", &seed, "seed of every random number", not_negative},
            {"data", &data, "where the data is and what it means"},
            {"model", &model, "what is trained"},
            {"loss", &loss, "what is minimised"},
            {"system", &system, "what is trained, in place of model and loss"},
            {"optimizer", &optimizer, "how it steps"},
            {"schedule", &schedule, "how the rate changes over the run"},
            {"train", &train, "how long, and in which batches"},
            {"insight", &insight, "looks at the run while it trains"}};
  }
};

Sections sections_of(const OptionMap& tree) {
  Sections sections;
  read_fields(sections.fields(), tree, "config");
  return sections;
}

Sections read_sections(const ConfigTree& tree) {
  return with_line(tree, "", [&] { return sections_of(tree.values); });
}

bool has_option(const OptimizerRow& row, std::string_view name) {
  return std::ranges::find(row.options, name, &OptionDoc::name) != row.options.end();
}

/// Whether the section has `lr = "auto"`; if so, replaces it by a placeholder number.
bool take_auto_lr(OptionMap& optimizer) {
  const auto lr = optimizer.find("lr");
  const auto* text = lr == optimizer.end() ? nullptr : lr->second.get_if<std::string>();
  if (!text || *text != "auto") return false;
  lr->second = {1e-3};
  return true;
}

/// `lr` of a method that has no rate is that of the method that it wraps.
void pass_rate_on(const OptimizerRow& row, OptionMap& options) {
  const auto lr = options.find("lr");
  if (lr == options.end() || has_option(row, "lr")) return;
  const OptionValue rate = lr->second;
  if (set_rate(row, options, rate)) options.erase("lr");
}

/// Merges the user's options with the defaults; defaults for one kind do not apply to another.
Choice choose(OptionMap chosen, OptionMap defaults, std::string_view where) {
  const std::string default_kind = take_kind(defaults, where, "");
  Choice choice{take_kind(chosen, where, default_kind), std::move(chosen)};
  if (choice.kind == default_kind) choice.options.merge(std::move(defaults));
  return choice;
}

OptionValue absolute(const OptionValue& place, const std::filesystem::path& folder) {
  if (const auto* path = place.get_if<std::string>()) {
    return path->empty() ? place : OptionValue{(folder / *path).lexically_normal().string()};
  }
  if (const auto* pair = place.get_if<OptionMap>()) {
    OptionMap result;
    for (const auto& [key, path] : *pair) result[key] = absolute(path, folder);
    return {std::move(result)};
  }
  if (const auto* list = place.get_if<OptionList>()) {
    OptionList result;
    for (const OptionValue& path : *list) result.push_back(absolute(path, folder));
    return {std::move(result)};
  }
  return place;
}

void check_places(const DataOptions& data, const ReaderRow& reader) {
  const auto check = [&](std::string_view key, const OptionValue& place, bool needed) {
    const auto* path = place.get_if<std::string>();
    const bool unset = path && path->empty();
    if (reader.takes(place) || (unset && !needed)) return;
    fail_option(key, "[data] {} = {}. Wanted: {}", key, place.str(),
                reader.place.empty() ? "nothing, because the format \"none\" reads no data" : reader.place);
  };
  check("train", data.train, !reader.place.empty());
  check("test", data.test, false);
  const auto* fraction = data.validation.get_if<double>();
  if (!fraction) check("validation", data.validation, true);
  if (fraction && !(*fraction >= 0 && *fraction < 1)) {
    fail_option("validation", "[data] validation = {}. Wanted: in [0, 1), or a path", *fraction);
  }
}

/// The reader that the section names, otherwise the first that accepts the training data.
const ReaderRow& reader_for(const OptionMap& section) {
  if (const auto format = section.find("format"); format != section.end()) {
    const auto* name = format->second.get_if<std::string>();
    if (!name) fail_option("format", "[data] format = {}. Wanted: a name in quotes", format->second.str());
    return reader_named(*name);
  }
  const auto train = section.find("train");
  const auto takes = [&](const ReaderRow& row) { return train != section.end() && row.takes(train->second); };
  const auto found = std::ranges::find_if(readers(), takes);
  return found == readers().end() ? readers().front() : *found;
}

/// Keys that name the run from which a system starts. The user gives them only once: the reader then takes the words or
/// tokens of the same run.
constexpr std::string_view shared_keys[] = {"encoder", "gpt"};

}  // namespace

DataOptions read_data_options(const ConfigTree& tree, const std::filesystem::path& folder) {
  const Sections sections = read_sections(tree);
  return with_line(tree, "data", [&] {
    // a system reads data, or makes its own rows
    const bool no_data = sections.data.empty() && !sections.system.empty();
    const ReaderRow& reader = no_data ? reader_named("none") : reader_for(sections.data);
    DataOptions data{.format = std::string(reader.name)};
    OptionMap keys = sections.data;
    for (const std::string_view shared : shared_keys) {
      const bool reads = std::ranges::find(reader.options, shared, &OptionDoc::name) != reader.options.end();
      const auto said = sections.system.find(std::string(shared));
      if (reads && said != sections.system.end()) keys.insert(*said);
      const auto own = keys.find(std::string(shared));
      auto* run = reads && own != keys.end() ? own->second.get_if<std::string>() : nullptr;
      if (run && !run->empty()) *run = std::filesystem::absolute(*run).lexically_normal().string();
    }
    reader.read_options(keys, data);
    if (const auto* none = data.validation.get_if<std::int64_t>()) {
      data.validation = {static_cast<double>(*none)};
    }
    check_places(data, reader);
    for (OptionValue* place : {&data.train, &data.test, &data.validation}) *place = absolute(*place, folder);
    return data;
  });
}

namespace {

/// Applies the defaults of a system: with another kind they replace the whole section, otherwise key by key.
void prefer(Sections& defaults, const SystemRow& row) {
  for (const Field& field : defaults.fields()) {
    const auto own = row.defaults.find(std::string(field.name));
    if (own == row.defaults.end()) continue;
    field.place.visit(Overloaded{[&](OptionMap* section) {
                                   OptionMap values = *own->second.get_if<OptionMap>();
                                   if (!values.contains("kind")) values.merge(std::move(*section));
                                   *section = std::move(values);
                                 },
                                 [](const auto&) {}});
  }
}

Choice read_system(Sections& own, Sections& defaults, const Registry& registry) {
  if (!own.model.empty() || !own.loss.empty())
    fail_option("kind", "[system] and [{}] are both set. Wanted: only one; a system has its own model and loss",
                own.model.empty() ? "loss" : "model");
  Choice choice{take_kind(own.system, "system", ""), own.system};
  if (choice.kind.empty()) fail_option("kind", "[system] has no kind. Hint: thalweg list systems");
  const SystemRow& row = registry.system(choice.kind);
  choice.options = row.complete(with_part_sizes(row, std::move(choice.options)));
  prefer(defaults, row);
  return choice;
}

}  // namespace

namespace {

/// Empty if it names no path.
std::string kind_in(const OptionMap& section) {
  const auto found = section.find("kind");
  const auto* kind = found == section.end() ? nullptr : found->second.get_if<std::string>();
  return kind ? *kind : std::string();
}

/// A linear model of a table in memory has a single minimum, so it is fitted by L-BFGS, without a rate, unless an
/// option concerns steps. (Linearly separable classes have no minimum: there the best epoch is kept.) Sets the defaults
/// for a method that owns its steps: all rows, and no schedule.
void prefer_method(const Sections& own, Sections& defaults, const DataFacts& facts, const Registry& registry,
                   bool system) {
  const auto says = [](const OptionMap& section, std::string_view key) { return section.contains(std::string(key)); };
  constexpr std::int64_t most_rows = 200'000;
  const bool silent = own.optimizer.empty() && own.schedule.empty() && !says(own.train, "epochs") &&
                      !says(own.train, "steps") && !says(own.train, "batch_size") && !says(own.train, "accumulate");
  const bool linear = !system && facts.table && facts.rows <= most_rows && kind_in(own.model) == "linear" && silent;
  if (linear) {
    defaults.optimizer = {{"kind", "lbfgs"}};
    defaults.train["epochs"] = {std::int64_t{500}};
    if (facts.task == data::Task::regression) defaults.train["early_stopping"] = {false};
  }
  const std::string kind = linear ? "lbfgs" : kind_in(own.optimizer);
  const auto row = std::ranges::find(registry.optimizers(), kind, &OptimizerRow::name);
  if (row == registry.optimizers().end() || !row->owns_steps) return;
  if (!own.schedule.empty() && kind_in(own.schedule) != "constant")
    fail_option("kind", "[schedule] is set with {}, which finds the length of each step itself. Wanted: no schedule",
                kind);
  defaults.schedule = {{"kind", "constant"}};
  defaults.train["batch_size"] = {"all"};
}

/// The kind of model if the configuration does not name one: that of the default, which is empty, unless a perceptron
/// is the only kind with all the given options.
std::string kind_by_options(const OptionMap& model, const Registry& registry) {
  if (!kind_in(model).empty() || model.empty()) return kind_in(model);
  const auto has_all = [&](const std::string& kind) {
    const std::vector<OptionDoc>& known = registry.model(kind).options;
    return std::ranges::all_of(model, [&](const auto& option) {
      return std::ranges::find(known, option.first, &OptionDoc::name) != known.end();
    });
  };
  return !has_all("tabular") && has_all("mlp") ? "mlp" : "";
}

/// Throws where a method that has no default rate is given none.
void expect_rate(const OptimizerRow& row, const OptionMap& options) {
  const auto lr = std::ranges::find(row.options, "lr", &OptionDoc::name);
  const double* const initial = lr == row.options.end() ? nullptr : lr->initial.get_if<double>();
  if (initial == nullptr || *initial != 0 || options.contains("lr")) return;
  fail_option("kind", "[optimizer] {} has no default learning rate. Hint: lr = 0.1, or another number (--lr 0.1)",
              row.name);
}

}  // namespace

bool set_rate(const OptimizerRow& row, OptionMap& options, const OptionValue& lr) {
  if (has_option(row, "lr")) {
    options["lr"] = lr;
    return true;
  }
  for (const OptionDoc& doc : row.options) {
    const auto* inner = doc.initial.get_if<OptionMap>();
    if (!inner || !inner->contains("kind")) continue;
    OptionValue& wrapped = options.try_emplace(doc.name, doc.initial).first->second;
    auto* map = wrapped.get_if<OptionMap>();
    if (map) (*map)["lr"] = lr;
    return map != nullptr;
  }
  return false;
}

Config read_config(const ConfigTree& tree, DataOptions data, const DataFacts& facts, const Registry& registry) {
  Sections own = read_sections(tree);
  Sections defaults = sections_of(default_config(facts, kind_by_options(own.model, registry)));
  Config config;
  config.seed = static_cast<std::uint64_t>(own.seed);
  config.data = std::move(data);
  const bool system = tree.find("system") != nullptr;
  prefer_method(own, defaults, facts, registry, system);
  if (system) with_line(tree, "system", [&] { config.system = read_system(own, defaults, registry); });
  if (!system)
    with_line(tree, "model", [&] {
      config.model = choose(own.model, defaults.model, "model");
      config.model.options = registry.model(config.model.kind).make(facts.outputs, config.model.options).second;
    });
  if (!system)
    with_line(tree, "loss", [&] {
      config.loss = choose(own.loss, defaults.loss, "loss");
      config.loss.options = registry.loss(config.loss.kind).make(config.loss.options).options();
    });
  with_line(tree, "schedule", [&] {
    config.schedule = choose(own.schedule, defaults.schedule, "schedule");
    config.schedule.options = registry.schedule(config.schedule.kind).make(config.schedule.options).options();
  });
  with_line(tree, "optimizer", [&] {
    config.auto_lr = take_auto_lr(own.optimizer);
    config.optimizer = choose(own.optimizer, defaults.optimizer, "optimizer");
    pass_rate_on(registry.optimizer(config.optimizer.kind), config.optimizer.options);
    expect_rate(registry.optimizer(config.optimizer.kind), config.optimizer.options);
    config.optimizer.options = config.make_optimizer(registry).options;
  });
  with_line(tree, "train", [&] {
    const bool validates = !config.data.validation.holds<double>() || config.data.held_out() > 0;
    if (!validates) defaults.train.erase("early_stopping");
    own.train.merge(std::move(defaults.train));
    if (const auto budget = own.train.find("budget"); budget != own.train.end() && !budget->second.holds<std::string>())
      refuse_budget(budget->second);
    read_fields(config.train.fields(), own.train, "train");
    if (!is_device_name(config.train.device))
      fail_option("device", "[train] device = {}. {}", OptionValue{config.train.device}.str(), wanted_devices);
    (void)config.train.allowed_seconds();
    if (auto stopping = read_early_stopping(config.train.early_stopping)) {
      config.train.early_stopping = {field_values(early_stopping_fields(*stopping))};
    }
  });
  with_line(tree, "insight", [&] {
    read_fields(config.insight.fields(), own.insight, "insight");
    if (system && config.insight.every.amount > 0)
      fail_option("every", "[insight] is set for a system, which has several objectives. Wanted: a model and a loss");
  });
  return config;
}

Optimizer Config::make_optimizer(const Registry& registry) const {
  Optimizer result = registry.optimizer(optimizer.kind).make(optimizer.options);
  result.schedule = registry.schedule(schedule.kind).make(schedule.options);
  if (has_system()) return result;
  if (const auto& scaling = registry.model(model.kind).scaling) add_width_rates(result, scaling(model.options));
  return result;
}

void Config::set_lr(double lr, const Registry& registry) {
  set_rate(registry.optimizer(optimizer.kind), optimizer.options, {lr});
  auto_lr = false;
}

FitOptions Config::fit_options() const {
  return {.epochs = train.epochs,
          .steps = train.steps,
          .batch_size = train.batch_size.rows,
          .shard_size = train.shard_size,
          .accumulate = train.accumulate,
          .memory = train.memory == "lean"   ? Memory::lean
                    : train.memory == "keep" ? Memory::keep
                                             : Memory::fast,
          .precision = train.precision == "bf16" ? Precision::bf16 : Precision::single,
          .layer_norms = train.layer_norms,
          .shuffle = train.shuffle,
          .seed = seed,
          .early_stopping = read_early_stopping(train.early_stopping),
          .checkpoint_every = train.checkpoint_every,
          .keep_checkpoints = train.keep_checkpoints,
          .fingerprint = fingerprint()};
}

namespace {

/// Sorts the keys: those of `order` first, then the others by name.
void write_section(std::string& out, std::string_view name, OptionMap values, const std::vector<std::string>& order) {
  out += fmt::format("\n[{}]\n", name);
  const auto write = [&](const std::string& key, const OptionValue& value) {
    out += fmt::format("{} = {}\n", key, value.str());
  };
  for (const std::string& key : order) {
    if (const auto value = values.extract(key)) write(key, value.mapped());
  }
  for (const auto& [key, value] : values) write(key, value);
}

std::vector<std::string> names_of(const Fields& fields) {
  std::vector<std::string> names;
  for (const Field& field : fields) names.emplace_back(field.name);
  return names;
}

OptionMap section_of(Choice choice) {
  choice.options["kind"] = {std::move(choice.kind)};
  return std::move(choice.options);
}

void flatten(const OptionMap& map, const std::string& prefix, FlatOptions& flat) {
  for (const auto& [key, value] : map) {
    if (const auto* inner = value.get_if<OptionMap>()) {
      flatten(*inner, prefix + key + ".", flat);
    } else {
      flat[prefix + key] = value.str();
    }
  }
}

/// Every key and its value, except keys that cannot change the result.
FlatOptions decisive(const Config& config) {
  FlatOptions flat;
  flatten(config.tree(), "", flat);
  for (const char* key : {"train.threads", "train.device", "train.tf32", "train.memory", "train.checkpoint_every",
                          "train.keep_checkpoints", "train.layer_norms", "train.budget", "train.price", "insight.every",
                          "insight.largest", "insight.budget"})
    flat.erase(key);
  return flat;
}

}  // namespace

OptionMap Config::tree() const {
  Config copy = *this;  // a copy, because the fields point to members that can be written
  OptionMap data_section = field_values(copy.data.fields());
  data_section.merge(copy.data.own);
  if (auto_lr) copy.optimizer.options["lr"] = {"auto"};
  OptionMap sections = {{"seed", {seed}},
                        {"data", {std::move(data_section)}},
                        {"optimizer", {section_of(copy.optimizer)}},
                        {"schedule", {section_of(schedule)}},
                        {"train", {field_values(copy.train.fields())}},
                        {"insight", {field_values(copy.insight.fields())}}};
  if (has_system()) {
    sections["system"] = {section_of(system)};
  } else {
    sections["model"] = {section_of(model)};
    sections["loss"] = {section_of(loss)};
  }
  return sections;
}

std::string Config::toml() const {
  OptionMap sections = tree();
  std::string out = fmt::format("seed = {}\n", sections.at("seed").str());
  const auto write = [&](const char* name, const std::vector<std::string>& order) {
    write_section(out, name, std::move(*sections.at(name).get_if<OptionMap>()), order);
  };
  Config copy = *this;
  std::vector<std::string> data_keys = names_of(copy.data.fields());
  for (const OptionDoc& own : reader_named(data.format).options) data_keys.push_back(own.name);
  write("data", data_keys);
  for (const char* section : {"system", "model", "loss", "optimizer", "schedule"}) {
    if (sections.contains(section)) write(section, {"kind"});
  }
  write("train", names_of(copy.train.fields()));
  write("insight", names_of(copy.insight.fields()));
  return out;
}

std::string Config::fingerprint() const {
  FlatOptions flat = decisive(*this);
  if (train.precision == "f32") flat.erase("train.precision");  // as in runs of versions without this option
  return lines_of(flat);
}

std::vector<std::string> differences(const Config& before, const Config& after) {
  return differences(decisive(before), decisive(after));
}

}  // namespace thalweg

// The state that engines train: the parameters that their objectives declare, and which objective trains each.

#include <algorithm>
#include <cstring>
#include <list>

#include "core/error.hpp"
#include "core/name_index.hpp"
#include "engine/engine.hpp"
#include "engine/entries.hpp"
#include "nn/init.hpp"

namespace thalweg {

namespace {

/// A parameter, and the objectives that train it, by their number among all.
struct Declared {
  TracedParameter parameter;
  std::vector<std::size_t> trained_by = {};
};

class Declarations {
 public:
  Declarations(const Dataset& data, DType dtype) : data_(data), dtype_(dtype) {}

  void add(Engine& engine) {
    traces_.push_back(engine.trace(data_, Mode::train, dtype_));
    const TracedObjective& traced = traces_.back();
    for (const TracedParameter& p : traced.parameters) {
      if (!p.average) add(p);
    }
    for (std::size_t i = 0; i < engine.size(); ++i) {
      if (!traced.of(i).loss.sum.defined())
        fail<UsageError>("[train] there is no loss: {}",
                         data_.has("target") ? "the objective returned none" : "the data has no column 'target'");
      note_trained(engine, i, traced);
    }
  }

  [[nodiscard]] Layout layout(bool complete) const {
    Layout layout;
    layout.dtype = dtype_;
    for (const std::vector<std::size_t>& group : groups()) {
      const bool first = layout.size == 0;
      put(layout, [&](const Declared& d) { return d.trained_by == group && d.parameter.options.decay; });
      if (first) layout.decayed_size = layout.size;
      put(layout, [&](const Declared& d) { return d.trained_by == group && !d.parameter.options.decay; });
    }
    if (layout.size == 0)
      fail<UsageError>("[train] there is nothing to train: no parameter is declared, or all are frozen.");
    const std::vector<ParameterEntry> trained = layout.entries;
    const auto is_left = [](const Declared& d) { return d.trained_by.empty() && !d.parameter.options.frozen; };
    if (complete) expect_none(is_left);
    put(layout, is_left);  // another step may train these
    layout.trained_size = layout.size;
    put(layout, [](const Declared& d) { return d.parameter.options.frozen && !d.parameter.statistic; });
    for (std::size_t objective = 0; objective < averages_.size(); ++objective) {
      for (const std::string& average : averages_[objective]) put_average(layout, average, objective, trained);
    }
    const std::int64_t before = layout.size;
    put(layout, [](const Declared& d) { return d.parameter.statistic; });
    layout.statistics_size = layout.size - before;
    return layout;
  }

  [[nodiscard]] const std::vector<Declared>& all() const { return declared_; }

 private:
  void add(const TracedParameter& p) {
    const auto known = numbers_.find(p.name);
    if (!known) {
      numbers_.add(p.name);
      declared_.push_back({p});
      return;
    }
    const TracedParameter& before = declared_[*known].parameter;
    const auto refuse = [&](std::string_view what, const auto& one, const auto& other) {
      fail<UsageError>("[train] '{}' is {} {} in one objective and {} in another", p.name, what, one, other);
    };
    if (before.statistic != p.statistic) refuse("a statistic:", before.statistic, p.statistic);
    if (before.options.frozen != p.options.frozen) refuse("frozen:", before.options.frozen, p.options.frozen);
    if (before.var.shape() != p.var.shape()) refuse("of shape", before.var.shape(), p.var.shape());
  }

  void note_trained(const Engine& engine, std::size_t objective, const TracedObjective& traced) {
    const std::size_t number = averages_.size();
    averages_.emplace_back();
    for (const MovingAverage& average : engine.options(objective).averages) averages_.back().push_back(average.name);
    bool any = false;
    const std::vector<char> needed = needed_by(*traced.graph, traced.of(objective).loss.sum);
    for (const TracedParameter& p : traced.parameters) {
      if (!engine.trains(objective, p)) continue;
      any = true;
      if (!p.options.optional && !at(needed, p.var.index())) {
        const std::string whose = engine.name(objective).empty() ? "" : fmt::format(" of '{}'", engine.name(objective));
        fail<UsageError>(
            "[train] the loss{} does not depend on the parameter '{}'. Hint: use it, or declare it with "
            "{{.optional = true}} or {{.frozen = true}}.",
            whose, p.name);
      }
      declared_[*numbers_.find(p.name)].trained_by.push_back(number);
    }
    const Patterns& trains = engine.options(objective).trains;
    if (!any && !trains.everything()) {
      fail<UsageError>("[train] objective '{}': no parameter that it declares fits {}", engine.name(objective),
                       trains.str());
    }
  }

  template <class Which>
  void expect_none(const Which& is_left) const {
    const auto left = std::ranges::find_if(declared_, is_left);
    if (left == declared_.end()) return;
    fail<UsageError>(
        "[train] no objective trains the parameter '{}'. Hint: a pattern in .trains that fits it, or declare it with "
        "{{.frozen = true}}.",
        left->parameter.name);
  }

  /// The sets of objectives that train a parameter, in an order in which the parameters of each set are adjacent: sets
  /// with the first objective come first.
  [[nodiscard]] std::vector<std::vector<std::size_t>> groups() const {
    std::vector<std::vector<std::size_t>> groups;
    for (std::size_t objective = 0; objective < averages_.size(); ++objective) {
      for (const Declared& d : declared_) {
        const bool mine = std::ranges::find(d.trained_by, objective) != d.trained_by.end();
        if (mine && std::ranges::find(groups, d.trained_by) == groups.end()) groups.push_back(d.trained_by);
      }
    }
    return groups;
  }

  template <class Which>
  void put(Layout& layout, const Which& which) const {
    for (const Declared& d : declared_) {
      if (!which(d)) continue;
      const TracedParameter& p = d.parameter;
      layout.entries.push_back(
          {p.name, p.var.shape(), layout.size, p.options.frozen, p.options.optional, p.options.decay, p.statistic});
      layout.size += p.var.size();
    }
  }

  /// In the order of the parameters that the objective trains, so that one pass updates the average.
  void put_average(Layout& layout, const std::string& average, std::size_t objective,
                   const std::vector<ParameterEntry>& trained) const {
    if (average.empty() || average.find('/') != std::string::npos)
      fail<UsageError>("[average] '{}'. Wanted: a name, which is not empty and has no '/'", average);
    NameIndex taken;
    for (const ParameterEntry& entry : layout.entries) taken.add(entry.name);
    for (const ParameterEntry& entry : trained) {
      const Declared& d = declared_[*numbers_.find(entry.name)];
      if (std::ranges::find(d.trained_by, objective) == d.trained_by.end()) continue;
      const std::string name = average + "/" + entry.name;
      if (taken.find(name))
        fail<UsageError>("[average] '{}' is there already. Hint: give each moving average a name of its own.", name);
      layout.entries.push_back(
          {.name = name, .shape = entry.shape, .offset = layout.size, .frozen = true, .decay = false, .average = true});
      layout.size += entry.shape.size();
      layout.averages_size += entry.shape.size();
    }
  }

  const Dataset& data_;
  DType dtype_;
  std::vector<Declared> declared_;
  NameIndex numbers_;                               // in declared_
  std::vector<std::vector<std::string>> averages_;  // of each objective
  std::list<TracedObjective> traces_;               // the graphs of the declared Vars
};

}  // namespace

Layout initial_layout(std::span<Engine* const> engines, const Dataset& data, DType dtype, bool complete) {
  Declarations declarations(data, dtype);
  for (Engine* engine : engines) declarations.add(*engine);
  return declarations.layout(complete);
}

State initial_state(std::span<Engine* const> engines, const Dataset& data, std::uint64_t seed, DType dtype,
                    bool complete) {
  Declarations declarations(data, dtype);
  for (Engine* engine : engines) declarations.add(*engine);
  State state;
  const auto layout = std::make_shared<const Layout>(declarations.layout(complete));
  state.layout = layout;
  state.seed = seed;
  state.parameters = Tensor({layout->size}, dtype);
  Workers& workers = engines.front()->crew().workers;
  const Entries entries(*layout);
  const auto values_of = [&](const ParameterEntry& entry) {
    return state.parameters.mutable_raw() + static_cast<std::size_t>(entry.offset) * size_of(dtype);
  };
  for (const Declared& d : declarations.all()) {
    const TracedParameter& p = d.parameter;
    const Tensor values = initial_values(p.options.initializer, p.var.shape(), dtype, seed, p.name, workers);
    std::memcpy(values_of(entries.at(p.name, {p.var.shape(), dtype})), values.raw(), values.bytes());
  }
  for (const ParameterEntry& entry : layout->entries) {
    if (!entry.average) continue;
    const ParameterEntry* of = entries.find(entry.name.substr(entry.name.find('/') + 1));
    std::memcpy(values_of(entry), values_of(*of), static_cast<std::size_t>(entry.shape.size()) * size_of(dtype));
  }
  for (Engine* engine : engines) state = engine->with_slots(std::move(state));
  return state;
}

}  // namespace thalweg

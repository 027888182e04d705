#include "optim/update.hpp"

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "core/mirrored.hpp"
#include "core/random.hpp"
#include "graph/tracing.hpp"
#include "ops/random.hpp"
#include "optim/asks.hpp"
#include "optim/segments.hpp"
#include "optim/total_norm.hpp"
#include "options/nearest_name.hpp"

namespace thalweg {

Var& Update::operator[](std::string_view slot) {
  const auto found = context_->slots->find(slot);
  if (found == context_->slots->end()) {
    fail<UsageError>(
        "[update] the rule asks for the slot '{}', which is not declared. Hint: .slots = {{{{\"{}\", 0.0}}}}.", slot,
        slot);
  }
  return found->second;
}

Var Update::scalar(std::string_view name, double value) { return context_->scalar(name, value); }
Var Update::step() { return context_->step; }
Var Update::normal() { return context_->normal(); }
Var Update::total(const Var& x) { return context_->total(x); }
double Update::decay_factor() const {
  *context_->asks_for_decay = true;
  return context_->decay_factor;
}

Var Update::weight_decay(double value) {
  if (context_->number("weight_decay", value) == 0) return {};
  return decay_factor() == 0 ? Var{} : scalar("weight_decay", value);
}

Var Update::global_norm() {
  return context_->gradient_norm ? *context_->gradient_norm : optim::total_norm(*this, gradient);
}

namespace {

/// What a rule is called on: a segment, or the parts of a layer as rows of one matrix.
struct Unit {
  std::vector<Segment*> parts;
  Shape shape;

  [[nodiscard]] const Segment& first() const { return *parts.front(); }
  /// A value for each part.
  [[nodiscard]] Var joined(Var Segment::*value) const {
    std::vector<Var> rows;
    for (Segment* part : parts) rows.push_back(reshape(part->*value, shape_of(*part)));
    return rows.size() == 1 ? rows.front() : concat(rows);
  }
  void split(const Var& joined, Var Segment::*value) const {
    std::int64_t row = 0;
    for (Segment* part : parts) {
      const std::int64_t rows = parts.size() == 1 ? 0 : part->shape.size() / shape[1];
      part->*value = reshape(parts.size() == 1 ? joined : slice(joined, row, row + rows), part->shape);
      row += rows;
    }
  }

 private:
  [[nodiscard]] Shape shape_of(const Segment& part) const {
    return parts.size() == 1 ? shape : Shape{part.shape.size() / shape[1], shape[1]};
  }
};

/// A transform while it is traced: for each of its units, the slots as they were read and as they will be written.
struct Link {
  const Transform* transform;
  std::string prefix;
  std::vector<Unit> units;
  int first_base = 0;
  std::vector<std::map<std::string, Var, std::less<>>> loaded = {}, slots = {};
  std::vector<std::map<std::string, Place, std::less<>>> places = {};
};

/// A chain and the segments of parameters that it updates.
struct Branch {
  std::vector<Segment*> segments;
  std::vector<Link> links;
};

class UpdateTrace {
 public:
  UpdateTrace(const Optimizer& optimizer, const Layout& layout, std::span<const MovingAverage> averages,
              std::span<const FactoredLayer> layers, bool by_decay, bool may_hold)
      : optimizer_(optimizer), layout_(layout), averages_(averages), layers_(layers) {
    for (std::string_view name : {"step", "inverse_weight", "gradient_norm", "lr", "seed"})
      scalar(std::string(name), 0);
    add_skipped();
    if (may_hold && !result_.skips) {
      result_.go = static_cast<int>(result_.scalars.size());
      condition_ = scalar("go", 1);
    }
    segments_ = segments_of(optimizer, layout, by_decay);
    for (Segment& segment : segments_) {
      const std::string at_offset = "@" + std::to_string(segment.offset);
      const Place at = place(UpdateBases::parameters, segment.offset);
      segment.parameter = input("parameter" + at_offset, segment.shape, at);
      const Var sum =
          input("gradient" + at_offset, segment.shape, place(UpdateBases::gradient, segment.gradient_offset));
      segment.direction = sum * scalars_[scalar_inverse_weight];
    }
    add_branch(optimizer.chain, nullptr);
    for (const ParameterGroup& group : optimizer.groups) {
      if (!group.chain.empty() && !group.frozen) add_branch(group.chain, &group);
    }
    trace_evaluation();
    trace_steps();
  }

  /// Whether any rule treats parameters with weight decay differently from those without.
  [[nodiscard]] bool asks_for_decay() const { return asks_for_decay_; }

  /// Whether the update of each element depends on the same element of the other buffers alone.
  [[nodiscard]] bool can_be_shared() const { return !looks_at_all_ && evaluated_.empty(); }

  UpdateProgram plan(Passes passes, Device& device) {
    check_scalars();
    Passes apart = passes;
    apart.strands = true;  // the updates of different matrices
    result_.program.emplace(graph_, inputs_, outputs_, apart, device);
    if (!evaluated_.empty()) result_.evaluation.emplace(graph_, inputs_, evaluated_, passes, device);
    return std::move(result_);
  }

  TracedUpdate read() {
    return {std::move(owned_graph_), std::move(inputs_), std::move(outputs_), std::move(result_.slots),
            std::move(result_.scalars)};
  }

 private:
  using Rule = UpdateRule Transform::*;

  void trace_steps() {
    std::vector<Var> before;
    for (Segment& segment : segments_) before.push_back(segment.parameter);
    for (Branch& branch : branches_) trace(branch);
    for (std::size_t s = 0; s < segments_.size(); ++s) {
      const Var after = segments_[s].parameter;
      const Var kept = kept_unless(after, before[s]);
      outputs_.push_back({kept, place(UpdateBases::parameters, segments_[s].offset)});
      for (const MovingAverage& average : averages_) move_average(average, segments_[s], before[s], kept);
    }
    for (Branch& branch : branches_) {
      for (Link& link : branch.links) write_slots(link);
    }
    if (skipped_.defined() && condition_.defined()) {
      const Var left_out = cast(where(not_equal(condition_, 0), 0, 1), f64);  // the slot's dtype
      outputs_.push_back({skipped_ + left_out, {UpdateBases::first_slot, 0}});
    }
  }

  /// Adjacent parameters of a segment whose averages are adjacent too.
  struct Piece {
    std::int64_t begin, size, average;  ///< `begin` counts in the segment; `average` is where their average lies
  };
  [[nodiscard]] std::vector<Piece> pieces_of(const MovingAverage& average, const Segment& segment) const {
    std::vector<Piece> pieces;
    for (const ParameterEntry& entry : layout_.entries) {
      const std::int64_t begin = entry.offset - segment.offset, size = entry.shape.size();
      if (entry.frozen || size == 0 || begin < 0 || begin >= segment.shape.size()) continue;
      const std::int64_t at = average_of(layout_, average.name, entry.name).offset;
      if (!pieces.empty() && pieces.back().average + pieces.back().size == at) {
        pieces.back().size += size;
      } else {
        pieces.push_back({begin, size, at});
      }
    }
    return pieces;
  }

  /// a = d a + (1 - d) x, where a is x before the first step. A skipped step does not change the average.
  void move_average(const MovingAverage& average, const Segment& segment, const Var& before, const Var& after) {
    const auto decay = [&](const Var& step) -> Var {
      const Var wanted = graph_.number(average.decay, f64, true);
      return average.warm_up ? minimum((1 + step) / (10 + step), wanted) : wanted;
    };
    for (const auto& [begin, size, at] : pieces_of(average, segment)) {
      const bool whole = size == segment.shape.size();
      const auto part = [&](const Var& x) { return whole ? x : slice(reshape(x, {x.size()}), begin, begin + size); };
      const Place here = place(UpdateBases::parameters, at);
      const Var now = input(average.name + "@" + std::to_string(at), whole ? segment.shape : Shape{size}, here);
      const Var from = where(equal(step_, 1), part(before), now), x = part(after);
      const Var d = decay(step_), next = d * from + (1 - d) * x;
      outputs_.push_back({kept_unless(next, now), here});
    }
  }

  [[nodiscard]] Place place(int base, std::int64_t offset) const {
    return {base, offset * static_cast<std::int64_t>(size_of(layout_.dtype))};
  }

  Var input(const std::string& name, const Shape& shape, Place at) {
    const Var var = graph_.input(name, shape, layout_.dtype);
    inputs_.push_back({var, at});
    return var;
  }

  Var scalar(const std::string& name, double value) {
    for (std::size_t i = 0; i < result_.scalars.size(); ++i) {
      if (result_.scalars[i].name == name) return scalars_[i];
    }
    const Var var = graph_.scalar(name);
    const auto offset = static_cast<std::int64_t>(result_.scalars.size() * sizeof(double));
    inputs_.push_back({var, {UpdateBases::scalars, offset}});
    result_.scalars.push_back({name, value});
    scalars_.push_back(var);
    return var;
  }

  /// Where steps may be skipped, the rules count only the steps that were taken.
  void add_skipped() {
    const auto skips = [](const auto& owner) {
      return std::ranges::any_of(owner.chain, [](const Transform& t) { return static_cast<bool>(t.condition); });
    };
    step_ = scalars_[scalar_step];
    if (!skips(optimizer_) && std::ranges::none_of(optimizer_.groups, skips)) return;
    skipped_ = graph_.scalar("skipped");
    inputs_.push_back({skipped_, {UpdateBases::first_slot, 0}});
    result_.slots.push_back({"skipped", 0, 1, f64});
    result_.skips = true;
    step_ = step_ - skipped_;
  }

  /// Throws where a group with parameters sets a number that no transform of these asks for: it would have no effect.
  void check_scalars() const {
    for (const ParameterGroup& group : optimizer_.groups) {
      const bool is_used = std::ranges::any_of(segments_, [&](const Segment& s) { return s.group == &group; });
      const auto found = asked_.find(&group);
      const std::vector<std::string> names = found == asked_.end() ? std::vector<std::string>{} : found->second;
      for (const auto& [name, value] : group.scalars) {
        if (!is_used || group.frozen || std::ranges::find(names, name) != names.end()) continue;
        fail<UsageError>("[{}] the group '{}' sets {} = {}, which its method does not ask for. Hint: {}",
                         optimizer_.name, group.pattern, name, value,
                         name == "lr" || names.empty() ? "lr_factor, or a method of its own" : name_hint(name, names));
      }
    }
  }

  void add_branch(const std::vector<Transform>& chain, const ParameterGroup* own) {
    Branch branch;
    for (Segment& segment : segments_) {
      const ParameterGroup* theirs = segment.group && !segment.group->chain.empty() ? segment.group : nullptr;
      if (theirs == own) branch.segments.push_back(&segment);
    }
    if (branch.segments.empty()) return;
    for (std::size_t i = 0; i < chain.size(); ++i) {
      std::string prefix = chain[i].name.empty() ? "transform" + std::to_string(i + 1) : chain[i].name;
      if (own) prefix += "[" + own->pattern + "]";
      branch.links.push_back({&chain[i], std::move(prefix), units_of(chain[i], branch.segments)});
      add_slots(branch.links.back());
    }
    branches_.push_back(std::move(branch));
  }

  /// A unit for each segment; a transform that sees layers has the layers first, and then every other segment as a
  /// vector.
  [[nodiscard]] std::vector<Unit> units_of(const Transform& transform, std::vector<Segment*> segments) const {
    std::vector<Unit> units;
    const auto factors = asks_of(optimizer_).factors;
    const bool sees_layers = factors && transform.name == factors->transform;
    if (sees_layers) {
      for (const FactoredLayer& layer : layers_) {
        units.push_back({{take(segments, layer.weight)}, {layer.inputs, layer.outputs}});
        if (!layer.bias.empty()) units.back().parts.push_back(take(segments, layer.bias));
      }
    }
    for (Segment* segment : segments)
      units.push_back({{segment}, sees_layers ? Shape{segment->shape.size()} : segment->shape});
    return units;
  }

  Segment* take(std::vector<Segment*>& segments, std::string_view parameter) const {
    const auto entry = std::ranges::find(layout_.entries, parameter, &ParameterEntry::name);
    const auto found = std::ranges::find(segments, entry->offset, &Segment::offset);
    if (found == segments.end()) defect("the parameter '{}' of a layer is not updated", parameter);
    Segment* segment = *found;
    segments.erase(found);
    return segment;
  }

  void add_slots(Link& link) {
    link.loaded.resize(link.units.size());
    link.places.resize(link.units.size());
    for (const Slot& slot : link.transform->slots) {
      UpdateSlot buffer{link.prefix + "." + slot.name, slot.initial, 0, layout_.dtype};
      for (const UpdateSlot& taken : result_.slots) {
        if (taken.name == buffer.name) {
          fail<UsageError>("[chain] two transforms named '{}'. Hint: give each a name of its own.", link.prefix);
        }
      }
      const int base = UpdateBases::first_slot + static_cast<int>(result_.slots.size());
      if (slot.kind == Slot::Kind::scalar) {
        const Var var = graph_.scalar(buffer.name);
        inputs_.push_back({var, {base, 0}});
        for (auto& loaded : link.loaded) loaded[slot.name] = var;
        link.places[0][slot.name] = {base, 0};
        buffer.size = 1;
        buffer.dtype = f64;
      } else {
        add_pieces(link, slot, base, buffer);
      }
      result_.slots.push_back(std::move(buffer));
    }
    link.slots = link.loaded;
  }

  /// The pieces of a slot lie one after another, in the order of the units.
  void add_pieces(Link& link, const Slot& slot, int base, UpdateSlot& buffer) {
    for (std::size_t s = 0; s < link.units.size(); ++s) {
      const Shape shape = slot.shape ? slot.shape(link.units[s].shape) : link.units[s].shape;
      if (shape.size() == 0) continue;
      const Place at = place(base, buffer.size);
      link.loaded[s][slot.name] = input(buffer.name + "@" + std::to_string(buffer.size), shape, at);
      link.places[s][slot.name] = at;
      buffer.size += shape.size();
    }
  }

  /// Calls a rule on every unit of a link. A sum over all units is known only after every unit has added its part, so
  /// the rule is traced again for each sum that it asks for. Nothing reads the earlier traces, so the planner drops
  /// them.
  std::vector<Var> call(Branch& branch, std::size_t index, Rule rule) {
    Link& link = branch.links[index];
    const std::vector<std::map<std::string, Var, std::less<>>> start = link.slots;
    std::vector<Var> totals;
    while (true) {
      std::vector<Var> results;
      Var missing;
      link.slots = start;
      for (std::size_t s = 0; s < link.units.size(); ++s) {
        std::size_t asked = 0;
        const auto total = [&](const Var& x) {
          looks_at_all_ = true;
          if (asked++ < totals.size()) return totals[asked - 1];
          const Var part = sum(x);
          if (asked == totals.size() + 1) missing = missing.defined() ? missing + part : part;
          return part;
        };
        results.push_back(call_on(link, s, rule, total, rule == &Transform::rule && index == 0));
      }
      if (!missing.defined()) return results;
      totals.push_back(missing);
    }
  }

  Var call_on(Link& link, std::size_t s, Rule rule, std::function<Var(const Var&)> total, bool first) {
    const Unit& unit = link.units[s];
    const Segment& segment = unit.first();
    const ParameterGroup* group = segment.group;
    const auto own_number = [&](std::string_view name) -> const double* {
      if (!group) return nullptr;
      asked_[group].emplace_back(name);
      const auto found = group->scalars.find(std::string(name));
      return found == group->scalars.end() ? nullptr : &found->second;
    };
    UpdateContext context;
    context.slots = &link.slots[s];
    context.scalar = [&](std::string_view name, double value) {
      if (name == "lr")
        return group && group->lr_factor != 1 ? scalars_[scalar_lr] * group->lr_factor : scalars_[scalar_lr];
      const double* own = own_number(name);
      const std::string suffix = own && group->chain.empty() ? "[" + group->pattern + "]" : "";
      return scalar(link.prefix + suffix + "." + std::string(name), own ? *own : value);
    };
    context.number = [&](std::string_view name, double value) {
      const double* own = own_number(name);
      return own ? *own : value;
    };
    context.total = std::move(total);
    if (first) context.gradient_norm = scalars_[scalar_gradient_norm];  // the host computed it already
    context.normal = [&] {
      looks_at_all_ = true;  // random numbers depend on the place among all parameters
      const std::string purpose = link.prefix + "@" + std::to_string(segment.offset);
      const Var origin = graph_.constant(Tensor({1}, i32));
      return random_normal(scalars_[scalar_seed], scalars_[scalar_step], origin, purpose, unit.shape, layout_.dtype);
    };
    context.step = step_;
    context.decay_factor = segment.decay ? 1.0 : 0.0;
    context.asks_for_decay = &asks_for_decay_;
    const Tracing tracing(graph_);
    Update update(context, unit.joined(&Segment::direction), unit.joined(&Segment::parameter));
    return (link.transform->*rule)(update);
  }

  /// Calls a rule, if the transform has it, and stores its results.
  void apply(Branch& branch, std::size_t index, Rule rule, Var Segment::*result) {
    const Link& link = branch.links[index];
    if (!(link.transform->*rule)) return;
    const std::vector<Var> results = call(branch, index, rule);
    for (std::size_t s = 0; s < results.size(); ++s) {
      const Unit& unit = link.units[s];
      if (!(results[s].shape() == unit.shape)) {
        fail<UsageError>("[{}] the rule gives a direction of shape {}, wanted {}", link.prefix, results[s].shape(),
                         unit.shape);
      }
      unit.split(results[s], result);
    }
  }

  void trace(Branch& branch) {
    for (std::size_t i = 0; i < branch.links.size(); ++i) {
      start_copies(branch.links[i]);
      if (branch.links[i].transform->condition) {
        const Var condition = call(branch, i, &Transform::condition).front();
        condition_ = condition_.defined() ? condition_ * condition : condition;
      }
      apply(branch, i, &Transform::rule, &Segment::direction);
    }
    for (Segment* segment : branch.segments) segment->parameter = segment->parameter - segment->direction;
    for (std::size_t i = 0; i < branch.links.size(); ++i) {
      apply(branch, i, &Transform::after, &Segment::parameter);
    }
  }

  /// At the first step, slots that start as a copy of the parameters read the parameters.
  void start_copies(Link& link) {
    for (const Slot& slot : link.transform->slots) {
      if (slot.kind != Slot::Kind::copy) continue;
      for (std::size_t s = 0; s < link.units.size(); ++s) {
        const Var first = equal(step_, 1);
        Var& var = link.slots[s].at(slot.name);
        var = where(first, link.units[s].joined(&Segment::parameter), var);
      }
    }
  }

  Var kept_unless(const Var& next, const Var& now) {
    return condition_.defined() ? where(not_equal(condition_, 0), next, now) : next;
  }

  void write_slots(Link& link) {
    for (std::size_t s = 0; s < link.slots.size(); ++s) {
      for (const auto& [name, at] : link.places[s]) {
        const Var now = link.loaded[s].at(name);
        Var next = link.slots[s].at(name);
        if (next == now) continue;
        next = kept_unless(next, now);
        outputs_.push_back({next.dtype() == now.dtype() ? next : cast(next, now.dtype()), at});
      }
    }
  }

  void trace_evaluation() {
    for (Branch& branch : branches_) {
      for (std::size_t i = 0; i < branch.links.size(); ++i) {
        const Link& link = branch.links[i];
        if (!link.transform->evaluation) continue;
        const std::vector<Var> values = call(branch, i, &Transform::evaluation);
        // each unit is one segment: a transform that sees layers has no rule of evaluation
        for (std::size_t s = 0; s < values.size(); ++s)
          evaluated_.push_back({values[s], place(UpdateBases::evaluated, link.units[s].first().offset)});
        break;
      }
    }
  }

  const Optimizer& optimizer_;
  const Layout& layout_;
  std::span<const MovingAverage> averages_;
  std::span<const FactoredLayer> layers_;
  std::unique_ptr<Graph> owned_graph_ = std::make_unique<Graph>();
  Graph& graph_ = *owned_graph_;
  std::vector<Segment> segments_;
  std::vector<Branch> branches_;
  std::vector<Var> scalars_;
  std::map<const ParameterGroup*, std::vector<std::string>> asked_;  // the numbers that transforms asked a group for
  Var step_, skipped_, condition_;
  std::vector<Bound> inputs_, outputs_, evaluated_;
  UpdateProgram result_;
  bool asks_for_decay_ = false, looks_at_all_ = false;
};

/// Uses as few segments as the rules allow, because each costs at least one kernel.
UpdateTrace traced(const Optimizer& optimizer, const Layout& layout, std::span<const MovingAverage> averages,
                   std::span<const FactoredLayer> layers = {}, bool may_hold = false) {
  UpdateTrace joined(optimizer, layout, averages, layers, false, may_hold);
  if (!joined.asks_for_decay()) return joined;
  return {optimizer, layout, averages, layers, true, may_hold};
}

}  // namespace

namespace {

/// The update of a method that owns its steps: no program, only slots with its point and all that it keeps.
UpdateProgram whole_update(const Optimizer& optimizer, const Layout& layout) {
  UpdateProgram update;
  for (const char* name : {"step", "inverse_weight", "gradient_norm", "lr", "seed"})
    update.scalars.push_back({name, 0});
  const std::int64_t n = layout.trained_size;
  const auto add = [&](std::string_view name, std::int64_t size, DType dtype) {
    update.slots.push_back({optimizer.name + "." + std::string(name), 0, size, dtype});
  };
  add("point", n, f64);
  add("slope", n, f64);
  add("numbers", 3, f64);
  for (const MethodSlot& slot : optimizer.method->slots(Tensor({n}, f64))) {
    if (slot.kept) add(slot.name, slot.size, slot.dtype);
  }
  return update;
}

}  // namespace

UpdateProgram make_update(const Optimizer& optimizer, const Layout& layout, Passes passes,
                          std::span<const MovingAverage> averages, std::span<const FactoredLayer> layers,
                          Device& device) {
  if (owns_steps(optimizer)) return whole_update(optimizer, layout);
  if (optimizer.chain.empty()) fail<UsageError>("[optimizer] an empty chain. Hint: tw::optim::adamw().");
  return traced(optimizer, layout, averages, layers, device.far() != nullptr).plan(passes, device);
}

bool can_be_shared(const Optimizer& optimizer, const Layout& layout) {
  return traced(optimizer, layout, {}).can_be_shared();
}

TracedUpdate trace_update(const Optimizer& optimizer, const Layout& layout) {
  return traced(optimizer, layout, {}).read();
}

void fill_scalars(const UpdateProgram& update, const StepNumbers& numbers, std::span<double> scalars) {
  for (std::size_t i = common_scalars; i < scalars.size(); ++i) {
    const std::string_view name = update.scalars[i].name;
    const bool cycled = numbers.momentum && (name.ends_with(".beta1") || name.ends_with(".momentum"));
    scalars[i] = cycled ? *numbers.momentum : update.scalars[i].value;
  }
  scalars[scalar_step] = static_cast<double>(numbers.step);
  scalars[scalar_inverse_weight] = 1 / numbers.weight;
  scalars[scalar_gradient_norm] = numbers.gradient_norm;
  scalars[scalar_lr] = numbers.lr;
  scalars[scalar_seed] = seed_number(numbers.seed);
}

std::vector<std::pair<std::string, Tensor>> initial_slots(const UpdateProgram& update) {
  std::vector<std::pair<std::string, Tensor>> slots;
  for (const UpdateSlot& slot : update.slots)
    slots.emplace_back(slot.name, full({slot.size}, slot.initial, slot.dtype));
  return slots;
}

Tensor evaluation_parameters(const UpdateProgram& update, const State& state, Workers& workers) {
  return evaluation_parameters(update, state, 0, state.step, workers);
}

namespace {

void evaluate_there(Device& device, const UpdateProgram& update, const State& state, std::size_t first_slot,
                    std::span<const double> scalars, Tensor& parameters) {
  std::vector<BytesThere> read;
  read.reserve(1 + update.slots.size());
  const BytesThere before(device, state.parameters);
  const Block numbers(scalars.size_bytes(), &device), arena(update.evaluation->arena_bytes(), &device);
  device.write(numbers.data(), reinterpret_cast<const std::byte*>(scalars.data()), scalars.size_bytes());
  std::vector<std::byte*> bases = {before.data(), Mirrored::write_there(device, parameters), numbers.data()};
  for (std::size_t i = 0; i < update.slots.size(); ++i)
    bases.push_back(read.emplace_back(device, state.slots[first_slot + i].second).data());
  Workers alone(1);
  update.evaluation->run(bases, arena.data(), alone);
}

}  // namespace

Tensor evaluation_parameters(const UpdateProgram& update, const State& state, std::size_t first_slot, std::int64_t step,
                             Workers& workers) {
  if (!update.evaluation || step == 0) return state.parameters;
  Tensor parameters = state.parameters;
  std::vector<double> scalars(update.scalars.size());
  fill_scalars(update, {.step = step}, scalars);
  if (Device* const far = update.evaluation->far()) {
    evaluate_there(*far, update, state, first_slot, scalars, parameters);
    return parameters;
  }
  const auto read_only = [](const Tensor& t) { return const_cast<std::byte*>(t.raw()); };
  std::vector<std::byte*> bases = {read_only(state.parameters), parameters.mutable_raw(),
                                   reinterpret_cast<std::byte*>(scalars.data())};
  for (std::size_t i = 0; i < update.slots.size(); ++i) bases.push_back(read_only(state.slots[first_slot + i].second));
  const Block arena(update.evaluation->arena_bytes());
  update.evaluation->run(bases, arena.data(), workers);
  return parameters;
}

}  // namespace thalweg

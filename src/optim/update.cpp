#include "optim/update.hpp"

#include <algorithm>

#include "core/error.hpp"

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
Var Update::global_norm() { return context_->global_norm(); }
double Update::decay_factor() const { return context_->decay_factor; }

namespace {

/// A run of the flat block that a rule is traced on: a whole group, or one parameter.
struct Segment {
  std::int64_t offset;
  Shape shape;
  bool decay;
  Var direction = {}, parameter = {};
};

std::vector<Segment> segments_of(const Optimizer& optimizer, const Layout& layout) {
  std::vector<Segment> segments;
  const bool per_parameter = std::ranges::any_of(optimizer.chain, &Transform::per_parameter);
  if (per_parameter) {
    for (const ParameterEntry& entry : layout.entries) {
      if (!entry.frozen) segments.push_back({entry.offset, entry.shape, entry.decay});
    }
  } else {
    if (layout.decayed_size > 0) segments.push_back({0, {layout.decayed_size}, true});
    if (layout.trained_size > layout.decayed_size) {
      segments.push_back({layout.decayed_size, {layout.trained_size - layout.decayed_size}, false});
    }
  }
  return segments;
}

class UpdateTrace {
 public:
  UpdateTrace(const Optimizer& optimizer, const Layout& layout) : optimizer_(optimizer), layout_(layout) {
    for (std::string_view name : {"step", "inverse_weight", "gradient_norm", "lr"}) scalar(std::string(name), 0);
    segments_ = segments_of(optimizer, layout);
    for (Segment& segment : segments_) {
      const std::string at_offset = "@" + std::to_string(segment.offset);
      segment.parameter = input("parameter" + at_offset, segment, UpdateBases::parameters);
      const Var sum = input("gradient" + at_offset, segment, UpdateBases::gradient);
      segment.direction = sum * scalars_[scalar_inverse_weight];
    }
  }

  UpdateProgram run(Passes passes) {
    for (std::size_t i = 0; i < optimizer_.chain.size(); ++i) apply(i);
    for (const Segment& segment : segments_) {
      outputs_.push_back({segment.parameter - segment.direction, place(UpdateBases::parameters, segment)});
    }
    result_.program.emplace(graph_, inputs_, outputs_, passes);
    return std::move(result_);
  }

 private:
  [[nodiscard]] Place place(int base, const Segment& segment) const {
    return {base, segment.offset * static_cast<std::int64_t>(size_of(layout_.dtype))};
  }

  Var input(const std::string& name, const Segment& segment, int base) {
    const Var var = graph_.input(name, segment.shape, layout_.dtype);
    inputs_.push_back({var, place(base, segment)});
    return var;
  }

  Var scalar(const std::string& name, double value) {
    for (std::size_t i = 0; i < result_.scalars.size(); ++i) {
      if (result_.scalars[i].name == name) return scalars_[i];
    }
    const Var var = graph_.scalar(name);
    inputs_.push_back(
        {var, {UpdateBases::scalars, static_cast<std::int64_t>(result_.scalars.size() * sizeof(double))}});
    result_.scalars.push_back({name, value});
    scalars_.push_back(var);
    return var;
  }

  /// The norm of what transform `i` is handed, over all segments.
  Var norm_before(std::size_t i, const std::vector<Var>& directions) {
    if (i == 0) return scalars_[scalar_gradient_norm];  // the step has it already
    Var total;
    for (const Var& direction : directions) {
      const Var squares = sum(square(direction));
      total = total.defined() ? total + squares : squares;
    }
    return sqrt(total);
  }

  void apply(std::size_t index) {
    const Transform& transform = optimizer_.chain[index];
    const std::string prefix = transform.name.empty() ? "transform" + std::to_string(index + 1) : transform.name;
    std::vector<Var> directions;
    for (const Segment& segment : segments_) directions.push_back(segment.direction);
    std::optional<Var> norm;

    std::vector<int> slot_bases;
    for (const Slot& slot : transform.slots) {
      const std::string name = prefix + "." + slot.name;
      for (const auto& [taken, initial] : result_.slots) {
        if (taken == name)
          fail<UsageError>("[chain] two transforms named '{}'. Hint: give each a name of its own.", prefix);
      }
      slot_bases.push_back(UpdateBases::first_slot + static_cast<int>(result_.slots.size()));
      result_.slots.emplace_back(name, slot.initial);
    }
    for (Segment& segment : segments_) {
      std::map<std::string, Var, std::less<>> slots;
      for (std::size_t k = 0; k < transform.slots.size(); ++k) {
        const std::string name = prefix + "." + transform.slots[k].name + "@" + std::to_string(segment.offset);
        slots[transform.slots[k].name] = input(name, segment, slot_bases[k]);
      }
      UpdateContext context{&slots,
                            [&](std::string_view name, double value) {
                              return name == "lr" ? scalars_[scalar_lr]
                                                  : scalar(prefix + "." + std::string(name), value);
                            },
                            [&] {
                              if (!norm) norm = norm_before(index, directions);
                              return *norm;
                            },
                            scalars_[scalar_step], segment.decay ? 1.0 : 0.0};
      Update update(context, segment.direction, segment.parameter);
      segment.direction = transform.rule(update);
      if (!(segment.direction.shape() == segment.shape)) {
        fail<UsageError>("[{}] the rule gives a direction of shape {}, wanted {}", prefix, segment.direction.shape(),
                         segment.shape);
      }
      for (std::size_t k = 0; k < transform.slots.size(); ++k) {
        outputs_.push_back({slots[transform.slots[k].name], place(slot_bases[k], segment)});
      }
    }
  }

  const Optimizer& optimizer_;
  const Layout& layout_;
  Graph graph_;
  std::vector<Segment> segments_;
  std::vector<Var> scalars_;
  std::vector<Bound> inputs_, outputs_;
  UpdateProgram result_;
};

}  // namespace

UpdateProgram make_update(const Optimizer& optimizer, const Layout& layout, Passes passes) {
  if (optimizer.chain.empty()) fail<UsageError>("[optimizer] an empty chain. Hint: tw::optim::adamw().");
  return UpdateTrace(optimizer, layout).run(passes);
}

}  // namespace thalweg

#include "plan/program.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "core/error.hpp"

namespace thalweg {

Program::Program(const Graph& graph, const std::vector<Bound>& inputs, const std::vector<Bound>& outputs, Passes passes,
                 Device& device)
    : far_(device.far()), precision_(passes.precision) {
  const std::vector<int> same_as = simplify(graph, passes.simplify || passes.precision != Precision::single);
  Plan plan = lower(graph, same_as, inputs, outputs, passes, device.alignment());
  store_types(plan, passes.precision);
  find_strands(plan, passes.strands && far_ == nullptr);
  fuse(plan, passes.fuse);
  order(plan, passes.order);
  plan_memory(plan, passes.reuse, device.alignment());
  value_bytes_ = plan.arena_bytes;
  value_bytes_without_reuse_ = plan.arena_bytes_without_reuse;
  make_kernels(plan, passes.compile, device);

  const std::shared_ptr<std::byte[]> constants(device.allocate(plan.constants.size(), "program"), Deallocate{far_});
  device.write(constants.get(), plan.constants.data(), plan.constants.size());
  constants_ = constants;

  for (Instruction& instruction : plan.instructions) {
    Step step{std::move(instruction.kernel), {}, {}, instruction.scratch, {}, std::move(instruction.name), 0,
              instruction.operations,        {}, {}};
    const Item& first = plan.items[instruction.items[0]];
    if (!plan.strands.empty()) {
      step.strand = plan.strands[instruction.items[0]];
      strands_ = std::max(strands_, step.strand.index() + 1);
    }
    for (std::size_t k = 0; k < instruction.inputs.size(); ++k) {
      const PlanValue& value = plan.values[instruction.inputs[k]];
      Place place = *value.place;
      // a tile reads through its view; any other kernel gets the address of the first element
      if (first.kind == ItemKind::opaque) {
        place.offset += first.reads[k].view.offset * static_cast<std::int64_t>(value.element_bytes());
      }
      step.inputs.push_back(place);
      step.bytes += value.bytes();
    }
    for (const ValueId output : instruction.outputs) {
      step.outputs.push_back(*plan.values[output].place);
      step.bytes += plan.values[output].bytes();
      step.results.push_back(plan.values[output]);
      if (plan.values[output].stored == Stored::bf16) ++bf16_values_;
    }
    if (first.node >= 0) step.source = at(graph.node(first.node).source);
    most_operands_ = std::max(most_operands_, step.inputs.size() + step.outputs.size());
    instructions_.push_back(std::move(step));
  }
  std::set<std::pair<int, std::int64_t>> counted;  // many inputs are overwritten by outputs
  for (const std::vector<Bound>* bound : {&inputs, &outputs}) {
    for (const auto& [var, place] : *bound) {
      if (counted.emplace(place.base, place.offset).second) outside_bytes_ += graph.node(var).signature.bytes();
    }
  }
  pointers_at_ = static_cast<std::size_t>(plan.arena_bytes);
  arena_bytes_ = pointers_at_ + (most_operands_ * sizeof(std::byte*) + 63) / 64 * 64;
}

std::byte* Program::address(Place place, std::span<std::byte* const> bases, std::byte* arena) const {
  std::byte* base = place.base == arena_base       ? arena
                    : place.base == constants_base ? const_cast<std::byte*>(constants_.get())
                                                   : at(bases, place.base - first_user_base);
  return base + place.offset;
}

std::byte** Program::pointers_in(std::byte* arena) const {
  if (far_ == nullptr) return reinterpret_cast<std::byte**>(arena + pointers_at_);
  thread_local std::vector<std::byte*> addresses;
  if (addresses.size() < most_operands_) addresses.resize(most_operands_);
  return addresses.data();
}

void Program::run_step(const Step& step, std::span<std::byte* const> bases, std::byte* arena, std::byte** pointers,
                       Workers& workers) const {
  auto** inputs = pointers;
  auto** outputs = inputs + step.inputs.size();
  for (std::size_t k = 0; k < step.inputs.size(); ++k) inputs[k] = address(step.inputs[k], bases, arena);
  for (std::size_t k = 0; k < step.outputs.size(); ++k) outputs[k] = address(step.outputs[k], bases, arena);
  step.kernel.run({outputs, inputs, arena + step.scratch.offset, workers});
}

void Program::run(std::span<std::byte* const> bases, std::byte* arena, Workers& workers) const {
  std::byte** const pointers = pointers_in(arena);
  for (const Step& step : instructions_) run_step(step, bases, arena, pointers, workers);
}

void Program::run_part(std::span<std::byte* const> bases, std::byte* arena, Workers& workers, std::size_t from,
                       std::size_t to) const {
  std::byte** const pointers = pointers_in(arena);
  for (std::size_t i = from; i < to; ++i) run_step(instructions_[i], bases, arena, pointers, workers);
}

std::vector<Program::Written> Program::written_behind(int base) const {
  std::vector<Written> written;
  for (std::size_t i = 0; i < instructions_.size(); ++i) {
    const Step& step = instructions_[i];
    for (const Place read : step.inputs) {
      for (Written& w : written) {
        if (read.base == base && read.offset >= w.begin && read.offset < w.end) w.after = i + 1;
      }
    }
    for (std::size_t k = 0; k < step.outputs.size(); ++k) {
      const Place place = step.outputs[k];
      if (place.base == base)
        written.push_back({place.offset, place.offset + static_cast<std::int64_t>(step.results[k].bytes()), i + 1});
    }
  }
  return written;
}

std::vector<Program::Read> Program::read_behind(int base) const {
  std::vector<Read> read;
  for (std::size_t i = 0; i < instructions_.size(); ++i) {
    for (const Place place : instructions_[i].inputs) {
      if (place.base == base) read.push_back({place.offset, i});
    }
  }
  return read;
}

int Program::lanes(int threads) const {
  constexpr std::int64_t least_a_byte = 4;  // of operations: where products take most of the time
  if (strands_ < 2 || operations() < least_a_byte * bytes_moved()) return 1;
  constexpr std::size_t always = 64 << 20;  // bytes that arenas may take in any case
  const std::size_t with_room = std::max(outside_bytes_, always) / std::max<std::size_t>(arena_bytes_, 1);
  const auto most = std::min(static_cast<std::size_t>(strands_), with_room);
  return static_cast<int>(std::clamp<std::size_t>(most, 1, static_cast<std::size_t>(threads)));
}

std::vector<int> Program::lanes_of_strands(int lanes) const {
  std::vector<std::pair<std::int64_t, int>> strands;  // negative cost, number
  for (int i = 0; i < strands_; ++i) strands.emplace_back(0, i);
  for (const Step& step : instructions_) {
    if (step.strand) at(strands, step.strand.index()).first -= step.operations + static_cast<std::int64_t>(step.bytes);
  }
  std::ranges::sort(strands);
  std::vector<std::int64_t> load(static_cast<std::size_t>(lanes), 0);
  std::vector<int> lane(strands.size(), 0);
  for (const auto& [cost, strand] : strands) {
    const auto least = std::ranges::min_element(load);
    *least -= cost;
    at(lane, strand) = static_cast<int>(least - load.begin());
  }
  // The calling thread takes the first lane, and it alone does not help others when it is done: it gets the most.
  const auto most = static_cast<int>(std::ranges::max_element(load) - load.begin());
  for (int& own : lane) own = own == most ? 0 : own == 0 ? most : own;
  return lane;
}

void Program::bind(Calls& calls, Workers& workers) const {
  const int count = std::clamp(strands_, 1, calls.lanes_);
  const std::vector<int> lanes = lanes_of_strands(count);
  std::vector<std::vector<const Step*>> steps(static_cast<std::size_t>(count));
  for (int lane = 0; lane < count; ++lane) {
    for (const Step& step : instructions_) {
      if (!step.strand || at(lanes, step.strand.index()) == lane) at(steps, lane).push_back(&step);
    }
  }
  const auto arena_of = [&](std::size_t lane) { return calls.arena_ + lane * arena_bytes_; };
  calls.operands_.clear();
  calls.ends_.clear();
  for (std::size_t lane = 0; lane < steps.size(); ++lane) {
    const auto add = [&](Place place) { calls.operands_.push_back(address(place, calls.bases_, arena_of(lane))); };
    for (const Step* step : steps[lane]) {
      std::ranges::for_each(step->inputs, add);
      std::ranges::for_each(step->outputs, add);
    }
  }
  std::byte* const* operands = calls.operands_.data();
  std::vector<std::function<void()>> made;  // all of them, or none
  for (std::size_t lane = 0; lane < steps.size(); ++lane) {
    for (const Step* step : steps[lane]) {
      const Kernel& kernel = step->kernel;
      const KernelCall call{operands + step->inputs.size(), operands, arena_of(lane) + step->scratch.offset, workers};
      made.push_back(kernel.bind ? kernel.bind(call) : [&kernel, call] { kernel.run(call); });
      operands += step->inputs.size() + step->outputs.size();
    }
    calls.ends_.push_back(made.size());
  }
  if (far_ != nullptr) made = {far_->record(std::move(made))};
  calls.calls_ = std::move(made);
}

void Program::Calls::again_in_lanes() const {
  workers_->run(static_cast<std::int64_t>(ends_.size()), [this](std::int64_t lane) {
    const auto own = static_cast<std::size_t>(lane);
    for (std::size_t i = own == 0 ? 0 : ends_[own - 1]; i < ends_[own]; ++i) calls_[i]();
  });
}

bool Program::Calls::are_for(const Program& program, std::span<std::byte* const> bases, const std::byte* arena,
                             const Workers& workers) const {
  if (program_ != &program || arena_ != arena || workers_ != &workers || bases_.size() != bases.size()) return false;
  for (std::size_t i = 0; i < bases.size(); ++i) {  // there are so few that a library call would take longer
    if (bases_[i] != bases[i]) return false;
  }
  return true;
}

void Program::run(std::span<std::byte* const> bases, std::byte* arena, Workers& workers, Calls& known) const {
  if (!known.are_for(*this, bases, arena, workers)) {
    known.program_ = this;
    known.arena_ = arena;
    known.workers_ = &workers;
    known.bases_.assign(bases.begin(), bases.end());
    known.calls_.clear();
    return run(bases, arena, workers);
  }
  if (known.calls_.empty()) bind(known, workers);
  known.again();
}

namespace {
bool all_finite(const std::byte* bytes, const PlanValue& value) {
  const Signature& signature = value.signature;
  for (std::int64_t i = 0; i < signature.shape.size(); ++i) {
    if (value.stored == Stored::bf16) {
      if (!std::isfinite(static_cast<float>(reinterpret_cast<const Bf16*>(bytes)[i]))) return false;
      continue;
    }
    if (signature.dtype == f32 && !std::isfinite(reinterpret_cast<const float*>(bytes)[i])) return false;
    if (signature.dtype == f64 && !std::isfinite(reinterpret_cast<const double*>(bytes)[i])) return false;
  }
  return true;
}
}  // namespace

std::optional<std::string> Program::find_not_finite(std::span<std::byte* const> bases, std::byte* arena,
                                                    Workers& workers) const {
  if (far_ != nullptr) defect("values of a program can be inspected only on this CPU");
  std::byte** const pointers = pointers_in(arena);
  for (const Step& step : instructions_) {
    run_step(step, bases, arena, pointers, workers);
    const auto* const* outputs = pointers + step.inputs.size();
    for (std::size_t k = 0; k < step.results.size(); ++k) {
      if (!all_finite(outputs[k], step.results[k])) return fmt::format("'{}'{}", step.name, step.source);
    }
  }
  return std::nullopt;
}

std::int64_t Program::operations() const {
  std::int64_t total = 0;
  for (const Step& step : instructions_) total += step.operations;
  return total;
}

std::int64_t Program::bytes_moved() const {
  std::int64_t total = 0;
  for (const Step& step : instructions_) total += static_cast<std::int64_t>(step.bytes);
  return total;
}

namespace {
/// " -> bf16 (1024, 192)" for the results of an instruction that are stored in bf16.
std::string stored_in_bf16(const std::vector<PlanValue>& results) {
  std::string text;
  for (const PlanValue& value : results) {
    if (value.stored == Stored::bf16)
      text += fmt::format("{}{}", text.empty() ? " -> bf16 " : ", ", value.signature.shape);
  }
  return text;
}
}  // namespace

std::string Program::explain() const {
  std::string text;
  std::size_t number = 0, moved = 0;
  for (const Step& step : instructions_) {
    text += fmt::format("{:4}  {:>12} B  {}{}\n", ++number, step.bytes, step.name, stored_in_bf16(step.results));
    moved += step.bytes;
  }
  if (precision_ == Precision::bf16) {
    text +=
        fmt::format("{} values are stored in bf16. Products convert what they read to f32, and what they give back.\n",
                    bf16_values_);
  }
  return text + fmt::format("{} instructions move {} bytes. Arena: {} bytes; without reuse {}.\n", instructions_.size(),
                            moved, value_bytes_, value_bytes_without_reuse_);
}

}  // namespace thalweg

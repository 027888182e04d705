#include "engine/kernel_times.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/block.hpp"
#include "core/error.hpp"
#include "core/index.hpp"
#include "kernels/timing.hpp"
#include "ops/table.hpp"

namespace thalweg {

namespace {

constexpr std::size_t line = 64;
constexpr std::size_t most_copies = 64;

std::size_t rounded(std::size_t bytes) { return (bytes + line - 1) / line * line; }

Signature row_of(std::int64_t elements, DType dtype) { return {Shape{std::max<std::int64_t>(1, elements)}, dtype}; }

/// The number of elements from the beginning of a value to the last one that a view reads.
std::int64_t reach(const View& view) {
  std::int64_t last = view.offset;
  for (int axis = 0; axis < view.shape.rank(); ++axis) {
    last += std::max<std::int64_t>(0, (view.shape[axis] - 1) * view.strides[static_cast<std::size_t>(axis)]);
  }
  return last + 1;
}

std::string text_of(const View& view) {
  const auto rank = static_cast<std::size_t>(view.shape.rank());
  return fmt::format("{}/{}+{}", fmt::join(view.shape, "x"), fmt::join(std::span(view.strides).first(rank), ","),
                     view.offset);
}

std::string key_of(const TileProgram& p) {
  std::string key = fmt::format("tiles {} {} {} {}", p.dtype, p.outer, p.reduced, p.inner);
  for (const auto& load : p.loads)
    key += fmt::format(" l{}:{}:{}:{}", load.input, text_of(load.view), load.dtype, static_cast<int>(load.stored));
  for (const auto& step : p.steps) key += fmt::format(" {}({})", step.op->name, fmt::join(step.registers, ","));
  for (const auto& store : p.stores)
    key += fmt::format(" s{}>{}:{}", store.reg, store.output, static_cast<int>(store.stored));
  for (const auto& reduction : p.reductions)
    key += fmt::format(" r{}:{}>{}", reduction.reducer->name, reduction.reg, reduction.output);
  return key;
}

void reach_to(std::vector<Signature>& values, int place, const Signature& value) {
  if (place >= count(values)) values.resize(static_cast<std::size_t>(place) + 1, row_of(1, f32));
  Signature& known = at(values, place);
  if (value.bytes() > known.bytes() || known.dtype != value.dtype) known = value;
}

std::string name_of(const OpKernel& kernel) {
  const auto found = std::ranges::find(all_ops(), &kernel, &Op::kernel);
  return std::string(found == all_ops().end() ? "op" : (*found)->name);
}

}  // namespace

std::size_t NotedKernels::Noted::bytes() const {
  std::size_t sum = 0;
  for (const auto* list : {&inputs, &outputs}) {
    for (const Signature& value : *list) sum += rounded(value.bytes());
  }
  return sum;
}

Kernel NotedKernels::note(const std::string& key, Noted noted) {
  Kernel kernel = noted.kernel;
  const auto [known, is_new] = known_.try_emplace(key, kernels_.size());
  if (is_new) {
    kernels_.push_back(std::move(noted));
  } else {
    ++kernels_[known->second].times;
  }
  return kernel;
}

Kernel NotedKernels::tiles(const TileProgram& program) {
  Noted noted{"elementwise", Device::tiles(program), {}, {}};
  for (const auto& load : program.loads) reach_to(noted.inputs, load.input, row_of(reach(load.view), load.dtype));
  for (const auto& store : program.stores)
    reach_to(noted.outputs, store.output, row_of(program.elements(), program.dtype));
  for (const auto& reduction : program.reductions)  // which may be written in f64
    reach_to(noted.outputs, reduction.output, row_of(program.outer * program.inner, f64));
  return note(key_of(program), std::move(noted));
}

Kernel NotedKernels::copy(const View& view, DType dtype) {
  View from_first = view;  // the kernel gets the address of the first element
  from_first.offset = 0;
  return note(fmt::format("copy {} {}", text_of(from_first), dtype),
              {"copy", Device::copy(view, dtype), {row_of(reach(view), dtype)}, {row_of(view.shape.size(), dtype)}});
}

Kernel NotedKernels::op(const OpKernel& op, const KernelSite& site) {
  const std::string kind = name_of(op);
  std::string key = fmt::format("{} {} {} {}", kind, fmt::ptr(&op), fmt::join(site.ints, ","), site.number);
  Noted noted{kind, Device::op(op, site), {}, {row_of(site.output.shape.size(), site.output.dtype)}};
  for (const Stored stored : site.stored) key += fmt::format(" {}", static_cast<int>(stored));
  key += fmt::format(" {}", static_cast<int>(site.result));
  for (const Signature& input : site.inputs) {
    key += fmt::format(" {}{}", input.dtype, input.shape);
    noted.inputs.push_back(row_of(input.shape.size(), input.dtype));
  }
  return note(key, std::move(noted));
}

namespace {

/// The operands of one thread: a ring of copies.
class Ring {
 public:
  Ring(const NotedKernels::Noted& noted, std::byte* memory, std::size_t copies, std::byte* scratch, Workers& workers) {
    const std::size_t operands = noted.inputs.size() + noted.outputs.size();
    pointers_.reserve(operands * copies);
    for (std::size_t copy = 0; copy < copies; ++copy) {
      const auto place = [&](const Signature& value) {
        pointers_.push_back(memory);
        memory += rounded(value.bytes());
        return pointers_.back();
      };
      std::byte** const first = pointers_.data() + pointers_.size();
      for (const Signature& input : noted.inputs) fill(place(input), input);
      for (const Signature& output : noted.outputs) (void)place(output);
      calls_.push_back({first + noted.inputs.size(), first, scratch, workers});
    }
  }

  [[nodiscard]] const std::vector<KernelCall>& calls() const { return calls_; }

 private:
  /// Fills with numbers near one; integers are zeros, a valid index for every op.
  static void fill(std::byte* into, const Signature& value) {
    const std::int64_t n = value.shape.size();
    const auto fill_with_numbers = [n]<class T>(T* numbers) {
      for (std::int64_t i = 0; i < n; ++i) numbers[i] = static_cast<T>(0.5 + 0.125 * static_cast<double>(i % 7));
    };
    if (value.dtype == f32) {
      fill_with_numbers(reinterpret_cast<float*>(into));
    } else if (value.dtype == f64) {
      fill_with_numbers(reinterpret_cast<double*>(into));
    } else {
      std::memset(into, 0, value.bytes());
    }
  }

  std::vector<std::byte*> pointers_;
  std::vector<KernelCall> calls_;
};

class KernelTimer {
 public:
  KernelTimer(const NotedKernels& noted, std::int64_t at_once, std::size_t memory, bool bound, Workers& workers)
      : at_once_(at_once), memory_(memory), bound_(bound), workers_(workers) {
    std::size_t largest = line, scratch = line;
    for (const auto& one : noted.kernels()) {
      largest = std::max(largest, one.bytes() * copies_of(one));
      scratch = std::max(scratch, one.kernel.scratch);
    }
    for (std::int64_t i = 0; i < at_once_; ++i) {
      rings_.emplace_back(largest);
      scratch_.emplace_back(scratch);
    }
  }

  [[nodiscard]] double seconds(const NotedKernels::Noted& noted) const {
    std::vector<Ring> rings;
    std::vector<std::vector<std::function<void()>>> bound;
    for (std::int64_t i = 0; i < at_once_; ++i) {
      rings.emplace_back(noted, at(rings_, i).data(), copies_of(noted), at(scratch_, i).data(), workers_);
      if (!bound_ || !noted.kernel.bind) continue;
      auto& own = bound.emplace_back();
      for (const KernelCall& call : rings.back().calls()) own.push_back(noted.kernel.bind(call));
    }
    return seconds_a_call(workers_, at_once_, [&](std::int64_t thread, std::int64_t i) {
      const auto& calls = at(rings, thread).calls();
      const auto copy = static_cast<std::size_t>(i) % calls.size();
      bound.empty() ? noted.kernel.run(calls[copy]) : at(bound, thread)[copy]();
    });
  }

 private:
  [[nodiscard]] std::size_t copies_of(const NotedKernels::Noted& noted) const {
    return std::clamp<std::size_t>(memory_ / std::max<std::size_t>(1, noted.bytes()), 1, most_copies);
  }

  std::int64_t at_once_;
  std::size_t memory_;
  bool bound_;
  Workers& workers_;
  std::vector<Block> rings_, scratch_;
};

}  // namespace

std::vector<KernelTime> time_kernels(const NotedKernels& noted, std::int64_t at_once, std::size_t memory, bool bound,
                                     Workers& workers) {
  const KernelTimer timer(noted, at_once, memory, bound, workers);
  std::vector<KernelTime> times;
  for (const auto& one : noted.kernels()) times.push_back({one.kind, one.times, timer.seconds(one)});
  return times;
}

double total_seconds(const std::vector<KernelTime>& times) {
  double sum = 0;
  for (const KernelTime& time : times) sum += static_cast<double>(time.times) * time.seconds;
  return sum;
}

}  // namespace thalweg

#include "tiles/bound_tile.hpp"

#include <algorithm>
#include <cstring>

#include "tiles/gather.hpp"

namespace thalweg {

namespace {

template <class To, class From>
To read_number(const std::byte* from) {
  return static_cast<To>(*reinterpret_cast<const From*>(from));
}

template <class To, class From>
void read_view(To* into, const std::byte* from, const View& view, std::int64_t n) {
  gather_view(into, reinterpret_cast<const From*>(from), view, 0, n);
}

}  // namespace

template <class T>
BoundTile<T>::BoundTile(const TilePlan<T>& plan, const KernelCall& call)
    : plan_(plan),
      elements_(static_cast<std::size_t>(plan.program_.elements())),
      lines_((elements_ * sizeof(T) + sizeof(Line) - 1) / sizeof(Line)),
      slots_(static_cast<std::size_t>(plan.slots_) * lines_),
      converted_(plan.loads_.size()),
      registers_(plan.loads_.size() + plan.steps_.size()) {
  place_loads(call);
  place_steps(call);
}

template <class T>
void BoundTile<T>::place_loads(const KernelCall& call) {
  using Kind = typename Plan::Kind;
  for (std::size_t r = 0; r < plan_.loads_.size(); ++r) {
    const TileProgram::Load& load = plan_.program_.loads[r];
    const Kind kind = plan_.loads_[r].kind;
    const std::byte* base = call.inputs[load.input];
    const bool same = load.dtype == plan_.program_.dtype;
    with_source_type(load.dtype, [&](auto zero) {
      using From = decltype(zero);
      const std::byte* first = base + load.view.offset * static_cast<std::int64_t>(sizeof(From));
      if (kind == Kind::direct || (kind == Kind::uniform && same)) {
        registers_[r] = first;
      } else if (kind == Kind::uniform) {
        registers_[r] = &converted_[r];
        numbers_.push_back({read_number<T, From>, first, &converted_[r], 1});
      } else if (kind == Kind::splat) {
        registers_[r] = slot(static_cast<int>(r));
        numbers_.push_back({read_number<T, From>, first, slot(static_cast<int>(r)), elements_});
      } else {
        const void* run = nullptr;
        if (same) {
          run = unbroken_run(reinterpret_cast<const T*>(base), load.view, 0, static_cast<std::int64_t>(elements_));
        }
        registers_[r] = run ? run : slot(static_cast<int>(r));
        if (!run) gathered_.push_back({read_view<T, From>, base, slot(static_cast<int>(r)), &load.view});
      }
    });
  }
}

template <class T>
void BoundTile<T>::place_steps(const KernelCall& call) {
  const auto place_of = [&](const auto& step) {
    return step.direct_output >= 0 ? call.out<T>(step.direct_output) : slot(step.out);
  };
  const auto register_at = [&](int r) { return static_cast<const T*>(registers_[static_cast<std::size_t>(r)]); };
  for (const auto& loop : plan_.loops_) {
    if (loop.code) {
      for (const std::size_t s : loop.kept)
        registers_[static_cast<std::size_t>(plan_.steps_[s].out)] = place_of(plan_.steps_[s]);
      calls_.push_back({&*loop.code});
      continue;
    }
    const auto& step = plan_.steps_[loop.first];
    Call single{nullptr, step.run, place_of(step)};
    for (std::size_t i = 0; i < static_cast<std::size_t>(step.arity); ++i) single.operands[i] = register_at(step.in[i]);
    registers_[static_cast<std::size_t>(step.out)] = single.out;
    calls_.push_back(single);
  }
  using Kind = typename Plan::Kind;
  for (const auto& [reg, output] : plan_.late_stores_) {
    const auto r = static_cast<std::size_t>(reg);
    const bool number = r < plan_.loads_.size() && plan_.loads_[r].kind == Kind::uniform;
    copies_.push_back({call.out<T>(output), register_at(reg), number});
  }
  for (const auto& reduce : plan_.program_.reductions)
    reductions_.push_back({reduce.reducer, register_at(reduce.reg), call.out<T>(reduce.output)});
}

template <class T>
void BoundTile<T>::run() {
  for (const Number& number : numbers_) std::fill_n(number.into, number.count, number.read(number.from));
  for (const Gathered& view : gathered_)
    view.read(view.into, view.from, *view.view, static_cast<std::int64_t>(elements_));
  for (const Call& call : calls_) {
    if (call.code) {
      (*call.code)(registers_.data(), elements_);
    } else {
      call.run(call.out, call.operands.data(), elements_);
    }
  }
  for (const Copy& copy : copies_) {
    if (copy.spread) {
      std::fill_n(copy.into, elements_, *copy.from);
    } else {
      std::memmove(copy.into, copy.from, elements_ * sizeof(T));
    }
  }
  for (const Reduction& reduce : reductions_) *reduce.into = reduce.reducer->row(reduce.from, elements_);
}

template class BoundTile<float>;
template class BoundTile<double>;

}  // namespace thalweg

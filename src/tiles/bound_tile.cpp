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
BoundTile<T>::BoundTile(const TilePlan& plan, const KernelCall& call)
    : plan_(plan),
      elements_(plan.elements()),
      lanes_(is_a_number(plan) ? per_line : elements_),
      lines_((lanes_ + per_line - 1) / per_line),
      own_slots_(plan.slots),
      slots_(static_cast<std::size_t>((own_slots_ + std::ssize(plan.steps)) * lines_)),
      converted_(plan.loads.size()),
      registers_(plan.loads.size() + plan.steps.size()) {
  for (int r = 0; r < count(plan.loads); ++r) place_load(r, call);
  place_steps(call);
  reads_ = !numbers_.empty() || !gathered_.empty();
}

template <class T>
void BoundTile<T>::place_load(int r, const KernelCall& call) {
  using Source = TilePlan::Source;
  const TileProgram::Load& load = at(plan_.loads, r).from;
  const Source source = at(plan_.loads, r).source;
  const std::byte* base = call.inputs[load.input];
  const bool same = load.lies_in(plan_.dtype);
  const void*& place = at(registers_, r);
  with_source_type(load.dtype, load.stored, [&](auto zero) {
    using From = decltype(zero);
    const std::byte* first = base + load.view.offset * static_cast<std::int64_t>(sizeof(From));
    if (source == Source::direct || (source == Source::number && same)) {
      place = first;
    } else if (source == Source::number) {
      T* number = &at(converted_, r);
      place = number;
      if constexpr (std::is_same_v<From, double>) {
        scalars_.push_back({reinterpret_cast<const double*>(first), number});
      } else {
        numbers_.push_back({read_number<T, From>, first, number, 1});
      }
    } else if (source == Source::spread) {
      place = slot(r);
      numbers_.push_back({read_number<T, From>, first, slot(r), lanes_});
    } else {
      const T* run = nullptr;
      if (same) run = unbroken_run(reinterpret_cast<const T*>(base), load.view, 0, elements_);
      place = run ? run : slot(r);
      if (!run) gathered_.push_back({read_view<T, From>, base, slot(r), &load.view});
    }
  });
}

template <class T>
void BoundTile<T>::place_steps(const KernelCall& call) {
  for (const TilePlan::Loop& loop : plan_.loops) {
    if (loop.code) {
      for (const int s : loop.kept) {
        const TilePlan::Step& step = at(plan_.steps, s);
        at(registers_, step.out) = place_of(step, call);
      }
      calls_.push_back({&*loop.code, lanes_});
      continue;
    }
    const TilePlan::Step& step = at(plan_.steps, loop.first);
    Call single{nullptr, step.op->by_number ? elements_ : lanes_, step.run, place_of(step, call)};
    std::ranges::transform(step.operands(), single.operands.begin(), [&](int r) { return at(registers_, r); });
    at(registers_, step.out) = single.out;
    calls_.push_back(single);
  }
  for (const auto& [reg, output, stored] : plan_.late_stores)
    add_copy({call.outputs[output], values(reg), stored, plan_.is_number(reg)});
  for (const auto& reduce : plan_.reductions)
    reductions_.push_back({reduce.reducer, values(reduce.reg), call.out<T>(reduce.output)});
}

template <class T>
void BoundTile<T>::add_copy(const Copy& copy) {
  if (elements_ == 1 && copy.stored == Stored::plain) {
    singles_.push_back({copy.from, reinterpret_cast<T*>(copy.into)});
  } else {
    copies_.push_back(copy);
  }
}

template <class T>
void BoundTile<T>::run() {
  for (const Single<double>& number : scalars_) *number.into = static_cast<T>(*number.from);
  if (reads_) read();
  for (const Call& call : calls_) {
    if (call.code) {
      (*call.code)(registers_.data(), call.count);
    } else {
      call.run(call.out, call.operands.data(), call.count);
    }
  }
  for (const Single<T>& copy : singles_) *copy.into = *copy.from;
  if (!copies_.empty()) copy();
  for (const Reduction& reduce : reductions_) *reduce.into = reduce.reducer->row(reduce.from, elements_);
}

template <class T>
void BoundTile<T>::read() {
  for (const Number& number : numbers_) {
    const T value = number.read(number.from);
    *number.into = value;
    for (std::int64_t i = 1; i < number.count; ++i) number.into[i] = value;
  }
  for (const Gathered& view : gathered_) view.read(view.into, view.from, *view.view, elements_);
}

template <class T>
void BoundTile<T>::copy() {
  for (const Copy& copy : copies_) {
    if (copy.spread) {
      store_number(copy.into, copy.stored, 0, *copy.from, elements_);
    } else {
      store_tile(copy.into, copy.stored, 0, copy.from, elements_);
    }
  }
}

template class BoundTile<float>;
template class BoundTile<double>;

}  // namespace thalweg

#include "kernels/ctc.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/for_float.hpp"
#include "kernels/rows.hpp"
#include "thalweg/ctc.hpp"
#include "tiles/micro_ops.hpp"

namespace thalweg {

namespace {

/// Stands for the logarithm of a probability of 0: finite, so that differences of it are numbers, and so large that
/// anything added to it is lost in rounding.
constexpr double impossible = -1e30;
constexpr double unlikely = impossible / 2;

struct Sizes {
  std::int64_t batch, time, classes, most, blank;
  bool zero_infinity;

  [[nodiscard]] std::int64_t states() const { return 2 * most + 1; }
  /// The length of a row of states. It has two more impossible states, before or after the others, so that loops need
  /// no check at the ends.
  [[nodiscard]] std::int64_t row() const { return states() + 2; }
  /// Scratch numbers for one sample, besides its output.
  [[nodiscard]] std::int64_t scratch() const { return time * (row() + 1) + 9 * row(); }
};

/// Applies the vector loop with this name in place: x[i] = f(x[i]).
template <class T>
class Function {
 public:
  explicit Function(std::string_view name) : run_(find_micro_op(name)->run<T>()) {}
  void operator()(T* x, std::int64_t n) const {
    const void* operands[] = {x};
    run_(x, operands, n);
  }

 private:
  MicroOp::Run run_;
};

template <class T>
struct Functions {
  Function<T> exp{"exp"}, log{"log"};
  const Reducer *max = find_reducer("max"), *sum = find_reducer("sum");
};

/// One sample. A path passes through 2 length + 1 states: a blank, the first label, a blank, the second, ..., a blank.
/// At each frame it stays, goes to the next state, or skips a blank between two different labels.
template <class T>
class Alignment {
 public:
  Alignment(const Sizes& sizes, const Functions<T>& functions, const T* logits, const std::int32_t* labels,
            std::int64_t frames, std::int64_t length, T* gradient, T* scratch)
      : s_(sizes),
        f_(functions),
        logits_(logits),
        labels_(labels),
        frames_(frames),
        length_(length),
        states_(2 * length + 1),
        gradient_(gradient),
        row_(2 * length + 3),
        alpha_(scratch),
        norm_(alpha_ + s_.time * s_.row()),
        beta_(norm_ + s_.time),
        onward_(beta_ + s_.row()),
        emission_(onward_ + s_.row()),
        penalty_(emission_ + s_.row()),
        largest_(penalty_ + 2 * s_.row()),
        terms_(largest_ + s_.row()) {}

  /// Returns the loss, and writes the gradient.
  [[nodiscard]] T run() {
    std::fill(gradient_ + frames_ * s_.classes, gradient_ + s_.time * s_.classes, T{0});
    if (frames_ < ctc::frames_needed({labels_, static_cast<std::size_t>(length_)})) return refused();
    if (frames_ == 0) return 0;
    normalise();
    set_penalties();
    const double log_probability = forward();
    if (std::isnan(log_probability) || log_probability < unlikely) return refused();
    backward();
    return static_cast<T>(-log_probability);
  }

 private:
  [[nodiscard]] std::int64_t state_class(std::int64_t state) const {
    return state % 2 == 0 ? s_.blank : labels_[state / 2];
  }
  [[nodiscard]] T refused() {
    const T nan = std::numeric_limits<T>::quiet_NaN(), infinity = std::numeric_limits<T>::infinity();
    std::fill_n(gradient_, frames_ * s_.classes, s_.zero_infinity ? T{0} : nan);
    return s_.zero_infinity ? 0 : infinity;
  }

  /// Writes softmax(logits) to the gradient, and for each frame the log of the sum of exponentials, which subtracted
  /// from a logit gives the logarithm of its probability.
  void normalise() {
    const std::int64_t n = s_.classes;
    for (std::int64_t t = 0; t < frames_; ++t) {
      const T* x = logits_ + t * n;
      norm_[t] = f_.max->row(x, n);
      for (std::int64_t c = 0; c < n; ++c) gradient_[t * n + c] = x[c] - norm_[t];
    }
    f_.exp(gradient_, frames_ * n);
    for (std::int64_t t = 0; t < frames_; ++t) {
      T* p = gradient_ + t * n;
      const T total = f_.sum->row(p, n);
      for (std::int64_t c = 0; c < n; ++c) p[c] /= total;
      norm_[t] += std::log(total);
    }
  }

  /// Penalties for a step over two states, by the state in which it ends: 0, or impossible.
  void set_penalties() {
    for (std::int64_t state = 0; state < states_ + 2; ++state) {
      const bool inside = state >= 3 && state < states_ && state % 2 == 1;
      const bool steps = inside && labels_[state / 2] != labels_[state / 2 - 1];
      penalty_[state] = steps ? T{0} : static_cast<T>(impossible);
    }
  }

  /// The logarithm of each state's probability at a frame.
  void emit(std::int64_t t) {
    const T *x = logits_ + t * s_.classes, blank = logarithm(x[s_.blank] - norm_[t]);
    for (std::int64_t state = 0; state < states_; state += 2) emission_[state] = blank;
    for (std::int64_t i = 0; i < length_; ++i) emission_[2 * i + 1] = logarithm(x[labels_[i]] - norm_[t]);
  }
  [[nodiscard]] static T logarithm(T x) { return x < static_cast<T>(impossible) ? static_cast<T>(impossible) : x; }

  /// into[s] = log(e^a[s] + e^b[s] + e^(c[s] + penalty[s])).
  void add(T* into, const T* a, const T* b, const T* c, const T* penalty) {
    const std::int64_t n = states_;
    T *first = terms_, *second = first + n, *third = second + n;
    for (std::int64_t i = 0; i < n; ++i) {
      const T z = c[i] + penalty[i], xy = a[i] > b[i] ? a[i] : b[i];
      largest_[i] = xy > z ? xy : z;
      first[i] = a[i] - largest_[i];
      second[i] = b[i] - largest_[i];
      third[i] = z - largest_[i];
    }
    f_.exp(terms_, 3 * n);
    for (std::int64_t i = 0; i < n; ++i) first[i] = first[i] + second[i] + third[i];
    f_.log(first, n);
    for (std::int64_t i = 0; i < n; ++i) into[i] = largest_[i] + first[i];
  }

  /// Subtracts the largest value and returns it, so that the relevant values stay near 0 and keep their precision.
  [[nodiscard]] double shift(T* x) {
    const T most = f_.max->row(x, states_);
    for (std::int64_t i = 0; i < states_; ++i) x[i] -= most;
    return static_cast<double>(most);
  }

  /// For each frame, log P of all beginnings of paths that end in each state: two impossible states, then the row.
  /// Returns log P of all paths.
  [[nodiscard]] double forward() {
    double shifted = 0;
    for (std::int64_t t = 0; t < frames_; ++t) {
      T *row = alpha_ + t * row_ + 2, *before = row - row_;
      std::fill_n(row - 2, 2, static_cast<T>(impossible));
      emit(t);
      if (t == 0) {
        std::fill_n(row, states_, static_cast<T>(impossible));
        std::copy_n(emission_, std::min<std::int64_t>(2, states_), row);
      } else {
        add(row, before, before - 1, before - 2, penalty_);
        for (std::int64_t i = 0; i < states_; ++i) row[i] += emission_[i];
      }
      shifted += shift(row);
      if (std::isnan(shifted) || shifted < unlikely) return shifted;
    }
    const T* last = alpha_ + frames_ * row_ - 1;  // the final blank; before it the last label
    const double a = static_cast<double>(last[0]), b = length_ > 0 ? static_cast<double>(last[-1]) : impossible;
    const double most = std::max(a, b);
    return most + std::log(std::exp(a - most) + std::exp(b - most)) + shifted;
  }

  /// log P of the remaining frames, given the state. At each frame it also subtracts from the gradient the share of all
  /// paths that are in each state.
  void backward() {
    std::fill_n(beta_, row_, static_cast<T>(impossible));
    beta_[states_ - 1] = 0;
    if (length_ > 0) beta_[states_ - 2] = 0;
    std::fill_n(onward_, row_, static_cast<T>(impossible));
    for (std::int64_t t = frames_ - 1; t >= 0; --t) {
      subtract_share(t);
      if (t == 0) break;
      emit(t);
      for (std::int64_t i = 0; i < states_; ++i) onward_[i] = beta_[i] + emission_[i];
      add(beta_, onward_, onward_ + 1, onward_ + 2, penalty_ + 2);
      (void)shift(beta_);
    }
  }

  void subtract_share(std::int64_t t) {
    const T* alpha = alpha_ + t * row_ + 2;
    T *share = terms_, *to = gradient_ + t * s_.classes;
    for (std::int64_t i = 0; i < states_; ++i) share[i] = alpha[i] + beta_[i];
    (void)shift(share);
    f_.exp(share, states_);
    const T total = f_.sum->row(share, states_);
    for (std::int64_t i = 0; i < states_; ++i) to[state_class(i)] -= share[i] / total;
  }

  const Sizes& s_;
  const Functions<T>& f_;
  const T* logits_;
  const std::int32_t* labels_;
  std::int64_t frames_, length_, states_;
  T* gradient_;
  std::int64_t row_;
  T *alpha_, *norm_, *beta_, *onward_, *emission_, *penalty_, *largest_, *terms_;
};

void check(const Sizes& s, std::int64_t sample, const std::int32_t* labels, std::int64_t frames, std::int64_t length) {
  if (frames < 0 || frames > s.time)
    throw IndexError("ctc_loss", fmt::format("{} frames", frames), sample, s.batch,
                     fmt::format(", of {}. Hint: frames are those of the sample that are no padding.", s.time));
  if (length < 0 || length > s.most)
    throw IndexError("ctc_loss", fmt::format("{} labels", length), sample, s.batch,
                     fmt::format(", of {}. Hint: lengths are those of the labels that are no padding.", s.most));
  for (std::int64_t i = 0; i < length; ++i) {
    if (labels[i] >= 0 && labels[i] < s.classes && labels[i] != s.blank) continue;
    throw IndexError("ctc_loss", fmt::format("label {}", labels[i]), sample * s.most + i, s.batch * s.most,
                     fmt::format(", of {} classes. Hint: labels run from 0 to {}, without the blank, {}.", s.classes,
                                 s.classes - 1, s.blank));
  }
}

}  // namespace

Kernel make_ctc(const KernelSite& site) {
  const Shape &logits = site.inputs[0].shape, &labels = site.inputs[1].shape;
  const Sizes sizes{logits[0], logits[1], logits[2], labels[1], site.ints[0], site.ints[1] != 0};
  return for_float(site.output.dtype, [&]<class T>(T) {
    const auto run = [sizes, functions = Functions<T>()](const KernelCall& call) {
      const std::int64_t frame = sizes.classes + sizes.states(), inputs = sizes.time * sizes.classes;
      const std::int64_t together =
          std::max<std::int64_t>(1, split_elements / std::max<std::int64_t>(1, 8 * sizes.time * frame));
      const auto *labels_in = call.in<std::int32_t>(1), *frames = call.in<std::int32_t>(2),
                 *lengths = call.in<std::int32_t>(3);
      call.workers.run((sizes.batch + together - 1) / together, [&](std::int64_t task) {
        for (std::int64_t i = task * together; i < std::min(sizes.batch, (task + 1) * together); ++i) {
          const std::int32_t* own = labels_in + i * sizes.most;
          check(sizes, i, own, frames[i], lengths[i]);
          T* out = call.out<T>() + i * (1 + inputs);
          Alignment<T> sample(sizes, functions, call.in<T>(0) + i * inputs, own, frames[i], lengths[i], out + 1,
                              reinterpret_cast<T*>(call.scratch) + i * sizes.scratch());
          out[0] = sample.run();
        }
      });
    };
    return Kernel{run, bytes_of<T>(sizes.batch * sizes.scratch())};
  });
}

}  // namespace thalweg

#include "optim/asks.hpp"

#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"

namespace thalweg {

std::vector<Need> AskingMethod::needs() const {
  std::vector<Need> needs{Need::gradient};
  if (asks.radius > 0 || asks.anchored) needs.push_back(Need::gradient);
  if (asks.factors || (asks.diagonal && asks.drawn_labels)) needs.push_back(Need::gradient);
  if (asks.diagonal && !asks.drawn_labels) needs.push_back(*asks.diagonal);
  return needs;
}

MethodStep AskingMethod::step(MethodPoint&, MethodMemory&, Oracle&) const {
  defect("a chain takes the steps of this optimizer");
}

Asks asks_of(const Optimizer& optimizer) {
  const auto* asking = dynamic_cast<const AskingMethod*>(optimizer.method.get());
  return asking ? asking->asks : Asks{};
}

bool owns_steps(const Optimizer& optimizer) { return optimizer.method && !asks_of(optimizer).any(); }

Optimizer asking(Optimizer optimizer, const Asks& asks, std::string_view name) {
  if (owns_steps(optimizer))
    fail<UsageError>("[{}] {} owns its steps. Wanted: a method that is given its gradient.", name, optimizer.name);
  if (optimizer.method)
    fail<UsageError>("[{}] {} itself asks for more than a gradient. Wanted: a method that does not.", name,
                     optimizer.name);
  optimizer.method = std::make_shared<const AskingMethod>(asks);
  return optimizer;
}

double climb_squares(const Asks& asks, ConstElements x, ConstElements gradient) {
  if (!asks.adaptive) return dot(gradient, gradient);
  double total = 0;
  by_dtype(x.dtype, [&]<class T>(T) {
    const T *at = values<T>(x), *g = values<T>(gradient);
    for (std::int64_t i = 0; i < x.size; ++i) {
      const double each = (std::abs(static_cast<double>(at[i])) + asks.floor) * static_cast<double>(g[i]);
      total += each * each;
    }
  });
  return total;
}

void climb(const Asks& asks, Elements x, double factor, ConstElements gradient) {
  if (!asks.adaptive) return add(x, factor, gradient);
  by_dtype(x.dtype, [&]<class T>(T) {
    T* at = values<T>(x);
    const T* g = values<T>(gradient);
    for (std::int64_t i = 0; i < x.size; ++i) {
      const double size = std::abs(static_cast<double>(at[i])) + asks.floor;
      at[i] = static_cast<T>(static_cast<double>(at[i]) + factor * size * size * static_cast<double>(g[i]));
    }
  });
}

void draw_signs(std::uint64_t seed, std::int64_t step, std::int64_t first, Elements signs) {
  constexpr std::int64_t bits = 32, words = 4;
  const RandomKey key = RandomKey{seed}.fold("signs").fold(static_cast<std::uint64_t>(step));
  by_dtype(signs.dtype, [&]<class T>(T) {
    std::array<std::uint32_t, words> drawn{};
    for (std::int64_t i = 0; i < signs.size; ++i) {
      const std::int64_t at = first + i;
      if (i == 0 || at % (bits * words) == 0)
        drawn = random_words(key, static_cast<std::uint64_t>(at / (bits * words)));
      const std::uint32_t word = drawn[static_cast<std::size_t>(at / bits % words)];
      values<T>(signs)[i] = (word >> (at % bits) & 1U) != 0 ? T(1) : T(-1);
    }
  });
}

void multiply(Elements product, ConstElements signs) {
  by_dtype(product.dtype, [&]<class T>(T) {
    for (std::int64_t i = 0; i < product.size; ++i) values<T>(product)[i] *= values<T>(signs)[i];
  });
}

}  // namespace thalweg

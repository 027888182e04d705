#include "options/duration.hpp"

#include <cmath>

#include "core/error.hpp"
#include "options/text.hpp"

namespace thalweg {

std::optional<Duration> parse_duration(std::string_view text) {
  const std::string_view all = trim(text);
  std::size_t split = all.find_first_not_of("0123456789.eE+-");
  // "3epochs" would read the e as an exponent, so the number ends at the first blank or percent sign
  if (const auto blank = all.find_first_of(" %"); blank != std::string_view::npos) split = blank;
  const std::string_view number = all.substr(0, split);
  const std::string_view word = split == std::string_view::npos ? "" : trim(all.substr(split));
  const auto parsed = parse_number(number);
  const bool known =
      word.empty() || word == "steps" || word == "step" || word == "epochs" || word == "epoch" || word == "%";
  if (!parsed || !known || *parsed < 0 || !std::isfinite(*parsed)) return std::nullopt;
  using Unit = Duration::Unit;
  return Duration(*parsed, word == "%" ? Unit::percent : word.starts_with("epoch") ? Unit::epochs : Unit::steps);
}

Duration::Duration(const char* text) {
  const auto parsed = parse_duration(text);
  if (!parsed) {
    fail<UsageError>("[duration] '{}' is not a length of training. Hint: 100, \"100 steps\", \"3 epochs\" or \"5%\".",
                     text);
  }
  *this = *parsed;
}

std::int64_t Duration::steps(std::int64_t total, std::int64_t steps_per_epoch) const {
  constexpr double most = 0x1p53;  // above, a double cannot represent every step
  double steps = amount;
  if (unit == Unit::epochs) steps *= static_cast<double>(steps_per_epoch);
  if (unit == Unit::percent) steps = amount / 100 * static_cast<double>(total);
  if (!(std::abs(steps) <= most)) {
    fail<UsageError>("[duration] {} is {:g} steps. Wanted: at most 2^53", str(), steps);
  }
  return std::llround(steps);
}

std::string Duration::str() const {
  switch (unit) {
    case Unit::steps: return fmt::format("{} steps", amount);
    case Unit::epochs: return fmt::format("{} epochs", amount);
    case Unit::percent: return fmt::format("{}%", amount);
  }
  return {};
}

}  // namespace thalweg

#include "system/beam.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "core/error.hpp"
#include "core/index.hpp"

namespace thalweg {

namespace {

/// An incomplete sequence, and its place in the batch of the last call.
struct Live {
  std::vector<std::int32_t> tokens;
  double log_probability = 0;
  std::int32_t place = 0;
};

struct Candidate {
  double log_probability;
  std::int32_t parent, token;
  [[nodiscard]] auto key() const { return std::tuple(-log_probability, parent, token); }
};

/// The search of one row.
class Row {
 public:
  Row(const BeamOptions& options, std::int32_t first_place) : o_(options), live_{{{}, 0, first_place}} {}

  [[nodiscard]] const std::vector<Live>& live() const { return live_; }
  [[nodiscard]] std::vector<Hypothesis> take() && {
    std::ranges::stable_sort(done_, std::greater<>{}, &Hypothesis::score);
    return std::move(done_);
  }

  /// Chooses among all possible next tokens. Incomplete sequence i was at place first + i.
  void advance(const Tensor& next, std::int32_t first) {
    const std::int64_t tokens = next.shape()[1];
    const auto values = next.values<float>();
    candidates_.clear();
    for (std::int32_t i = 0; i < std::ssize(live_); ++i) {
      for (std::int64_t token = 0; token < tokens; ++token) {
        const double log_probability =
            at(live_, i).log_probability + static_cast<double>(at(values, (first + i) * tokens + token));
        if (!std::isnan(log_probability)) candidates_.push_back({log_probability, i, static_cast<std::int32_t>(token)});
      }
    }
    if (candidates_.empty()) fail<NumericError>("[beam] the probabilities of all next tokens are nan");
    const std::int64_t width = std::min(o_.width - std::ssize(done_), std::ssize(candidates_));
    std::ranges::partial_sort(candidates_, candidates_.begin() + width, {}, &Candidate::key);
    std::vector<Live> going;
    for (const Candidate& one : std::span(candidates_).first(static_cast<std::size_t>(width))) {
      Live grown{at(live_, one.parent).tokens, one.log_probability, first + one.parent};
      if (one.token == 0) {
        finish(std::move(grown), 1);
        continue;
      }
      grown.tokens.push_back(one.token);
      if (std::ssize(grown.tokens) < o_.longest)
        going.push_back(std::move(grown));
      else
        finish(std::move(grown), 0);
    }
    if (!done_.empty())
      std::erase_if(going, [&](const Live& one) { return one.log_probability / norm(o_.longest + 1) <= best_; });
    live_ = std::move(going);
  }

 private:
  [[nodiscard]] double norm(std::int64_t tokens) const {
    return std::pow(static_cast<double>(5 + tokens) / 6, o_.length_power);
  }
  void finish(Live sequence, std::int64_t end) {
    const double score = sequence.log_probability / norm(std::ssize(sequence.tokens) + end);
    best_ = std::max(best_, score);
    done_.push_back({std::move(sequence.tokens), sequence.log_probability, score});
  }

  BeamOptions o_;
  std::vector<Live> live_;
  std::vector<Hypothesis> done_;
  std::vector<Candidate> candidates_;
  double best_ = -std::numeric_limits<double>::infinity();
};

}  // namespace

std::vector<std::vector<Hypothesis>> beam_search(std::int64_t rows, const BeamOptions& options,
                                                 const Advance& advance) {
  if (options.width < 1 || options.longest < 1 || !(options.length_power >= 0))
    fail<UsageError>("[beam] width = {}, longest = {}, length_power = {}. Wanted: >= 1, >= 1, >= 0", options.width,
                     options.longest, options.length_power);
  std::vector<Row> all;
  std::vector<std::int32_t> parents, tokens(static_cast<std::size_t>(rows * options.width), 0);
  for (std::int64_t row = 0; row < rows; ++row)
    all.emplace_back(options, static_cast<std::int32_t>(row * options.width));
  for (std::size_t i = 0; i < tokens.size(); ++i) parents.push_back(static_cast<std::int32_t>(i));
  const auto goes_on = [](const Row& row) { return !row.live().empty(); };
  while (std::ranges::any_of(all, goes_on)) {
    const Tensor next = advance(parents, tokens);
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto first = static_cast<std::int32_t>(row * options.width);
      if (!goes_on(at(all, row))) continue;
      at(all, row).advance(next, first);
      for (std::int64_t i = 0; i < std::ssize(at(all, row).live()); ++i) {
        const Live& one = at(at(all, row).live(), i);
        at(parents, first + i) = one.place;
        at(tokens, first + i) = one.tokens.back();
      }
    }
  }
  std::vector<std::vector<Hypothesis>> found;
  for (Row& row : all) found.push_back(std::move(row).take());
  return found;
}

}  // namespace thalweg

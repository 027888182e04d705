#include "insight/silent_layers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace thalweg {

namespace {

constexpr double dead = 1e-12;  // a layer is silent if the norm of its gradient is at most this fraction of the largest

/// Layers that no gradient reaches, at the end of the run and at its start.
struct SilentLayers {
  std::ptrdiff_t at_end = 0, at_start = 0;
  std::size_t layers = 0;
};

std::ptrdiff_t silent(std::span<const double> norms) {
  const double largest = norms.empty() ? 0 : *std::ranges::max_element(norms);
  return std::ranges::count_if(norms, [&](double norm) { return norm <= dead * largest; });
}

std::optional<SilentLayers> silent_layers(const Case& c) {
  const Trials* trials = c.options.trials;
  if (!trials || !trials->norms || !(like_constant(c) > like_a_constant)) return std::nullopt;
  if (c.course.last == 0) return std::nullopt;  // then gradients are 0 because nothing is left to learn
  const std::vector<double> norms = trials->norms();
  SilentLayers found{.at_end = silent(norms), .layers = norms.size()};
  if (found.at_end > 0 && trials->norms_at_start) found.at_start = silent(trials->norms_at_start());
  return found;
}

Finding finding_of(const Case& c, const SilentLayers& found, std::ptrdiff_t counted) {
  const auto at_start = found.at_start > 0 ? std::to_string(found.at_start) : "none";
  return {static_cast<double>(counted),
          "",
          {from_to(c.course),
           {"dead_layers", static_cast<double>(found.at_end),
            fmt::format("At the end the gradient of {} of {} layers is 0; at the start the gradient of {} was 0.",
                        found.at_end, found.layers, at_start)}}};
}

}  // namespace

std::optional<Finding> dead_gradients(const Case& c) {
  const auto found = silent_layers(c);
  if (!found) return std::nullopt;
  return finding_of(c, *found, std::min(found->at_end, found->at_start));
}

std::optional<Finding> died_on_the_way(const Case& c) {
  const auto found = silent_layers(c);
  if (!found) return std::nullopt;
  return finding_of(c, *found, found->at_end - found->at_start);
}

}  // namespace thalweg

#include "cli/here.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/machine.hpp"

namespace thalweg::cli {

namespace {

/// "20, 130, 180": operations per second, in billions.
std::string rates_text(const Rates& rates, double Rates::Product::*rate) {
  std::vector<std::string> texts;
  for (const Rates::Product& product : rates.products) texts.push_back(fmt::format("{:.0f}", product.*rate / 1e9));
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string widths_text(const Rates& rates) {
  std::vector<std::int64_t> widths;
  for (const Rates::Product& product : rates.products) widths.push_back(product.width);
  return fmt::format("{}", fmt::join(widths, ", "));
}

}  // namespace

Here measure_here(Workers& workers) { return {measure_rates(workers), workers.threads()}; }

estimate::Machine Here::machine(std::int64_t ranks) const {
  const auto n = static_cast<double>(ranks);
  estimate::Machine here;
  here.name = here_name;
  here.doc = fmt::format("{}, {} thread{}", cpu_name(), threads, threads > 1 ? "s" : "");
  here.source = "measured";
  here.memory = static_cast<double>(available_memory()) / n;
  // rate(width) = most * width / (width + half_reached_at), through two of the measured widths
  const Rates::Product &wide = rates.products.back(), &narrow = rates.products[rates.products.size() - 3];
  const auto w = static_cast<double>(wide.width), v = static_cast<double>(narrow.width);
  const double ratio = std::clamp(narrow.f32 / wide.f32, 1.1 * v / w, 1.0);
  here.half_reached_at = v * w * (1 - ratio) / (w * ratio - v);
  here.single = wide.f32 * (w + here.half_reached_at) / w / n;
  here.half = here.single;
  here.bandwidth = rates.memory / n;
  here.ranks_a_node = std::int64_t{1} << 40;        // all of them
  here.link = here.network = rates.memory / 2 / n;  // a message is read once and written once
  here.storage = 1e9;
  return here;
}

std::string Here::text() const {
  return fmt::format(
      "{}, {} thread{}: products of width {} reach {} GFLOP/s in f32, {} in f64; memory {:.1f} GB/s; {:.0f} ns a "
      "kernel",
      cpu_name(), threads, threads > 1 ? "s" : "", widths_text(rates), rates_text(rates, &Rates::Product::f32),
      rates_text(rates, &Rates::Product::f64), rates.memory / 1e9, 1e9 * rates.kernel);
}

estimate::Machine machine_for(const std::string& name, std::int64_t ranks) {
  if (name != here_name) return estimate::machine_named(name);
  Workers workers;
  return measure_here(workers).machine(ranks);
}

}  // namespace thalweg::cli

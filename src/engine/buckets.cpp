#include "engine/buckets.hpp"

#include <algorithm>

namespace thalweg {

namespace {

constexpr std::int64_t least_bytes = std::int64_t{1} << 20, most_buckets = 24, granularity = 16;

std::int64_t bucket_values(std::int64_t values, DType dtype) {
  const std::int64_t least = least_bytes / static_cast<std::int64_t>(size_of(dtype));
  return (std::max(least, values / most_buckets) + granularity - 1) / granularity * granularity;
}

/// Sorts runs from left to right and joins adjacent ones.
Runs joined(Runs runs) {
  std::ranges::sort(runs, {}, &Share::first);
  Runs result;
  for (const Share run : runs) {
    if (!result.empty() && result.back().last == run.first) {
      result.back().last = run.last;
    } else {
      result.push_back(run);
    }
  }
  return result;
}

/// The parts of the block that no program writes.
Runs gaps_between(Runs runs, std::int64_t values) {
  Runs gaps;
  std::int64_t end = 0;
  runs = joined(std::move(runs));
  runs.push_back({values, values});
  for (const Share run : runs) {
    if (run.first > end) gaps.push_back({end, run.first});
    end = std::max(end, run.last);
  }
  return gaps;
}

std::vector<std::size_t> cuts_of(const ShardProgram& program, const std::vector<Runs>& buckets) {
  const std::vector<ShardProgram::Final> finals = program.finals();
  std::vector<std::size_t> cuts;
  std::size_t after = 0;
  for (const Runs& runs : buckets) {
    for (const auto& [numbers, last] : finals) {
      const auto shares = [&, n = numbers](Share run) { return run.first < n.last && n.first < run.last; };
      if (std::ranges::any_of(runs, shares)) after = std::max(after, last);
    }
    cuts.push_back(after);
  }
  cuts.back() = program.program().instructions();
  return cuts;
}

}  // namespace

Buckets buckets_of(const BatchPrograms& programs, std::int64_t values, DType dtype) {
  std::vector<ShardProgram::Final> finals = programs.whole->finals();
  std::ranges::stable_sort(finals, {}, &ShardProgram::Final::after);
  Runs order;
  for (const ShardProgram::Final& f : finals) order.push_back(f.numbers);
  const Runs gaps = gaps_between(order, values);
  order.insert(order.end(), gaps.begin(), gaps.end());

  Buckets buckets;
  const std::int64_t each = bucket_values(values, dtype);
  for (std::int64_t first = 0; first < values; first += each)
    buckets.runs.push_back(joined(part_of(order, {first, std::min(values, first + each)})));
  buckets.whole_cuts = cuts_of(*programs.whole, buckets.runs);
  buckets.last_cuts = programs.last == programs.whole ? buckets.whole_cuts : cuts_of(*programs.last, buckets.runs);
  return buckets;
}

}  // namespace thalweg

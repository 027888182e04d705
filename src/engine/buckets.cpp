#include "engine/buckets.hpp"

#include <algorithm>

namespace thalweg {

namespace {

constexpr std::int64_t least_bytes = std::int64_t{1} << 20, early_bytes = least_bytes / 8, most_buckets = 24,
                       granularity = 16;

std::int64_t bucket_values(std::int64_t values, DType dtype) {
  const std::int64_t least = least_bytes / static_cast<std::int64_t>(size_of(dtype));
  return (std::max(least, values / most_buckets) + granularity - 1) / granularity * granularity;
}

/// Cuts numbers, in the order in which they become final, into buckets of `each` numbers. A bucket that has enough
/// leaves early, instead of waiting for numbers that become final `apart` instructions later.
std::vector<Runs> cut(const std::vector<ShardProgram::Final>& order, std::int64_t each, std::int64_t enough,
                      std::size_t apart) {
  std::vector<Runs> buckets;
  std::int64_t size = each;
  std::size_t ready = 0;
  for (const auto& [numbers, after] : order) {
    for (std::int64_t first = numbers.first; first < numbers.last;) {
      if (size == each || (size >= enough && after >= ready + apart)) {
        buckets.emplace_back();
        size = 0;
      }
      const std::int64_t last = std::min(numbers.last, first + each - size);
      buckets.back().push_back({first, last});
      size += last - first;
      first = last;
      ready = after;
    }
  }
  return buckets;
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
  Runs written;
  for (const ShardProgram::Final& f : finals) written.push_back(f.numbers);
  const std::size_t instructions = programs.whole->program().instructions();
  for (const Share gap : gaps_between(std::move(written), values)) finals.push_back({gap, instructions});

  Buckets buckets;
  const std::int64_t enough = early_bytes / static_cast<std::int64_t>(size_of(dtype));
  for (Runs& runs : cut(finals, bucket_values(values, dtype), enough, instructions / 16 + 1))
    buckets.runs.push_back(joined(std::move(runs)));
  buckets.whole_cuts = cuts_of(*programs.whole, buckets.runs);
  buckets.last_cuts = programs.last == programs.whole ? buckets.whole_cuts : cuts_of(*programs.last, buckets.runs);
  return buckets;
}

}  // namespace thalweg

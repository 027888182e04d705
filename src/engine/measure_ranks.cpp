// Measures a step that ranks share: the time of computing alone, of messages alone, and of both together.

#include <algorithm>
#include <array>
#include <chrono>

#include "core/error.hpp"
#include "distributed/collectives.hpp"
#include "engine/engine.hpp"
#include "optim/asks.hpp"

namespace thalweg {

namespace {

constexpr std::size_t repetitions = 9;
using Times = std::array<double, repetitions>;

/// The time of f, which all ranks begin together, on the slowest of them.
template <class F>
double slowest_seconds(Communicator& ranks, const F& f) {
  using Clock = std::chrono::steady_clock;
  (void)any_rank(ranks, false);
  const auto begin = Clock::now();
  f();
  const auto own = static_cast<std::uint64_t>((Clock::now() - begin) / std::chrono::nanoseconds(1));
  const std::vector<std::uint64_t> all = gather(ranks, {&own, 1});
  return 1e-9 * static_cast<double>(*std::ranges::max_element(all));
}

double median(Times times) {
  std::ranges::nth_element(times, times.begin() + repetitions / 2);
  return times[repetitions / 2];
}

/// Bytes that a rank sends when the ranks send their parts round.
std::int64_t bytes_of(const SlotShares& shares, const Communicator& ranks, DType dtype) {
  const std::int64_t part = length_of(shares.parts[static_cast<std::size_t>(ranks.rank())]);
  return part * static_cast<std::int64_t>(size_of(dtype)) * (ranks.size() - 1);
}

}  // namespace

Communicator::Measured Engine::measure_ranks(const State& given, const Dataset& batch, std::int64_t shard_size) {
  if (owns_steps(optimizer(0)))
    fail<UsageError>("[measure] a step of {} is not shared by ranks. Hint: start it without a launcher.",
                     optimizer(0).name);
  const FlushDenormals flush;
  Communicator& ranks = *ranks_;
  State state = given;
  BlockPool& pool = crew_->pool;
  if (objectives_.front().declared.empty()) (void)trace(batch, Mode::train, state.layout->dtype);
  prepare(state);
  const RowSelection rows{batch};
  const BatchPrograms programs = programs_.for_batch(state, step_, rows, shard_size);
  if (programs.shards == 1)
    fail<UsageError>(
        "[measure] a step of one shard, which every rank computes. Wanted: several shards. Hint: a smaller "
        "train.shard_size, where the loss does not mix samples.");
  Communicator::Measured did;
  did.shards = programs.shards;
  if (!rank_sums_) rank_sums_.emplace(ranks_, pool, crew_->workers);
  RankSums& sums = *rank_sums_;
  const RankSums::Needs needs = rank_needs();
  RankSum& sum = sums.of(programs, step_.size, state.layout->dtype, needs);
  const auto step = [&](bool sends) { pool.give_back(sums(state, rows, programs, step_.size, needs, sends)); };
  step(true);
  // measured in turn, so that other work on the machine affects all of them equally
  Times computing{}, messages{}, together{}, hidden{};
  for (std::size_t i = 0; i < repetitions; ++i) {
    computing[i] = slowest_seconds(ranks, [&] { step(false); });
    together[i] = slowest_seconds(ranks, [&] { step(true); });
    messages[i] = slowest_seconds(ranks, [&] { sum.exchange_alone(); });
    hidden[i] = computing[i] + messages[i] - together[i];
  }
  did.computing = median(computing), did.messages = median(messages), did.together = median(together);
  did.hidden = std::clamp(median(hidden), 0.0, did.messages);
  did.bytes = sum.sent_bytes();
  did.buckets = sum.buckets();

  Times updates{}, parameters{}, whole{}, parameters_hidden{};
  const auto update_all = [&](const Sums& total) {
    for (std::size_t k = 0; k < size(); ++k) {
      update(k, state, total, total.weight(k), norm_of(k, total, state), optimizer(k).lr, {});
    }
  };
  const auto whole_step = [&] {
    Sums total = sum_over_shards(state, rows, programs);
    update_all(total);
    give_back(std::move(total));
  };
  constexpr int in_a_row = 4;
  Sums last = sum_over_shards(state, rows, programs);
  for (std::size_t i = 0; i < repetitions; ++i) {
    updates[i] = slowest_seconds(ranks, [&] {
      update_all(last);
      settle();
    });
    for (std::size_t k = 0; k < size(); ++k) {
      if (!objectives_[k].shares) continue;
      arrivals_->expect(k, state.parameters.mutable_raw());
      parameters[i] += slowest_seconds(ranks, [&] { settle(); });
    }
    // between two others, since the parameters of a step arrive in the next one
    whole_step();
    whole[i] = slowest_seconds(ranks, [&] {
      for (int k = 0; k < in_a_row; ++k) whole_step();
    });
    whole[i] /= in_a_row;
    settle();
    parameters_hidden[i] = did.together + updates[i] - whole[i];
  }
  give_back(std::move(last));
  did.update = median(updates), did.parameters = median(parameters), did.whole = median(whole);
  did.parameters_hidden = std::clamp(median(parameters_hidden), 0.0, did.parameters);
  for (const Member& o : objectives_) {
    if (o.shares) did.parameter_bytes += bytes_of(*o.shares, ranks, state.layout->dtype);
  }
  return did;
}

}  // namespace thalweg

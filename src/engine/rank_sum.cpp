#include "engine/rank_sum.hpp"

#include <algorithm>
#include <cstring>

namespace thalweg {

namespace {

/// The channel of a bucket's first exchange; its second one has the next.
int channel_of(std::size_t bucket) { return 1 + 2 * static_cast<int>(bucket); }
std::size_t bucket_of(int channel) { return static_cast<std::size_t>(channel - 1) / 2; }

std::vector<TreeNode> leaves(Share shards) {
  std::vector<TreeNode> nodes;
  for (std::int64_t shard = shards.first; shard < shards.last; ++shard) nodes.push_back({0, shard});
  return nodes;
}

}  // namespace

RankSum::RankSum(Communicator& ranks, const Shape& shape, std::vector<Runs> buckets, std::vector<Runs> kept,
                 BlockPool& pool, Workers& workers)
    : ranks_(ranks),
      shape_(shape),
      pool_(pool),
      workers_(workers),
      rank_(ranks.rank()),
      mine_(shards_of(ranks.rank(), ranks.size(), shape.shards)),
      kept_(std::move(kept)),
      joins_(joins_of(leaves(mine_), shape.shards)),
      blocks_(static_cast<std::size_t>(mine_.size())),
      arrivals_(joins_.list.size() * buckets.size()),
      joined_(joins_.list.size()),
      missing_(buckets.size()) {
  plan_nodes();
  for (Runs& runs : buckets) plan_bucket(std::move(runs));
}

void RankSum::plan_nodes() {
  std::vector<TreeNode> places;
  for (int rank = 0; rank < ranks_.size(); ++rank) {
    const Share shards = shards_of(rank, ranks_.size(), shape_.shards);
    for (const TreeNode place : remaining_nodes(shards, shape_.shards)) {
      places.push_back(place);
      nodes_.push_back({rank, static_cast<std::size_t>((place.index << place.level) - shards.first)});
      if (rank == rank_) ++own_nodes_;
    }
  }
  node_joins_ = joins_of(places, shape_.shards);
}

void RankSum::plan_bucket(Runs runs) {
  Bucket bucket;
  std::size_t sent = 0, received = 0, own = 0;
  Runs common = runs;
  for (const Runs& kept : kept_) common = difference(common, kept);
  for (int rank = 0; rank < ranks_.size(); ++rank) {
    bucket.given.push_back(part_of(common, slice_of(rank, ranks_.size(), length_of(common))));
    Runs part = kept_.empty() ? Runs{} : common_part(runs, kept_[static_cast<std::size_t>(rank)]);
    part.insert(part.end(), bucket.given.back().begin(), bucket.given.back().end());
    bucket.parts.push_back(std::move(part));
  }
  for (int rank = 0; rank < ranks_.size(); ++rank)
    (rank == rank_ ? own : sent) += bucket.parts[static_cast<std::size_t>(rank)].size();
  const auto others = static_cast<std::size_t>(ranks_.size() - 1);
  received = (nodes_.size() - static_cast<std::size_t>(own_nodes_)) * (own + 1);
  bucket.sent.reserve(static_cast<std::size_t>(own_nodes_) * (sent + others));
  bucket.received.reserve(received);
  bucket.sent_on.reserve(others * own);
  bucket.received_on.reserve(sent);
  slices_at_.push_back(own_values_);
  own_values_ += length_of(bucket.parts[static_cast<std::size_t>(rank_)]);
  bucket.runs = std::move(runs);
  buckets_.push_back(std::move(bucket));
}

Block& RankSum::whole() { return blocks_.empty() ? spare_ : blocks_.front(); }

std::byte* RankSum::doubles_of(const Node& node) const {
  return node.rank == rank_ ? doubles_in(blocks_[node.shard], shape_.values) : doubles_in(node.slices, own_values_);
}

void RankSum::begin(bool sends) {
  sends_ = sends;
  for (auto& arrived : arrivals_) arrived.store(0, std::memory_order_relaxed);
  for (auto& joined : joined_) joined.store(0, std::memory_order_relaxed);
  for (auto& missing : missing_) missing.store(own_nodes_, std::memory_order_relaxed);
  for (Node& node : nodes_) {
    if (node.rank != rank_) node.slices = block_of(own_values_);
  }
  if (own_nodes_ > 0) return;
  spare_ = block_of(shape_.values);
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) send(bucket);
}

std::byte* RankSum::block_for(std::int64_t shard) {
  Block& block = blocks_[static_cast<std::size_t>(shard - mine_.first)];
  block = block_of(shape_.values);
  return block.data();
}

Block RankSum::block_of(std::int64_t values) {
  return pool_.take_exactly(TreeSum::block_bytes(values, shape_.dtype, shape_.doubles)).release();
}

void RankSum::add(std::int64_t shard, std::int64_t bucket) {
  const auto b = static_cast<std::size_t>(bucket);
  int at = joins_.of_leaf[static_cast<std::size_t>(shard - mine_.first)];
  while (at >= 0) {
    const auto join = static_cast<std::size_t>(at);
    if (arrivals_[join * buckets_.size() + b].fetch_add(1, std::memory_order_acq_rel) == 0) return;
    join_shards(joins_.list[join], b);
    if (joined_[join].fetch_add(1, std::memory_order_acq_rel) + 1 == static_cast<int>(buckets_.size()))
      pool_.give_back(std::move(blocks_[static_cast<std::size_t>(joins_.list[join].right)]));
    at = joins_.list[join].above;
  }
  if (missing_[b].fetch_sub(1, std::memory_order_acq_rel) == 1) send(b);
}

void RankSum::join_shards(const Joins::Join& join, std::size_t bucket) {
  const Block &left = blocks_[static_cast<std::size_t>(join.left)],
              &right = blocks_[static_cast<std::size_t>(join.right)];
  for (const Share run : buckets_[bucket].runs) {
    std::byte* const into = number(left, run.first);
    add_values(into, into, number(right, run.first), run.size(), shape_.dtype, workers_);
  }
  if (!is_last(bucket)) return;
  add_values(doubles_in(left, shape_.values), doubles_in(left, shape_.values), doubles_in(right, shape_.values),
             shape_.doubles, f64, workers_);
}

void RankSum::send(std::size_t bucket) {
  if (!sends_) return;
  Bucket& b = buckets_[bucket];
  b.sent.clear();
  b.received.clear();
  for (int peer = 0; peer < ranks_.size(); ++peer) {
    if (peer == rank_) continue;
    for (const Node& node : nodes_) {
      if (node.rank == rank_) {
        for (const Share run : b.parts[static_cast<std::size_t>(peer)])
          b.sent.push_back({peer, number(blocks_[node.shard], run.first), bytes_of(run)});
        if (is_last(bucket)) b.sent.push_back({peer, doubles_of(node), double_bytes()});
      }
      if (node.rank != peer) continue;
      std::int64_t at = slices_at_[bucket];
      for (const Share run : b.parts[static_cast<std::size_t>(rank_)]) {
        b.received.push_back({peer, number(node.slices, at), bytes_of(run)});
        at += run.size();
      }
      if (is_last(bucket)) b.received.push_back({peer, doubles_of(node), double_bytes()});
    }
  }
  b.ticket = ranks_.start({b.sent, b.received}, channel_of(bucket), shared_from_this());
}

Messages RankSum::second(int channel) {
  const std::lock_guard lock(mutex_);
  if (abandoned_) return {};
  const std::size_t bucket = bucket_of(channel);
  add_slices(bucket);
  Bucket& b = buckets_[bucket];
  b.sent_on.clear();
  b.received_on.clear();
  for (int peer = 0; peer < ranks_.size(); ++peer) {
    if (peer == rank_) continue;
    for (const Share run : b.given[static_cast<std::size_t>(rank_)])
      b.sent_on.push_back({peer, number(whole(), run.first), bytes_of(run)});
    for (const Share run : b.given[static_cast<std::size_t>(peer)])
      b.received_on.push_back({peer, number(whole(), run.first), bytes_of(run)});
  }
  return {b.sent_on, b.received_on};
}

/// The last join writes to the whole, where a slice is to be.
void RankSum::add_slices(std::size_t bucket) {
  const FlushDenormals flush;  // as in the sums of shards, on whichever thread this is
  const auto of = [&](int node) -> const Node& { return nodes_[static_cast<std::size_t>(node)]; };
  for (const Joins::Join& join : node_joins_.list) {
    const Node &left = of(join.left), &right = of(join.right);
    std::int64_t at = slices_at_[bucket];
    for (const Share run : buckets_[bucket].parts[static_cast<std::size_t>(rank_)]) {
      const auto part = [&](const Node& node) {
        return node.rank == rank_ ? number(blocks_[node.shard], run.first) : number(node.slices, at);
      };
      add_values(join.above < 0 ? number(whole(), run.first) : part(left), part(left), part(right), run.size(),
                 shape_.dtype, workers_);
      at += run.size();
    }
    if (!is_last(bucket)) continue;
    add_values(join.above < 0 ? doubles_in(whole(), shape_.values) : doubles_of(left), doubles_of(left),
               doubles_of(right), shape_.doubles, f64, workers_);
  }
}

Block RankSum::total() {
  for (const Bucket& bucket : buckets_) {
    if (sends_) ranks_.wait(bucket.ticket);
  }
  for (Node& node : nodes_) {
    if (node.rank != rank_) pool_.give_back(std::move(node.slices));
    if (node.rank == rank_ && node.shard > 0) pool_.give_back(std::move(blocks_[node.shard]));
  }
  return std::move(whole());
}

void RankSum::exchange_alone() {
  begin();
  for (const Node& node : nodes_) {
    if (node.rank == rank_) (void)block_for(mine_.first + static_cast<std::int64_t>(node.shard));
  }
  for (std::size_t bucket = 0; own_nodes_ > 0 && bucket < buckets_.size(); ++bucket) send(bucket);
  pool_.give_back(total());
}

void RankSum::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
}

std::int64_t RankSum::sent_bytes() const {
  std::int64_t values = 0;
  for (const Bucket& bucket : buckets_) {
    for (int rank = 0; rank < ranks_.size(); ++rank) {
      const auto r = static_cast<std::size_t>(rank);
      values +=
          rank == rank_ ? length_of(bucket.given[r]) * (ranks_.size() - 1) : length_of(bucket.parts[r]) * own_nodes_;
    }
  }
  return values * static_cast<std::int64_t>(size_of(shape_.dtype));
}

RankSums::Stops RankSums::stops_in(const ShardProgram& program, const std::vector<std::size_t>& bucket_cuts,
                                   const Arrivals* arriving) {
  Stops stops;
  for (std::size_t k = 0; k < bucket_cuts.size(); ++k)
    stops.list.push_back({bucket_cuts[k], false, static_cast<std::int64_t>(k)});
  const std::vector<ShardProgram::Needed> needed = arriving ? program.needed() : std::vector<ShardProgram::Needed>();
  for (std::size_t k = 0; arriving && k < arriving->pieces(); ++k) {
    const Runs received = arriving->received_by(k);
    const auto overlaps = [](Share a, Share b) { return a.first < b.last && b.first < a.last; };
    const auto first = std::ranges::find_if(needed, [&](const ShardProgram::Needed& n) {
      return std::ranges::any_of(received, [&](Share run) { return overlaps(run, n.numbers); });
    });
    if (first != needed.end()) stops.list.push_back({first->before, true, static_cast<std::int64_t>(k)});
  }
  std::ranges::stable_sort(stops.list, {}, &Stop::after);
  for (const Stop& stop : stops.list) stops.cuts.push_back(stop.after);
  return stops;
}

RankSums::Known& RankSums::known(const BatchPrograms& programs, std::int64_t values, DType dtype, const Needs& needs) {
  for (Known& k : known_) {
    const BatchPrograms& p = k.programs;
    if (p.whole == programs.whole && p.last == programs.last && p.shards == programs.shards && k.values == values &&
        k.keeps == (needs.kept != nullptr))
      return k;
  }
  Arrivals* const arriving = needs.arriving;
  Buckets buckets = buckets_of(programs, values, dtype);
  if (arriving) arriving->cut_for(*programs.whole);
  Stops whole = stops_in(*programs.whole, buckets.whole_cuts, arriving),
        last = stops_in(*programs.last, buckets.last_cuts, arriving);
  const RankSum::Shape shape{programs.shards, values, programs.whole->doubles(), dtype};
  known_.push_back({programs, values, needs.kept != nullptr, std::move(whole), std::move(last),
                    std::make_shared<RankSum>(*ranks_, shape, std::move(buckets.runs),
                                              needs.kept ? *needs.kept : std::vector<Runs>(), pool_, workers_)});
  return known_.back();
}

RankSum& RankSums::of(const BatchPrograms& programs, std::int64_t values, DType dtype, const Needs& needs) {
  return *known(programs, values, dtype, needs).sum;
}

Block RankSums::operator()(const State& state, const RowSelection& batch, const BatchPrograms& programs,
                           std::int64_t values, const Needs& needs, bool sends) {
  Known& own = known(programs, values, state.layout->dtype, needs);
  try {
    if (needs.arriving) needs.arriving->begin();
    own.sum->begin(sends);
    run_shards(own, state, batch, needs.arriving);
    return own.sum->total();
  } catch (...) {  // messages may be under way, into memory that must outlive them
    forget();
    throw;
  }
}

void RankSums::run_shards(Known& known, const State& state, const RowSelection& batch, Arrivals* arriving) {
  const BatchPrograms& programs = known.programs;
  RankSum& sum = *known.sum;
  const std::size_t sums_at = TreeSum::doubles_at(known.values, state.layout->dtype);
  workers_.run(sum.mine().size(), [&](std::int64_t task) {
    const std::int64_t i = sum.mine().first + task;
    const ShardProgram& program = programs.of(i);
    std::byte* const block = sum.block_for(i);
    const auto memory = pool_.take(program.memory_bytes());
    const Stops& stops = i + 1 < programs.shards ? known.whole : known.last;
    program.run({state, batch, programs.first_row(i), block, reinterpret_cast<double*>(block + sums_at)}, memory.data(),
                workers_, stops.cuts, [&](std::int64_t k) {
                  const Stop& stop = stops.list[static_cast<std::size_t>(k)];
                  if (stop.waits) {
                    arriving->wait(static_cast<std::size_t>(stop.number));
                  } else {
                    sum.add(i, stop.number);
                  }
                });
  });
}

void RankSums::forget() {
  for (const Known& known : known_) known.sum->abandon();
  known_.clear();
}

}  // namespace thalweg

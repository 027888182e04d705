#include "engine/shards.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

#include "tiles/micro_ops.hpp"

namespace thalweg {

BlockPool::Lent BlockPool::take(std::size_t bytes) { return take(bytes, std::numeric_limits<std::size_t>::max()); }

BlockPool::Lent BlockPool::take_exactly(std::size_t bytes) { return take(bytes, bytes); }

BlockPool::Lent BlockPool::take(std::size_t bytes, std::size_t at_most) {
  const auto me = std::this_thread::get_id();
  const std::lock_guard lock(mutex_);
  // the smallest block first; among equal sizes this thread's own, and on a device the one with the lowest address: so
  // each step gets the blocks of the last step, for which its calls are recorded
  const auto rank = [&](const Block& block) {
    const bool is_other = !far_ && taken_by_[block.data()] != me;
    return std::tuple(block.size(), is_other, far_ ? reinterpret_cast<std::uintptr_t>(block.data()) : 0);
  };
  auto best = free_.end();
  for (auto at = free_.begin(); at != free_.end(); ++at) {
    if (at->size() >= bytes && at->size() <= at_most && (best == free_.end() || rank(*at) < rank(*best))) best = at;
  }
  Block block;
  if (best != free_.end()) {
    block = std::move(*best);
    free_.erase(best);
  } else {
    block = Block(bytes, far_);
  }
  taken_by_[block.data()] = me;
  return {*this, std::move(block)};
}

void BlockPool::give_back(Block block) {
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(block));
}

void add_values(std::byte* into, const std::byte* left, const std::byte* right, std::int64_t values, DType dtype,
                Workers& workers) {
  const MicroOp& add = *find_micro_op("add");
  const MicroOp::Run run = (dtype == f32 ? add.f32 : add.f64)[0];
  const std::size_t element = size_of(dtype);
  workers.run((values + split_elements - 1) / split_elements, [&](std::int64_t part) {
    const std::int64_t begin = part * split_elements, n = std::min(split_elements, values - begin);
    const std::size_t offset = static_cast<std::size_t>(begin) * element;
    const void* operands[] = {left + offset, right + offset};
    run(into + offset, operands, n);
  });
}

TreeSum::TreeSum(std::int64_t shards, std::int64_t values, DType dtype, std::int64_t doubles, BlockPool& pool,
                 Workers& workers, const Join* join)
    : shards_(shards), values_(values), doubles_(doubles), dtype_(dtype), pool_(pool), workers_(workers), join_(join) {}

std::size_t TreeSum::doubles_at(std::int64_t values, DType dtype) {
  return (static_cast<std::size_t>(values) * size_of(dtype) + 63) / 64 * 64;
}

std::size_t TreeSum::block_bytes(std::int64_t values, DType dtype, std::int64_t doubles) {
  return doubles_at(values, dtype) + static_cast<std::size_t>(doubles) * sizeof(double);
}

void TreeSum::join(std::byte* into, const std::byte* from) {
  if (join_ != nullptr) return (*join_)(into, from);
  add_values(into, into, from, values_, dtype_, workers_);
  auto* a = reinterpret_cast<double*>(into + doubles_at(values_, dtype_));
  const auto* b = reinterpret_cast<const double*>(from + doubles_at(values_, dtype_));
  for (std::int64_t i = 0; i < doubles_; ++i) a[i] += b[i];
}

std::optional<Block> TreeSum::partner(TreeNode place, Block& own) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(waiting_, TreeNode{place.level, place.index ^ 1}, &Node::place);
  if (found == waiting_.end()) {
    waiting_.push_back({place, std::move(own)});
    return std::nullopt;
  }
  Block other = std::move(found->block);
  waiting_.erase(found);
  return other;
}

void TreeSum::add(TreeNode place, Block block) {
  for (place = risen(place, shards_);; place = risen({place.level + 1, place.index / 2}, shards_)) {
    std::optional<Block> other = partner(place, block);
    if (!other) return;
    if (place.index % 2) std::swap(block, *other);  // always adds to the left block, whichever was finished last
    join(block.data(), other->data());
    pool_.give_back(std::move(*other));
  }
}

std::vector<double> sum_of_numbers(std::int64_t shards, std::int64_t doubles, BlockPool& pool, Workers& workers,
                                   const std::function<void(std::int64_t, double*)>& write) {
  TreeSum tree(shards, 0, f64, doubles, pool, workers);
  for (std::int64_t i = 0; i < shards; ++i) {
    auto block = pool.take(static_cast<std::size_t>(doubles) * sizeof(double));
    auto* const numbers = reinterpret_cast<double*>(block.data());
    std::fill_n(numbers, doubles, 0.0);
    write(i, numbers);
    tree.add(i, block.release());
  }
  Block total = tree.take_total();
  const auto* numbers = reinterpret_cast<const double*>(total.data());
  std::vector<double> result(numbers, numbers + doubles);
  pool.give_back(std::move(total));
  return result;
}

std::vector<TreeSum::Node> TreeSum::take_nodes() {
  std::ranges::sort(waiting_, {}, [](const Node& node) { return node.place.index << node.place.level; });
  return std::move(waiting_);
}

}  // namespace thalweg

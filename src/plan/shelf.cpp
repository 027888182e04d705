#include "plan/shelf.hpp"

#include <algorithm>

namespace thalweg {

void Shelf::Block::summarise() {
  const Buffer& front = buffers.front();
  begin = front.offset;
  end = front.end();
  widest_gap = 0;
  first = latest_first = front.first;
  last = earliest_last = front.last;
  for (const Buffer& b : buffers) add_to_summary(b);
}

/// Extends the summary by a buffer behind all others.
void Shelf::Block::add_to_summary(const Buffer& b) {
  widest_gap = std::max(widest_gap, b.offset - end);
  end = std::max(end, b.end());
  first = std::min(first, b.first);
  latest_first = std::max(latest_first, b.first);
  last = std::max(last, b.last);
  earliest_last = std::min(earliest_last, b.last);
}

/// Whether no buffer of the block is in the way.
bool Shelf::Block::is_apart_from(const Buffer& buffer) const {
  return end <= buffer.offset || last < buffer.first || buffer.last < first;
}

/// Whether every buffer of the block lives at the same time, and there is no room among them.
bool Shelf::Block::is_full_for(const Buffer& buffer) const {
  return buffer.first <= earliest_last && latest_first <= buffer.last && widest_gap < buffer.bytes;
}

void Shelf::place(Buffer& buffer) {
  find_offset(buffer);
  keep(buffer);
  end_ = std::max(end_, buffer.end());
}

void Shelf::find_offset(Buffer& buffer) const {
  buffer.offset = 0;
  int looks = 0;
  for (const Block& block : blocks_) {
    if (buffer.end() <= block.begin) return;  // all later buffers lie higher
    if (block.is_apart_from(buffer)) continue;
    if (block.is_full_for(buffer)) {
      buffer.offset = std::max(buffer.offset, block.end);
      continue;
    }
    for (const Buffer& other : block.buffers) {
      if (buffer.end() <= other.offset) return;
      if (other.lives_with(buffer)) buffer.offset = std::max(buffer.offset, other.end());
    }
    if ((looks += static_cast<int>(block.buffers.size())) > most_looks) {
      buffer.offset = end_;
      return;
    }
  }
}

void Shelf::keep(const Buffer& buffer) {
  // behind those at the same offset
  auto block = std::ranges::upper_bound(blocks_, buffer.offset, {}, &Block::begin);
  if (block != blocks_.begin()) --block;
  if (block == blocks_.end()) block = blocks_.emplace(block);
  auto& buffers = block->buffers;
  const bool is_last = !buffers.empty() && buffers.back().offset <= buffer.offset;
  buffers.insert(is_last ? buffers.end() : std::ranges::upper_bound(buffers, buffer.offset, {}, &Buffer::offset),
                 buffer);
  if (is_last && buffers.size() <= most_in_block) return block->add_to_summary(buffer);
  if (buffers.size() > most_in_block) {
    Block upper;
    const auto middle = buffers.begin() + most_in_block / 2;
    upper.buffers.assign(middle, buffers.end());
    buffers.erase(middle, buffers.end());
    upper.summarise();
    block = blocks_.insert(block + 1, std::move(upper)) - 1;
  }
  block->summarise();
}

}  // namespace thalweg

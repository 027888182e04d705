// Memory: lifetimes become offsets in one arena.

#include <algorithm>
#include <numeric>

#include "plan/plan.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t alignment = 64;

/// Bytes that are alive from one instruction to another.
struct Buffer {
  std::int64_t bytes = 0;
  int first = 0, last = 0;
  std::int64_t offset = 0;
};

bool overlap(const PlanValue& a, const PlanValue& b) {
  return a.place->base == b.place->base &&
         a.place->offset < b.place->offset + static_cast<std::int64_t>(b.signature.bytes()) &&
         b.place->offset < a.place->offset + static_cast<std::int64_t>(a.signature.bytes());
}

/// Whether writing `value` in instruction `at` would destroy something that is read at the same time or later.
bool destroys_a_leaf(const Plan& plan, int value, std::size_t at) {
  const PlanValue& written = plan.values[static_cast<std::size_t>(value)];
  for (std::size_t i = at; i < plan.instructions.size(); ++i) {
    for (int input : plan.instructions[i].inputs) {
      const PlanValue& leaf = plan.values[static_cast<std::size_t>(input)];
      if (leaf.producer >= 0 || !leaf.place || !overlap(written, leaf)) continue;
      if (i > at || *leaf.place != *written.place || !reads_in_place(plan, plan.instructions[i], input)) return true;
    }
  }
  return false;
}

/// An output that would overwrite an input too early is computed aside and copied at the end.
void keep_inputs_whole(Plan& plan) {
  std::vector<Instruction> copies;
  for (std::size_t i = 0; i < plan.instructions.size(); ++i) {
    for (int value : std::vector<int>(plan.instructions[i].outputs)) {
      if (!plan.values[static_cast<std::size_t>(value)].place || !destroys_a_leaf(plan, value, i)) continue;
      const PlanValue out = plan.values[static_cast<std::size_t>(value)];
      plan.values[static_cast<std::size_t>(value)].place.reset();
      const int item = static_cast<int>(plan.items.size()), copied = static_cast<int>(plan.values.size());
      plan.values.push_back({out.signature, out.place, item});
      plan.items.push_back(copy_item({value, View::dense(out.signature.shape)}, out.signature.dtype));
      plan.items.back().value = copied;
      copies.push_back({{item}, {value}, {copied}, "copy", {}, {}});
    }
  }
  plan.instructions.insert(plan.instructions.end(), copies.begin(), copies.end());
}

/// An output may take the place of an input that is read for the last time, element by element.
int input_to_replace(const Plan& plan, std::size_t at, int output, const std::vector<int>& last_read,
                     const std::vector<int>& buffer_of, const std::vector<char>& taken) {
  const Instruction& instruction = plan.instructions[at];
  const PlanValue& out = plan.values[static_cast<std::size_t>(output)];
  if (plan.items[static_cast<std::size_t>(out.producer)].kind != ItemKind::elementwise) return -1;
  for (int input : instruction.inputs) {
    const auto v = static_cast<std::size_t>(input);
    const bool dies_here = buffer_of[v] >= 0 && last_read[v] == static_cast<int>(at) && !taken[v];
    const bool same_size = plan.values[v].signature.bytes() == out.signature.bytes();
    if (dies_here && same_size && reads_in_place(plan, instruction, input)) return input;
  }
  return -1;
}

/// Largest first, each at the lowest offset that is free while it lives.
std::int64_t assign_offsets(std::vector<Buffer>& buffers, bool reuse) {
  std::vector<std::size_t> by_size(buffers.size()), placed;
  std::iota(by_size.begin(), by_size.end(), std::size_t{0});
  std::ranges::stable_sort(by_size, [&](std::size_t a, std::size_t b) { return buffers[a].bytes > buffers[b].bytes; });
  std::int64_t end = 0;
  for (std::size_t index : by_size) {
    Buffer& buffer = buffers[index];
    buffer.offset = 0;
    for (std::size_t other : placed) {  // in the order of their offsets
      const Buffer& o = buffers[other];
      const bool together = !reuse || (o.first <= buffer.last && buffer.first <= o.last);
      if (together && o.offset < buffer.offset + buffer.bytes && buffer.offset < o.offset + o.bytes) {
        buffer.offset = o.offset + o.bytes;
      }
    }
    const auto place =
        std::ranges::upper_bound(placed, buffer.offset, {}, [&](std::size_t i) { return buffers[i].offset; });
    placed.insert(place, index);
    end = std::max(end, buffer.offset + buffer.bytes);
  }
  return end;
}

std::int64_t rounded(std::size_t bytes) {
  return (static_cast<std::int64_t>(bytes) + alignment - 1) / alignment * alignment;
}

}  // namespace

void plan_memory(Plan& plan, bool reuse) {
  keep_inputs_whole(plan);
  std::vector<int> last_read(plan.values.size(), -1), buffer_of(plan.values.size(), -1);
  for (std::size_t i = 0; i < plan.instructions.size(); ++i) {
    for (int value : plan.instructions[i].inputs) last_read[static_cast<std::size_t>(value)] = static_cast<int>(i);
  }
  std::vector<Buffer> buffers;
  std::vector<char> taken(plan.values.size(), 0);
  for (std::size_t i = 0; i < plan.instructions.size(); ++i) {
    const int now = static_cast<int>(i);
    for (int value : plan.instructions[i].outputs) {
      const auto v = static_cast<std::size_t>(value);
      if (plan.values[v].place) continue;
      plan.arena_bytes_without_reuse += rounded(plan.values[v].signature.bytes());
      const int replaced = reuse ? input_to_replace(plan, i, value, last_read, buffer_of, taken) : -1;
      if (replaced >= 0) {
        buffer_of[v] = buffer_of[static_cast<std::size_t>(replaced)];
        taken[static_cast<std::size_t>(replaced)] = 1;
        Buffer& buffer = buffers[static_cast<std::size_t>(buffer_of[v])];
        buffer.last = std::max(buffer.last, last_read[v]);
      } else {
        buffer_of[v] = static_cast<int>(buffers.size());
        buffers.push_back({rounded(plan.values[v].signature.bytes()), now, std::max(now, last_read[v]), 0});
      }
    }
  }
  plan.arena_bytes = assign_offsets(buffers, reuse);
  for (std::size_t v = 0; v < plan.values.size(); ++v) {
    if (buffer_of[v] >= 0)
      plan.values[v].place = Place{arena_base, buffers[static_cast<std::size_t>(buffer_of[v])].offset};
  }
}

}  // namespace thalweg

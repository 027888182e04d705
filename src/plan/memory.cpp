// Memory: lifetimes become offsets in one arena.

#include <algorithm>
#include <map>
#include <numeric>

#include "plan/plan.hpp"
#include "plan/shelf.hpp"

namespace thalweg {

namespace {

std::int64_t end_of(const PlanValue& value) { return value.place->offset + static_cast<std::int64_t>(value.bytes()); }

bool overlap(const PlanValue& a, const PlanValue& b) {
  return a.place->base == b.place->base && a.place->offset < end_of(b) && b.place->offset < end_of(a);
}

/// For each value, the last instruction that reads it, or none.
IndexVector<ValueId, InstructionId> last_reads(const Plan& plan) {
  IndexVector<ValueId, InstructionId> last(plan.values.size());
  for (const InstructionId i : plan.instructions.ids()) {
    for (const ValueId value : plan.instructions[i].inputs) last[value] = i;
  }
  return last;
}

/// The places of the leaves that are read.
class LeafReads {
 public:
  explicit LeafReads(const Plan& plan) : plan_(plan), last_(last_reads(plan)) {
    for (const ValueId v : plan.values.ids()) {
      const PlanValue& value = plan.values[v];
      if (!value.producer && value.place && last_[v]) leaves_[value.place->base].push_back({v, 0});
    }
    for (auto& [base, leaves] : leaves_) {
      std::ranges::sort(leaves, {}, [&](const Leaf& leaf) { return begin(leaf); });
      std::int64_t end = 0;
      for (Leaf& leaf : leaves) leaf.end_so_far = end = std::max(end, end_of(plan.values[leaf.value]));
    }
  }

  /// Whether writing `value` in an instruction would destroy something that is read at the same time or later.
  [[nodiscard]] bool are_destroyed_by(ValueId value, InstructionId writer) const {
    const PlanValue& written = plan_.values[value];
    const auto found = leaves_.find(written.place->base);
    if (found == leaves_.end()) return false;
    const auto& leaves = found->second;
    auto leaf = std::ranges::lower_bound(leaves, end_of(written), {}, [&](const Leaf& l) { return begin(l); });
    while (leaf != leaves.begin() && (--leaf)->end_so_far > written.place->offset) {
      const PlanValue& read = plan_.values[leaf->value];
      if (!overlap(written, read) || last_[leaf->value] < writer) continue;
      if (last_[leaf->value] > writer || *read.place != *written.place) return true;
      if (!reads_in_place(plan_, plan_.instructions[writer], leaf->value)) return true;
    }
    return false;
  }

 private:
  struct Leaf {
    ValueId value;
    std::int64_t end_so_far;  // of this one and those before it
  };
  [[nodiscard]] std::int64_t begin(const Leaf& leaf) const { return plan_.values[leaf.value].place->offset; }

  const Plan& plan_;
  IndexVector<ValueId, InstructionId> last_;
  std::map<int, std::vector<Leaf>> leaves_;  // by base, in the order of their offsets
};

/// An output that would overwrite an input too early is computed in another place and copied at the end.
void keep_inputs_whole(Plan& plan) {
  std::vector<std::pair<ValueId, Place>> moved;
  const LeafReads leaves(plan);
  for (const InstructionId i : plan.instructions.ids()) {
    for (const ValueId value : plan.instructions[i].outputs) {
      const auto place = plan.values[value].place;
      if (place && leaves.are_destroyed_by(value, i)) moved.emplace_back(value, *place);
    }
  }
  for (const auto& [value, place] : moved) {
    plan.values[value].place.reset();
    const Signature signature = plan.values[value].signature;
    const ItemId copy = plan.items.push_back(copy_item({value, View::dense(signature.shape)}, signature.dtype));
    if (!plan.strands.empty()) plan.strands.push_back(plan.strands[plan.values[value].producer]);
    const ValueId copied = plan.items[copy].value = plan.values.push_back({signature, place, copy});
    plan.instructions.push_back({{copy}, {value}, {copied}, "copy", {}, {}});
  }
}

/// Puts values into buffers that live as long as they do.
class Buffers {
 public:
  Buffers(const Plan& plan, bool reuse, std::int64_t alignment)
      : plan_(plan),
        reuse_(reuse),
        alignment_(alignment),
        last_read_(last_reads(plan)),
        buffer_of_(plan.values.size(), -1),
        taken_(plan.values.size(), 0) {
    for (const InstructionId i : plan.instructions.ids()) {
      for (const ValueId value : plan.instructions[i].outputs) {
        if (!plan.values[value].place) add(i, value);
      }
    }
  }

  /// Places the largest first. Returns the bytes of the whole arena.
  std::int64_t assign_offsets() {
    std::vector<int> by_size(buffers_.size());
    std::iota(by_size.begin(), by_size.end(), 0);
    std::ranges::stable_sort(by_size, std::ranges::greater(), [&](int i) { return at(buffers_, i).bytes; });
    Shelf shelf;
    std::int64_t end = 0;
    for (const int i : by_size) {
      Buffer& buffer = at(buffers_, i);
      if (reuse_) {
        shelf.place(buffer);
      } else {
        buffer.offset = end;
      }
      end = std::max(end, buffer.end());
    }
    return end;
  }

  [[nodiscard]] std::optional<Place> place_of(ValueId value) const {
    const int buffer = buffer_of_[value];
    return buffer < 0 ? std::nullopt : std::optional(Place{arena_base, at(buffers_, buffer).offset});
  }
  [[nodiscard]] std::int64_t bytes_without_reuse() const { return bytes_without_reuse_; }

 private:
  [[nodiscard]] std::int64_t rounded(std::size_t bytes) const {
    return (static_cast<std::int64_t>(bytes) + alignment_ - 1) / alignment_ * alignment_;
  }

  void add(InstructionId writer, ValueId value) {
    const std::int64_t bytes = rounded(plan_.values[value].bytes());
    bytes_without_reuse_ += bytes;
    const int last = std::max(writer, last_read_[value]).index();
    if (const ValueId replaced = reuse_ ? input_to_replace(writer, value) : ValueId()) {
      buffer_of_[value] = buffer_of_[replaced];
      taken_[replaced] = 1;
      Buffer& buffer = at(buffers_, buffer_of_[value]);
      buffer.last = std::max(buffer.last, last);
    } else {
      buffer_of_[value] = count(buffers_);
      buffers_.push_back({bytes, writer.index(), last, 0});
    }
  }

  /// An output may take the place of an input that is read for the last time, element by element.
  [[nodiscard]] ValueId input_to_replace(InstructionId writer, ValueId output) const {
    const Instruction& instruction = plan_.instructions[writer];
    const PlanValue& out = plan_.values[output];
    if (plan_.items[out.producer].kind != ItemKind::elementwise) return {};
    for (const ValueId input : instruction.inputs) {
      const bool dies_here = buffer_of_[input] >= 0 && last_read_[input] == writer && !taken_[input];
      if (!dies_here || plan_.values[input].bytes() != out.bytes()) continue;
      if (reads_in_place(plan_, instruction, input)) return input;
    }
    return {};
  }

  const Plan& plan_;
  bool reuse_;
  std::int64_t alignment_;
  IndexVector<ValueId, InstructionId> last_read_;
  IndexVector<ValueId, int> buffer_of_;
  IndexVector<ValueId, char> taken_;  // whether an output has taken the value's place
  std::vector<Buffer> buffers_;
  std::int64_t bytes_without_reuse_ = 0;
};

}  // namespace

void plan_memory(Plan& plan, bool reuse, std::size_t alignment) {
  keep_inputs_whole(plan);
  Buffers buffers(plan, reuse, static_cast<std::int64_t>(alignment));
  plan.arena_bytes = buffers.assign_offsets();
  plan.arena_bytes_without_reuse = buffers.bytes_without_reuse();
  for (const ValueId value : plan.values.ids()) {
    if (const auto place = buffers.place_of(value)) plan.values[value].place = place;
  }
}

}  // namespace thalweg

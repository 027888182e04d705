#include "engine/slot_shares.hpp"

#include <algorithm>
#include <cstring>

#include "distributed/collectives.hpp"
#include "optim/segments.hpp"
#include "optim/update.hpp"

namespace thalweg {

namespace {

void add_run(Runs& runs, Share run) {
  if (run.size() <= 0) return;
  if (!runs.empty() && runs.back().last == run.first) {
    runs.back().last = run.last;
  } else {
    runs.push_back(run);
  }
}

/// Equal runs of the gradient, one for each rank.
std::vector<Runs> slices(std::int64_t size, int ranks) {
  std::vector<Runs> parts;
  for (int rank = 0; rank < ranks; ++rank) parts.push_back({slice_of(rank, ranks, size)});
  return parts;
}

/// The gradients of whole parameters, in runs that are long enough to be cut among the ranks.
Runs stretches(const Layout& trained, int ranks) {
  const std::int64_t least = 16 * ranks * slice_block;  // pieces differ by up to a block
  Runs runs;
  std::int64_t begin = 0, end = 0;
  for (const ParameterEntry& entry : trained.entries) {
    if (!entry.frozen) end += entry.shape.size();
    if (end - begin < least) continue;
    runs.push_back({begin, end});
    begin = end;
  }
  if (!runs.empty()) runs.back().last = end;
  return runs;
}

/// Cuts each stretch of the gradient into a piece for each rank, where reductions begin a block. The ranks take turns
/// to have the first piece and the last, so that each has one run of a parameter.
std::vector<Runs> pieces_of_each(const Layout& trained, int ranks) {
  const auto block_end = [](std::int64_t place) { return (place + slice_block - 1) / slice_block * slice_block; };
  std::vector<Runs> parts(static_cast<std::size_t>(ranks));
  std::int64_t at = 0;
  std::size_t owner = 0;
  bool turned = false;
  for (const Share stretch : stretches(trained, ranks)) {
    for (int k = 0; k < ranks; ++k) {
      owner = static_cast<std::size_t>(turned ? ranks - 1 - k : k);
      if (k + 1 == ranks) break;  // the last piece ends in the next stretch
      const std::int64_t end = block_end(stretch.first + stretch.size() * (k + 1) / ranks);
      add_run(parts[owner], {at, end});
      at = end;
    }
    turned = !turned;
  }
  add_run(parts[owner], {at, trained.trained_size});
  return parts;
}

/// Whether some parameters have a method, and so slots, of their own.
bool has_methods(const Optimizer& optimizer) {
  return std::ranges::any_of(optimizer.groups, [](const ParameterGroup& group) { return !group.chain.empty(); });
}

/// Whether each slot has a number for each trained one, or is the same on all ranks.
bool has_slots_by_number(const Optimizer& optimizer, const Layout& trained) {
  return !has_methods(optimizer) &&
         std::ranges::all_of(trace_update(optimizer, trained).slots, [&](const UpdateSlot& slot) {
           return slot.size == 1 || slot.size == trained.trained_size;
         });
}

/// The layout of a rank's part; notes its runs of parameters and of the gradient.
Layout part_layout(const Optimizer& optimizer, const Layout& trained, int rank, const std::vector<Runs>& owned,
                   Runs& runs, Runs& gradient) {
  Layout own = trained;
  own.trained_size = 0;
  const std::vector<std::int64_t> gradients = gradient_offsets(trained);
  const auto has = [&](int r, std::int64_t place) {
    return !common_part({{place, place + 1}}, owned[static_cast<std::size_t>(r)]).empty();
  };
  for (std::size_t i = 0; i < own.entries.size(); ++i) {
    ParameterEntry& entry = own.entries[i];
    const std::int64_t size = entry.shape.size(), at = gradients[i];
    if (entry.frozen || size == 0) continue;
    const bool whole = needs_shape(optimizer, entry);
    Runs mine;
    if (!whole) mine = common_part({{at, at + size}}, owned[static_cast<std::size_t>(rank)]);
    if (whole && has(rank, at + size / 2)) mine = {{at, at + size}};
    if (mine.empty()) {
      entry.frozen = true;
      continue;
    }
    const Share part = mine.front();
    add_run(gradient, part);
    own.trained_size += part.size();
    entry.offset += part.first - at;
    add_run(runs, {entry.offset, entry.offset + part.size()});
    if (!whole) entry.shape = {part.size()};
  }
  return own;
}

/// Whether a part has the slots of all methods, if only with fewer numbers.
bool has_same_slots(const Optimizer& optimizer, const Layout& part, const Layout& trained) {
  return std::ranges::equal(trace_update(optimizer, part).slots, trace_update(optimizer, trained).slots, {},
                            &UpdateSlot::name, &UpdateSlot::name);
}

std::vector<std::int64_t> sizes_of(const Slots& slots) {
  std::vector<std::int64_t> sizes;
  for (const auto& [name, values] : slots) sizes.push_back(values.size());
  return sizes;
}

/// The sizes of every rank's parts, rank by rank.
std::vector<std::int64_t> all_sizes(Communicator& ranks, const std::vector<std::int64_t>& own) {
  const std::vector<std::uint64_t> sizes(own.begin(), own.end());
  const std::vector<std::uint64_t> all = gather(ranks, sizes);
  return {all.begin(), all.end()};
}

/// Where each rank's part of one slot lies in the whole; a slot that every rank has whole is rank 0's alone.
std::vector<Runs> places_of(const std::vector<std::int64_t>& sizes, const WholeSlots& whole, std::size_t slot) {
  if (whole[slot].parts != nullptr) return *whole[slot].parts;
  std::vector<Runs> places;
  std::int64_t at = 0;
  for (std::size_t i = slot; i < sizes.size(); i += whole.size()) {
    const std::int64_t size = at < whole[slot].size ? sizes[i] : 0;
    places.push_back(size > 0 ? Runs{{at, at + size}} : Runs{});
    at += size;
  }
  return places;
}

std::byte* at(Tensor& values, std::int64_t place) {
  return values.mutable_raw() + static_cast<std::size_t>(place) * size_of(values.dtype());
}

std::size_t bytes_of(Share run, DType dtype) { return static_cast<std::size_t>(run.size()) * size_of(dtype); }

/// Calls f(place in a, place in b, size) for each run that both lists have, where places count along the lists.
template <class F>
void for_common(const Runs& a, const Runs& b, const F& f) {
  std::int64_t at_a = 0;
  for (const Share x : a) {
    std::int64_t at_b = 0;
    for (const Share y : b) {
      const std::int64_t first = std::max(x.first, y.first), last = std::min(x.last, y.last);
      if (first < last) f(at_a + first - x.first, at_b + first - y.first, last - first);
      at_b += y.size();
    }
    at_a += x.size();
  }
}

}  // namespace

std::optional<SlotShares> share_slots(const Optimizer& optimizer, const Layout& trained, int rank, int ranks,
                                      std::int64_t fewest) {
  const bool needs_whole = std::ranges::any_of(
      trained.entries, [&](const ParameterEntry& entry) { return !entry.frozen && needs_shape(optimizer, entry); });
  if (needs_whole) fewest = std::min(fewest, fewest_shared_of_whole);
  if (trained.trained_size < fewest || !can_be_shared(optimizer, trained)) return std::nullopt;
  std::vector<Runs> owned = slices(trained.trained_size, ranks);
  if (!needs_whole && has_slots_by_number(optimizer, trained)) {
    std::vector<Runs> pieces = pieces_of_each(trained, ranks);
    if (std::ranges::none_of(pieces, &Runs::empty)) owned = std::move(pieces);
  }
  SlotShares shares;
  shares.by_number = owned.front().size() > 1 || owned.back().size() > 1;
  shares.parts.resize(static_cast<std::size_t>(ranks));
  shares.gradients.resize(static_cast<std::size_t>(ranks));
  for (int r = 0; r < ranks; ++r) {
    const auto at = static_cast<std::size_t>(r);
    Layout layout = part_layout(optimizer, trained, r, owned, shares.parts[at], shares.gradients[at]);
    if (layout.trained_size == 0) return std::nullopt;  // a parameter that a rule needs whole is nearly all of them
    if (has_methods(optimizer) && !has_same_slots(optimizer, layout, trained)) return std::nullopt;
    if (r == rank) shares.own = std::move(layout);
  }
  for (const UpdateSlot& slot : trace_update(optimizer, trained).slots) shares.whole.emplace_back(slot.name, slot.size);
  return shares;
}

Slots own_part(Communicator& ranks, const Slots& slots, const WholeSlots& whole,
               const std::vector<std::int64_t>& sizes) {
  const std::vector<std::int64_t> all = all_sizes(ranks, sizes);
  Slots own;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const auto& [name, values] = slots[i];
    if (sizes[i] == values.size()) {
      own.push_back(slots[i]);
      continue;
    }
    const Runs places = places_of(all, whole, i)[static_cast<std::size_t>(ranks.rank())];
    Tensor part = zeros({length_of(places)}, values.dtype());
    std::byte* to = part.mutable_raw();
    for (const Share run : places) {
      const std::size_t bytes = bytes_of(run, values.dtype());
      std::memcpy(to, values.raw() + bytes_of({0, run.first}, values.dtype()), bytes);
      to += bytes;
    }
    own.emplace_back(name, std::move(part));
  }
  return own;
}

namespace {

/// Moves the numbers of slots: each rank has those at `from`, one run after another, and gets those at `to`.
Slots moved(Communicator& ranks, const Slots& own, const std::vector<std::vector<Runs>>& from,
            const std::vector<std::vector<Runs>>& to) {
  const auto rank = static_cast<std::size_t>(ranks.rank());
  Slots result;
  std::vector<Message> sent, received;
  for (std::size_t i = 0; i < own.size(); ++i) {
    const DType dtype = own[i].second.dtype();
    result.emplace_back(own[i].first, zeros({length_of(to[i][rank])}, dtype));
    Tensor& got = result.back().second;
    for (std::size_t peer = 0; peer < from[i].size(); ++peer) {
      if (peer == rank) continue;
      for_common(from[i][rank], to[i][peer], [&](std::int64_t here, std::int64_t, std::int64_t size) {
        auto* const data = const_cast<std::byte*>(own[i].second.raw()) + bytes_of({0, here}, dtype);
        sent.push_back({static_cast<int>(peer), data, bytes_of({0, size}, dtype)});
      });
      for_common(from[i][peer], to[i][rank], [&](std::int64_t, std::int64_t here, std::int64_t size) {
        received.push_back({static_cast<int>(peer), at(got, here), bytes_of({0, size}, dtype)});
      });
    }
    for_common(from[i][rank], to[i][rank], [&](std::int64_t before, std::int64_t after, std::int64_t size) {
      std::memcpy(at(got, after), own[i].second.raw() + bytes_of({0, before}, dtype), bytes_of({0, size}, dtype));
    });
  }
  ranks.exchange(sent, received);
  return result;
}

}  // namespace

Slots part_to_write(Communicator& ranks, const Slots& own, const WholeSlots& whole) {
  const std::vector<std::int64_t> all = all_sizes(ranks, sizes_of(own));
  std::vector<std::vector<Runs>> from, to;
  for (std::size_t i = 0; i < own.size(); ++i) {
    from.push_back(places_of(all, whole, i));
    to.push_back(whole[i].parts == nullptr ? from.back() : slices(whole[i].size, ranks.size()));
  }
  Slots written = moved(ranks, own, from, to);
  std::erase_if(written, [](const auto& slot) { return slot.second.size() == 0; });
  return written;
}

Slots joined_parts(Communicator& ranks, const Slots& own, const WholeSlots& whole, bool on_all) {
  const std::vector<std::int64_t> all = all_sizes(ranks, sizes_of(own));
  std::vector<std::vector<Runs>> from, to;
  for (std::size_t i = 0; i < own.size(); ++i) {
    from.push_back(places_of(all, whole, i));
    to.emplace_back();
    for (int rank = 0; rank < ranks.size(); ++rank)
      to.back().push_back(rank == 0 || on_all ? Runs{{0, whole[i].size}} : Runs{});
  }
  Slots joined = moved(ranks, own, from, to);
  if (ranks.rank() != 0 && !on_all) joined.clear();
  return joined;
}

}  // namespace thalweg

#include "engine/slot_shares.hpp"

#include <algorithm>
#include <cstring>

#include "distributed/collectives.hpp"
#include "optim/segments.hpp"
#include "optim/update.hpp"

namespace thalweg {

namespace {

/// The rank that owns the run of the gradient in which a number lies.
int owner_of(std::int64_t place, std::int64_t size, int ranks) {
  int rank = 0;
  while (place >= slice_of(rank, ranks, size).last) ++rank;
  return rank;
}

/// The part of an entry, (from, to) in it, that a rank updates.
Share part_of(std::int64_t gradient_at, std::int64_t numbers, bool whole, int rank, int ranks, std::int64_t size) {
  if (whole) return {0, owner_of(gradient_at + numbers / 2, size, ranks) == rank ? numbers : 0};
  const Share slice = slice_of(rank, ranks, size);
  const auto within = [&](std::int64_t place) { return std::clamp<std::int64_t>(place - gradient_at, 0, numbers); };
  return {within(slice.first), within(slice.last)};
}

void add_run(std::vector<Share>& runs, Share run) {
  if (!runs.empty() && runs.back().last == run.first) {
    runs.back().last = run.last;
  } else {
    runs.push_back(run);
  }
}

/// The layout of a rank's part; notes the place of its gradient.
Layout part_layout(const Optimizer& optimizer, const Layout& trained, int rank, int ranks, std::vector<Share>& runs,
                   std::int64_t& gradient_at) {
  Layout own = trained;
  own.trained_size = 0;
  const std::vector<std::int64_t> gradients = gradient_offsets(trained);
  for (std::size_t i = 0; i < own.entries.size(); ++i) {
    ParameterEntry& entry = own.entries[i];
    if (entry.frozen || entry.shape.size() == 0) continue;
    const bool whole = needs_shape(optimizer, entry);
    const Share part = part_of(gradients[i], entry.shape.size(), whole, rank, ranks, trained.trained_size);
    if (part.size() == 0) {
      entry.frozen = true;
      continue;
    }
    if (own.trained_size == 0) gradient_at = gradients[i] + part.first;
    own.trained_size += part.size();
    entry.offset += part.first;
    add_run(runs, {entry.offset, entry.offset + part.size()});
    if (!whole) entry.shape = {part.size()};
  }
  return own;
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
std::vector<Share> places_of(const std::vector<std::int64_t>& sizes, std::size_t slots, std::size_t slot,
                             std::int64_t whole) {
  std::vector<Share> places;
  std::int64_t at = 0;
  for (std::size_t i = slot; i < sizes.size(); i += slots) {
    const std::int64_t size = at < whole ? sizes[i] : 0;
    places.push_back({at, at + size});
    at += size;
  }
  return places;
}

std::byte* at(Tensor& values, std::int64_t place) {
  return values.mutable_raw() + static_cast<std::size_t>(place) * size_of(values.dtype());
}

std::size_t bytes_of(Share run, DType dtype) { return static_cast<std::size_t>(run.size()) * size_of(dtype); }

}  // namespace

std::optional<SlotShares> share_slots(const Optimizer& optimizer, const Layout& trained, int rank, int ranks,
                                      std::int64_t fewest) {
  const bool needs_whole = std::ranges::any_of(
      trained.entries, [&](const ParameterEntry& entry) { return !entry.frozen && needs_shape(optimizer, entry); });
  if (needs_whole) fewest = std::min(fewest, fewest_shared_of_whole);
  if (trained.trained_size < fewest || !can_be_shared(optimizer, trained)) return std::nullopt;
  SlotShares shares;
  shares.parts.resize(static_cast<std::size_t>(ranks));
  for (int r = 0; r < ranks; ++r) {
    std::int64_t gradient_at = 0;
    Layout layout = part_layout(optimizer, trained, r, ranks, shares.parts[static_cast<std::size_t>(r)], gradient_at);
    if (layout.trained_size == 0) return std::nullopt;  // a parameter that a rule needs whole is nearly all of them
    if (r != rank) continue;
    shares.own = std::move(layout);
    shares.gradient_at = gradient_at;
  }
  for (const UpdateSlot& slot : trace_update(optimizer, trained).slots) shares.whole.emplace_back(slot.name, slot.size);
  return shares;
}

void send_parts(Communicator& ranks, const SlotShares& shares, std::byte* parameters, DType dtype) {
  std::vector<Message> sent, received;
  const auto messages = [&](int peer, int owner, std::vector<Message>& list) {
    for (const Share run : shares.parts[static_cast<std::size_t>(owner)])
      list.push_back({peer, parameters + static_cast<std::size_t>(run.first) * size_of(dtype), bytes_of(run, dtype)});
  };
  for (int peer = 0; peer < ranks.size(); ++peer) {
    if (peer == ranks.rank()) continue;
    messages(peer, ranks.rank(), sent);
    messages(peer, peer, received);
  }
  ranks.exchange(sent, received);
}

Slots own_part(Communicator& ranks, const Slots& whole, const std::vector<std::int64_t>& sizes) {
  const std::vector<std::int64_t> all = all_sizes(ranks, sizes);
  Slots own;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const auto& [name, values] = whole[i];
    if (sizes[i] == values.size()) {
      own.push_back(whole[i]);
      continue;
    }
    const Share place = places_of(all, whole.size(), i, values.size())[static_cast<std::size_t>(ranks.rank())];
    Tensor part = zeros({place.size()}, values.dtype());
    std::memcpy(part.mutable_raw(), values.raw() + static_cast<std::size_t>(place.first) * size_of(values.dtype()),
                part.bytes());
    own.emplace_back(name, std::move(part));
  }
  return own;
}

Slots part_to_write(Communicator& ranks, const Slots& own, const std::vector<std::int64_t>& sizes) {
  const std::vector<std::int64_t> all = all_sizes(ranks, sizes_of(own));
  Slots written;
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (places_of(all, own.size(), i, sizes[i])[static_cast<std::size_t>(ranks.rank())].size() > 0)
      written.push_back(own[i]);
  }
  return written;
}

Slots joined_parts(Communicator& ranks, const Slots& own, const std::vector<std::int64_t>& sizes, bool on_all) {
  const std::vector<std::int64_t> all = all_sizes(ranks, sizes_of(own));
  const auto gets = [&](int rank) { return rank == 0 || on_all; };
  Slots whole;
  std::vector<Message> sent, received;
  for (std::size_t i = 0; i < own.size(); ++i) {
    const Tensor& part = own[i].second;
    const DType dtype = part.dtype();
    const std::vector<Share> places = places_of(all, own.size(), i, sizes[i]);
    const Share own_place = places[static_cast<std::size_t>(ranks.rank())];
    if (gets(ranks.rank())) {
      whole.emplace_back(own[i].first, zeros({sizes[i]}, dtype));
      if (own_place.size() > 0)
        std::memcpy(at(whole.back().second, own_place.first), part.raw(), bytes_of(own_place, dtype));
    }
    for (int peer = 0; peer < ranks.size(); ++peer) {
      if (peer == ranks.rank()) continue;
      const Share theirs = places[static_cast<std::size_t>(peer)];
      if (gets(peer) && own_place.size() > 0)
        sent.push_back({peer, const_cast<std::byte*>(part.raw()), bytes_of(own_place, dtype)});
      if (gets(ranks.rank()) && theirs.size() > 0)
        received.push_back({peer, at(whole.back().second, theirs.first), bytes_of(theirs, dtype)});
    }
  }
  ranks.exchange(sent, received);
  return whole;
}

}  // namespace thalweg

#include "distributed/collectives.hpp"

#include <algorithm>

namespace thalweg {

namespace {

/// One message for each other rank, made by `of(peer)`.
template <class Of>
std::vector<Message> with_others(const Communicator& ranks, const Of& of) {
  std::vector<Message> messages;
  for (int peer = 0; peer < ranks.size(); ++peer) {
    if (peer != ranks.rank()) messages.push_back(of(peer));
  }
  return messages;
}

void send_from(Communicator& ranks, int root, std::byte* data, std::size_t bytes) {
  if (ranks.rank() == root) {
    ranks.exchange(with_others(ranks, [&](int peer) { return Message{peer, data, bytes}; }), {});
  } else {
    const Message message{root, data, bytes};
    ranks.exchange({}, {&message, 1});
  }
}

/// The text of one rank, on every rank.
std::string from(Communicator& ranks, int root, std::string text) {
  std::uint64_t length = text.size();
  send_from(ranks, root, reinterpret_cast<std::byte*>(&length), sizeof(length));
  text.resize(length);
  send_from(ranks, root, reinterpret_cast<std::byte*>(text.data()), length);
  return text;
}

}  // namespace

std::string from_first(Communicator& ranks, std::string text) { return from(ranks, 0, std::move(text)); }

std::string from_first_that(Communicator& ranks, bool yes, std::string text) {
  const std::uint64_t own = yes ? 1 : 0;
  const std::vector<std::uint64_t> said = gather(ranks, {&own, 1});
  const auto first = std::ranges::find(said, std::uint64_t{1});
  return from(ranks, first == said.end() ? 0 : static_cast<int>(first - said.begin()), std::move(text));
}

std::vector<std::uint64_t> gather(Communicator& ranks, std::span<const std::uint64_t> own) {
  std::vector<std::uint64_t> all(own.size() * static_cast<std::size_t>(ranks.size()));
  const auto of = [&](int rank) {
    return reinterpret_cast<std::byte*>(all.data() + own.size() * static_cast<std::size_t>(rank));
  };
  std::ranges::copy(std::as_bytes(own), of(ranks.rank()));
  ranks.exchange(with_others(ranks,
                             [&](int peer) {
                               return Message{peer, of(ranks.rank()), own.size_bytes()};
                             }),
                 with_others(ranks, [&](int peer) {
                   return Message{peer, of(peer), own.size_bytes()};
                 }));
  return all;
}

bool any_rank(Communicator& ranks, bool yes) {
  const std::uint64_t own = yes ? 1 : 0;
  return std::ranges::any_of(gather(ranks, {&own, 1}), [](std::uint64_t said) { return said != 0; });
}

}  // namespace thalweg

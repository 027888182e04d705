#include "distributed/collectives.hpp"

#include <algorithm>

namespace thalweg {

namespace {

/// One message with each other rank; `of(peer)` says what.
template <class Of>
std::vector<Message> with_others(const Communicator& ranks, const Of& of) {
  std::vector<Message> messages;
  for (int peer = 0; peer < ranks.size(); ++peer) {
    if (peer != ranks.rank()) messages.push_back(of(peer));
  }
  return messages;
}

void send_first(Communicator& ranks, std::byte* data, std::size_t bytes) {
  if (ranks.rank() == 0) {
    ranks.exchange(with_others(ranks, [&](int peer) { return Message{peer, data, bytes}; }), {});
  } else {
    const Message message{0, data, bytes};
    ranks.exchange({}, {&message, 1});
  }
}

}  // namespace

std::string from_first(Communicator& ranks, std::string text) {
  std::uint64_t length = text.size();
  send_first(ranks, reinterpret_cast<std::byte*>(&length), sizeof(length));
  text.resize(length);
  send_first(ranks, reinterpret_cast<std::byte*>(text.data()), length);
  return text;
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

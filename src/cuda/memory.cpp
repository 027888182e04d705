#include "cuda/memory.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace thalweg::cuda {

namespace {

std::size_t rounded(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

CUdeviceptr number_of(const std::byte* there) { return reinterpret_cast<CUdeviceptr>(there); }

// Larger reads are not staged: the driver copies them in its own pieces, and returns when all bytes have arrived.
constexpr std::size_t most_staged = std::size_t{32} << 20;
constexpr std::size_t words_room = 64;

}  // namespace

// ---------------------------------------------------------------------------------------------------------------------
// Memory of the GPU

MemoryPool::~MemoryPool() {
  for (const auto& [bytes, block] : unused_) context_.give_back(context_.functions.cuMemFree, number_of(block));
  for (const auto& [block, bytes] : sizes_) context_.give_back(context_.functions.cuMemFree, number_of(block));
}

std::byte* MemoryPool::take(std::size_t bytes) {
  constexpr std::size_t alignment = 256;
  const std::size_t size = rounded(std::max<std::size_t>(1, bytes), alignment);
  std::byte* block = nullptr;
  if (const auto found = unused_.find(size); found != unused_.end()) {
    block = found->second;
    unused_.erase(found);
  } else {
    block = new_block(size);
  }
  if (block != nullptr) sizes_[block] = size;
  return block;
}

std::byte* MemoryPool::new_block(std::size_t bytes) {
  CUdeviceptr block = 0;
  CUresult result = context_.functions.cuMemAlloc(&block, bytes);
  if (result == CUDA_ERROR_OUT_OF_MEMORY && !unused_.empty()) {
    return_unused();
    result = context_.functions.cuMemAlloc(&block, bytes);
  }
  if (result == CUDA_ERROR_OUT_OF_MEMORY) return nullptr;
  context_.functions.check(result, "cuMemAlloc");
  return reinterpret_cast<std::byte*>(block);
}

void MemoryPool::return_unused() {
  stream_.wait();
  for (const auto& [bytes, block] : unused_) THALWEG_CALL(context_.functions, cuMemFree, number_of(block));
  unused_.clear();
}

void MemoryPool::give_back(std::byte* block) {
  const auto found = sizes_.find(block);
  if (found == sizes_.end()) defect("memory of the GPU is released that was not given out");
  unused_.emplace(found->second, block);
  sizes_.erase(found);
}

// ---------------------------------------------------------------------------------------------------------------------
// From the host to the GPU

void SendingRing::send(std::byte* there, const std::byte* here, std::size_t bytes) {
  constexpr std::size_t alignment = 64;
  while (bytes > 0) {
    if (used_ >= piece_bytes) turn();
    const std::size_t part = std::min(bytes, piece_bytes - used_);
    std::byte* const staged = ring_[current_].memory.data() + used_;
    std::memcpy(staged, here, part);
    THALWEG_CALL(context_.functions, cuMemcpyHtoDAsync, number_of(there), staged, part, stream_.get());
    used_ += rounded(part, alignment);
    there += part, here += part, bytes -= part;
  }
}

void SendingRing::turn() {
  if (!ring_.empty()) ring_[current_].sent.record(stream_.get());
  const std::size_t next = ring_.empty() ? 0 : (current_ + 1) % pieces;
  if (next == ring_.size()) {
    ring_.push_back({Pinned(context_, piece_bytes), Event(context_)});
  } else {
    ring_[next].sent.wait();
  }
  current_ = next, used_ = 0;
}

// ---------------------------------------------------------------------------------------------------------------------
// From the GPU to the host

ErrorWords Reading::words() const {
  ErrorWords words;
  std::memcpy(&words, staging.data(), sizeof(words));
  return words;
}

void Reading::copy_out() const {
  if (bytes <= most_staged) std::memcpy(here, staging.data() + words_room, bytes);
}

std::uint64_t Readings::ask(std::byte* here, const std::byte* there, std::size_t bytes, CUdeviceptr words) {
  const std::size_t staged = bytes <= most_staged ? bytes : 0;
  const std::size_t size = std::bit_ceil(staged + words_room);
  if (events_.empty()) events_.emplace_back(context_);
  if (memory_.find(size) == memory_.end()) memory_.emplace(size, Pinned(context_, size));
  auto memory = memory_.extract(memory_.find(size));
  Reading reading{last_ + 1, std::move(events_.back()), std::move(memory.mapped()), here, bytes};
  events_.pop_back();

  const DriverFunctions& functions = context_.functions;
  std::byte* const to = staged == bytes ? reading.staging.data() + words_room : here;
  if (bytes > 0) THALWEG_CALL(functions, cuMemcpyDtoHAsync, to, number_of(there), bytes, stream_.get());
  THALWEG_CALL(functions, cuMemcpyDtoHAsync, reading.staging.data(), words, sizeof(ErrorWords), stream_.get());
  reading.done.record(stream_.get());
  asked_.push_back(std::move(reading));
  return ++last_;
}

std::vector<Reading> Readings::take(std::uint64_t number) {
  std::vector<Reading> taken;
  while (!asked_.empty() && asked_.front().number <= number) {
    taken.push_back(std::move(asked_.front()));
    asked_.pop_front();
  }
  return taken;
}

void Readings::give_back(std::vector<Reading> readings) {
  for (Reading& reading : readings) {
    events_.push_back(std::move(reading.done));
    const std::size_t size = reading.staging.bytes();
    memory_.emplace(size, std::move(reading.staging));
  }
}

}  // namespace thalweg::cuda

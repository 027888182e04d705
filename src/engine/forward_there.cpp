// Forward passes on a device with its own memory.

#include "core/mirrored.hpp"
#include "engine/forward.hpp"

namespace thalweg {

Mark ForwardProgram::start_there(std::span<const std::span<const std::byte>> inputs, const Tensor& parameters,
                                 std::span<const std::span<std::byte>> outputs, BlockPool& pool, Workers& workers,
                                 const Draws& draws) const {
  Device& device = *program_.far();
  const auto aligned = [&](std::size_t bytes) {
    return (bytes + device.alignment() - 1) / device.alignment() * device.alignment();
  };
  std::size_t end = aligned(memory_bytes());
  const auto place = [&](std::size_t bytes) { return std::exchange(end, end + aligned(bytes)); };
  std::vector<std::size_t> read, written;
  for (const auto& input : inputs) read.push_back(place(input.size()));
  for (const auto& output : outputs) written.push_back(place(output.size()));
  const BytesThere values(device, parameters);
  const auto memory = pool.take(end);
  std::vector<std::byte*> bases = {values.data(), memory.data() + random_at_};
  if (samples_ > 0) {
    std::vector<std::byte> block(random_block_bytes(samples_));
    fill_random_block(block.data(), draws, samples_);
    device.write(memory.data() + random_at_, block.data(), block.size());
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    bases.push_back(memory.data() + read[i]);
    device.write(bases.back(), inputs[i].data(), inputs[i].size());
  }
  for (const std::size_t offset : written) bases.push_back(memory.data() + offset);
  program_.run(bases, memory.data(), workers);
  Mark last;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    last = device.read(outputs[i].data(), memory.data() + written[i], outputs[i].size());
  return last;  // the block goes back to the pool at once: its next user comes later in the device's order
}

void ForwardProgram::run_there(std::span<const std::span<const std::byte>> inputs, const Tensor& parameters,
                               std::span<const std::span<std::byte>> outputs, BlockPool& pool, Workers& workers,
                               const Draws& draws) const {
  program_.far()->wait(start_there(inputs, parameters, outputs, pool, workers, draws));
}

}  // namespace thalweg

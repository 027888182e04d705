#include "plan/run_there.hpp"

#include "core/mirrored.hpp"

namespace thalweg {

std::vector<Tensor> run_there(const Program& program, const std::vector<Tensor>& inputs,
                              const std::vector<Signature>& outputs) {
  Device& device = *program.far();
  std::vector<BytesThere> read;
  read.reserve(inputs.size());
  std::vector<Block> written;
  std::vector<std::byte*> bases;
  for (const Tensor& x : inputs) bases.push_back(read.emplace_back(device, x).data());
  for (const Signature& y : outputs) bases.push_back(written.emplace_back(y.bytes(), &device).data());
  const Block arena(program.arena_bytes(), &device);
  Workers alone(1);
  std::vector<Tensor> results;  // first, because the memory of results must exist until they have arrived
  for (const Signature& y : outputs) results.emplace_back(y.shape, y.dtype);
  program.run(bases, arena.data(), alone);
  Mark last;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    last = device.read(results[i].mutable_raw(), written[i].data(), results[i].bytes());
  device.wait(last);
  return results;
}

}  // namespace thalweg

#include "kernels/rates.hpp"

#include <algorithm>
#include <array>
#include <memory>

#include "core/block.hpp"
#include "core/index.hpp"
#include "kernels/matmul.hpp"
#include "kernels/timing.hpp"
#include "tiles/tiles.hpp"

namespace thalweg {

namespace {

/// Runs a kernel on every worker at once, each with its own operands, all of them ones.
class AtWork {
 public:
  AtWork(Kernel kernel, Workers& workers, std::span<const Signature> inputs, const Signature& output)
      : kernel_(std::move(kernel)), workers_(workers) {
    for (int i = 0; i < workers.threads(); ++i) {
      Operands& own = *operands_.emplace_back(std::make_unique<Operands>());
      for (const Signature& input : inputs) own.add(input);
      own.output = own.add(output);
      own.inputs.pop_back();
      own.scratch = Block(kernel_.scratch + 64);
    }
  }

  [[nodiscard]] double seconds() const {
    return seconds_a_call(workers_, workers_.threads(), [&](std::int64_t thread, std::int64_t) {
      Operands& own = *at(operands_, thread);
      kernel_.run({&own.output, own.inputs.data(), own.scratch.data(), workers_});
    });
  }

 private:
  struct Operands {
    std::vector<Block> blocks;
    std::vector<const std::byte*> inputs;
    std::byte* output = nullptr;
    Block scratch;

    std::byte* add(const Signature& value) {
      std::byte* data = blocks.emplace_back(value.bytes()).data();
      if (value.dtype == f64) {
        std::fill_n(reinterpret_cast<double*>(data), value.shape.size(), 1.0);
      } else {
        std::fill_n(reinterpret_cast<float*>(data), value.shape.size(), 1.0F);
      }
      inputs.push_back(data);
      return data;
    }
  };

  Kernel kernel_;
  Workers& workers_;
  std::vector<std::unique_ptr<Operands>> operands_;
};

double product_rate(std::int64_t width, DType dtype, Workers& workers) {
  const Signature square{{width, width}, dtype};
  const std::array inputs = {square, square};
  const std::array<std::int64_t, 2> not_transposed = {0, 0};
  const AtWork work(make_matmul({inputs, square, not_transposed}), workers, inputs, square);
  const auto n = static_cast<double>(width);
  return 2 * n * n * n * workers.threads() / work.seconds();
}

/// Seconds of c = a + b with this many elements, on each worker.
double addition(std::int64_t elements, Workers& workers) {
  const Signature row{{elements}, f32};
  TileProgram program;
  program.outer = elements;
  for (int input = 0; input < 2; ++input) program.loads.push_back({input, View::dense(row.shape), f32});
  program.steps = {{find_micro_op("add"), {0, 1, 0, 0}}};
  program.stores = {{2, 0, {}}};
  const std::array inputs = {row, row};
  return AtWork(make_tile_kernel(program), workers, inputs, row).seconds();
}

}  // namespace

Rates measure_rates(Workers& workers) {
  Rates rates;
  for (const std::int64_t width : {32, 128, 512, 1024})
    rates.products.push_back({width, product_rate(width, f32, workers), product_rate(width, f64, workers)});
  // three blocks for each worker: 32 MB each for few workers, less for many, each of which has only a part of a shared
  // cache
  const std::int64_t beyond_caches =
      std::max<std::int64_t>(std::int64_t{1} << 20, (std::int64_t{1} << 26) / std::max(8, workers.threads()));
  rates.memory =
      3.0 * sizeof(float) * static_cast<double>(beyond_caches * workers.threads()) / addition(beyond_caches, workers);
  rates.kernel = addition(1, workers);
  return rates;
}

}  // namespace thalweg

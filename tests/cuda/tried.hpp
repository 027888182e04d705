#pragma once
// Runs a call of an op on a GPU and on this CPU, for comparison.

#include "core/block.hpp"
#include "device/stored_operands.hpp"
#include "opened_gpu.hpp"
#include "vendor_calls.hpp"

namespace thalweg::testing {

inline std::vector<std::byte> bytes_of(const Tensor& tensor, Stored stored) {
  std::vector<std::byte> bytes(tensor.raw(), tensor.raw() + tensor.bytes());
  if (stored != Stored::bf16) return bytes;
  std::vector<std::byte> halves(bytes.size() / 2);
  narrow(reinterpret_cast<Bf16*>(halves.data()), reinterpret_cast<const float*>(bytes.data()), tensor.size());
  return halves;
}

/// A call of an op with random inputs.
class Tried {
 public:
  explicit Tried(const VendorCall& call) : call_(call) {
    for (std::size_t k = 0; k < call.inputs.size(); ++k) {
      const Tensor x = random_uniform(call.inputs[k].shape, -1, 1, 7 + k, f64).to(call.inputs[k].dtype);
      inputs_.push_back(bytes_of(x, call.stored.empty() ? Stored::plain : call.stored[k]));
    }
  }

  [[nodiscard]] std::string name() const { return call_.str(); }
  [[nodiscard]] std::size_t output_bytes() const {
    return call_.output.bytes() / (call_.result == Stored::bf16 ? 2U : 1U);
  }

  [[nodiscard]] Tensor here() const {
    const Kernel kernel = make_with_stored(*call_.op->kernel, call_.site());
    const Block scratch(static_cast<std::int64_t>(kernel.scratch)), output(static_cast<std::int64_t>(output_bytes()));
    std::vector<Block> copies;
    std::vector<const std::byte*> from;
    for (const auto& input : inputs_) {
      copies.emplace_back(static_cast<std::int64_t>(input.size()));
      std::ranges::copy(input, copies.back().data());
      from.push_back(copies.back().data());
    }
    std::byte* to = output.data();
    Workers alone(1);
    kernel.run({&to, from.data(), scratch.data(), alone});
    return tensor_of({output.data(), output.data() + output_bytes()});
  }

  /// Its result on a GPU, with all operands `offset` bytes behind a multiple of 256.
  [[nodiscard]] Tensor there(GpuDriver& driver, const Kernel& kernel, std::size_t offset = 0,
                             bool record = false) const {
    std::vector<std::unique_ptr<There<std::byte>>> memory;
    std::vector<const std::byte*> from;
    for (const auto& input : inputs_) {
      std::vector<std::byte> moved(offset);
      moved.insert(moved.end(), input.begin(), input.end());
      memory.push_back(std::make_unique<There<std::byte>>(driver, moved.size() + 1));
      memory.back()->write(moved);
      from.push_back(memory.back()->data() + offset);
    }
    const There<std::byte> output(driver, std::vector<std::byte>(offset + output_bytes() + 1, std::byte{0xff}));
    CallThere call(driver, kernel, from, {output.data() + offset});
    if (record) {
      const auto play = driver.record({[&] { kernel.run(call.call()); }});
      for (int i = 0; i < 3; ++i) play();
    } else {
      kernel.run(call.call());
    }
    const std::vector<std::byte> result = output.read();
    const auto untouched = [](std::byte b) { return b == std::byte{0xff}; };
    EXPECT_TRUE(std::all_of(result.begin(), result.begin() + static_cast<std::ptrdiff_t>(offset), untouched)) << name();
    EXPECT_TRUE(untouched(result.back())) << name();
    return tensor_of({result.begin() + static_cast<std::ptrdiff_t>(offset), result.end() - 1});
  }

  [[nodiscard]] double tolerance() const {
    return call_.result == Stored::bf16 ? 1e-2 : call_.output.dtype == f64 ? 1e-12 : 2e-5 * call_.tolerance;
  }
  [[nodiscard]] Kernel kernel(GpuDriver& driver) const { return driver.op(call_.op->name, call_.site()); }

 private:
  [[nodiscard]] Tensor tensor_of(std::vector<std::byte> bytes) const {
    Tensor result(call_.output.shape, call_.output.dtype);
    if (call_.result == Stored::bf16) {
      widen(reinterpret_cast<float*>(result.mutable_raw()), reinterpret_cast<const Bf16*>(bytes.data()), result.size());
    } else {
      std::copy(bytes.begin(), bytes.end(), result.mutable_raw());
    }
    return result;
  }

  VendorCall call_;
  std::vector<std::vector<std::byte>> inputs_;
};

/// The number of requests for algorithms to a stand-in so far.
inline int times_asked(const char* library, const char* name) {
  void* const handle = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
  return handle == nullptr ? 0 : reinterpret_cast<int (*)()>(dlsym(handle, name))();
}
inline int times_asked() {
  return times_asked("libcublasLt.so.13", "thalweg_stand_in_products_asked") +
         times_asked("libcudnn.so.9", "thalweg_stand_in_plans_asked");
}

}  // namespace thalweg::testing

#include "device/stored_operands.hpp"

#include <algorithm>
#include <memory>
#include <vector>

namespace thalweg {

namespace {

constexpr std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

/// Runs f(first, n) for parts of the elements, on all workers.
template <class F>
void in_parts(Workers& workers, std::int64_t elements, const F& f) {
  workers.run((elements + split_elements - 1) / split_elements, [&](std::int64_t part) {
    const std::int64_t first = part * split_elements;
    f(first, std::min(split_elements, elements - first));
  });
}

class StoredOperands {
 public:
  StoredOperands(Kernel kernel, const KernelSite& site) : kernel_(std::move(kernel)) {
    scratch_ = aligned(kernel_.scratch);
    for (std::size_t k = 0; k < site.inputs.size(); ++k)
      inputs_.push_back(operand(site.inputs[k], site.stored.empty() ? Stored::plain : site.stored[k]));
    output_ = operand(site.output, site.result);
    addresses_at_ = scratch_;
    scratch_ += aligned(inputs_.size() * sizeof(std::byte*));
  }

  [[nodiscard]] std::size_t scratch() const { return scratch_; }

  void run(const KernelCall& call) const {
    const auto** inputs = reinterpret_cast<const std::byte**>(call.scratch + addresses_at_);
    for (std::size_t k = 0; k < inputs_.size(); ++k) inputs[k] = read(inputs_[k], call.inputs[k], call);
    const bool converts = output_.stored == Stored::bf16;
    std::byte* output = converts ? call.scratch + output_.at : call.outputs[0];
    kernel_.run({&output, inputs, call.scratch, call.workers});
    if (!converts) return;
    in_parts(call.workers, output_.elements, [&](std::int64_t first, std::int64_t n) {
      narrow(call.out<Bf16>() + first, reinterpret_cast<const float*>(output) + first, n);
    });
  }

 private:
  struct Operand {
    Stored stored = Stored::plain;
    std::int64_t elements = 0;
    std::size_t at = 0;  // in the scratch
  };

  Operand operand(const Signature& signature, Stored stored) {
    const Operand made{stored, signature.shape.size(), scratch_};
    if (stored != Stored::plain) scratch_ += aligned(signature.bytes());
    return made;
  }

  /// Where the kernel finds an input.
  const std::byte* read(const Operand& operand, const std::byte* from, const KernelCall& call) const {
    if (operand.stored == Stored::plain) return from;
    auto* into = reinterpret_cast<float*>(call.scratch + operand.at);
    in_parts(call.workers, operand.elements, [&](std::int64_t first, std::int64_t n) {
      if (operand.stored == Stored::bf16) {
        widen(into + first, reinterpret_cast<const Bf16*>(from) + first, n);
      } else {
        round_to_bf16(into + first, reinterpret_cast<const float*>(from) + first, n);
      }
    });
    return reinterpret_cast<const std::byte*>(into);
  }

  Kernel kernel_;
  std::vector<Operand> inputs_;
  Operand output_;
  std::size_t addresses_at_ = 0, scratch_ = 0;
};

}  // namespace

Kernel make_with_stored(const OpKernel& op, const KernelSite& site) {
  KernelSite plain = site;
  plain.stored = {};
  plain.result = Stored::plain;
  Kernel kernel = op.make(plain);
  const bool all_plain = site.result == Stored::plain &&
                         std::ranges::all_of(site.stored, [](Stored stored) { return stored == Stored::plain; });
  if (all_plain) return kernel;
  const auto stored = std::make_shared<const StoredOperands>(std::move(kernel), site);
  return {[stored](const KernelCall& call) { stored->run(call); }, stored->scratch()};
}

}  // namespace thalweg

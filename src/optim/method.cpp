// What all methods share: their memory, and the errors for products that an oracle does not offer.

#include "thalweg/method.hpp"

#include "core/error.hpp"

namespace thalweg {

std::string_view name(Need need) {
  switch (need) {
    case Need::gradient: return "value and gradient";
    case Need::curvature: return "products with the Hessian";
    case Need::gauss_newton: return "products with the Gauss-Newton matrix";
    case Need::residuals: return "residuals";
  }
  return "";
}

namespace {

[[noreturn]] void fail_need(Need need) { fail<UsageError>("[oracle] {} are not offered", name(need)); }

}  // namespace

void Oracle::curvature(const Tensor&, const Tensor&, Tensor&) { fail_need(Need::curvature); }
void Oracle::gauss_newton(const Tensor&, const Tensor&, Tensor&) { fail_need(Need::gauss_newton); }
const Residuals& Oracle::residuals() const { fail_need(Need::residuals); }

MethodMemory::MethodMemory(const std::vector<MethodSlot>& slots) {
  for (const MethodSlot& slot : slots) {
    (slot.kept ? kept_ : room_).emplace_back(slot.name, Tensor(Shape{slot.size}, slot.dtype));
  }
}

Tensor& MethodMemory::operator[](std::string_view name) {
  for (auto* slots : {&kept_, &room_}) {
    for (auto& [slot, tensor] : *slots) {
      if (slot == name) return tensor;
    }
  }
  fail<UsageError>("[method] there is no slot '{}'. Hint: name it in slots().", name);
}

}  // namespace thalweg

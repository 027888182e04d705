#include "train/made_on.hpp"

#include "core/error.hpp"
#include "core/machine.hpp"
#include "device/device.hpp"
#include "kernels/versions.hpp"
#include "tiles/micro_ops.hpp"

namespace thalweg {

MadeOn made_on(const Device& device) {
  MadeOn all = library_versions();
  all["CPU"] = cpu_name();
  all["instruction set"] = instruction_set();
  const std::string facts = device.facts();
  all["device"] = facts.empty() ? "the CPU" : facts;
  return all;
}

std::vector<std::string> left_here(const Device& asked, const Device& used) {
  std::vector<std::string> notes;
  if (asked.facts().empty()) return notes;
  if (&used != &asked)
    notes.emplace_back(
        "steps were computed by this CPU: the optimizer looks at more than gradients, or ranks share them");
  if (const auto ops = used.left_here(); !ops.empty())
    notes.push_back(
        fmt::format("the GPU has no kernel for {}: this CPU computed it, which costs two transfers in each step",
                    fmt::join(ops, ", ")));
  return notes;
}

std::string difference(const MadeOn& before, const MadeOn& now) {
  std::string text;
  for (const auto& [what, value] : now) {
    const auto found = before.find(what);
    if (found == before.end() || found->second == value) continue;
    text += fmt::format("{}{}: was {}, is {}", text.empty() ? "" : "; ", what, found->second, value);
  }
  return text;
}

}  // namespace thalweg

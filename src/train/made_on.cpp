#include "train/made_on.hpp"

#include "core/error.hpp"
#include "core/machine.hpp"
#include "kernels/versions.hpp"
#include "tiles/micro_ops.hpp"

namespace thalweg {

MadeOn made_on() {
  MadeOn all = library_versions();
  all["CPU"] = cpu_name();
  all["instruction set"] = instruction_set();
  return all;
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

// Fuzz target: the manifest of a checkpoint. Its checksum is made valid, so that the fuzzer reaches the code behind it.

#include <zlib.h>

#include <nlohmann/json.hpp>

#include "core/nesting.hpp"
#include "fuzz.hpp"
#include "store/checkpoint.hpp"
#include "store/safetensors.hpp"

namespace {

using namespace thalweg;

State state_of_three() {
  Layout layout;
  layout.entries = {{.name = "w", .shape = {3}}};
  layout.size = layout.decayed_size = layout.trained_size = 3;
  State state;
  state.layout = std::make_shared<const Layout>(layout);
  state.parameters = zeros({3});
  state.slots = {{"m", zeros({3})}};
  return state;
}

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

}  // namespace

void thalweg::fuzz::run(std::string_view bytes) {
  static const State like = state_of_three();
  const auto checkpoints = folder() / "checkpoints";
  const auto newest = checkpoints / "step-000000001";
  if (!std::filesystem::exists(newest)) {
    Checkpoint whole;
    whole.state = like;
    whole.fingerprint = "f";
    whole.position.total_steps = 9;
    write_checkpoint(checkpoints, whole, 1);
  }
  std::string sealed(bytes);
  if (nests_within(bytes, 64)) {  // deeper input is passed on unchanged
    const auto manifest = nlohmann::json::parse(bytes, nullptr, false);
    if (!manifest.is_discarded())
      sealed = nlohmann::json{{"manifest", manifest}, {"checksum", checksum(manifest.dump())}}.dump();
  }
  std::filesystem::create_directories(newest);
  std::filesystem::path place;
  for (const auto& entry : std::filesystem::directory_iterator(checkpoints)) place = entry.path();
  write(place / "manifest.json", sealed);
  std::vector<std::string> warnings;
  may_refuse([&] {
    const auto found = newest_checkpoint(checkpoints, like, "f", warnings);
    if (found && (found->state.step < 0 || found->state.slots.size() > 1)) broken("a state that cannot be", "");
    if (!found && warnings.empty()) broken("passed over without a word", "");
  });
}

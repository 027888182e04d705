#include "system/listener.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "system/acting.hpp"
#include "thalweg/system.hpp"

namespace thalweg {

Listener listener(const FinishedRun& recogniser, int threads) {
  const auto* sound = recogniser.preprocessing.sound();
  if (!sound) fail<ModelError>("[model] {}: the encoding of sounds is missing in this recogniser", recogniser.file);
  const auto row = std::ranges::find(systems(), std::string_view("speech_recogniser"), &SystemRow::name);
  const auto system = std::make_shared<const System>(
      row->make({.input = {sound->steps.width()},
                 .preprocessing = std::make_shared<const data::Preprocessing>(recogniser.preprocessing),
                 .threads = threads},
                recogniser.options));
  Dataset like;
  like.set("input", zeros({1, 1, sound->steps.width()}));
  for (const char* count : {"frames", "letters"}) like.set(count, Tensor::of({std::int32_t{1}}));
  like.set("target", Tensor({1, 1}, i32));
  auto state = std::make_shared<State>(acting::untrained(system->objectives.front().loss, like, 1));
  state->load(recogniser.file, "*");
  return [system, state](const Sound& heard) { return system->transcribe(*state, heard, 1); };
}

}  // namespace thalweg

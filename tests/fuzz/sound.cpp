// Fuzz target: a WAV, FLAC or Ogg file. A sound has samples, all of them finite, and can be resampled.

#include <cmath>
#include <span>
#include <string>

#include "data/sound.hpp"
#include "fuzz.hpp"

// libsndfile 1.2 leaks memory when a Vorbis stream is damaged.
extern "C" const char* __lsan_default_suppressions() { return "leak:libvorbis\n"; }

void thalweg::fuzz::run(std::string_view bytes) {
  may_refuse([&] {
    const Sound sound = data::sound_in(std::as_bytes(std::span(bytes)), "input");
    if (sound.samples.size() == 0 || sound.rate < 1) broken("a sound of nothing", std::to_string(sound.rate));
    for (const float sample : sound.samples.values<float>()) {
      if (!std::isfinite(sample)) broken("a sample", std::to_string(sample));
    }
    constexpr std::int64_t most = 4096;  // so that each input is fast
    if (sound.samples.size() <= most) (void)resampled(sound, 8000);
  });
}

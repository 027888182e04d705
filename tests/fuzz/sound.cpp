// A WAV, FLAC or Ogg file: what is read has samples, all of them finite, and a rate to which it can be resampled.

#include <cmath>
#include <span>
#include <string>

#include "data/sound.hpp"
#include "fuzz.hpp"

// What libsndfile 1.2 loses of a damaged Vorbis stream.
extern "C" const char* __lsan_default_suppressions() { return "leak:libvorbis\n"; }

void thalweg::fuzz::run(std::string_view bytes) {
  may_refuse([&] {
    const Sound sound = data::sound_in(std::as_bytes(std::span(bytes)), "input");
    if (sound.samples.size() == 0 || sound.rate < 1) broken("a sound of nothing", std::to_string(sound.rate));
    for (const float sample : sound.samples.values<float>()) {
      if (!std::isfinite(sample)) broken("a sample", std::to_string(sample));
    }
    constexpr std::int64_t most = 4096;  // so that an input takes a moment
    if (sound.samples.size() <= most) (void)resampled(sound, 8000);
  });
}

#include "data/sound.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <numbers>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

#ifdef THALWEG_SNDFILE
#include <dlfcn.h>
#include <sndfile.h>
#endif

#include "core/error.hpp"
#include "core/index.hpp"
#include "core/utf8.hpp"
#include "data/file.hpp"
#include "data/memory.hpp"

namespace thalweg {

namespace data {

#ifdef THALWEG_SNDFILE

namespace {

constexpr std::size_t nowhere = static_cast<std::size_t>(-1);

std::uint64_t number_at(std::span<const std::byte> bytes, std::size_t place, int size) {
  std::uint64_t number = 0;
  for (int i = 0; i < size; ++i)
    number |= static_cast<std::uint64_t>(bytes[place + static_cast<std::size_t>(i)]) << (8 * i);
  return number;
}

bool has(std::span<const std::byte> bytes, std::size_t place, std::string_view text) {
  return place <= bytes.size() && text.size() <= bytes.size() - place &&
         std::memcmp(bytes.data() + place, text.data(), text.size()) == 0;
}

/// libsndfile accepts a truncated WAV. An impossible size in the header, near 2^31 or 2^32, marks a stream of unknown
/// length.
bool riff_is_cut(std::span<const std::byte> bytes) {
  constexpr std::uint64_t unknown = 0x7ff00000;
  for (std::size_t place = 12; place + 8 <= bytes.size();) {
    const std::uint64_t size = number_at(bytes, place + 4, 4), rest = bytes.size() - place - 8;
    if (has(bytes, place, "data")) return size > rest && size < unknown;
    if (size > rest) return true;
    place += 8 + static_cast<std::size_t>(size + size % 2);
  }
  return true;
}

/// Whether the last page of an Ogg stream is complete and marked as the last.
bool ogg_is_cut(std::span<const std::byte> bytes) {
  constexpr std::size_t head = 27;
  std::size_t last = nowhere;
  for (std::size_t place = bytes.size() < 4 ? 0 : bytes.size() - 4; place > 0 && last == nowhere; --place) {
    if (has(bytes, place, "OggS")) last = place;
  }
  if (last == nowhere || bytes.size() - last < head) return true;
  const auto segments = static_cast<std::size_t>(bytes[last + 26]);
  if (bytes.size() - last - head < segments) return true;
  std::size_t size = head + segments;
  for (std::size_t i = 0; i < segments; ++i) size += static_cast<std::size_t>(bytes[last + head + i]);
  const bool ends = (static_cast<unsigned>(bytes[last + 5]) & 4U) != 0;
  return !ends || bytes.size() - last < size;
}

/// libsndfile, opened for the first sound: it loads the libraries of all its codecs, which would delay every start
/// without sounds.
class Sndfile {
 public:
  static const Sndfile& get() {
    static const Sndfile library;
    return library;
  }

  decltype(&::sf_open_virtual) open = nullptr;  ///< null if the library is not installed
  decltype(&::sf_close) close = nullptr;
  decltype(&::sf_readf_float) read = nullptr;
  decltype(&::sf_error) error = nullptr;
  decltype(&::sf_strerror) last_error = nullptr;
  decltype(&::sf_error_number) text_of = nullptr;

 private:
  Sndfile() {
    void* library = ::dlopen("libsndfile.so.1", RTLD_NOW | RTLD_LOCAL);
    const auto find = [&](auto& function, const char* name) {
      if (library) function = reinterpret_cast<std::decay_t<decltype(function)>>(::dlsym(library, name));
      if (!function) library = nullptr;
    };
    find(close, "sf_close");
    find(read, "sf_readf_float");
    find(error, "sf_error");
    find(last_error, "sf_strerror");
    find(text_of, "sf_error_number");
    find(open, "sf_open_virtual");
  }
};

/// The bytes as a virtual file for libsndfile.
struct Memory {
  std::span<const std::byte> bytes;
  sf_count_t place = 0;

  static Memory& of(void* self) { return *static_cast<Memory*>(self); }
  static sf_count_t length(void* self) { return static_cast<sf_count_t>(of(self).bytes.size()); }
  static sf_count_t tell(void* self) { return of(self).place; }
  static sf_count_t seek(sf_count_t offset, int from, void* self) {
    Memory& memory = of(self);
    const sf_count_t base = from == SEEK_SET ? 0 : from == SEEK_CUR ? memory.place : length(self);
    memory.place = std::clamp<sf_count_t>(base + offset, 0, length(self));
    return memory.place;
  }
  static sf_count_t read(void* into, sf_count_t count, void* self) {
    Memory& memory = of(self);
    const sf_count_t some = std::clamp<sf_count_t>(count, 0, length(self) - memory.place);
    std::memcpy(into, memory.bytes.data() + memory.place, static_cast<std::size_t>(some));
    memory.place += some;
    return some;
  }
  static sf_count_t write(const void*, sf_count_t, void*) { return 0; }
};

constexpr std::string_view wanted_sound =
    "Wanted: a WAV, FLAC or Ogg file. Hint: ffmpeg -i FILE new.wav writes one of what it can read.";

/// A message of libsndfile without its last period and line end, which only some have.
std::string_view sentence(const char* message) {
  const std::string_view text = message ? message : "no reason given";
  return text.substr(0, text.find_last_not_of(". \n") + 1);
}

using Handle = std::unique_ptr<SNDFILE, int (*)(SNDFILE*)>;

/// Appends the mean of the channels of each frame.
void append_mean(std::span<const float> interleaved, std::size_t channels, std::vector<float>& into) {
  for (std::size_t i = 0; i < interleaved.size(); i += channels) {
    double sum = 0;
    for (std::size_t c = 0; c < channels; ++c) sum += static_cast<double>(interleaved[i + c]);
    into.push_back(static_cast<float>(sum / static_cast<double>(channels)));
  }
}

/// Full scale is 1, and samples of integer formats reach at most 2^31, so that their spectrum is finite in f32.
void expect_in_range(std::span<const float> samples, std::string_view name) {
  constexpr float most = 2147483648;
  const auto found = std::ranges::find_if(samples, [](float x) { return !(std::abs(x) <= most); });
  if (found != samples.end())
    fail<DataError>("[sound] {}: sample {} is {}. Wanted: finite numbers of at most 2^31", name,
                    found - samples.begin(), *found);
}

/// Opens a sound. libsndfile keeps the reason of a failed open in one global variable, so that a lock is needed.
Handle opened(SF_VIRTUAL_IO& calls, SF_INFO& info, Memory& memory, std::string_view name) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  const Sndfile& library = Sndfile::get();
  if (!library.open) refuse_sounds(name);
  Handle file(library.open(&calls, SFM_READ, &info, &memory), library.close);
  if (!file)
    fail<DataError>("[sound] {} cannot be decoded: {}. {}", name, sentence(library.last_error(nullptr)), wanted_sound);
  return file;
}

std::vector<float> samples_in(SNDFILE* file, const SF_INFO& info, std::string_view name) {
  constexpr std::size_t block = 1 << 16;
  const auto channels = static_cast<std::size_t>(info.channels);
  const std::int64_t most = memory_budget() / static_cast<std::int64_t>(sizeof(float));
  std::vector<float> part(std::max(block / channels, std::size_t{1}) * channels), samples;
  for (sf_count_t got = 1; got > 0;) {
    got = Sndfile::get().read(file, part.data(), static_cast<sf_count_t>(part.size() / channels));
    append_mean(std::span(part).first(static_cast<std::size_t>(std::max<sf_count_t>(got, 0)) * channels), channels,
                samples);
    if (std::ssize(samples) > most) fail<MemoryError>("[sound] {}: more than {} samples", name, most);
  }
  return samples;
}

}  // namespace

bool reads_sounds() { return Sndfile::get().open != nullptr; }

Sound sound_in(std::span<const std::byte> bytes, std::string_view name) {
  if (bytes.empty()) fail<DataError>("[sound] {} is empty. Wanted: a WAV, FLAC or Ogg file", name);
  const bool riff = has(bytes, 0, "RIFF") && has(bytes, 8, "WAVE"), ogg = has(bytes, 0, "OggS");
  if (!riff && !ogg && !has(bytes, 0, "fLaC"))
    fail<DataError>("[sound] {} is no WAV, FLAC or Ogg file: its first bytes are not those of one", name);
  if (riff ? riff_is_cut(bytes) : ogg && ogg_is_cut(bytes)) fail<DataError>("[sound] {} is cut short", name);
  Memory memory{bytes};
  SF_VIRTUAL_IO calls{Memory::length, Memory::seek, Memory::read, Memory::write, Memory::tell};
  SF_INFO info{};
  const Handle file = opened(calls, info, memory, name);
  constexpr int most_channels = 1024, lowest_rate = 1000, highest_rate = 1'000'000;
  if (info.channels < 1 || info.channels > most_channels || info.samplerate < lowest_rate ||
      info.samplerate > highest_rate)
    fail<DataError>("[sound] {}: {} channels at {} samples a second. Wanted: 1 to {}, at {} to {}", name, info.channels,
                    info.samplerate, most_channels, lowest_rate, highest_rate);
  const std::vector<float> samples = samples_in(file.get(), info, name);
  if (const int error = Sndfile::get().error(file.get()); error != SF_ERR_NO_ERROR)
    fail<DataError>("[sound] {} is damaged after {} samples: {}. {}", name, samples.size(),
                    sentence(Sndfile::get().text_of(error)), wanted_sound);
  if (!riff && !ogg && info.frames < SF_COUNT_MAX && std::cmp_less(samples.size(), info.frames))
    fail<DataError>("[sound] {} is cut short: {} of {} samples", name, samples.size(), info.frames);
  if (samples.empty()) fail<DataError>("[sound] {} holds no samples", name);
  expect_in_range(samples, name);
  return {Tensor::from(samples, {std::ssize(samples)}), info.samplerate};
}

#else

bool reads_sounds() { return false; }

Sound sound_in(std::span<const std::byte>, std::string_view name) { refuse_sounds(name); }

#endif

void refuse_sounds(std::string_view name) {
#ifdef THALWEG_SNDFILE
  fail<UsageError>("[sound] {}: there is no libsndfile.so.1 to read it. Hint: install it (Debian: libsndfile1).", name);
#else
  fail<UsageError>(
      "[sound] {}: this build reads no sounds. Hint: build it where libsndfile is (Debian: libsndfile1-dev).", name);
#endif
}

bool has_room(const StepOptions& steps) {
  constexpr std::int64_t most_numbers = 1 << 26;
  return steps.window <= most_numbers / (2 * steps.window) && steps.bands <= most_numbers / steps.window;
}

std::vector<std::string> letters_of(std::string_view text, std::string_view where) {
  std::set<std::string, std::less<>> letters;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) fail<DataError>("[speech] {}: a text that is not UTF-8", where);
    letters.emplace(text.substr(0, length));
    text.remove_prefix(length);
  }
  return {letters.begin(), letters.end()};
}

void SoundPreprocessing::fit(std::span<const Tensor* const> all) {
  constexpr double smallest = 1e-3;
  const auto bands = static_cast<std::size_t>(steps.bands);
  std::vector<double> sums(bands), squares(bands);
  const auto over = [&](auto&& add) {
    std::size_t frames = 0;
    for (const Tensor* each : all) {
      const auto values = each->values<float>();
      for (std::size_t i = 0; i < values.size(); ++i) add(i % bands, static_cast<double>(values[i]));
      frames += values.size() / bands;
    }
    return static_cast<double>(std::max<std::size_t>(frames, 1));
  };
  const double count = over([&](std::size_t band, double x) { sums[band] += x; });
  mean = std::move(sums);
  for (double& each : mean) each /= count;
  over([&](std::size_t band, double x) { squares[band] += (x - mean[band]) * (x - mean[band]); });
  deviation = std::move(squares);
  for (double& each : deviation) each = std::max(smallest, std::sqrt(each / count));
}

void SoundPreprocessing::scale(std::span<float> values) const {
  if (mean.empty()) return;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t band = i % mean.size();
    values[i] = static_cast<float>((static_cast<double>(values[i]) - mean[band]) / deviation[band]);
  }
}

Tensor SoundPreprocessing::frames_of(const Tensor& rows) const {
  constexpr double most = 40;  // no sound has energy with a logarithm above this
  const double least = std::log(steps.floor);
  Tensor frames({rows.size() / steps.bands, steps.bands});
  const auto from = rows.values<float>();
  const auto into = frames.mutable_values<float>();
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::size_t band = i % static_cast<std::size_t>(steps.bands);
    const double x = static_cast<double>(from[i]);
    into[i] = static_cast<float>(std::clamp(mean.empty() ? x : x * deviation[band] + mean[band], least, most));
  }
  return frames;
}

std::vector<std::int32_t> SoundPreprocessing::labels_of(std::string_view text, std::string_view where) const {
  std::vector<std::int32_t> labels;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const auto found = std::ranges::find(letters, text.substr(0, length));
    if (length == 0) fail<DataError>("[speech] {}: a text that is not UTF-8", where);
    if (found == letters.end())
      fail<DataError>(
          "[speech] {}: '{}' is none of the {} letters. Hint: they are those of the training texts, or of alphabet in "
          "[data] where the model is trained.",
          where, text.substr(0, length), letters.size());
    labels.push_back(static_cast<std::int32_t>(found - letters.begin()) + 1);
    text.remove_prefix(length);
  }
  return labels;
}

std::string SoundPreprocessing::text_of(std::span<const std::int32_t> labels) const {
  std::string text;
  for (const std::int32_t label : labels) text += letters.at(static_cast<std::size_t>(label) - 1);
  return text;
}

}  // namespace data

Sound read_sound(const Path& path) {
  const data::File file{std::filesystem::path(path)};
  if (file.size() < 0) fail<UsageError>("[sound] {} is a pipe. Wanted: a file", file.name());
  if (file.size() > data::memory_budget()) fail<MemoryError>("[sound] {}: {} bytes", file.name(), file.size());
  std::vector<std::byte> bytes(static_cast<std::size_t>(file.size()));
  bytes.resize(file.read_at(0, bytes));
  return data::sound_in(bytes, file.name());
}

namespace {

/// The modified Bessel function of order 0, by its series: sum_k ((x / 2)^k / k!)^2.
double bessel_i0(double x) {
  double term = 1, sum = 1;
  for (double k = 1; term > 1e-18 * sum; ++k) {
    term *= (x / (2 * k)) * (x / (2 * k));
    sum += term;
  }
  return sum;
}

/// A low-pass filter whose pass band ends at 1 / `most` of half the rate, with 20 most + 1 taps whose sum is 1.
std::vector<double> low_pass(std::int64_t most) {
  constexpr double beta = 5;
  const std::int64_t half = 10 * most;
  std::vector<double> taps;
  for (std::int64_t i = -half; i <= half; ++i) {
    const double place = static_cast<double>(i) / static_cast<double>(half), x = std::numbers::pi * 10 * place;
    const double window = bessel_i0(beta * std::sqrt(1 - place * place)) / bessel_i0(beta);
    taps.push_back((i == 0 ? 1 : std::sin(x) / x) * window);
  }
  const double sum = std::accumulate(taps.begin(), taps.end(), 0.);
  for (double& tap : taps) tap /= sum;
  return taps;
}

/// The taps in rows, one row for each phase of the output: tap i is number i / up of row i % up.
struct Phases {
  std::int64_t up, half, each;
  std::vector<double> taps;

  Phases(std::int64_t up_by, std::int64_t down_by) : up(up_by) {
    const std::vector<double> all = low_pass(std::max(up_by, down_by));
    half = std::ssize(all) / 2;
    each = (std::ssize(all) + up - 1) / up;
    taps.resize(static_cast<std::size_t>(up * each));
    for (std::int64_t i = 0; i < std::ssize(all); ++i) at(taps, i % up * each + i / up) = at(all, i);
  }

  /// sum_k x[k] taps[half + place - k up], over the existing samples.
  [[nodiscard]] double operator()(std::span<const float> x, std::int64_t place) const {
    const std::int64_t first = std::max<std::int64_t>(0, (place - half + up - 1) / up),
                       last = std::min<std::int64_t>(std::ssize(x) - 1, (place + half) / up);
    const double* row = taps.data() + (half + place) % up * each + (half + place) / up;
    double sum = 0;
    for (std::int64_t k = first; k <= last; ++k) sum += static_cast<double>(x[static_cast<std::size_t>(k)]) * row[-k];
    return sum;
  }
};

/// The sounds of a set have few different rates, so that the most recent filters are kept.
std::shared_ptr<const Phases> phases_for(std::int64_t up, std::int64_t down) {
  struct Kept {
    std::int64_t up, down;
    std::shared_ptr<const Phases> phases;
  };
  constexpr std::size_t most = 8, most_taps = 1 << 20;
  static std::mutex one_at_a_time;
  static std::vector<Kept> all;  // the newest last
  {
    const std::lock_guard lock(one_at_a_time);
    const auto found = std::ranges::find_if(all, [&](const Kept& each) { return each.up == up && each.down == down; });
    if (found != all.end()) return found->phases;
  }
  auto phases = std::make_shared<const Phases>(up, down);
  if (phases->taps.size() > most_taps) return phases;
  const std::lock_guard lock(one_at_a_time);
  if (all.size() == most) all.erase(all.begin());
  all.push_back({up, down, phases});
  return phases;
}

}  // namespace

Sound resampled(const Sound& sound, std::int64_t rate) {
  constexpr std::int64_t most_rate = 1'000'000;
  for (const std::int64_t each : {rate, sound.rate}) {
    if (each < 1 || each > most_rate) fail<UsageError>("[sound] {} samples a second. Wanted: 1 to {}", each, most_rate);
  }
  const std::int64_t common = std::gcd(rate, sound.rate), up = rate / common, down = sound.rate / common;
  if (up == down) return sound;
  const std::shared_ptr<const Phases> phases = phases_for(up, down);
  const auto x = sound.samples.values<float>();
  Tensor result({(sound.samples.size() * up + down - 1) / down});
  const auto y = result.mutable_values<float>();
  for (std::int64_t m = 0; m < result.size(); ++m)
    at(y, m) = static_cast<float>(static_cast<double>(up) * (*phases)(x, m * down));
  return {std::move(result), rate};
}

}  // namespace thalweg

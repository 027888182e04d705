// A voice: convolutions compute log-mel steps from letters, durations come from an alignment that it learns by itself,
// and the iterations of Griffin and Lim make the sound.

#include "system/voice_net.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/index.hpp"
#include "options/error.hpp"
#include "system/listener.hpp"
#include "system/row.hpp"
#include "thalweg/apply.hpp"
#include "thalweg/edit_distance.hpp"

namespace thalweg {

namespace {

struct VoiceOptions {
  VoiceNetOptions net;
  std::int64_t iterations = 60, longest = 400;
  std::string recogniser = {}, recogniser_checksum = {};
};

Fields fields(VoiceOptions& o) {
  Fields all = o.net.fields();
  const Fields own = {
      {"iterations", &o.iterations, "iterations that improve the phases of a spectrum", {.low = 0, .high = 10'000}},
      {"longest", &o.longest, "the largest number of letters of a text to speak", {.low = 1, .high = 4000}},
      {"recogniser", &o.recogniser,
       "a run of speech_recogniser that transcribes the voice in evaluation; empty: no transcription"},
      {"recogniser_checksum", &o.recogniser_checksum, "checksum of its parameters; set when the run begins"}};
  all.insert(all.end(), own.begin(), own.end());
  return all;
}

/// Texts as inputs of the net, (texts, most) and (texts).
struct Letters {
  Tensor labels, count;
};

/// Speaks texts.
class Speaker {
 public:
  Speaker(const data::SoundPreprocessing& sound, const VoiceOptions& options, int threads)
      : sound_(sound),
        iterations_(options.iterations),
        net_(options.net, std::ssize(sound.letters), sound.steps.width()),
        durations_([net = net_](const Scope& s, const Batch& b) { return net.durations(s, b["letters"], b["count"]); },
                   threads),
        spoken_(
            [net = net_](const Scope& s, const Batch& b) {
              return net.spoken(s, b["letters"], b["count"], b["durations"], b["frames"], b["times"].dim(1));
            },
            threads),
        aligned_([net = net_](const Scope& s, const Batch& b) { return net.aligned(s, b).first; }, threads) {}

  [[nodiscard]] const VoiceNet& net() const { return net_; }

  /// The log-mel steps of each text, (steps, width). Throws ModelError if the net gives values that are not finite.
  [[nodiscard]] std::vector<Tensor> steps(const State& state, const Letters& texts) const {
    return with_durations(state, texts, durations_(state, {{"letters", texts.labels}, {"count", texts.count}}));
  }
  /// The same, with the durations of the sounds in these rows.
  [[nodiscard]] std::vector<Tensor> steps_as_long(const State& state, const Dataset& rows) const {
    NamedTensors inputs;
    for (const char* name : {"input", "frames", "target", "letters"}) inputs.emplace_back(name, rows[name]);
    return with_durations(state, {rows["target"], rows["letters"]}, aligned_(state, inputs));
  }

  /// The sound of log-mel steps in the form of the rows.
  [[nodiscard]] Sound sound(const Tensor& steps) const {
    const StepOptions& o = sound_.steps;
    const Tensor magnitudes = magnitudes_of_mel(sound_.frames_of(steps), o.spectrum(), o.mel());
    return {griffin_lim(magnitudes, o.spectrum(), iterations_), o.rate};
  }

 private:
  [[nodiscard]] std::vector<Tensor> with_durations(const State& state, const Letters& texts,
                                                   const Tensor& durations) const {
    const std::int64_t count = durations.shape()[0], tokens = durations.shape()[1];
    Tensor frames({count}, i32);
    std::int64_t most = 1;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto own =
          durations.values<float>().subspan(static_cast<std::size_t>(i * tokens), static_cast<std::size_t>(tokens));
      const double total =
          std::accumulate(own.begin(), own.end(), 0., [](double a, float x) { return a + static_cast<double>(x); });
      expect_number(total);
      frames.set(i, std::max(1., std::round(total)));
      most = std::max(most, static_cast<std::int64_t>(frames.at(i)));
    }
    const Tensor all = spoken_(state, {{"letters", texts.labels},
                                       {"count", texts.count},
                                       {"durations", durations},
                                       {"frames", frames},
                                       {"times", zeros({count, most})}});
    std::vector<Tensor> each;
    for (std::int64_t i = 0; i < count; ++i) {
      Tensor own = all.rows(i, i + 1).reshape({most, all.shape()[2]}).rows(0, static_cast<std::int64_t>(frames.at(i)));
      for (const float x : own.values<float>()) expect_number(static_cast<double>(x));
      each.push_back(std::move(own));
    }
    return each;
  }
  static void expect_number(double x) {
    if (!std::isfinite(x)) fail<ModelError>("[voice] the model gives {}: its parameters are damaged or diverged", x);
  }

  data::SoundPreprocessing sound_;
  std::int64_t iterations_;
  VoiceNet net_;
  Apply durations_, spoken_, aligned_;
};

/// The first rows of a set: their texts, steps, and files.
struct Spoken {
  std::vector<std::string> texts;
  std::vector<Tensor> true_steps;
  std::vector<std::string> files;
};

Spoken spoken_in(const Dataset& rows) {
  const data::SoundPreprocessing& sound = *rows.preprocessing()->sound();
  Spoken all;
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    const Tensor labels = rows["target"].rows(row, row + 1), steps = rows["input"].rows(row, row + 1);
    const auto letters = static_cast<std::size_t>(rows["letters"].at(row));
    all.texts.push_back(sound.text_of(labels.values<std::int32_t>().first(letters)));
    all.true_steps.push_back(
        steps.reshape({steps.shape()[1], steps.shape()[2]}).rows(0, static_cast<std::int64_t>(rows["frames"].at(row))));
    all.files.push_back(at(sound.files, static_cast<std::int64_t>(rows["sound"].at(row))));
  }
  return all;
}

/// Spectra above each other, high bands at the top. Black is three deviations below the mean, white three above.
Medium spectra(std::span<const Tensor> all, std::int64_t bands) {
  std::int64_t most = 1;
  for (const Tensor& each : all) most = std::max(most, each.size() / bands);
  Tensor pixels({std::ssize(all), bands, most, 1});
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::int64_t place = 0; place < all[i].size(); ++place) {
      const std::int64_t frame = place / bands, band = place % bands;
      pixels.set((static_cast<std::int64_t>(i) * bands + bands - 1 - band) * most + frame,
                 std::clamp(all[i].at(place) / 6 + 0.5, 0., 1.));
    }
  }
  return Medium::pictures(pixels, 1);
}

/// The mean absolute difference of `made` and `wanted`, over the steps that both have.
double log_mel_error(const Tensor& made, const Tensor& wanted) {
  const std::int64_t size = std::min(made.size(), wanted.size());
  double total = 0;
  for (std::int64_t i = 0; i < size; ++i) total += std::abs(made.at(i) - wanted.at(i));
  return total / static_cast<double>(size);
}

/// The transcripts of a recogniser, and their errors.
struct Read {
  Edits characters, words;
  std::vector<std::string> texts;

  void add(const std::string& heard, const std::string& said) {
    characters += character_edits(heard, said);
    words += word_edits(heard, said);
    texts.push_back(heard);
  }
  [[nodiscard]] Metrics metrics() const {
    return {{"character error rate", characters.rate()}, {"word error rate", words.rate()}};
  }
};

class Voice {
 public:
  Voice(const data::SoundPreprocessing& sound, const VoiceOptions& options, int threads)
      : sound_(sound), o_(options), threads_(threads), speaker_(sound, options, threads) {}

  [[nodiscard]] const VoiceNet& net() const { return speaker_.net(); }

  [[nodiscard]] NamedMedia show(const State& state, const Dataset& rows) const {
    const Dataset few = rows.slice(0, std::min<std::int64_t>(2, rows.rows()));
    const Spoken wanted = spoken_in(few);
    const std::vector<Tensor> made = speaker_.steps(state, {few["target"], few["letters"]});
    NamedMedia media;
    for (std::size_t i = 0; i < made.size(); ++i) {
      media.emplace_back("\"" + wanted.texts[i] + "\"", medium(speaker_.sound(made[i])));
      media.emplace_back("\"" + wanted.texts[i] + "\", recorded", medium(read_sound(wanted.files[i])));
      media.emplace_back("made above recorded: \"" + wanted.texts[i] + "\"",
                         spectra(std::vector{made[i], wanted.true_steps[i]}, sound_.steps.bands));
    }
    return media;
  }

  [[nodiscard]] Generated generate(const State& state, const GenerateRequest& request) const {
    if (!request.text || request.text->empty())
      fail<UsageError>("[generate] there is no text to speak. Wanted: --text \"...\"");
    const std::vector<std::int32_t> labels = sound_.labels_of(*request.text, "--text");
    const std::int64_t count = std::ssize(labels);
    if (count > o_.longest)
      fail<UsageError>("[generate] --text of {} letters. Wanted: at most {} (longest in [system])", count, o_.longest);
    const Letters letters{Tensor::from(labels, {1, count}), Tensor::of({static_cast<std::int32_t>(count)})};
    return {.items = {medium(speaker_.sound(speaker_.steps(state, letters).front()))}};
  }

  [[nodiscard]] SystemFigures evaluate(const State& state, const SystemSets& sets) const {
    const Spoken wanted = spoken_in(sets.test);
    std::vector<Tensor> made, as_long;
    constexpr std::int64_t portion = 32;
    for (std::int64_t begin = 0; begin < sets.test.rows(); begin += portion) {
      const Dataset some = sets.test.slice(begin, std::min(sets.test.rows(), begin + portion));
      std::ranges::move(speaker_.steps(state, {some["target"], some["letters"]}), std::back_inserter(made));
      std::ranges::move(speaker_.steps_as_long(state, some), std::back_inserter(as_long));
    }
    SystemFigures figures;
    Metrics silent;
    double error = 0, of_mean = 0, length = 0;
    for (std::size_t i = 0; i < made.size(); ++i) {
      const Tensor& own = wanted.true_steps[i];
      error += log_mel_error(as_long[i], own);
      of_mean += log_mel_error(zeros(own.shape()), own);
      length += std::abs(static_cast<double>(made[i].size()) / static_cast<double>(own.size()) - 1);
    }
    const auto count = static_cast<double>(made.size());
    figures.metrics = {{"log-mel error", error / count}, {"length error", length / count}};
    figures.baselines = {{"the mean of the training sounds", {{"log-mel error", of_mean / count}}}};
    if (!o_.recogniser.empty()) listen(made, wanted, figures);
    show_some(made, wanted, figures);
    return figures;
  }

 private:
  [[nodiscard]] static Medium medium(const Sound& sound) { return Medium::sound(sound.samples, sound.rate); }

  void listen(const std::vector<Tensor>& made, const Spoken& wanted, SystemFigures& figures) const {
    const Listener heard = listener(
        finished_run_as_it_was("recogniser", o_.recogniser, "speech_recogniser", o_.recogniser_checksum), threads_);
    Read voice, recordings, spectra_alone;
    std::vector<std::vector<std::string>> lines;
    for (std::size_t i = 0; i < made.size(); ++i) {
      const std::string& said = wanted.texts[i];
      voice.add(heard(speaker_.sound(made[i])), said);
      recordings.add(heard(read_sound(wanted.files[i])), said);
      spectra_alone.add(heard(speaker_.sound(wanted.true_steps[i])), said);
      if (lines.size() < 50) lines.push_back({said, voice.texts.back(), recordings.texts.back()});
    }
    const Metrics own = voice.metrics();
    figures.metrics.insert(figures.metrics.begin(), own.begin(), own.end());
    figures.baselines.emplace_back("the recordings", recordings.metrics());
    figures.baselines.emplace_back("their spectra as sound", spectra_alone.metrics());
    figures.media.emplace_back("said and heard",
                               Medium::table({"said", "heard of the voice", "heard of the recording"}, lines));
  }

  void show_some(const std::vector<Tensor>& made, const Spoken& wanted, SystemFigures& figures) const {
    for (std::size_t i = 0; i < std::min<std::size_t>(3, made.size()); ++i) {
      const std::string name = "\"" + wanted.texts[i] + "\"";
      figures.media.emplace_back("test: " + name, medium(speaker_.sound(made[i])));
      figures.media.emplace_back("test: " + name + ", recorded", medium(read_sound(wanted.files[i])));
    }
  }

  data::SoundPreprocessing sound_;
  VoiceOptions o_;
  int threads_;
  Speaker speaker_;
};

System make_voice(const SystemData& data, const VoiceOptions& options) {
  const auto* sound = data.preprocessing ? data.preprocessing->sound() : nullptr;
  if (!sound || sound->steps.standardise)
    fail<UsageError>("[voice] {}. Wanted: format = \"speech\" and standardise = \"training\" in [data]",
                     sound ? "each sound is standardised separately" : "the rows are not sounds");
  const auto voice = std::make_shared<const Voice>(*sound, options, data.threads);
  return {.objectives = {{.loss = [voice](const Scope& s, const Batch& b) { return voice->net().loss(s, b); }}},
          .show = [voice](const State& state, const Dataset& rows) { return voice->show(state, rows); },
          .evaluate = [voice](const State& state, const SystemSets& sets) { return voice->evaluate(state, sets); },
          .generate = [voice](const State& state,
                              const GenerateRequest& request) { return voice->generate(state, request); }};
}

/// Makes the path of the recogniser absolute, and sets the checksum of its present parameters.
void settle_recogniser(VoiceOptions& o) {
  if (o.recogniser.empty()) return;
  o.recogniser = place_of_run(o.recogniser);
  if (o.recogniser_checksum.empty())
    o.recogniser_checksum = finished_run("recogniser", o.recogniser, "speech_recogniser").checksum;
}

}  // namespace

std::vector<SystemRow> voice_systems() {
  return {system_row<VoiceOptions>(
      {.name = "voice",
       .summary = "speech from text",
       .formula =
           "|log-mel - decoder(letters spread by their durations)| + (log d - log d')^2 / 10 - log of the sum over all "
           "monotonic paths of attention, from which the durations d are",
       .when = "sounds of one voice with their texts (format = \"speech\", standardise = \"training\")",
       .source = "durations for all steps at once: Ren et al. 2019; the alignment: Badlani et al. 2021, Graves et al. "
                 "2006; sound: Griffin and Lim 1984",
       .takes = {"text"},
       .defaults = {{"optimizer", OptionMap{{"kind", "adam"}, {"lr", 1e-3}, {"clip_norm", 5.}}},
                    {"schedule", OptionMap{{"kind", "cosine"}, {"warmup", "2%"}}},
                    {"train", OptionMap{{"epochs", 40}, {"batch_size", 16}}}}},
      make_voice, settle_recogniser)};
}

}  // namespace thalweg

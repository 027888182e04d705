// The reader of sounds with their texts: a table that lists them, or a folder with a text file for each sound.

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "core/error.hpp"
#include "core/hint.hpp"
#include "core/index.hpp"
#include "core/workers.hpp"
#include "data/sound.hpp"
#include "data/utterances.hpp"
#include "run/training_rows.hpp"
#include "thalweg/ctc.hpp"

namespace fs = std::filesystem;

namespace thalweg {

namespace {

struct SpeechOptions : data::SpeechColumns {
  std::string alphabet = {}, standardise = "sound";
  std::int64_t rate = 8000, bands = 40, stack = 3;
  double window = 0.025, hop = 0.01, floor = 1e-10;

  [[nodiscard]] Fields fields() {
    return {{"file", &file, "the column of a table with the file of a sound, relative to the folder of the table"},
            {"text", &text, "the column with its text"},
            {"speaker", &speaker, "the column with its speaker, for errors by speaker; optional"},
            {"alphabet", &alphabet, "the letters that texts may have; empty: those of the training texts"},
            {"rate", &rate, "samples per second to which sounds are resampled", {.low = 1000, .high = 192'000}},
            {"bands", &bands, "bands of a log-mel frame", {.low = 1, .high = 1000}},
            {"window", &window, "seconds of a frame", {.low = 0.001, .high = 1}},
            {"hop", &hop, "seconds from one frame to the next", {.low = 0.001, .high = 1}},
            {"stack", &stack, "frames that form one step; a step gives at most one letter", {.low = 1, .high = 100}},
            {"floor",
             &floor,
             "lowest energy of a band; lower energies are raised to it",
             {.low = 0, .high = 1e6, .low_open = true}},
            {"standardise",
             &standardise,
             "where each band gets mean 0 and deviation 1: over each sound (\"sound\"), or over all training sounds "
             "(\"training\"), which keeps differences in loudness",
             {},
             {"sound", "training"}}};
  }
  [[nodiscard]] StepOptions steps() const {
    const auto samples = [&](double seconds) {
      return std::max<std::int64_t>(1, std::llround(seconds * static_cast<double>(rate)));
    };
    return {.rate = rate,
            .bands = bands,
            .window = samples(window),
            .hop = samples(hop),
            .frames = stack,
            .floor = floor,
            .standardise = standardise == "sound"};
  }
};

using data::Utterance;

std::uint64_t content_of_row(const Utterance& utterance) {
  return content_of(utterance.text, content_of(utterance.sound.filename().string()));
}

std::vector<Utterance> utterances_at(const OptionValue& place, const SpeechOptions& options) {
  const fs::path path(*place.get_if<std::string>());
  return fs::is_directory(path) ? data::utterances_of_folder(path) : data::utterances_of_table(path, options);
}

/// The hash of the sounds that a table lists; nothing for a folder, whose own hash includes its sounds.
std::optional<FileContent> sounds_of(const OptionValue& place, const DataOptions& data) {
  const fs::path path(*place.get_if<std::string>());
  if (fs::is_directory(path)) return std::nullopt;
  std::vector<fs::path> sounds;
  for (const Utterance& utterance : data::utterances_of_table(path, own_options<SpeechOptions>(data)))
    sounds.push_back(utterance.sound);
  return content_of_files(path.parent_path(), std::move(sounds), "the set of sounds in " + path.string());
}

/// The number of steps and of labels of each utterance.
struct Heard {
  std::vector<Tensor> steps = {};
  std::vector<std::vector<std::int32_t>> labels = {};
  double seconds = 0;
};

Sound sound_of(const Utterance& utterance) {
  try {
    return read_sound(utterance.sound);
  } catch (const DataError& error) {
    fail<DataError>("{}", with_note(error.what(), utterance.where));
  } catch (const UsageError& error) {
    fail<DataError>("{}", with_note(error.what(), utterance.where));
  }
}

Heard heard(std::span<const Utterance> utterances, const data::SoundPreprocessing& fitted) {
  if (utterances.empty()) return {};
  if (!data::reads_sounds()) data::refuse_sounds(utterances.front().where);
  const SoundSteps steps_of(fitted.steps);
  Heard all;
  all.steps.resize(utterances.size());
  all.labels.resize(utterances.size());
  std::vector<double> seconds(utterances.size());
  Workers workers;
  workers.run(std::ssize(utterances), [&](std::int64_t i) {
    const auto row = static_cast<std::size_t>(i);
    const Sound sound = sound_of(utterances[row]);
    all.labels[row] = fitted.labels_of(utterances[row].text, utterances[row].where);
    all.steps[row] = steps_of(sound);
    seconds[row] = sound.seconds();
    const std::int64_t needed = ctc::frames_needed(all.labels[row]), there = all.steps[row].shape()[0];
    if (needed > there)
      fail<DataError>(
          "[speech] {}: a text of {} letters needs {} steps, but {:.3g} seconds have {}. Hint: does the text belong to "
          "another sound? Training with a smaller stack or hop in [data] gives more steps.",
          utterances[row].where, all.labels[row].size(), needed, seconds[row], there);
  });
  all.seconds = std::accumulate(seconds.begin(), seconds.end(), 0.);
  return all;
}

/// Columns "input" f32 (rows, steps, width) and "target" i32 (rows, letters), padded with zeros; "frames" and
/// "letters": the numbers of steps and letters without padding; "group": the speaker; "sound": the file.
Dataset rows_of(std::span<const Utterance> utterances, const Heard& heard, std::span<const std::int64_t> rows,
                data::SoundPreprocessing fitted) {
  std::int64_t most_steps = 1, most_letters = 1;
  for (const std::int64_t row : rows) {
    most_steps = std::max(most_steps, at(heard.steps, row).shape()[0]);
    most_letters = std::max(most_letters, std::ssize(at(heard.labels, row)));
  }
  const std::int64_t count = std::ssize(rows), width = fitted.steps.width();
  Tensor input({count, most_steps, width}), target({count, most_letters}, i32), frames({count}, i32),
      letters({count}, i32), group({count}, i32), sound({count}, i32);
  const auto into = input.mutable_values<float>();
  const auto labels = target.mutable_values<std::int32_t>();
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t row = at(rows, i);
    const auto steps = at(heard.steps, row).values<float>();
    const auto own = into.subspan(static_cast<std::size_t>(i * most_steps * width), steps.size());
    std::ranges::copy(steps, own.begin());
    fitted.scale(own);
    std::ranges::copy(at(heard.labels, row), labels.begin() + i * most_letters);
    frames.set(i, static_cast<double>(at(heard.steps, row).shape()[0]));
    letters.set(i, static_cast<double>(at(heard.labels, row).size()));
    const std::string& speaker = at(utterances, row).speaker;
    const auto found = std::ranges::find(fitted.groups, speaker);
    group.set(i, static_cast<double>(found - fitted.groups.begin()));
    sound.set(i, static_cast<double>(fitted.files.size()));
    fitted.files.push_back(at(utterances, row).sound.string());
    if (found == fitted.groups.end()) fitted.groups.push_back(speaker);
  }
  Dataset dataset;
  dataset.set("input", std::move(input));
  dataset.set("frames", std::move(frames));
  dataset.set("target", std::move(target));
  dataset.set("letters", std::move(letters));
  dataset.set("group", std::move(group));
  dataset.set("sound", std::move(sound));
  dataset.set_preprocessing(std::make_shared<const data::Preprocessing>(std::move(fitted)));
  return dataset;
}

class SpeechRows final : public TrainingRows {
 public:
  SpeechRows(std::vector<Utterance> utterances, const SpeechOptions& options, double held_out)
      : TrainingRows(held_out), utterances_(std::move(utterances)), fitted_{.steps = options.steps()} {
    if (!data::has_room(fitted_.steps))
      fail<UsageError>(
          "[data] a window of {} samples and {} bands: the matrices of its spectrum are too large. Hint: a smaller "
          "window, rate or bands.",
          fitted_.steps.window, fitted_.steps.bands);
    fitted_.letters = data::letters_of(utterances_, options.alphabet);
    heard_ = heard(utterances_, fitted_);
    rows_.resize(utterances_.size());
    std::iota(rows_.begin(), rows_.end(), 0);
    facts_ = {.task = data::Task::other,
              .rows = std::ssize(utterances_),
              .outputs = std::ssize(fitted_.letters) + 1,
              .table = false};
    notes_.push_back(fmt::format("{} sounds, {:.1f} minutes, {} letters", utterances_.size(), heard_.seconds / 60,
                                 fitted_.letters.size()));
  }

 private:
  [[nodiscard]] Parts encode(std::span<const std::int64_t> train,
                             std::span<const std::int64_t> validation) const override {
    data::SoundPreprocessing fitted = fitted_;
    if (!fitted.steps.standardise) {
      std::vector<const Tensor*> steps;
      for (const std::int64_t row : train) steps.push_back(&at(heard_.steps, row));
      fitted.fit(steps);
    }
    Parts parts{.preprocessing = fitted, .train = rows_of(utterances_, heard_, train, fitted)};
    if (!validation.empty()) parts.validation = rows_of(utterances_, heard_, validation, fitted);
    return parts;
  }
  [[nodiscard]] std::uint64_t content(std::int64_t row) const override { return content_of_row(at(utterances_, row)); }
  [[nodiscard]] Origin origin(std::span<const std::int64_t> rows) const override {
    Origin origin;
    for (const std::int64_t row : rows) origin.places.push_back(at(utterances_, row).place);
    return origin;
  }
  [[nodiscard]] Dataset encode_test(Parts& parts, std::span<const std::int64_t> rows) const override {
    return rows_of(utterances_, heard_, rows, *parts.preprocessing.sound());
  }

  std::vector<Utterance> utterances_;
  data::SoundPreprocessing fitted_;
  Heard heard_;
};

std::unique_ptr<TrainingData> read(const DataOptions& data, const SpeechOptions& options) {
  return std::make_unique<SpeechRows>(utterances_at(data.train, options), options, data.held_out());
}

Dataset encode(const Request& request, const SpeechOptions& options, std::vector<std::string>&) {
  std::vector<Utterance> utterances = utterances_at(request.place, options);
  if (request.only)
    std::erase_if(utterances, [&](const Utterance& each) { return !request.only->take(content_of_row(each)); });
  const data::SoundPreprocessing& fitted = *request.preprocessing.sound();
  std::vector<std::int64_t> rows(utterances.size());
  std::iota(rows.begin(), rows.end(), 0);
  return rows_of(utterances, heard(utterances, fitted), rows, fitted);
}

}  // namespace

std::vector<ReaderRow> speech_readers() {
  return {reader_row<SpeechOptions>(
      {.name = "speech",
       .summary =
           "sounds (WAV, FLAC or Ogg) with their texts: a table that names them, or a folder with a.txt beside a.wav",
       .named = sounds_of,
       .suits = [](const data::Preprocessing& p) { return p.sound() != nullptr; }},
      read, encode)};
}

}  // namespace thalweg

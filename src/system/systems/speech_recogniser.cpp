// A speech recogniser: log-mel steps go through a convolution and bidirectional recurrent layers, and connectionist
// temporal classification gives the letters.

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "data/preprocessing.hpp"
#include "system/reversal.hpp"
#include "system/row.hpp"
#include "thalweg/apply.hpp"
#include "thalweg/ctc.hpp"
#include "thalweg/edit_distance.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/sequence.hpp"

namespace thalweg {

namespace {

struct SpeechRecogniserOptions {
  std::int64_t filters = 128, kernel = 5, layers = 2, units = 128, beam = 1;
  double dropout = 0.1;
};

Fields fields(SpeechRecogniserOptions& o) {
  return {{"filters", &o.filters, "filters of the convolution over steps", {.low = 1}},
          {"kernel", &o.kernel, "kernel of the convolution, in steps", {.low = 1}},
          {"layers", &o.layers, "bidirectional recurrent layers", {.low = 1}},
          {"units", &o.units, "units in each direction", {.low = 1}},
          {"dropout",
           &o.dropout,
           "dropout rate before each recurrent layer and the output",
           {.low = 0, .high = 1, .high_open = true}},
          {"beam", &o.beam, "width of the beam search in evaluation; 1: the likeliest path", {.low = 1}}};
}

/// Batches are (batch, steps, ...) throughout. The padding after the end of a sound changes nothing before it.
class Recogniser {
 public:
  Recogniser(const SpeechRecogniserOptions& options, std::int64_t classes) : o_(options), classes_(classes) {}

  /// x (batch, steps, width), steps that count i32 (batch) -> logits (batch, steps, classes).
  [[nodiscard]] Var logits(const Scope& s, const Var& x, const Var& count) const {
    const std::int64_t steps = x.dim(1);
    const Var inside = expand_dims(cast(places(steps) < expand_dims(count, 1), s.dtype()), -1);  // (batch, steps, 1)
    const Reversal turned(count, steps, s.dtype());
    Var h = nn::conv1d(s / "convolution", x * inside, {.filters = o_.filters, .kernel = o_.kernel});
    h = relu(nn::layer_norm(s / "norm", h)) * inside;
    for (std::int64_t layer = 1; layer <= o_.layers; ++layer) {
      const Scope at = s / ("layer" + std::to_string(layer));
      h = nn::dropout(at / "dropout", h, o_.dropout);
      const Var onward = nn::gru(at / "onward", h, {.units = o_.units}).output;
      const Var back = nn::gru(at / "back", turned(h), {.units = o_.units}).output;
      h = concat({onward, turned(back)}, -1) * inside;
    }
    return nn::dense(s / "output", nn::dropout(s / "dropout", h, o_.dropout), classes_,
                     {.initializer = init::lecun_normal()});
  }

  [[nodiscard]] Loss loss(const Scope& s, const Batch& b) const {
    const Var surprise = ctc_loss(logits(s, b["input"], b["frames"]), b["target"], b["frames"], b["letters"]);
    s.report("loss a letter", surprise / maximum(cast(b["letters"], s.dtype()), 1));
    return Loss::of_samples(surprise);
  }

 private:
  [[nodiscard]] static Var places(std::int64_t count) {
    Tensor values({count}, i32);
    for (std::int64_t i = 0; i < count; ++i) values.set(i, static_cast<double>(i));
    return constant(std::move(values));
  }

  SpeechRecogniserOptions o_;
  std::int64_t classes_;
};

/// Transcribes rows, and returns their true texts.
class Transcripts {
 public:
  Transcripts(const data::SoundPreprocessing& sound, Apply logits) : sound_(sound), logits_(std::move(logits)) {}

  /// input (rows, steps, width) and frames (rows).
  [[nodiscard]] std::vector<std::string> heard(const State& state, const Tensor& input, const Tensor& frames,
                                               std::int64_t beam) const {
    constexpr std::int64_t portion = 32;
    std::vector<std::string> texts;
    for (std::int64_t begin = 0; begin < input.shape()[0]; begin += portion) {
      const std::int64_t end = std::min(input.shape()[0], begin + portion);
      const Tensor logits = logits_(state, {{"x", input.rows(begin, end)}, {"frames", frames.rows(begin, end)}});
      for (std::int64_t i = 0; i < end - begin; ++i) {
        const Tensor all = logits.rows(i, i + 1).reshape({logits.shape()[1], logits.shape()[2]});
        const Tensor own = all.rows(0, static_cast<std::int64_t>(frames.at(begin + i)));
        texts.push_back(sound_.text_of(beam > 1 ? ctc::beam(own, beam).front().labels : ctc::greedy(own).labels));
      }
    }
    return texts;
  }
  [[nodiscard]] std::string said(const Dataset& rows, std::int64_t row) const {
    const auto letters = static_cast<std::size_t>(rows["letters"].at(row));
    const Tensor labels = rows["target"].rows(row, row + 1);
    return sound_.text_of(labels.values<std::int32_t>().first(letters));
  }

 private:
  data::SoundPreprocessing sound_;
  Apply logits_;
};

/// Counts errors over rows, for each group and in total.
struct Errors {
  Edits characters, words;
  std::int64_t right = 0, rows = 0;

  void add(const std::string& heard, const std::string& said) {
    characters += character_edits(heard, said);
    words += word_edits(heard, said);
    right += heard == said ? 1 : 0;
    ++rows;
  }
  [[nodiscard]] double texts_right() const { return static_cast<double>(right) / static_cast<double>(rows); }
};

std::vector<std::string> cells_of(const std::string& name, const Errors& errors) {
  return {name.empty() ? "-" : name, std::to_string(errors.rows), format_metric(errors.characters.rate()),
          format_metric(errors.words.rate()), format_metric(errors.texts_right())};
}

SystemFigures figures_of(const Transcripts& transcripts, std::int64_t beam, const State& state,
                         const SystemSets& sets) {
  constexpr std::size_t shown = 50;
  constexpr std::int64_t stride = 7919;  // a prime number: the stride between the chosen training texts
  const auto heard = transcripts.heard(state, sets.test["input"], sets.test["frames"], beam);
  const auto& preprocessing = sets.test.preprocessing();
  const auto* sound = preprocessing ? preprocessing->sound() : nullptr;
  Errors all, unheard;
  std::map<std::string, Errors> groups;
  std::vector<std::vector<std::string>> examples, by_group;
  for (std::size_t i = 0; i < heard.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    const std::string said = transcripts.said(sets.test, row);
    const auto group = static_cast<std::size_t>(sets.test["group"].at(row));
    all.add(heard[i], said);
    unheard.add(transcripts.said(sets.train, row * stride % sets.train.rows()), said);
    groups[sound && group < sound->groups.size() ? sound->groups[group] : ""].add(heard[i], said);
    if (examples.size() < shown) examples.push_back({said, heard[i]});
  }
  SystemFigures figures{.metrics = {{"character error rate", all.characters.rate()},
                                    {"word error rate", all.words.rate()},
                                    {"texts right", all.texts_right()}},
                        .baselines = {{"a training text unheard",
                                       {{"character error rate", unheard.characters.rate()},
                                        {"word error rate", unheard.words.rate()},
                                        {"texts right", unheard.texts_right()}}}}};
  for (const auto& [name, errors] : groups) {
    const std::string who = name.empty() ? "no speaker" : name;
    by_group.push_back(cells_of(who, errors));
    if (groups.size() > 1) figures.metrics.emplace_back("character error rate of " + who, errors.characters.rate());
  }
  figures.media = {{"errors by speaker",
                    Medium::table({"speaker", "sounds", "character errors", "word errors", "texts right"}, by_group)},
                   {"said and heard", Medium::table({"said", "heard"}, examples)}};
  return figures;
}

System make_speech_recogniser(const SystemData& data, const SpeechRecogniserOptions& options) {
  const auto* sound = data.preprocessing ? data.preprocessing->sound() : nullptr;
  if (!sound) fail<UsageError>("[speech_recogniser] the rows are not sounds. Wanted: format = \"speech\" in [data]");
  const auto net = std::make_shared<const Recogniser>(options, std::ssize(sound->letters) + 1);
  const auto transcripts = std::make_shared<const Transcripts>(
      *sound, Apply([net](Scope s, const Batch& b) { return net->logits(s, b["x"], b["frames"]); }, data.threads));
  const auto show = [transcripts](const State& state, const Dataset& rows) -> NamedMedia {
    const Dataset few = rows.slice(0, std::min<std::int64_t>(8, rows.rows()));
    const auto heard = transcripts->heard(state, few["input"], few["frames"], 1);
    std::vector<std::vector<std::string>> lines;
    for (std::size_t i = 0; i < heard.size(); ++i)
      lines.push_back({transcripts->said(few, static_cast<std::int64_t>(i)), heard[i]});
    return {{"said and heard", Medium::table({"said", "heard"}, lines)}};
  };
  return {
      .objectives = {{.loss = [net](Scope s, const Batch& b) { return net->loss(s, b); }}},
      .show = show,
      .evaluate = [=](const State& state,
                      const SystemSets& sets) { return figures_of(*transcripts, options.beam, state, sets); },
      .transcribe =
          [transcripts, steps = SoundSteps(sound->steps)](const State& state, const Sound& heard, std::int64_t beam) {
            const Tensor own = steps(heard);
            const std::int64_t count = own.shape()[0];
            return transcripts
                ->heard(state, own.reshape({1, count, own.shape()[1]}), Tensor::of({static_cast<std::int32_t>(count)}),
                        beam)
                .front();
          }};
}

}  // namespace

std::vector<SystemRow> speech_recogniser_systems() {
  return {system_row<SpeechRecogniserOptions>(
      {.name = "speech_recogniser",
       .summary = "the letters of spoken text",
       .formula =
           "-log P(text | sound), the sum over all ways to spread its letters over the steps; P from a convolution "
           "and bidirectional GRUs",
       .when = "sounds with their texts (format = \"speech\"), without the times of the letters",
       .source = "Graves et al. 2006; both ways: Graves and Schmidhuber 2005; steps of several frames: Sak et al. 2015",
       .defaults = {{"optimizer", OptionMap{{"kind", "adam"}, {"lr", 2e-3}, {"clip_norm", 5.}}},
                    {"schedule", OptionMap{{"kind", "cosine"}, {"warmup", "2%"}}},
                    {"train", OptionMap{{"epochs", 20}, {"batch_size", 16}}}}},
      make_speech_recogniser)};
}

}  // namespace thalweg

// A masked language model: some words of documents are hidden, and a transformer finds them from the words on both
// sides.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/numbers.hpp"
#include "data/preprocessing.hpp"
#include "system/hidden_words.hpp"
#include "system/row.hpp"
#include "system/word_encoder.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

constexpr double measured = 0.15;  // share of the words that an evaluation hides

struct MaskedOptions : WordEncoderOptions {
  double share = 0.3;
};

Fields fields(MaskedOptions& o) {
  Fields all = o.WordEncoderOptions::fields();
  all.push_back({"share",
                 &o.share,
                 "fraction of the words that training hides; evaluation hides 0.15",
                 {.low = 0, .high = 1, .low_open = true, .high_open = true}});
  return all;
}

/// Words are (batch, length), of which `count` (batch) count.
class MaskedModel {
 public:
  MaskedModel(const MaskedOptions& options, data::WordPreprocessing numbers)
      : o_(options), numbers_(std::move(numbers)) {}

  /// Logits of the words with their own numbers, (batch, places, words), at the places that `hot` (batch, places,
  /// length) selects.
  [[nodiscard]] Var logits(const Scope& s, const Var& words, const Var& count, const Var& hot) const {
    const EncodedWords encoded = encoded_words(s / "encoder", words, count, numbers_.size(), o_);
    const Scope head = s / "head";
    Var x = nn::dense(head / "hidden", matmul(hot, encoded.read), o_.width, {.initializer = init::lecun_normal()});
    x = nn::layer_norm(head / "norm", gelu_tanh(x));
    const Var bias = head.parameter("bias", {std::ssize(numbers_.words)}, {.decay = false});
    return matmul(x, slice(encoded.table, numbers_.first_word()), false, true) + bias;
  }
  [[nodiscard]] HiddenWords hide(const Scope& s, const Batch& b) const {
    return hidden_words(s / "hidden", b["input"], b["count"], numbers_, s.mode() == Mode::train ? o_.share : measured);
  }
  [[nodiscard]] Loss loss(const Scope& s, const Batch& b) const {
    const HiddenWords hidden = hide(s, b);
    const Var surprise = cross_entropy_with_labels(logits(s, hidden.words, b["count"], hidden.places), hidden.target);
    return {sum(surprise * hidden.weight), sum(hidden.weight)};
  }
  [[nodiscard]] const data::WordPreprocessing& numbers() const { return numbers_; }

 private:
  MaskedOptions o_;
  data::WordPreprocessing numbers_;
};

/// The predictions of a model for hidden words.
struct Found {
  std::int32_t word = 0;   ///< the likeliest word
  double probability = 0;  ///< of the likeliest word
  double surprise = 0;     ///< -log P of the hidden word
};

class MaskedSystem {
 public:
  MaskedSystem(const MaskedOptions& options, const data::WordPreprocessing& numbers, int threads)
      : model_(options, numbers),
        coder_(numbers),
        places_(numbers, measured, threads),
        finds_([this](Scope s, const Batch& b) { return finds(s, b); }, threads),
        fills_(
            [this](Scope s, const Batch& b) { return softmax(model_.logits(s, b["words"], b["count"], b["places"])); },
            threads) {}

  [[nodiscard]] Loss loss(const Scope& s, const Batch& b) const { return model_.loss(s, b); }
  [[nodiscard]] SystemFigures figures(const State& state, const SystemSets& sets) const;
  [[nodiscard]] NamedMedia show(const State& state, const Dataset& rows) const;
  [[nodiscard]] Answers fill(const State& state, const std::string& text, std::int64_t count) const;

 private:
  /// The prediction for each hidden word that has a weight.
  [[nodiscard]] NamedVars finds(const Scope& s, const Batch& b) const {
    const HiddenWords hidden = model_.hide(s, b);
    const Var logits = model_.logits(s, hidden.words, b["count"], hidden.places);
    return {{"word", argmax(logits)},
            {"probability", max(softmax(logits), {-1})},
            {"surprise", cross_entropy_with_labels(logits, hidden.target)},
            {"weight", hidden.weight}};
  }
  [[nodiscard]] std::vector<Found> find_all(const State& state, const Dataset& rows) const;
  /// A table with one line per word, for the first `count` words: its context, the word, and the prediction.
  [[nodiscard]] Medium table(const Dataset& rows, const std::vector<HiddenWord>& hidden,
                             const std::vector<Found>& found, std::size_t count) const;

  MaskedModel model_;
  data::WordCoder coder_;
  HidingPlaces places_;
  Apply finds_, fills_;
};

std::vector<Found> MaskedSystem::find_all(const State& state, const Dataset& rows) const {
  std::vector<Found> all;
  for (std::int64_t begin = 0; begin < rows.rows(); begin += HidingPlaces::portion) {
    const std::int64_t end = std::min(rows.rows(), begin + HidingPlaces::portion);
    const NamedTensors out =
        finds_.all(state, {{"input", rows["input"].rows(begin, end)}, {"count", rows["count"].rows(begin, end)}},
                   static_cast<std::uint64_t>(begin / HidingPlaces::portion));
    for (std::int64_t i = 0; i < out[0].second.size(); ++i) {
      if (out[3].second.at(i) == 0) continue;
      all.push_back({.word = static_cast<std::int32_t>(out[0].second.at(i)),
                     .probability = out[1].second.at(i),
                     .surprise = out[2].second.at(i)});
    }
  }
  return all;
}

Medium MaskedSystem::table(const Dataset& rows, const std::vector<HiddenWord>& hidden, const std::vector<Found>& found,
                           std::size_t count) const {
  constexpr std::int64_t around = 6;
  const data::WordPreprocessing& numbers = model_.numbers();
  const auto word = [&](std::int32_t own) { return numbers.text_of(numbers.first_word() + own); };
  std::vector<std::vector<std::string>> lines;
  for (std::size_t i = 0; i < std::min(hidden.size(), count); ++i) {
    const HiddenWord& own = hidden[i];
    std::string text;
    for (std::int64_t at = std::max<std::int64_t>(0, own.place - around);
         at <= std::min(numbers.length - 1, own.place + around); ++at) {
      const auto is_hidden = [&](const HiddenWord& other) { return other.row == own.row && other.place == at; };
      const auto number = static_cast<std::int64_t>(rows["input"].at(own.row * numbers.length + at));
      const bool masked = std::ranges::any_of(hidden, is_hidden);
      text += (text.empty() ? "" : " ") + numbers.text_of(masked ? data::WordPreprocessing::mask : number);
    }
    lines.push_back({text, word(own.word), word(found[i].word), fmt::format("{:.2f}", found[i].probability)});
  }
  return Medium::table({"what is seen", "hidden in the middle", "found", "probability"}, lines);
}

NamedMedia MaskedSystem::show(const State& state, const Dataset& rows) const {
  const Dataset few = rows.slice(0, std::min<std::int64_t>(4, rows.rows()));
  return {{"words found", table(few, places_(state, few), find_all(state, few), 24)}};
}

SystemFigures MaskedSystem::figures(const State& state, const SystemSets& sets) const {
  const std::vector<HiddenWord> hidden = places_(state, sets.test);
  const std::vector<Found> found = find_all(state, sets.test);
  if (hidden.empty()) fail<DataError>("[masked] {}: no word in it can be hidden", sets.name);
  NeighbourCounts counts(sets.train, model_.numbers());
  const Dataset& tuning = sets.validation && sets.validation->rows() > 0 ? *sets.validation : sets.test;
  counts.tune(places_(state, tuning));
  double right = 0, surprise = 0, counts_right = 0, counts_surprise = 0, commonest = 0;
  for (std::size_t i = 0; i < hidden.size(); ++i) {
    const NeighbourCounts::Guess guess = counts(hidden[i]);
    right += found[i].word == hidden[i].word ? 1 : 0;
    surprise += found[i].surprise;
    counts_right += guess.word == hidden[i].word ? 1 : 0;
    counts_surprise -= std::log(guess.probability);
    commonest += hidden[i].word == 0 ? 1 : 0;
  }
  const auto all = static_cast<double>(hidden.size());
  constexpr std::size_t shown = 60;
  const Dataset few = sets.test.slice(0, std::min<std::int64_t>(HidingPlaces::portion, sets.test.rows()));
  return {
      .metrics = {{"accuracy", right / all}, {"cross-entropy", surprise / all}},
      .baselines = {{"neighbour counts", {{"accuracy", counts_right / all}, {"cross-entropy", counts_surprise / all}}},
                    {"the commonest word", {{"accuracy", commonest / all}}}},
      .media = {{"words found", table(few, places_(state, few), found, shown)}},
      .on =
          fmt::format("{} hidden words of {} windows", with_commas(std::ssize(hidden)), with_commas(sets.test.rows()))};
}

Answers MaskedSystem::fill(const State& state, const std::string& text, std::int64_t count) const {
  const data::WordPreprocessing& numbers = model_.numbers();
  std::vector<std::int32_t> words = coder_(text, true);
  words.resize(std::min(words.size(), static_cast<std::size_t>(numbers.length)));
  const auto size = std::ssize(words);
  std::vector<std::int64_t> asked;
  for (std::int64_t i = 0; i < size; ++i) {
    if (words[static_cast<std::size_t>(i)] == data::WordPreprocessing::mask) asked.push_back(i);
  }
  if (asked.empty())
    fail<UsageError>("[masked] '{}' has no [MASK] among its first {} words. Wanted: text with [MASK] in it",
                     shown(text), numbers.length);
  Tensor input({1, numbers.length}, i32), places({1, std::ssize(asked), numbers.length});
  for (std::int64_t i = 0; i < size; ++i) input.set(i, words[static_cast<std::size_t>(i)]);
  for (std::size_t i = 0; i < asked.size(); ++i)
    places.set(static_cast<std::int64_t>(i) * numbers.length + asked[i], 1);
  const Tensor said =
      fills_(state, {{"words", input}, {"count", Tensor::of({static_cast<std::int32_t>(size)})}, {"places", places}});
  Answers answers;
  const std::int64_t all = said.shape()[2];
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const std::int64_t begin = static_cast<std::int64_t>(i) * all;
    std::vector<std::int64_t> order(static_cast<std::size_t>(all));
    std::iota(order.begin(), order.end(), 0);
    const auto top = order.begin() + std::min(count, all);
    std::ranges::partial_sort(order, top, std::ranges::greater{}, [&](std::int64_t w) { return said.at(begin + w); });
    answers.emplace_back();
    for (auto word = order.begin(); word != top; ++word)
      answers.back().emplace_back(numbers.text_of(numbers.first_word() + *word), said.at(begin + *word));
  }
  return answers;
}

System make_masked(const SystemData& data, const MaskedOptions& options) {
  const auto* words = data.preprocessing ? data.preprocessing->words() : nullptr;
  if (!words || !words->classes.empty())
    fail<UsageError>("[masked] the rows are not documents. Wanted: format = \"documents\" in [data]");
  options.check("masked");
  const auto system = std::make_shared<const MaskedSystem>(options, *words, data.threads);
  return {.objectives = {{.loss = [system](Scope s, const Batch& b) { return system->loss(s, b); }}},
          .show = [system](const State& state, const Dataset& rows) { return system->show(state, rows); },
          .evaluate = [system](const State& state, const SystemSets& sets) { return system->figures(state, sets); },
          .answer = [system](const State& state, const std::string& text,
                             std::int64_t count) { return system->fill(state, text, count); }};
}

}  // namespace

std::vector<SystemRow> masked_systems() {
  return {system_row<MaskedOptions>(
      {.name = "masked",
       .summary = "hidden words of a text, found from the words on both sides",
       .formula = "-log P(word | the rest of its window) at a share of the words, by a bidirectional transformer",
       .when = "documents (format = \"documents\"), to learn an encoder of words that other systems start from",
       .source = "Devlin et al. 2019; how much is hidden: Wettig et al. 2023; rotary positions: Su et al. 2021",
       .defaults = {{"optimizer", OptionMap{{"kind", "adamw"}, {"lr", 1e-3}, {"clip_norm", 1.}}},
                    {"schedule", OptionMap{{"kind", "cosine"}, {"warmup", "5%"}}},
                    {"train", OptionMap{{"epochs", 4}, {"batch_size", 32}}}}},
      make_masked)};
}

}  // namespace thalweg

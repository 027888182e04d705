// A classifier of sentences: an encoder of words, optionally pre-trained by a masked language model, and a linear layer
// on the mean of its outputs.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "data/preprocessing.hpp"
#include "system/row.hpp"
#include "system/text_baseline.hpp"
#include "system/word_encoder.hpp"
#include "thalweg/apply.hpp"
#include "thalweg/metrics.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

constexpr std::string_view tuned = "tuned", untrained = "untrained";  // the two nets

struct TextEncoderOptions : WordEncoderOptions {
  std::string encoder = {};
  bool frozen = false, beside = true;
};

Fields fields(TextEncoderOptions& o) {
  Fields all = o.WordEncoderOptions::fields();
  all.push_back({"encoder", &o.encoder,
                 "a run of a masked model, from which the encoder, its sizes and its words are taken; empty: none"});
  all.push_back({"frozen", &o.frozen, "the encoder is not changed, only the last layer is trained"});
  all.push_back(
      {"beside", &o.beside, "with an encoder: also trains the same net from random parameters, on the same batches"});
  return all;
}

class SentenceClassifier {
 public:
  SentenceClassifier(const TextEncoderOptions& options, data::WordPreprocessing numbers, int threads)
      : o_(options),
        coder_(std::move(numbers)),
        says_([this](Scope s, const Batch& b) { return says(s, b); }, threads) {}

  [[nodiscard]] bool compares() const { return o_.beside && !o_.encoder.empty(); }
  [[nodiscard]] Loss loss(const Scope& s, const Batch& b, std::string_view net) const {
    const Var logits = this->logits(s / net, b["input"], b["count"]);
    s.report(net == tuned ? "accuracy" : "untrained accuracy", cast(equal(argmax(logits), b["target"]), s.dtype()));
    return Loss::of_samples(cross_entropy_with_labels(logits, b["target"]));
  }
  [[nodiscard]] SystemFigures figures(const State& state, const SystemSets& sets) const;
  [[nodiscard]] Answers answer(const State& state, const std::string& text, std::int64_t count) const;

 private:
  [[nodiscard]] Var logits(const Scope& s, const Var& words, const Var& count) const {
    const std::int64_t length = words.dim(1);
    const Scope encoder = s / "encoder";
    const Var read =
        encoded_words(o_.frozen ? encoder.frozen() : encoder, words, count, coder_.words().size(), o_).read;
    Tensor places({length}, i32);
    for (std::int64_t i = 0; i < length; ++i) places.set(i, static_cast<double>(i));
    const Var inside = expand_dims(cast(constant(places) < expand_dims(count, 1), s.dtype()), -1);
    const Var size = maximum(cast(count, s.dtype()), 1);
    const Var mean = sum(read * inside, {1}) / expand_dims(size, 1);  // (batch, width)
    return nn::dense(s / "output", nn::dropout(s / "dropout", mean, o_.dropout), std::ssize(coder_.words().classes),
                     {.initializer = init::lecun_normal()});
  }
  /// The probabilities of both nets, (batch, classes), or of the only one.
  [[nodiscard]] NamedVars says(const Scope& s, const Batch& b) const {
    NamedVars result;
    for (const std::string_view net : {tuned, untrained}) {
      if (net == tuned || compares()) result.emplace_back(net, softmax(logits(s / net, b["input"], b["count"])));
    }
    return result;
  }
  [[nodiscard]] std::vector<Tensor> said(const State& state, const Dataset& rows) const;

  TextEncoderOptions o_;
  data::WordCoder coder_;
  Apply says_;
};

/// The probabilities of each net, (rows, classes).
std::vector<Tensor> SentenceClassifier::said(const State& state, const Dataset& rows) const {
  constexpr std::int64_t portion = 64;
  const std::int64_t classes = std::ssize(coder_.words().classes);
  std::vector<Tensor> all(compares() ? 2 : 1, Tensor({rows.rows(), classes}));
  for (std::int64_t begin = 0; begin < rows.rows(); begin += portion) {
    const std::int64_t end = std::min(rows.rows(), begin + portion);
    const NamedTensors own =
        says_.all(state, {{"input", rows["input"].rows(begin, end)}, {"count", rows["count"].rows(begin, end)}});
    for (std::size_t net = 0; net < all.size(); ++net)
      std::ranges::copy(own[net].second.values<float>(), all[net].mutable_values<float>().begin() + begin * classes);
  }
  return all;
}

Metrics metrics_of(const Tensor& said, const Tensor& targets) {
  return {{"accuracy", metric::accuracy(said, targets)}, {"cross-entropy", metric::log_loss(said, targets)}};
}

SystemFigures SentenceClassifier::figures(const State& state, const SystemSets& sets) const {
  constexpr std::int64_t shown = 50;
  const std::vector<std::string>& classes = coder_.words().classes;
  const auto count = std::ssize(classes);
  const Tensor& targets = sets.test["target"];
  const std::vector<Tensor> nets = said(state, sets.test);
  SystemFigures figures{.metrics = metrics_of(nets[0], targets)};
  if (compares()) figures.baselines.emplace_back("the same net untrained", metrics_of(nets[1], targets));
  figures.baselines.emplace_back("TF-IDF logistic",
                                 metrics_of(tfidf_logistic(sets.train, sets.test, count, sets.seed), targets));
  std::vector<double> of_class(static_cast<std::size_t>(count));
  for (const std::int32_t label : targets.values<std::int32_t>()) of_class[static_cast<std::size_t>(label)] += 1;
  const auto most = std::ranges::max_element(of_class);
  figures.baselines.push_back({"always " + classes[static_cast<std::size_t>(most - of_class.begin())],
                               {{"accuracy", *most / static_cast<double>(targets.size())}}});
  std::vector<std::vector<std::string>> lines;
  const Tensor& texts = sets.test["text"];
  for (std::int64_t row = 0; row < std::min(shown, targets.size()); ++row) {
    const Tensor one = texts.rows(row, row + 1);
    const auto bytes = one.values<std::uint8_t>();
    const std::string text(bytes.begin(), std::ranges::find(bytes, 0));
    const Tensor own = nets[0].rows(row, row + 1);
    const auto values = own.values<float>();
    const auto best = std::ranges::max_element(values);
    lines.push_back({text, classes[static_cast<std::size_t>(targets.at(row))],
                     classes[static_cast<std::size_t>(best - values.begin())], fmt::format("{:.2f}", *best)});
  }
  figures.media = {{"sentences", Medium::table({"sentence", "class", "predicted", "probability"}, lines)}};
  return figures;
}

Answers SentenceClassifier::answer(const State& state, const std::string& text, std::int64_t count) const {
  const data::WordPreprocessing& numbers = coder_.words();
  std::vector<std::int32_t> words = coder_(text);
  if (words.empty()) fail<UsageError>("[text_encoder] '{}' has no words. Wanted: a sentence", shown(text));
  words.resize(std::min(words.size(), static_cast<std::size_t>(numbers.length)));
  Tensor input({1, numbers.length}, i32);
  for (std::size_t i = 0; i < words.size(); ++i) input.set(static_cast<std::int64_t>(i), words[i]);
  const Tensor said =
      says_.all(state, {{"input", input}, {"count", Tensor::of({static_cast<std::int32_t>(words.size())})}})[0].second;
  std::vector<std::pair<std::string, double>> each;
  for (std::int64_t c = 0; c < said.size(); ++c)
    each.emplace_back(numbers.classes[static_cast<std::size_t>(c)], said.at(c));
  std::ranges::stable_sort(each, std::ranges::greater{}, &std::pair<std::string, double>::second);
  each.resize(static_cast<std::size_t>(std::min(count, std::ssize(each))));
  return {each};
}

System make_text_encoder(const SystemData& data, const TextEncoderOptions& options) {
  const auto* words = data.preprocessing ? data.preprocessing->words() : nullptr;
  if (!words || words->classes.empty())
    fail<UsageError>("[text_encoder] the rows are not sentences. Wanted: format = \"sentences\" in [data]");
  options.check("text_encoder");
  const auto net = std::make_shared<const SentenceClassifier>(options, *words, data.threads);
  const auto objective = [net](std::string_view name) {
    return SystemObjective{.name = net->compares() ? std::string(name) : "",
                           .loss = [net, name](Scope s, const Batch& b) { return net->loss(s, b, name); },
                           .options = {.trains = std::string(name) + "/*"}};
  };
  System system{.objectives = {objective(tuned)},
                .evaluate = [net](const State& state, const SystemSets& sets) { return net->figures(state, sets); },
                .answer = [net](const State& state, const std::string& text,
                                std::int64_t count) { return net->answer(state, text, count); }};
  if (net->compares()) system.objectives.push_back(objective(untrained));
  return system;
}

void settle_run(TextEncoderOptions& o) {
  if (!o.encoder.empty()) o.encoder = place_of_run(o.encoder);
}

}  // namespace

std::vector<SystemRow> text_encoder_systems() {
  return {system_row<TextEncoderOptions>(
      {.name = "text_encoder",
       .summary = "classes of sentences, by an encoder that a masked model trained",
       .formula = "-log softmax(mean over the words of encoder(sentence) W + b)[class]",
       .when = "a few sentences with a class each (format = \"sentences\"), and much text without classes",
       .source = "Devlin et al. 2019",
       .defaults = {{"optimizer", OptionMap{{"kind", "adamw"}, {"lr", 3e-4}, {"clip_norm", 1.}}},
                    {"schedule", OptionMap{{"kind", "cosine"}, {"warmup", "10%"}}},
                    {"train", OptionMap{{"epochs", 8}, {"batch_size", 32}}}},
       .part = TrainedPart{.option = "encoder",
                           .kind = "masked",
                           .sizes = {std::begin(word_encoder_sizes), std::end(word_encoder_sizes)},
                           .parameters = "encoder/*",
                           .under = std::string(tuned)}},
      make_text_encoder, settle_run)};
}

}  // namespace thalweg

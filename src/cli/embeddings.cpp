#include "cli/embeddings.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/numbers.hpp"
#include "data/text.hpp"
#include "insight/principal.hpp"
#include "plot/map.hpp"
#include "store/saved_values.hpp"

namespace thalweg::cli {

namespace {

constexpr std::int64_t on_map = 250;  // the number of words in the picture, the most frequent ones

/// The words as tensors of a file: all words, each with a newline after it, and the count of each word.
void write_vocabulary(SafetensorsFile& file, const data::Vocabulary& vocabulary) {
  std::string words;
  for (const std::string& word : vocabulary.words) words += word + "\n";
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(words.data());
  file.tensors.emplace_back("words", Tensor::from(std::span(bytes, words.size()), {std::ssize(words)}));
  const std::vector<double> counts(vocabulary.counts.begin(), vocabulary.counts.end());
  file.tensors.emplace_back("counts", Tensor::from(counts, {std::ssize(counts)}));
}

data::Vocabulary vocabulary_in(const SafetensorsFile& file) {
  const auto bytes = saved_values<std::uint8_t>(file, "words", "embeddings");
  data::Vocabulary vocabulary;
  std::string word;
  for (const std::uint8_t byte : bytes) {
    if (byte != '\n') {
      word += static_cast<char>(byte);
    } else {
      vocabulary.words.push_back(std::exchange(word, {}));
    }
  }
  for (const double count : saved_values<double>(file, "counts", "embeddings")) {
    if (!(count >= 0 && count < 9e15)) fail<ModelError>("[embeddings] a word that occurs {} times", count);
    vocabulary.counts.push_back(static_cast<std::int64_t>(count));
  }
  if (vocabulary.counts.size() != vocabulary.words.size() || vocabulary.words.size() < 2)
    fail<ModelError>("[embeddings] {} words and {} counts of words", vocabulary.words.size(), vocabulary.counts.size());
  return vocabulary;
}

class Embeddings final : public Looped {
 public:
  Embeddings(const EmbeddingsConfig& config, data::Words words)
      : config_(config),
        words_(std::move(words)),
        model_(config.skip_gram, words_.vocabulary.counts, config.seed, config.batch_size),
        workers_(config.threads) {}

  [[nodiscard]] std::string described() const override {
    const std::string no_text = words_.not_utf8 == 0 ? ""
                                                     : fmt::format("; {} bytes of the text are no UTF-8, and end words",
                                                                   with_commas(words_.not_utf8));
    return fmt::format("embeddings: {} words of a text of {}, {} numbers each; {} parameters{}",
                       with_commas(words_.vocabulary.size()), with_commas(words_.in_text), config_.skip_gram.width,
                       with_commas(parameters()), no_text);
  }
  [[nodiscard]] std::int64_t parameters() const override {
    return 2 * words_.vocabulary.size() * config_.skip_gram.width;
  }
  [[nodiscard]] std::int64_t steps_in_epoch() const override {
    return (std::ssize(words_.numbers) + config_.batch_size - 1) / config_.batch_size;
  }

  [[nodiscard]] StepReport take(double rate, std::optional<double>, bool wants_norm) override {
    const std::int64_t epoch = steps / steps_in_epoch(), begin = steps % steps_in_epoch() * config_.batch_size;
    const std::int64_t end = std::min(begin + config_.batch_size, std::ssize(words_.numbers));
    const SkipGram::Step step = model_.step(words_.numbers, epoch, begin, end, rate, wants_norm, workers_);
    const auto pairs = static_cast<double>(step.pairs);
    return {.loss = step.pairs > 0 ? step.loss / pairs : 0,
            .gradient_norm = step.pairs > 0 ? step.gradient_norm / pairs : 0,
            .samples = end - begin,
            .weight = pairs};
  }

  [[nodiscard]] std::optional<Measured> measure(const std::string& place) override {
    const std::string& questions = place.empty() ? config_.questions : place;
    if (questions.empty()) return std::nullopt;
    const ChoiceFigures choices = answer_choices(space(), questions);
    if (choices.answered == 0) {
      if (place.empty()) return std::nullopt;
      fail<DataError>("[evaluate] {}: none of {} questions has only words of the text", questions, choices.questions);
    }
    Measured measured;
    measured.note = choices.answered == choices.questions
                        ? fmt::format("{} questions", with_commas(choices.questions))
                        : fmt::format("{} of {} questions, those whose words are known", with_commas(choices.answered),
                                      with_commas(choices.questions));
    measured.counts = {{"questions", choices.questions}, {"answered", choices.answered}};
    measured.figures.metrics = {{"answered right", choices.right}};
    measured.figures.baselines = {{"by chance", {{"answered right", choices.chance}}}};
    return measured;
  }

  void show(ReportData& report) override {
    const std::int64_t count = std::min(on_map, words_.vocabulary.size());
    const std::int64_t width = config_.skip_gram.width;
    if (width < 2) return;
    const Components components = principal_components(model_.input().rows(0, count), 2);
    std::vector<double> x, y;
    for (std::int64_t i = 0; i < count; ++i) {
      x.push_back(components.places.at(2 * i));
      y.push_back(components.places.at(2 * i + 1));
    }
    report.map =
        map_svg({.x_label = fmt::format("first component, {:.0f} % of the variance", 100 * components.parts[0]),
                 .y_label = fmt::format("second, {:.0f} %", 100 * components.parts[1])},
                x, y, words_.vocabulary.words);
    report.map_note = fmt::format("the {} most frequent words, by the principal components of their vectors", count);
  }
  [[nodiscard]] std::string next(const std::string& run) const override {
    return fmt::format("thalweg neighbours {} {}", run,
                       shell_word(words_.vocabulary.words[static_cast<std::size_t>(words_.vocabulary.size() / 20)]));
  }
  [[nodiscard]] WordSpace space() const { return {words_.vocabulary, model_.input()}; }

 protected:
  void write(SafetensorsFile& file) const override {
    file.tensors.emplace_back("input", model_.input());
    file.tensors.emplace_back("output", model_.output());
    write_vocabulary(file, words_.vocabulary);
    file.tensors.emplace_back("text", Tensor::of({static_cast<double>(words_.in_text)}));
  }
  void read(const SafetensorsFile& file) override {
    if (vocabulary_in(file) != words_.vocabulary)
      fail<DataError>(
          "[resume] the text has other words than when the run began. Hint: without --resume a new run "
          "begins.");
    const auto length = saved_values<double>(file, "text", "embeddings");
    if (length.size() != 1 || !(length[0] >= 0 && length[0] < 9e15))
      fail<ModelError>("[embeddings] the number of words of the text is missing in the model");
    for (const char* table : {"input", "output"}) (void)saved_values<float>(file, table, "embeddings");
    model_.set(file.tensor("input"), file.tensor("output"));
    words_.in_text = static_cast<std::int64_t>(length[0]);
  }

 private:
  EmbeddingsConfig config_;
  data::Words words_;  // a trained system, without its text
  SkipGram model_;
  Workers workers_;
};

const EmbeddingsConfig& own(const LoopConfig& config) { return dynamic_cast<const EmbeddingsConfig&>(config); }

}  // namespace

LoopedRow looped_embeddings() {
  return {.kind = "embeddings",
          .config = []() -> std::unique_ptr<LoopConfig> { return std::make_unique<EmbeddingsConfig>(); },
          .begin = [](const LoopConfig& config, const Registry& registry) -> std::unique_ptr<Looped> {
            if (config.make_optimizer(registry).schedule.momentum({}))
              fail<UsageError>(
                  "[schedule] {} moves the momentum, and the steps of embeddings have none. Wanted: cycle_momentum = "
                  "false, or another schedule",
                  config.schedule.kind);
            const std::string text = data::read_text(own(config).train);
            return std::make_unique<Embeddings>(own(config),
                                                data::read_words(text, own(config).min_count, own(config).train));
          },
          .load = [](const LoopConfig& config, const std::filesystem::path& file,
                     const Registry&) -> std::unique_ptr<Looped> {
            auto system = std::make_unique<Embeddings>(
                own(config), data::Words{.vocabulary = vocabulary_in(read_safetensors(file)), .numbers = {}});
            system->restore(file);
            return system;
          }};
}

WordSpace trained_words(const std::filesystem::path& folder, const Registry& registry) {
  const LoopedRow* const row = looped_run(folder.string());
  if (!row || row->kind != looped_embeddings().kind)
    fail<UsageError>("[neighbours] {} is not a run of embeddings. Wanted: the folder of one", folder.string());
  return dynamic_cast<const Embeddings&>(*trained_loop(*row, folder, registry).system).space();
}

}  // namespace thalweg::cli

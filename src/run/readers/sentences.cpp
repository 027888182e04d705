// The reader of sentences with one class each, as rows of words.

#include <algorithm>
#include <numeric>

#include "core/error.hpp"
#include "core/index.hpp"
#include "data/sentences.hpp"
#include "run/trained_part.hpp"
#include "run/training_rows.hpp"

namespace thalweg {

namespace {

struct SentenceOptions : data::LabelledTextOptions, data::WordOptions {
  std::string encoder = {};

  [[nodiscard]] Fields fields() {
    Fields all = LabelledTextOptions::fields();
    const Fields own = WordOptions::fields();
    all.insert(all.end(), own.begin(), own.end());
    all.push_back({"encoder", &encoder,
                   "a run, whose words and length of a row are used in place of words, rare and length; by default "
                   "that of [system], if it has one"});
    return all;
  }
};

using data::Sentence;

std::uint64_t content_of_row(const Sentence& sentence, const std::vector<std::string>& classes) {
  return content_of(sentence.text, content_of(at(classes, sentence.label)));
}

/// Warns about sentences that are longer than a row.
void warn_of_cut(std::int64_t rows, std::string_view where, std::int64_t length, std::vector<std::string>& warnings) {
  if (rows > 0)
    warnings.push_back(fmt::format("{}: of {} sentences only the first {} words count", where, rows, length));
}

class SentenceRows final : public TrainingRows {
 public:
  SentenceRows(std::string place, std::vector<Sentence> sentences, std::vector<std::string> classes,
               const SentenceOptions& options, double held_out)
      : TrainingRows(held_out),
        place_(std::move(place)),
        sentences_(std::move(sentences)),
        classes_(std::move(classes)),
        options_(options) {
    if (!options.encoder.empty()) taken_ = words_of_run(options.encoder);
    rows_.resize(sentences_.size());
    std::iota(rows_.begin(), rows_.end(), 0);
    for (const Sentence& sentence : sentences_) labels_.push_back(sentence.label);
    facts_ = {
        .task = data::Task::other, .rows = std::ssize(sentences_), .outputs = std::ssize(classes_), .table = false};
    notes_.push_back(fmt::format(
        "{} sentences of {} classes, in {}", sentences_.size(), classes_.size(),
        taken_ ? fmt::format("the {} words of {}", taken_->words.size(), options.encoder) : "words of their own"));
  }

 private:
  [[nodiscard]] Parts encode(std::span<const std::int64_t> train,
                             std::span<const std::int64_t> validation) const override {
    data::WordPreprocessing fitted = taken_ ? *taken_ : fit(train);
    fitted.classes = classes_;
    std::int64_t cut = 0;
    Parts parts{.preprocessing = fitted, .train = data::rows_of(sentences_, train, fitted, cut)};
    if (!validation.empty()) parts.validation = data::rows_of(sentences_, validation, fitted, cut);
    warn_of_cut(cut, place_, fitted.length, parts.warnings);
    return parts;
  }
  [[nodiscard]] data::WordPreprocessing fit(std::span<const std::int64_t> train) const {
    std::string all;
    for (const std::int64_t row : train) all += at(sentences_, row).text + '\n';
    return data::WordPreprocessing::fit(options_, all, place_);
  }
  [[nodiscard]] std::uint64_t content(std::int64_t row) const override {
    return content_of_row(at(sentences_, row), classes_);
  }
  [[nodiscard]] Dataset encode_test(Parts& parts, std::span<const std::int64_t> rows) const override {
    std::int64_t cut = 0;
    Dataset test = data::rows_of(sentences_, rows, *parts.preprocessing.words(), cut);
    warn_of_cut(cut, "fold", parts.preprocessing.words()->length, parts.warnings);
    return test;
  }

  std::string place_;
  std::vector<Sentence> sentences_;
  std::vector<std::string> classes_;
  SentenceOptions options_;
  std::optional<data::WordPreprocessing> taken_ = {};  // from another run
};

std::unique_ptr<TrainingData> read(const DataOptions& data, const SentenceOptions& options) {
  const std::string& place = *data.train.get_if<std::string>();
  std::vector<std::string> classes = data::classes_of(place, options);
  std::vector<Sentence> sentences = data::sentences_at(place, options, classes);
  return std::make_unique<SentenceRows>(place, std::move(sentences), std::move(classes), options, data.held_out());
}

Dataset encode(const Request& request, const SentenceOptions& options, std::vector<std::string>& warnings) {
  const std::string& place = *request.place.get_if<std::string>();
  const data::WordPreprocessing& fitted = *request.preprocessing.words();
  std::vector<Sentence> sentences = data::sentences_at(place, options, fitted.classes);
  if (request.only)
    std::erase_if(sentences,
                  [&](const Sentence& each) { return !request.only->take(content_of_row(each, fitted.classes)); });
  std::vector<std::int64_t> rows(sentences.size());
  std::iota(rows.begin(), rows.end(), 0);
  std::int64_t cut = 0;
  Dataset result = data::rows_of(sentences, rows, fitted, cut);
  warn_of_cut(cut, place, fitted.length, warnings);
  return result;
}

}  // namespace

std::vector<ReaderRow> sentences_readers() {
  return {reader_row<SentenceOptions>(
      {.name = "sentences",
       .summary = "sentences with a class each, as words: a table, a folder for each class, or lines",
       .suits = [](const data::Preprocessing& p) { return p.words() != nullptr && !p.classes().empty(); }},
      read, encode)};
}

}  // namespace thalweg

// The reader of sentences with one class each, as rows of words.

#include <algorithm>
#include <numeric>

#include "core/error.hpp"
#include "core/index.hpp"
#include "core/utf8.hpp"
#include "data/labelled_texts.hpp"
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

struct Sentence {
  std::string text;
  std::int32_t label = 0;
  std::string where;
  [[nodiscard]] std::uint64_t content(const std::vector<std::string>& classes) const {
    return content_of(text, content_of(at(classes, label)));
  }
};

std::vector<Sentence> sentences_at(const std::string& place, const data::LabelledTextOptions& options,
                                   const std::vector<std::string>& classes) {
  std::vector<Sentence> all;
  const auto texts = data::open_texts(place, options);
  while (const auto next = texts->next()) {
    all.push_back({std::string(next->text), data::class_number(classes, next->label, *texts), texts->where()});
    if (!is_utf8(next->text)) fail<DataError>("[sentences] {}: a text that is not UTF-8", texts->where());
  }
  if (all.empty()) fail<DataError>("[sentences] {} has no sentences", place);
  return all;
}

/// Warns about sentences that are longer than a row.
struct Cut {
  std::int64_t rows = 0;
  void warn(std::string_view where, std::int64_t length, std::vector<std::string>& warnings) const {
    if (rows > 0)
      warnings.push_back(fmt::format("{}: of {} sentences only the first {} words count", where, rows, length));
  }
};

/// "input" i32 (rows, length), "count" i32 (rows), "target" i32 (rows), and "text" u8 (rows, bytes of the longest),
/// the original texts, padded with zeros.
Dataset rows_of(const std::vector<Sentence>& sentences, std::span<const std::int64_t> rows,
                const data::WordPreprocessing& fitted, Cut& cut) {
  const data::WordCoder coder(fitted);
  const auto count = static_cast<std::int64_t>(rows.size());
  std::size_t longest = 1;
  for (const std::int64_t row : rows) longest = std::max(longest, at(sentences, row).text.size());
  Tensor input({count, fitted.length}, i32), counts({count}, i32), target({count}, i32),
      text({count, static_cast<std::int64_t>(longest)}, u8);
  const auto numbers_into = input.mutable_values<std::int32_t>();
  const auto text_into = text.mutable_values<std::uint8_t>();
  for (std::int64_t i = 0; i < count; ++i) {
    const Sentence& sentence = at(sentences, rows[static_cast<std::size_t>(i)]);
    std::vector<std::int32_t> numbers = coder(sentence.text);
    cut.rows += std::ssize(numbers) > fitted.length ? 1 : 0;
    numbers.resize(std::min(numbers.size(), static_cast<std::size_t>(fitted.length)));
    std::ranges::copy(numbers, numbers_into.begin() + i * fitted.length);
    std::ranges::copy(sentence.text, text_into.begin() + i * static_cast<std::int64_t>(longest));
    counts.set(i, static_cast<double>(numbers.size()));
    target.set(i, sentence.label);
  }
  Dataset result;
  result.set("input", std::move(input));
  result.set("count", std::move(counts));
  result.set("target", std::move(target));
  result.set("text", std::move(text));
  result.set_preprocessing(std::make_shared<const data::Preprocessing>(fitted));
  return result;
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
    Cut cut;
    Parts parts{.preprocessing = fitted, .train = rows_of(sentences_, train, fitted, cut)};
    if (!validation.empty()) parts.validation = rows_of(sentences_, validation, fitted, cut);
    cut.warn(place_, fitted.length, parts.warnings);
    return parts;
  }
  [[nodiscard]] data::WordPreprocessing fit(std::span<const std::int64_t> train) const {
    std::string all;
    for (const std::int64_t row : train) all += at(sentences_, row).text + '\n';
    return data::WordPreprocessing::fit(options_, all, place_);
  }
  [[nodiscard]] std::uint64_t content(std::int64_t row) const override { return at(sentences_, row).content(classes_); }
  [[nodiscard]] Dataset encode_test(Parts& parts, std::span<const std::int64_t> rows) const override {
    Cut cut;
    Dataset test = rows_of(sentences_, rows, *parts.preprocessing.words(), cut);
    cut.warn("fold", parts.preprocessing.words()->length, parts.warnings);
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
  std::vector<Sentence> sentences = sentences_at(place, options, classes);
  return std::make_unique<SentenceRows>(place, std::move(sentences), std::move(classes), options, data.held_out());
}

Dataset encode(const Request& request, const SentenceOptions& options, std::vector<std::string>& warnings) {
  const std::string& place = *request.place.get_if<std::string>();
  const data::WordPreprocessing& fitted = *request.preprocessing.words();
  std::vector<Sentence> sentences = sentences_at(place, options, fitted.classes);
  if (request.only)
    std::erase_if(sentences, [&](const Sentence& each) { return !request.only->take(each.content(fitted.classes)); });
  std::vector<std::int64_t> rows(sentences.size());
  std::iota(rows.begin(), rows.end(), 0);
  Cut cut;
  Dataset result = rows_of(sentences, rows, fitted, cut);
  cut.warn(place, fitted.length, warnings);
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

// The reader of documents: words in windows that never cross the border of a document.

#include <numeric>

#include "core/error.hpp"
#include "core/index.hpp"
#include "data/documents.hpp"
#include "run/training_rows.hpp"

namespace thalweg {

namespace {

struct DocumentOptions : data::WordOptions {};

std::vector<std::string_view> at_rows(const std::vector<std::string_view>& texts, std::span<const std::int64_t> rows) {
  std::vector<std::string_view> result;
  for (const std::int64_t row : rows) result.push_back(at(texts, row));
  return result;
}

std::string joined_text(std::span<const std::string_view> texts) {
  std::string all;
  for (const std::string_view text : texts) {
    all += text;
    all += '\n';
  }
  return all;
}

class DocumentRows final : public TrainingRows {
 public:
  DocumentRows(std::string place, data::Documents documents, const DocumentOptions& options, double held_out)
      : TrainingRows(held_out), place_(std::move(place)), documents_(std::move(documents)), options_(options) {
    rows_.resize(documents_.texts.size());
    std::iota(rows_.begin(), rows_.end(), 0);
    if (held_out > 0 && rows_.size() < 2)
      fail<DataError>(
          "[documents] {} is a single document, so none can be held out. Hint: validation = 0, or an empty line "
          "between documents.",
          place_);
    std::int64_t bytes = 0;
    for (const std::string_view text : documents_.texts) bytes += std::ssize(text);
    constexpr std::int64_t bytes_a_word = 6;
    facts_ = {.task = data::Task::other,
              .rows = bytes / (bytes_a_word * options.length) + 1,
              .outputs = options.words,
              .table = false};
    notes_.push_back(fmt::format("{} documents, cut into windows of {} words; the task is to find hidden words",
                                 rows_.size(), options.length));
  }

 private:
  [[nodiscard]] Parts encode(std::span<const std::int64_t> train,
                             std::span<const std::int64_t> validation) const override {
    const auto texts = at_rows(documents_.texts, train);
    const auto fitted = data::WordPreprocessing::fit(options_, joined_text(texts), place_);
    const data::WordCoder coder(fitted);
    Parts parts{.preprocessing = fitted, .train = described(data::windows_of(coder, texts, place_), fitted)};
    if (!validation.empty())
      parts.validation = described(data::windows_of(coder, at_rows(documents_.texts, validation), place_), fitted);
    return parts;
  }
  [[nodiscard]] static Dataset described(Dataset rows, const data::WordPreprocessing& fitted) {
    rows.set_preprocessing(std::make_shared<const data::Preprocessing>(fitted));
    return rows;
  }
  [[nodiscard]] std::uint64_t content(std::int64_t row) const override { return content_of(at(documents_.texts, row)); }
  [[nodiscard]] Dataset encode_test(Parts& parts, std::span<const std::int64_t> rows) const override {
    const data::WordPreprocessing& fitted = *parts.preprocessing.words();
    return described(data::windows_of(data::WordCoder(fitted), at_rows(documents_.texts, rows), place_), fitted);
  }

  std::string place_;
  data::Documents documents_;
  DocumentOptions options_;
};

std::unique_ptr<TrainingData> read(const DataOptions& data, const DocumentOptions& options) {
  const std::string& place = *data.train.get_if<std::string>();
  return std::make_unique<DocumentRows>(place, data::documents_at(place), options, data.held_out());
}

Dataset encode(const Request& request, const DocumentOptions&, std::vector<std::string>&) {
  const std::string& place = *request.place.get_if<std::string>();
  data::Documents documents = data::documents_at(place);
  if (request.only)
    std::erase_if(documents.texts, [&](std::string_view text) { return !request.only->take(content_of(text)); });
  return data::windows_of(data::WordCoder(*request.preprocessing.words()), documents.texts, place);
}

}  // namespace

std::vector<ReaderRow> documents_readers() {
  return {reader_row<DocumentOptions>(
      {.name = "documents",
       .summary = "words of documents, in windows: a folder with one document per file, or a file with an empty line "
                  "after each document; each line is a sentence",
       .suits = [](const data::Preprocessing& p) { return p.words() != nullptr && p.classes().empty(); }},
      read, encode)};
}

}  // namespace thalweg

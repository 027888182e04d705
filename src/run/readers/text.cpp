// The reader of texts.

#include "data/text.hpp"
#include "run/reader.hpp"

namespace thalweg {

namespace {

std::string held_out_end_of(const std::string& name) { return fmt::format("the held-out end of {}", name); }

/// A text, split in two parts if one is held out. The tokenizer is fitted to the first part.
class TextData final : public TrainingData {
 public:
  TextData(std::string text, const DataOptions& data, const data::TextOptions& options)
      : name_(*data.train.get_if<std::string>()), stride_(options.stride), text_(std::move(text)) {
    std::tie(train_, held_out_) = data::split_text(text_, data.held_out());
    fitted_.emplace(data::TextPreprocessing{data::fit_tokenizer(options, train_), options.sequence_length});
    const std::int64_t tokens = fitted_->tokenizer.size(), length = fitted_->sequence_length;
    notes_.push_back(fmt::format("a text of {} bytes{}, {} tokens ({}); the task is to predict the next", text_.size(),
                                 held_out_.empty() ? "" : fmt::format(", the last {} held out", held_out_.size()),
                                 tokens, options.tokenizer));
    facts_ = {.task = data::Task::language,
              .rows = static_cast<std::int64_t>(train_.size()) / length,
              .outputs = tokens,
              .table = false,
              .context = length};
  }

  [[nodiscard]] Parts parts(std::uint64_t) const override {
    Parts parts{.preprocessing = *fitted_, .train = fitted_->encode(train_, name_, stride_)};
    if (!held_out_.empty()) {
      parts.validation = fitted_->encode(held_out_, held_out_end_of(name_));
      parts.held_out = {content_of(held_out_)};
    }
    return parts;
  }
  [[nodiscard]] std::vector<Parts> folds(std::int64_t, std::uint64_t) const override {
    fail<UsageError>("[data] a text has no rows to divide into folds. Hint: validation = 0.1 holds out its end.");
  }

 private:
  std::string name_;
  std::int64_t stride_;
  std::string text_;  // the memory of both parts
  std::string_view train_, held_out_;
  std::optional<data::TextPreprocessing> fitted_;
};

std::unique_ptr<TrainingData> read(const DataOptions& data, const data::TextOptions& options) {
  return std::make_unique<TextData>(data::read_text(*data.train.get_if<std::string>()), data, options);
}

Dataset encode(const Request& request, const data::TextOptions&, std::vector<std::string>&) {
  const std::string& path = *request.place.get_if<std::string>();
  const std::string text = data::read_text(path);
  const data::TextPreprocessing& fitted = *request.preprocessing.text();
  if (!request.only) return fitted.encode(text, path);
  const std::string_view end = data::split_text(text, request.data.held_out()).second;
  return fitted.encode(request.only->take(content_of(end)) ? end : "", held_out_end_of(path));
}

}  // namespace

std::vector<ReaderRow> text_readers() {
  return {reader_row<data::TextOptions>(
      {.name = "text",
       .summary = "a file or a folder of files, cut into tokens; each token is predicted from those before it",
       .suits = [](const data::Preprocessing& p) { return p.text() != nullptr; }},
      read, encode)};
}

}  // namespace thalweg

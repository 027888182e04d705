// The reader of pairs of texts with a preference: a table with two texts and two scores per row.

#include "data/preferences.hpp"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "core/error.hpp"
#include "core/index.hpp"
#include "data/split.hpp"
#include "options/error.hpp"
#include "run/reader.hpp"
#include "run/trained_part.hpp"

namespace thalweg {

namespace {

using data::Preference;

struct PreferenceOptions : data::PreferenceColumns {
  data::TextOptions text = {};
  std::string gpt = {};

  [[nodiscard]] Fields fields() {
    Fields all = PreferenceColumns::fields();
    for (const Field& field : text.fields()) {
      if (field.name != "stride") all.push_back(field);
    }
    all.push_back({"gpt", &gpt,
                   "a run of a gpt, whose tokens and sequence_length are used in place of tokenizer, vocabulary_size "
                   "and sequence_length; by default that of [system], if it has one"});
    return all;
  }
};

struct Pairs {
  std::string file;
  std::vector<Preference> all;
};

Pairs pairs_at(const OptionValue& place, const PreferenceOptions& options) {
  const data::Table table = data::read_table(*place.get_if<std::string>());
  return {table.file(), data::preferences_of(table, options)};
}

std::uint64_t content(const Preference& pair) {
  return content_of(pair.rejected, content_of(pair.chosen, content_of(pair.prompt)));
}

/// The rows of these pairs, with a warning about texts that are longer than a row.
Dataset rows_of(const Pairs& pairs, std::span<const std::int64_t> rows, const data::TextPreprocessing& fitted,
                std::vector<std::string>& warnings) {
  std::vector<Preference> own;
  for (const std::int64_t row : rows) own.push_back(at(pairs.all, row));
  std::int64_t cut = 0;
  Dataset dataset = data::rows_of(own, fitted, pairs.file, cut);
  if (cut > 0)
    warnings.push_back(
        fmt::format("{}: of {} texts only the first {} tokens count", pairs.file, cut, fitted.sequence_length));
  dataset.set_preprocessing(std::make_shared<const data::Preprocessing>(fitted));
  return dataset;
}

/// If a run is named, texts are read as that run reads them. Throws OptionError for a key that is set to another value
/// than the run's.
void expect_nothing_beside(const data::TextOptions& own, const data::TextPreprocessing& taken, const std::string& gpt) {
  const data::TextOptions unsaid;
  const auto check = [&](std::string_view key, const auto& said, const auto& initial, const auto& run) {
    if (said == initial || said == run) return;
    fail_option(key, "[preferences] {} = {}, but gpt = \"{}\" has {}. Hint: leave it out", key, said, gpt, run);
  };
  check("tokenizer", own.tokenizer, unsaid.tokenizer, std::string(data::name(taken.tokenizer.kind())));
  check("vocabulary_size", own.vocabulary_size, unsaid.vocabulary_size, taken.tokenizer.size());
  check("sequence_length", own.sequence_length, unsaid.sequence_length, taken.sequence_length);
}

class PreferenceRows final : public TrainingData {
 public:
  PreferenceRows(Pairs pairs, const PreferenceOptions& options, double held_out)
      : pairs_(std::move(pairs)), options_(options), held_out_(held_out) {
    if (!options.gpt.empty()) {
      taken_ = text_of_run(options.gpt);
      expect_nothing_beside(options.text, *taken_, options.gpt);
    }
    number_groups();
    facts_ = {.task = data::Task::other, .rows = std::ssize(pairs_.all), .table = false};
    notes_.push_back(fmt::format(
        "{} pairs of texts{}, in {}", pairs_.all.size(),
        options.group.empty() ? "" : fmt::format(" in {} groups", groups_),
        taken_ ? fmt::format("the {} tokens of {}", taken_->tokenizer.size(), options.gpt) : "tokens of their own"));
  }

  /// Whole groups are drawn for validation, with all their rows.
  [[nodiscard]] Parts parts(std::uint64_t seed) const override {
    std::vector<std::int64_t> train, validation;
    std::vector<char> is_held_out(static_cast<std::size_t>(groups_));
    if (held_out_ > 0) {
      if (groups_ < 2)
        fail<DataError>("[preferences] {} has only one {}, so none can be held out. Hint: validation = 0 in [data].",
                        pairs_.file, pairs_.all.size() == 1 ? "pair" : "group");
      for (const std::int64_t group : data::split_fraction(groups_, held_out_, seed).held_out)
        at(is_held_out, group) = 1;
    }
    for (std::int64_t row = 0; row < std::ssize(pairs_.all); ++row)
      (at(is_held_out, at(group_, row)) ? validation : train).push_back(row);
    const data::TextPreprocessing fitted = taken_ ? *taken_ : fit(train);
    std::vector<std::string> warnings;
    Parts parts{.preprocessing = fitted, .train = rows_of(pairs_, train, fitted, warnings)};
    parts.warnings = std::move(warnings);
    if (validation.empty()) return parts;
    parts.validation = rows_of(pairs_, validation, fitted, parts.warnings);
    for (const std::int64_t row : validation) {
      parts.held_out.push_back(content(at(pairs_.all, row)));
      parts.validation_origin.places.push_back(at(pairs_.all, row).line);
    }
    return parts;
  }
  [[nodiscard]] std::vector<Parts> folds(std::int64_t, std::uint64_t) const override {
    fail<UsageError>("[preferences] pairs of texts cannot be divided into folds. Hint: validation = 0.1 in [data].");
  }

 private:
  void number_groups() {
    const auto says_nothing = [](const Preference& pair) { return pair.group.empty(); };
    if (!options_.group.empty() && std::ranges::all_of(pairs_.all, says_nothing))
      fail<DataError>("[preferences] {}: the column '{}' is empty in all rows", pairs_.file, options_.group);
    std::unordered_map<std::string, std::int64_t> numbers;
    for (const Preference& pair : pairs_.all) {
      const auto next = std::ssize(numbers);
      group_.push_back(options_.group.empty() ? std::ssize(group_)
                                              : numbers.try_emplace(pair.group, next).first->second);
    }
    groups_ = options_.group.empty() ? std::ssize(group_) : std::ssize(numbers);
  }
  [[nodiscard]] data::TextPreprocessing fit(std::span<const std::int64_t> train) const {
    std::string all;
    for (const std::int64_t row : train) {
      const Preference& pair = at(pairs_.all, row);
      for (const std::string& text : {pair.chosen, pair.rejected}) {
        if (!pair.prompt.empty()) all += pair.prompt + ' ';
        all += text + '\n';
      }
    }
    return {data::fit_tokenizer(options_.text, all), options_.text.sequence_length};
  }

  Pairs pairs_;
  PreferenceOptions options_;
  double held_out_;
  std::optional<data::TextPreprocessing> taken_ = {};  // from another run
  std::vector<std::int64_t> group_;                    // group of each pair
  std::int64_t groups_ = 0;
};

std::unique_ptr<TrainingData> read(const DataOptions& data, const PreferenceOptions& options) {
  return std::make_unique<PreferenceRows>(pairs_at(data.train, options), options, data.held_out());
}

Dataset encode(const Request& request, const PreferenceOptions& options, std::vector<std::string>& warnings) {
  Pairs pairs = pairs_at(request.place, options);
  if (request.only)
    std::erase_if(pairs.all, [&](const Preference& pair) { return !request.only->take(content(pair)); });
  std::vector<std::int64_t> rows(pairs.all.size());
  std::iota(rows.begin(), rows.end(), 0);
  return rows_of(pairs, rows, *request.preprocessing.text(), warnings);
}

/// Files with other endings belong to the reader of texts.
bool is_table(const OptionValue& place) {
  const auto* path = place.get_if<std::string>();
  return path && (path->ends_with(".csv") || path->ends_with(".tsv") || path->ends_with(".gz"));
}

}  // namespace

std::vector<ReaderRow> preferences_readers() {
  return {reader_row<PreferenceOptions>(
      {.name = "preferences",
       .summary = "a table of pairs of texts; the text with the higher score is preferred",
       .place = "the path of a table (.csv, .tsv, .gz)",
       .takes = is_table,
       .suits = [](const data::Preprocessing& p) { return p.text() != nullptr; }},
      read, encode)};
}

}  // namespace thalweg

// The reader of pairs of sequences: a table with a column of sources and one of targets, or a pronouncing dictionary.

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <set>
#include <unordered_map>

#include "core/error.hpp"
#include "core/index.hpp"
#include "data/memory.hpp"
#include "data/sequences.hpp"
#include "data/split.hpp"
#include "data/table.hpp"
#include "run/reader.hpp"

namespace fs = std::filesystem;

namespace thalweg {

namespace {

using data::SequencePair;
using data::SequencePreprocessing;

struct SequencesOptions {
  std::string source = "source", target = "target", group = "";
  std::string source_tokens = "characters", target_tokens = "words";
  std::int64_t longest = 64;

  [[nodiscard]] Fields fields() {
    return {{"source", &source, "the column with the sources"},
            {"target", &target, "the column with the targets"},
            {"group", &group,
             "a column: rows with the same value in it are all trained on or all held out; empty: no groups"},
            {"source_tokens", &source_tokens, "the tokens of a source", any_number, {"characters", "words"}},
            {"target_tokens", &target_tokens, "the tokens of a target", any_number, {"characters", "words"}},
            {"longest",
             &longest,
             "tokens that a source or a target may have",
             {.low = 1, .high = static_cast<double>(data::most_tokens)}}};
  }
};

/// The pairs in a file, and the file's name in messages.
struct Pairs {
  std::string file;
  std::vector<SequencePair> all;
  [[nodiscard]] std::string where(const SequencePair& pair) const {
    return fmt::format("{}, line {}", file, pair.line);
  }
};

Pairs pairs_of_table(const fs::path& path, const SequencesOptions& options) {
  const data::Table table = data::read_table(path);
  const auto column = [&](const std::string& name) {
    if (const auto found = table.find(name)) return *found;
    fail<DataError>("[sequences] {} has no column '{}'. Hint: its columns are {}", table.file(), name,
                    fmt::join(table.names(), ", "));
  };
  const std::size_t source = column(options.source), target = column(options.target);
  if (source == target)
    fail<UsageError>("[sequences] '{}' is both source and target. Wanted: two columns", options.source);
  const auto group = options.group.empty() ? std::nullopt : std::optional(column(options.group));
  Pairs pairs{.file = table.file(), .all = {}};
  pairs.all.reserve(static_cast<std::size_t>(table.rows()));
  for (std::int64_t row = 0; row < table.rows(); ++row)
    pairs.all.push_back({.source = std::string(table.cell(row, source)),
                         .target = std::string(table.cell(row, target)),
                         .group = group ? std::string(table.cell(row, *group)) : std::string(),
                         .line = table.line(row)});
  return pairs;
}

Pairs pairs_at(const OptionValue& place, const SequencesOptions& options) {
  const fs::path path(*place.get_if<std::string>());
  const bool is_dictionary = data::is_dictionary(path);
  if (is_dictionary && !options.group.empty())
    fail<UsageError>("[data] group = \"{}\", but {} is a dictionary without columns. Hint: use a table.", options.group,
                     path.string());
  Pairs pairs = is_dictionary ? Pairs{path.string(), data::read_dictionary(path)} : pairs_of_table(path, options);
  if (pairs.all.empty()) fail<DataError>("[sequences] {} has no pairs", pairs.file);
  return pairs;
}

std::vector<std::string> symbols_of(const Pairs& pairs, std::string SequencePair::*side, bool words) {
  std::set<std::string, std::less<>> found;
  for (const SequencePair& pair : pairs.all) {
    for (const std::string_view piece : data::pieces_of(pair.*side, words, pairs.where(pair))) {
      if (!found.contains(piece)) found.emplace(piece);
    }
    if (std::ssize(found) > data::most_symbols)
      fail<DataError>(
          "[sequences] {}: more than {} different tokens. Hint: there are fewer different characters than words.",
          pairs.where(pair), data::most_symbols);
  }
  return {found.begin(), found.end()};
}

/// The tokens of pairs.
struct Tokens {
  std::vector<std::vector<std::int32_t>> sources = {}, targets = {};
};

Tokens tokens_of(const Pairs& pairs, const SequencePreprocessing& fitted) {
  Tokens tokens;
  const auto checked = [&](const SequencePair& pair, std::vector<std::int32_t> side, const std::string& name) {
    const auto count = std::ssize(side);
    if (count == 0) fail<DataError>("[sequences] {}: an empty {}", pairs.where(pair), name);
    if (count > fitted.longest)
      fail<DataError>("[sequences] {}: a {} of {} tokens. Wanted: at most longest = {} in [data]", pairs.where(pair),
                      name, count, fitted.longest);
    return side;
  };
  for (const SequencePair& pair : pairs.all) {
    const std::string where = pairs.where(pair);
    tokens.sources.push_back(checked(pair, fitted.source.tokens_of(pair.source, where), "source"));
    tokens.targets.push_back(checked(pair, fitted.target.tokens_of(pair.target, where), "target"));
  }
  return tokens;
}

std::int64_t longest_of(const std::vector<std::vector<std::int32_t>>& side, std::span<const std::int64_t> rows) {
  std::int64_t longest = 0;
  for (const std::int64_t row : rows) longest = std::max(longest, std::ssize(at(side, row)));
  return longest;
}

/// Columns "input" i32 (rows, tokens) and "target" i32 (rows, tokens + 1), padded with zeros. A target always has at
/// least one zero, which ends the sequence. "input_length" and "target_length" i32 (rows) are the numbers of tokens
/// without padding.
Dataset rows_of(const Tokens& tokens, std::span<const std::int64_t> rows, const SequencePreprocessing& fitted) {
  const std::int64_t count = std::ssize(rows), width = std::max<std::int64_t>(1, longest_of(tokens.sources, rows)),
                     most = longest_of(tokens.targets, rows) + 1;
  if (count * (width + most + 2) > data::memory_budget() / 4)
    fail<MemoryError>("[sequences] {} pairs of up to {} and {} tokens", count, width, most);
  Tensor input({count, width}, i32), target({count, most}, i32), input_length({count}, i32),
      target_length({count}, i32);
  const auto into = input.mutable_values<std::int32_t>(), onto = target.mutable_values<std::int32_t>();
  for (std::int64_t i = 0; i < count; ++i) {
    const auto &source = at(tokens.sources, at(rows, i)), &written = at(tokens.targets, at(rows, i));
    std::ranges::copy(source, into.begin() + i * width);
    std::ranges::copy(written, onto.begin() + i * most);
    input_length.set(i, static_cast<double>(source.size()));
    target_length.set(i, static_cast<double>(written.size()));
  }
  Dataset dataset;
  dataset.set("input", std::move(input));
  dataset.set("input_length", std::move(input_length));
  dataset.set("target", std::move(target));
  dataset.set("target_length", std::move(target_length));
  dataset.set_preprocessing(std::make_shared<const data::Preprocessing>(fitted));
  return dataset;
}

std::uint64_t content(const SequencePair& pair) { return content_of(pair.target, content_of(pair.source)); }

class SequenceRows final : public TrainingData {
 public:
  SequenceRows(Pairs pairs, const SequencesOptions& options, double held_out)
      : pairs_(std::move(pairs)), held_out_(held_out) {
    const bool words = options.source_tokens == "words", written = options.target_tokens == "words";
    fitted_ = {.source = {words, symbols_of(pairs_, &SequencePair::source, words)},
               .target = {written, symbols_of(pairs_, &SequencePair::target, written)},
               .source_name = options.source,
               .target_name = options.target,
               .longest = options.longest};
    tokens_ = tokens_of(pairs_, fitted_);
    facts_ = {.task = data::Task::other,
              .rows = std::ssize(pairs_.all),
              .outputs = fitted_.target.size() + 1,
              .table = false};
    number_groups(options);
    notes_.push_back(fmt::format("{} pairs{}, {} source and {} target symbols", pairs_.all.size(),
                                 options.group.empty() ? "" : fmt::format(" in {} groups", groups_),
                                 fitted_.source.size(), fitted_.target.size()));
  }

  /// Whole groups are drawn for validation, with all their rows.
  [[nodiscard]] Parts parts(std::uint64_t seed) const override {
    if (held_out_ == 0) {
      std::vector<std::int64_t> all(pairs_.all.size());
      std::iota(all.begin(), all.end(), 0);
      return {.preprocessing = fitted_, .train = rows_of(tokens_, all, fitted_)};
    }
    if (groups_ < 2)
      fail<DataError>("[sequences] {} has only one {}, so none can be held out. Hint: validation = 0 in [data].",
                      pairs_.file, pairs_.all.size() == 1 ? "pair" : "group");
    const data::Split split = data::split_fraction(groups_, held_out_, seed);
    std::vector<char> is_held_out(static_cast<std::size_t>(groups_));
    for (const std::int64_t group : split.held_out) at(is_held_out, group) = 1;
    std::vector<std::int64_t> train, validation;
    for (std::int64_t row = 0; row < std::ssize(pairs_.all); ++row)
      (at(is_held_out, at(group_, row)) ? validation : train).push_back(row);
    Parts parts{.preprocessing = fitted_, .train = rows_of(tokens_, train, fitted_)};
    parts.validation = rows_of(tokens_, validation, fitted_);
    for (const std::int64_t row : validation) {
      parts.held_out.push_back(content(at(pairs_.all, row)));
      parts.validation_origin.places.push_back(at(pairs_.all, row).line);
    }
    return parts;
  }
  [[nodiscard]] std::vector<Parts> folds(std::int64_t, std::uint64_t) const override {
    fail<UsageError>("[sequences] pairs of sequences cannot be divided into folds. Hint: validation = 0.1 in [data].");
  }

 private:
  void number_groups(const SequencesOptions& options) {
    std::unordered_map<std::string, std::int64_t> numbers;
    if (!options.group.empty() &&
        std::ranges::all_of(pairs_.all, [](const SequencePair& pair) { return pair.group.empty(); }))
      fail<DataError>("[sequences] {}: the column '{}' is empty in all rows", pairs_.file, options.group);
    for (const SequencePair& pair : pairs_.all) {
      const auto next = std::ssize(numbers);
      group_.push_back(options.group.empty() ? std::ssize(group_)
                                             : numbers.try_emplace(pair.group, next).first->second);
    }
    groups_ = options.group.empty() ? std::ssize(group_) : std::ssize(numbers);
  }

  Pairs pairs_;
  double held_out_;
  SequencePreprocessing fitted_;
  Tokens tokens_;
  std::vector<std::int64_t> group_;  // group of each pair
  std::int64_t groups_ = 0;
};

std::unique_ptr<TrainingData> read(const DataOptions& data, const SequencesOptions& options) {
  return std::make_unique<SequenceRows>(pairs_at(data.train, options), options, data.held_out());
}

Dataset encode(const Request& request, const SequencesOptions& options, std::vector<std::string>&) {
  SequencesOptions own = options;
  const SequencePreprocessing& fitted = *request.preprocessing.sequences();
  own.source = fitted.source_name;
  own.target = fitted.target_name;
  own.group.clear();
  Pairs pairs = pairs_at(request.place, own);
  if (request.only)
    std::erase_if(pairs.all, [&](const SequencePair& pair) { return !request.only->take(content(pair)); });
  std::vector<std::int64_t> rows(pairs.all.size());
  std::iota(rows.begin(), rows.end(), 0);
  return rows_of(tokens_of(pairs, fitted), rows, fitted);
}

}  // namespace

std::vector<ReaderRow> sequences_readers() {
  return {reader_row<SequencesOptions>(
      {.name = "sequences",
       .summary =
           "pairs of sequences: a table with a column of sources and one of targets, or a pronouncing dictionary "
           "(.dict, .txt): a word, blanks, its sounds",
       .suits = [](const data::Preprocessing& p) { return p.sequences() != nullptr; }},
      read, encode)};
}

}  // namespace thalweg

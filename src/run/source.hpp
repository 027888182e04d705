#pragma once
// The data of a run: read once, cut into the parts that are trained on and held out, and encoded for the model.

#include <memory>
#include <optional>

#include "data/preprocessing.hpp"
#include "data/split.hpp"
#include "run/config.hpp"

namespace thalweg {

/// What a run works on. The preprocessing was fitted on `train` alone.
struct Parts {
  data::Preprocessing preprocessing;
  Dataset train;
  std::optional<Dataset> validation = {}, test = {};
  std::vector<std::string> warnings = {};
};

/// A text, cut in two where a part of it is held out, and the tokenizer fitted to the first part.
struct TextSource {
  std::shared_ptr<const std::string> text;  ///< what the two parts look at
  std::string_view train, held_out;
  data::TextPreprocessing preprocessing;
};

class DataSource {
 public:
  explicit DataSource(DataOptions options);

  [[nodiscard]] const DataOptions& options() const { return options_; }
  [[nodiscard]] const DataFacts& facts() const { return facts_; }
  /// What was decided about the data, and what to look at, a line each.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

  /// Training and validation as the configuration says, and the test data.
  [[nodiscard]] Parts parts(std::uint64_t seed) const;
  /// k times: one fold to test on, the rest cut into training and validation.
  [[nodiscard]] std::vector<Parts> folds(std::int64_t k, std::uint64_t seed) const;

 private:
  void read_pictures();
  void read_table();
  void read_text();
  [[nodiscard]] Parts text_parts() const;
  [[nodiscard]] Parts all_but_test(std::uint64_t seed) const;
  [[nodiscard]] Parts encode(std::span<const std::int64_t> train, std::span<const std::int64_t> validation) const;
  [[nodiscard]] Parts held_out(std::span<const std::int64_t> places, std::uint64_t seed) const;
  [[nodiscard]] std::vector<std::int64_t> rows_at(std::span<const std::int64_t> places) const;

  DataOptions options_;
  std::optional<data::Table> table_;
  data::Schema schema_;
  std::optional<TextSource> text_;
  Dataset tensors_;
  std::vector<std::int64_t> rows_;    // that can be used
  std::vector<std::int32_t> labels_;  // theirs; empty in a regression
  DataFacts facts_;
  std::vector<std::string> notes_, warnings_;
};

/// Data at a place ("train" of a configuration, or a file of the user's), as a trained model reads it. Levels that the
/// training part did not have are counted in `warnings`.
[[nodiscard]] Dataset encode_place(const data::Preprocessing& preprocessing, const OptionValue& place,
                                   const DataOptions& options, std::vector<std::string>& warnings);

/// A row of the table of readers.
struct ReaderRow {
  std::string_view name, summary;
  std::vector<OptionDoc> options = {};
};
[[nodiscard]] const std::vector<ReaderRow>& readers();

}  // namespace thalweg

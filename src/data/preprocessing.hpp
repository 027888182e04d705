#pragma once
// Converts the contents of a file to the input of a model, and back: fitted on the training part alone, saved with the
// model.

#include <map>
#include <variant>

#include "data/packed_rows.hpp"
#include "data/sequences.hpp"
#include "data/sound.hpp"
#include "data/text.hpp"
#include "data/word_rows.hpp"

namespace thalweg::data {

/// y = (x - shift) * scale, and back.
struct Affine {
  double shift = 0, scale = 1;
  [[nodiscard]] double operator()(double x) const { return (x - shift) * scale; }
  [[nodiscard]] double inverse(double y) const { return y / scale + shift; }
  friend bool operator==(const Affine&, const Affine&) = default;
};

/// The place of a cell, for messages.
struct Place {
  std::string_view file;
  std::int64_t line = 0;
};

/// How one feature of a table becomes columns of the input.
///
/// A number is standardised to mean 0 and standard deviation 1 over the training part (a constant becomes 0). A date
/// becomes its standardised number of days, sine and cosine of its place in the year and in the week, and, where the
/// training part had times of day, in the day. A category has a column for each of its levels, 1 where it is that
/// level. Where the training part had missing values, one more column marks them, and a missing number or date counts
/// as the median.
struct FeatureEncoding {
  Affine affine = {};                    ///< of a number, or of a date in days
  double fill = 0;                       ///< a missing one
  bool clock = false;                    ///< of a date: the place in the day is a feature
  std::vector<std::string> levels = {};  ///< of a category, sorted
  bool pools = false;                    ///< the column behind the levels is for all others
  bool marks_missing = false;
  friend bool operator==(const FeatureEncoding&, const FeatureEncoding&) = default;
};

/// The preprocessing of a table. Reading it from several threads is safe.
class TablePreprocessing {
 public:
  /// Fits to the training rows; reads no other row.
  TablePreprocessing(const Table& table, Schema schema, std::span<const std::int64_t> training_rows);
  /// From stored parts. Throws ModelError when they do not fit together.
  TablePreprocessing(Schema schema, std::vector<FeatureEncoding> encodings, Affine target);

  [[nodiscard]] const Schema& schema() const { return schema_; }
  [[nodiscard]] const std::vector<FeatureEncoding>& encodings() const { return encodings_; }
  /// Standardises the target of a regression; the identity for classes.
  [[nodiscard]] const Affine& target() const { return target_; }
  /// How many columns the input has.
  [[nodiscard]] std::int64_t width() const { return width_; }
  /// Their names: `age`, `zip=02139`, `age is missing`, `sold (year, sine)`.
  [[nodiscard]] std::vector<std::string> input_names() const;

  /// The column of each feature in a file with this header; other columns are ignored. Throws DataError, naming the
  /// missing features.
  [[nodiscard]] std::vector<std::size_t> match(const std::vector<std::string>& header, std::string_view file) const;

  /// One row: `cells` are the features in the schema's order, `into` has `width()` places. A level that the training
  /// part did not have becomes zeros (or the pooled level), and is counted in `unknown` (one counter per feature) where
  /// that is given, and so is a missing number or date where the training part had none. Throws DataError for text
  /// where a number belongs, and for a missing value where missing values are rejected or dropped.
  void encode_row(std::span<const std::string_view> cells, std::span<float> into, std::span<std::int64_t> unknown = {},
                  Place place = {}) const;

  /// The same from numbers: nan is missing, a date is in days since 1970-01-01, and a category is given as the number
  /// that its level's text is.
  void encode_numbers(std::span<const float> numbers, std::span<float> into) const;

  /// The columns "input" f32 (rows, width), where many one-hot columns are kept as the index of the 1 and written out
  /// when a batch needs them; "target", which is f32 (rows, 1) for a regression (standardised) and for two classes (0
  /// or 1), i32 (rows) for more; and "weight" f32 (rows), where the schema names a column that the table has: in its
  /// unit, or where their mean is below 2^-20 or above 2^21, divided by a power of two. The dataset's unit is the
  /// target's. Throws DataError as encode_row does, and for a target that is missing or of an unknown class;
  /// MemoryError when the result would take more than `budget` bytes.
  [[nodiscard]] Dataset encode(const Table& table, std::span<const std::int64_t> rows,
                               std::span<std::int64_t> unknown = {}, std::int64_t budget = memory_budget()) const;

  friend bool operator==(const TablePreprocessing&, const TablePreprocessing&) = default;

 private:
  void index();
  /// Encodes rows one by one and calls a function with each.
  void for_each_row(const Table& table, std::span<const std::int64_t> rows, std::span<std::int64_t> unknown,
                    const std::function<void(std::span<const float>)>& take) const;
  void encode_input(const Table& table, std::span<const std::int64_t> rows, std::span<std::int64_t> unknown,
                    std::int64_t budget, Dataset& into) const;
  [[nodiscard]] std::vector<InputSegment> segments() const;
  [[nodiscard]] Tensor encode_target(const Table& table, std::span<const std::int64_t> rows) const;

  Schema schema_;
  std::vector<FeatureEncoding> encodings_;  // one per feature
  Affine target_;
  std::int64_t width_ = 0;
  std::vector<std::map<double, std::size_t>> numeric_levels_;  // per feature: the place of each level that is a number
};

/// The preprocessing of images and other tensors: one affine map for every element, which the model's graph applies.
struct TensorPreprocessing {
  Shape input = {};  ///< of one row
  DType dtype = f32;
  Affine affine = {};
  Task task = Task::regression;
  std::vector<std::string> classes = {};  ///< names, where they are known

  /// Standardises the elements of "input" to mean 0 and standard deviation 1 over the training rows. The task is
  /// multiclass where "target" holds labels (i32), a regression otherwise.
  [[nodiscard]] static TensorPreprocessing fit(const Dataset& data, std::span<const std::int64_t> training_rows,
                                               std::vector<std::string> classes = {});
  friend bool operator==(const TensorPreprocessing&, const TensorPreprocessing&) = default;
};

/// One of the five, and its stored form.
class Preprocessing {
 public:
  Preprocessing(TablePreprocessing table) : kind_(std::move(table)) {}
  Preprocessing(TensorPreprocessing tensor) : kind_(std::move(tensor)) {}
  Preprocessing(TextPreprocessing text) : kind_(std::move(text)) {}
  Preprocessing(SoundPreprocessing sound) : kind_(std::move(sound)) {}
  Preprocessing(SequencePreprocessing sequences) : kind_(std::move(sequences)) {}
  Preprocessing(WordPreprocessing words) : kind_(std::move(words)) {}

  /// Null where it is another.
  [[nodiscard]] const TablePreprocessing* table() const { return std::get_if<TablePreprocessing>(&kind_); }
  [[nodiscard]] const TensorPreprocessing* tensor() const { return std::get_if<TensorPreprocessing>(&kind_); }
  [[nodiscard]] const TextPreprocessing* text() const { return std::get_if<TextPreprocessing>(&kind_); }
  [[nodiscard]] const SoundPreprocessing* sound() const { return std::get_if<SoundPreprocessing>(&kind_); }
  [[nodiscard]] const SequencePreprocessing* sequences() const { return std::get_if<SequencePreprocessing>(&kind_); }
  [[nodiscard]] const WordPreprocessing* words() const { return std::get_if<WordPreprocessing>(&kind_); }
  [[nodiscard]] Task task() const;
  /// Names, where there are any; of sounds the letters, of sequences the symbols of the target.
  [[nodiscard]] const std::vector<std::string>& classes() const;

  [[nodiscard]] std::string json() const;
  /// Throws ModelError for anything that json() would not have written.
  [[nodiscard]] static Preprocessing from_json(std::string_view text);
  friend bool operator==(const Preprocessing&, const Preprocessing&) = default;

 private:
  std::variant<TablePreprocessing, TensorPreprocessing, TextPreprocessing, SoundPreprocessing, WordPreprocessing,
               SequencePreprocessing>
      kind_;
};

}  // namespace thalweg::data

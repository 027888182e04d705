#pragma once
// Converts the contents of a file to the input of a model, and back. It is fitted on the training part only and saved
// with the model.

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

/// The position of a cell, for messages.
struct Place {
  std::string_view file;
  std::int64_t line = 0;
};

/// How one feature of a table becomes columns of the input.
///
/// A number is standardised to mean 0 and standard deviation 1 over the training part (a constant becomes 0). A date
/// becomes its standardised number of days, the sine and cosine of its position in the year and in the week, and, if
/// the training part had times of day, in the day. A category has a column for each of its levels, which is 1 for that
/// level. If the training part had missing values, one more column marks them, and a missing number or date counts as
/// the median.
struct FeatureEncoding {
  Affine affine = {};                    ///< for a number, or for a date in days
  double fill = 0;                       ///< value for a missing one
  bool clock = false;                    ///< for a date: whether the position in the day is a feature
  std::vector<std::string> levels = {};  ///< for a category, sorted
  bool pools = false;                    ///< whether the column after the levels stands for all other levels
  bool marks_missing = false;
  friend bool operator==(const FeatureEncoding&, const FeatureEncoding&) = default;
};

/// The preprocessing of a table. It may be used by several threads at once.
class TablePreprocessing {
 public:
  /// Fits to the training rows; reads no other row.
  TablePreprocessing(const Table& table, Schema schema, std::span<const std::int64_t> training_rows);
  /// Restores stored parts. Throws ModelError if they do not fit together.
  TablePreprocessing(Schema schema, std::vector<FeatureEncoding> encodings, Affine target);

  [[nodiscard]] const Schema& schema() const { return schema_; }
  [[nodiscard]] const std::vector<FeatureEncoding>& encodings() const { return encodings_; }
  /// Standardises the target of a regression; the identity for classes.
  [[nodiscard]] const Affine& target() const { return target_; }
  /// The number of columns of the input.
  [[nodiscard]] std::int64_t width() const { return width_; }
  /// Their names: `age`, `zip=02139`, `age is missing`, `sold (year, sine)`.
  [[nodiscard]] std::vector<std::string> input_names() const;

  /// The column of each feature in a file with this header; other columns are ignored. Throws DataError, naming the
  /// missing features.
  [[nodiscard]] std::vector<std::size_t> match(const std::vector<std::string>& header, std::string_view file) const;

  /// Encodes one row: `cells` are the features in the schema's order, `into` has `width()` elements. A level that the
  /// training part did not have becomes zeros (or the pooled level); if `unknown` is given (one counter per feature),
  /// it counts these and also missing numbers or dates of features that had none in the training part. Throws DataError
  /// for text in place of a number, and for a missing value if missing values are rejected or dropped.
  void encode_row(std::span<const std::string_view> cells, std::span<float> into, std::span<std::int64_t> unknown = {},
                  Place place = {}) const;

  /// The same from numbers: nan is missing, a date is in days since 1970-01-01, and a level of a category is given as
  /// the number that its text is.
  void encode_numbers(std::span<const float> numbers, std::span<float> into) const;

  /// Encodes rows of a table: "input" f32 (rows, width), where many one-hot columns are stored as the index of the 1
  /// and expanded when a batch needs them; "target", f32 (rows, 1) for a regression (standardised) and for two classes
  /// (0 or 1), i32 (rows) for more; and "weight" f32 (rows), if the schema names a weight column that the table has:
  /// unchanged, or divided by a power of two if their mean is below 2^-20 or above 2^21. The dataset's unit is the
  /// target's. Throws DataError as encode_row does, and for a target that is missing or of an unknown class;
  /// MemoryError if the result would take more than `budget` bytes.
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
  std::vector<std::map<double, std::size_t>> numeric_levels_;  // per feature: the index of each level that is a number
};

/// The preprocessing of images and other tensors: one affine map for every element, which the model's graph applies.
struct TensorPreprocessing {
  Shape input = {};  ///< shape of one row
  DType dtype = f32;
  Affine affine = {};
  Task task = Task::regression;
  std::vector<std::string> classes = {};  ///< names, if they are known

  /// Standardises the elements of "input" to mean 0 and standard deviation 1 over the training rows. The task is
  /// multiclass if "target" holds labels (i32), otherwise a regression.
  [[nodiscard]] static TensorPreprocessing fit(const Dataset& data, std::span<const std::int64_t> training_rows,
                                               std::vector<std::string> classes = {});
  friend bool operator==(const TensorPreprocessing&, const TensorPreprocessing&) = default;
};

/// Any of the five kinds of preprocessing, and its stored form.
class Preprocessing {
 public:
  Preprocessing(TablePreprocessing table) : kind_(std::move(table)) {}
  Preprocessing(TensorPreprocessing tensor) : kind_(std::move(tensor)) {}
  Preprocessing(TextPreprocessing text) : kind_(std::move(text)) {}
  Preprocessing(SoundPreprocessing sound) : kind_(std::move(sound)) {}
  Preprocessing(SequencePreprocessing sequences) : kind_(std::move(sequences)) {}
  Preprocessing(WordPreprocessing words) : kind_(std::move(words)) {}

  /// Null if it is of another kind.
  [[nodiscard]] const TablePreprocessing* table() const { return std::get_if<TablePreprocessing>(&kind_); }
  [[nodiscard]] const TensorPreprocessing* tensor() const { return std::get_if<TensorPreprocessing>(&kind_); }
  [[nodiscard]] const TextPreprocessing* text() const { return std::get_if<TextPreprocessing>(&kind_); }
  [[nodiscard]] const SoundPreprocessing* sound() const { return std::get_if<SoundPreprocessing>(&kind_); }
  [[nodiscard]] const SequencePreprocessing* sequences() const { return std::get_if<SequencePreprocessing>(&kind_); }
  [[nodiscard]] const WordPreprocessing* words() const { return std::get_if<WordPreprocessing>(&kind_); }
  [[nodiscard]] Task task() const;
  /// Names of the classes, if there are any; for sounds the letters, for sequences the symbols of the target.
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

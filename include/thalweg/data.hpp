#pragma once
// Data to train on: named columns of equal length, and the readers that make them.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "thalweg/path.hpp"
#include "thalweg/tensor.hpp"

namespace thalweg {

namespace data {
class Preprocessing;
}

/// A column that is too large for memory: its rows are read when a batch needs them.
struct RowReader {
  Shape row;  ///< the shape of one row
  DType dtype = f32;
  /// Writes row number `row` completely, with the same bytes at every call. Several threads call it at once.
  std::function<void(std::int64_t row, std::span<std::byte> into)> read;
};

/// The encoding of "target", from which metrics and predictions in the original unit are computed.
struct TargetUnit {
  double shift = 0, scale = 1;  ///< for numbers: the value is shift + scale * target
  std::optional<Tensor> token_bytes =
      {};  ///< for texts: the number of bytes of each token; metrics count bits per byte
};

/// Named columns: tensors with the same number of rows along axis 0. The usual names are "input", "target" and "weight"
/// (one number per row). Copying is cheap, as it is for tensors.
class Dataset {
 public:
  Dataset() = default;

  /// Inputs of shape (rows, ...) and one class label per row: columns "input" f32 (rows, ...) and "target" i32 (rows).
  /// Throws UsageError when the counts differ, DataError for a negative label.
  [[nodiscard]] static Dataset from(std::span<const float> inputs, const Shape& shape,
                                    std::span<const std::int32_t> labels);
  /// Inputs of shape (rows, ...) and one or more numbers per row to predict: "target" is f32 (rows, numbers).
  [[nodiscard]] static Dataset from(std::span<const float> inputs, const Shape& shape, std::span<const float> targets);

  /// Adds or replaces a column. Throws UsageError when its number of rows differs from that of the others.
  void set(std::string_view name, Tensor column);
  /// Adds a column of that many rows, which are read when they are needed. Training and evaluation read ahead on
  /// threads of their own, always in the order of the batches.
  void set(std::string_view name, RowReader reader, std::int64_t rows);
  [[nodiscard]] bool has(std::string_view name) const;
  /// Whether the rows of some column are read only when they are needed.
  [[nodiscard]] bool streams() const { return !streams_.empty(); }
  /// Throws UsageError, naming the existing columns, when no column has that name, or when its rows are not read yet:
  /// take() reads them.
  [[nodiscard]] const Tensor& operator[](std::string_view name) const;
  /// The columns in the order in which they were set.
  [[nodiscard]] std::vector<std::string> names() const;
  /// A column that is not read yet is a tensor without rows.
  [[nodiscard]] const std::vector<std::pair<std::string, Tensor>>& columns() const { return columns_; }
  /// 0 without columns.
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  /// Equal for two datasets only where they share the memory of all their columns: a copy has the same identity, a
  /// change gives a new one. Empty without columns.
  [[nodiscard]] const std::shared_ptr<const char>& identity() const { return identity_; }

  void set_unit(TargetUnit unit) { unit_ = std::move(unit); }
  [[nodiscard]] const TargetUnit& unit() const { return unit_; }
  /// The encoding by which a reader encoded the rows of a file; null without a reader. It is saved with every model
  /// that is trained on the rows.
  void set_preprocessing(std::shared_ptr<const data::Preprocessing> how) { preprocessing_ = std::move(how); }
  [[nodiscard]] const std::shared_ptr<const data::Preprocessing>& preprocessing() const { return preprocessing_; }

  /// Rows begin to end of every column, sharing their buffers; rows that are not read yet are read.
  [[nodiscard]] Dataset slice(std::int64_t begin, std::int64_t end) const;
  /// A copy of these rows, in that order; a row may be listed more than once. Rows that are not read yet are read.
  [[nodiscard]] Dataset take(std::span<const std::int64_t> rows) const;
  /// The same, but rows that are not read yet stay so.
  [[nodiscard]] Dataset select(std::span<const std::int64_t> rows) const;

 private:
  struct Stream {
    std::shared_ptr<const RowReader> reader;
    std::vector<std::int64_t> rows;  // the numbers of the rows in the reader
  };
  [[nodiscard]] const std::pair<std::string, Tensor>* find(std::string_view name) const;
  void insert(std::string_view name, Tensor column, std::int64_t rows);
  void read(std::string_view name, std::span<const std::int64_t> rows, Tensor& into) const;

  std::vector<std::pair<std::string, Tensor>> columns_;
  std::map<std::string, Stream, std::less<>> streams_;  // by the column's name
  std::int64_t rows_ = 0;
  std::shared_ptr<const char> identity_;
  TargetUnit unit_;
  std::shared_ptr<const data::Preprocessing> preprocessing_;
};

namespace data {

/// How a table is interpreted. Columns have the names of its header.
struct CsvOptions {
  std::string target = {};                 ///< the column to predict
  std::vector<std::string> features = {};  ///< empty: all others
  std::vector<std::string> drop = {};      ///< columns that are left out
  std::string weight = {};                 ///< a column of weights, at least 0
  /// The types of columns whose cells do not show it: number, category, date or text, or a form of numbers or dates:
  /// {"zip", "category"}, {"price", "decimal_comma"}, {"paid", "thousands_comma"}, {"sold", "date_dmy"}.
  std::map<std::string, std::string> types = {};
  std::string task = "auto";           ///< regression, binary or multiclass
  std::string positive = {};           ///< the positive one of two classes; empty: the rarer one
  std::string class_weights = "none";  ///< or "balanced": weights that give every class the same total weight
  std::string missing = "impute";      ///< what happens to missing values: "impute", "reject" or "drop" (the row)
  std::int64_t rare_levels = 0;        ///< levels of a category with fewer rows than this are joined to one level
  std::int64_t max_levels = 10'000;    ///< the most frequent levels are kept, and all others joined to one level
  std::string separator = "auto";      ///< comma, semicolon or tab
  bool header = true;  ///< whether there is a header; without one, the columns are column 1, column 2, ...
};

/// Rows of a CSV file with a header, encoded: numbers standardised, a column for each level of a category, missing
/// values filled in with the median and marked. "input" is f32 (rows, columns); "target" f32 (rows, 1) of a regression
/// (standardised; the dataset's unit says how) and of two classes (0 or 1), i32 (rows) of more; "weight" where the
/// options name a column. Rows without a target and rows of weight 0 are left out. The encoding is fitted to all rows
/// of the file. Throws UsageError for a column that does not exist, DataError, with file, line and column, for a file
/// that is not such a table.
[[nodiscard]] Dataset csv(const Path& path, const CsvOptions& options);
/// Rows of another file, read and encoded as those of `like` were: with its separator and header where its options gave
/// them, its forms of numbers and dates, its levels, classes and scales. Levels that `like` did not have become zeros,
/// or the pooled level.
[[nodiscard]] Dataset csv(const Path& path, const Dataset& like);

/// The tensor in an IDX file (LeCun's format of MNIST), plain or gzip, with elements of u8, i32, f32 or f64. Throws
/// UsageError when there is no such file, DataError when it is not one complete IDX file, MemoryError when the tensor
/// is larger than half the memory of the machine.
[[nodiscard]] Tensor idx(const Path& path);

/// Images and their labels from two IDX files: "input" (rows, height, width, channels) as stored, "target" i32 (rows).
/// Throws DataError when the counts differ, or when a label is not below `classes`, where that is given.
[[nodiscard]] Dataset images(const Path& images_path, const Path& labels_path, std::int64_t classes = 0);

inline constexpr std::string_view fashion_mnist_folder = "/usr/share/datasets/fashion-mnist";

/// Fashion-MNIST (Xiao, Rasul and Vollgraf 2017), 60,000 images to train on and 10,000 to test: "input" u8
/// (rows, 28, 28, 1), "target" i32 (rows). The folder is where Debian's package dataset-fashion-mnist puts the files.
[[nodiscard]] std::pair<Dataset, Dataset> fashion_mnist(const Path& folder = fashion_mnist_folder);
/// The names of its ten classes: "T-shirt/top", "Trouser", ...
[[nodiscard]] std::vector<std::string> fashion_mnist_classes();

}  // namespace data
}  // namespace thalweg

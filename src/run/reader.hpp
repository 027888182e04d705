#pragma once
// Readers: one for each format of stored data. Each is a file of readers/ and a row of the table.

#include <functional>
#include <memory>
#include <optional>

#include "data/preprocessing.hpp"
#include "options/error.hpp"
#include "run/content.hpp"
#include "thalweg/augment.hpp"
#include "thalweg/data.hpp"
#include "thalweg/loss.hpp"

namespace thalweg {

/// `[data]`. The form of a place depends on the reader: a path, or a table of paths.
struct DataOptions {
  std::string format = "csv";
  OptionValue train = {""};
  OptionValue test = {""};
  OptionValue validation = {0.1};  ///< a fraction of the training rows, or a place
  OptionMap own = {};              ///< the reader's own keys and their values

  /// The keys that every reader has.
  [[nodiscard]] Fields fields();
  /// The fraction of the training rows that is held out; 0 if `validation` is a place.
  [[nodiscard]] double held_out() const;
};

/// The properties of data on which the defaults of a configuration depend.
struct DataFacts {
  data::Task task = data::Task::regression;
  std::int64_t rows = 0;     ///< to train on
  std::int64_t outputs = 1;  ///< numbers that the model gives per row
  bool table = true;
  std::int64_t context = 0;  ///< tokens per row, for a text
};

/// The origin of rows.
struct Origin {
  std::vector<std::int64_t> places = {};  ///< line of a table, or number of an image, from 1
  /// For a regression on a table, the targets from the file, because the encoded ones are standardised and rounded to
  /// f32.
  std::vector<double> targets = {};
};

/// The data of a run. The preprocessing was fitted on `train` alone.
struct Parts {
  data::Preprocessing preprocessing;
  Dataset train;
  std::optional<Dataset> validation = {}, test = {};
  std::optional<Dataset> unbalanced = {};    ///< for balanced classes: `train` with the original weights of its rows
  AugmentOptions augmentation = {};          ///< of the rows to train on
  std::vector<std::uint64_t> held_out = {};  ///< the content of each row held out of the training data
  Origin validation_origin = {}, test_origin = {};  ///< if it is known
  std::vector<std::string> warnings = {};
};

/// A request for data at a place, for a trained model.
struct Request {
  const data::Preprocessing& preprocessing;
  const OptionValue& place;
  const DataOptions& data;
  RowSet* only = nullptr;    ///< the wanted rows; found rows are removed from it. null: all rows
  Origin* origin = nullptr;  ///< if not null, a reader that knows the origin of the rows writes it here
  /// If not null, a reader whose rows have contents (TrainingData::contents) writes them here.
  std::vector<std::uint64_t>* contents = nullptr;
};

/// Training data that was read.
class TrainingData {
 public:
  virtual ~TrainingData() = default;
  [[nodiscard]] const DataFacts& facts() const { return facts_; }
  /// Decisions about the data, and warnings, one per line.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

  /// Tells the data which loss is used: whether it needs standardised numbers, and how many outputs for each. Must be
  /// called before `parts`, at most once.
  virtual void suit(const LossFunction&) {}

  /// The training rows, and the rows that `validation` holds out of them if it is a fraction.
  [[nodiscard]] virtual Parts parts(std::uint64_t seed) const = 0;
  /// k times: one fold to test on, and the rest split as by `parts`. Throws UsageError if the rows cannot be divided
  /// into folds.
  [[nodiscard]] virtual std::vector<Parts> folds(std::int64_t k, std::uint64_t seed) const = 0;
  /// The content of each row, which identifies it wherever it stands; empty if it is not known.
  [[nodiscard]] virtual std::vector<std::uint64_t> contents() const { return {}; }

 protected:
  DataFacts facts_;
  std::vector<std::string> notes_, warnings_;
};

[[nodiscard]] bool is_path(const OptionValue& place);
[[nodiscard]] std::vector<std::string> one_path(const OptionValue& place);

/// A row of the table of readers.
struct ReaderRow {
  std::string_view name, summary;
  std::string_view place = "a path";                  ///< the form of its places, for messages; empty if it reads none
  bool (*takes)(const OptionValue& place) = is_path;  ///< whether a place is of that form
  std::vector<std::string> (*paths)(const OptionValue& place) = one_path;  ///< the files and folders of a place
  /// One hash of all further files to which the files at a place refer, such as the sounds of a table.
  std::optional<FileContent> (*named)(const OptionValue& place, const DataOptions&) = nullptr;
  bool (*suits)(const data::Preprocessing&) = nullptr;  ///< whether a model with this preprocessing can read its data
  std::vector<OptionDoc> options = {};                  ///< options of this reader only
  /// Reads all keys of `[data]`. Throws OptionError.
  std::function<void(const OptionMap& values, DataOptions& into)> read_options = {};
  /// Reads the training data.
  std::function<std::unique_ptr<TrainingData>(const DataOptions&)> read = {};
  /// Reads data at a place, and adds warnings about it to `warnings`.
  std::function<Dataset(const Request&, std::vector<std::string>& warnings)> encode = {};
};
[[nodiscard]] const std::vector<ReaderRow>& readers();
/// Throws OptionError for the key "format", with the nearest name.
[[nodiscard]] const ReaderRow& reader_named(std::string_view name);

/// The reader's own options, as a struct.
template <class Options>
[[nodiscard]] Options own_options(const DataOptions& data) {
  Options options;
  read_fields(options.fields(), data.own, "data");
  return options;
}

/// Makes the row for a reader whose own keys are the fields of `Options`, from its texts and functions. A member
/// `complete`, if there is one, checks conditions on several keys.
template <class Options>
[[nodiscard]] ReaderRow reader_row(ReaderRow texts,
                                   std::unique_ptr<TrainingData> (*read)(const DataOptions&, const Options&),
                                   Dataset (*encode)(const Request&, const Options&, std::vector<std::string>&)) {
  Options defaults;
  texts.options = describe_fields(defaults.fields());
  texts.read_options = [](const OptionMap& values, DataOptions& into) {
    Options own;
    Fields all = into.fields();
    for (const Field& field : own.fields()) all.push_back(field);
    read_fields(all, values, "data");
    if constexpr (requires { own.complete(); }) own.complete();
    into.own = field_values(own.fields());
  };
  texts.read = [read](const DataOptions& data) { return read(data, own_options<Options>(data)); };
  texts.encode = [encode](const Request& request, std::vector<std::string>& warnings) {
    return encode(request, own_options<Options>(request.data), warnings);
  };
  return texts;
}

}  // namespace thalweg

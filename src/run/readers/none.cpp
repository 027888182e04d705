// The reader for systems that make their own rows: it reads no data.

#include "run/reader.hpp"

namespace thalweg {

namespace {

struct NoOptions {
  [[nodiscard]] Fields fields() { return {}; }
};

class NoData final : public TrainingData {
 public:
  NoData() { facts_.table = false; }
  [[nodiscard]] Parts parts(std::uint64_t) const override {
    return {.preprocessing = data::TensorPreprocessing{.task = data::Task::regression}, .train = {}};
  }
  [[nodiscard]] std::vector<Parts> folds(std::int64_t, std::uint64_t) const override {
    fail<UsageError>("[data] there is no data to divide into folds");
  }
};

std::unique_ptr<TrainingData> read(const DataOptions&, const NoOptions&) { return std::make_unique<NoData>(); }

Dataset encode(const Request&, const NoOptions&, std::vector<std::string>&) {
  fail<UsageError>("[data] this is a system that makes its own rows. Wanted: no data");
}

}  // namespace

std::vector<ReaderRow> none_readers() {
  ReaderRow row = reader_row<NoOptions>({.name = "none",
                                         .summary = "no data: for a system that makes its own rows",
                                         .place = "",
                                         .takes = [](const OptionValue&) { return false; },
                                         .suits = [](const data::Preprocessing&) { return false; }},
                                        read, encode);
  row.read_options = [common = row.read_options](const OptionMap& values, DataOptions& into) {
    into.validation = {0.0};  // there are no rows to hold out
    common(values, into);
    if (into.held_out() != 0)
      fail_option("validation", "[data] validation = {}, but there is no data. Wanted: 0", into.validation.str());
  };
  return {row};
}

}  // namespace thalweg

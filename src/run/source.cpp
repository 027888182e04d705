#include "run/source.hpp"

#include <fmt/format.h>

#include "core/free_memory.hpp"
#include "run/training_rows.hpp"

namespace thalweg {

namespace {
/// The rows of another place. Warns if they are training rows: metrics on these say little about new rows.
Dataset other_rows(const TrainingData& trained, const DataOptions& options, std::string_view which,
                   const OptionValue& place, Parts& parts, Origin& origin) {
  std::vector<std::uint64_t> contents;
  Dataset rows = reader_named(options.format)
                     .encode({parts.preprocessing, place, options, nullptr, &origin, &contents}, parts.warnings);
  if (place.str() == options.train.str()) {
    parts.warnings.push_back(fmt::format("{} data and training data are the same: {}", which, place.str()));
  } else if (!contents.empty()) {
    std::vector<std::uint64_t> all = trained.contents();
    RowSet held_out(parts.held_out);
    std::erase_if(all, [&](std::uint64_t row) { return held_out.take(row); });
    warn_of_repeated(which, std::move(contents), all, parts.warnings);
  }
  return rows;
}
}  // namespace

DataSource::DataSource(DataOptions options)
    : options_(std::move(options)), source_(reader_named(options_.format).read(options_)) {}

/// Adds the validation rows if they are not a part of the training data.
void DataSource::add_validation(Parts& parts) const {
  if (options_.validation.holds<double>()) return;
  parts.validation = other_rows(*source_, options_, "validation", options_.validation, parts, parts.validation_origin);
}

Parts DataSource::parts(std::uint64_t seed) const {
  Parts parts = source_->parts(seed);
  add_validation(parts);
  if (reader_named(options_.format).takes(options_.test)) {
    parts.test = other_rows(*source_, options_, "test", options_.test, parts, parts.test_origin);
  }
  return parts;
}

void DataSource::forget() {
  facts_ = source_->facts();
  source_.reset();
  return_free_memory();
}

std::vector<Parts> DataSource::folds(std::int64_t k, std::uint64_t seed) const {
  std::vector<Parts> folds = source_->folds(k, seed);
  for (Parts& parts : folds) add_validation(parts);
  return folds;
}

Dataset encode_place(const data::Preprocessing& preprocessing, const OptionValue& place, const DataOptions& options,
                     std::vector<std::string>& warnings, Origin* origin) {
  return reader_named(options.format).encode({preprocessing, place, options, nullptr, origin}, warnings);
}

Dataset encode_held_out(const data::Preprocessing& preprocessing, const std::vector<std::uint64_t>& rows,
                        const DataOptions& options, std::vector<std::string>& warnings) {
  RowSet wanted(rows);
  Dataset result = reader_named(options.format).encode({preprocessing, options.train, options, &wanted}, warnings);
  if (wanted.left() == 0) return result;
  fail<DataError>("[data] of {} rows that the run held out, {} are no longer in {}", rows.size(), wanted.left(),
                  options.train.str());
}

std::optional<DataOptions> options_for(const data::Preprocessing& preprocessing, const OptionValue& place,
                                       const DataOptions& options) {
  const auto fits = [&](const ReaderRow& row) { return row.suits(preprocessing) && row.takes(place); };
  if (fits(reader_named(options.format))) return options;
  for (const ReaderRow& row : readers()) {
    if (fits(row)) return DataOptions{.format = std::string(row.name)};
  }
  return std::nullopt;
}

}  // namespace thalweg

#include "run/source.hpp"

#include <algorithm>
#include <numeric>

#include "core/error.hpp"
#include "data/pictures.hpp"

namespace thalweg {

namespace {

std::optional<char> separator_of(const DataOptions& options) { return data::separator_named(options.table.separator); }

std::string path_in(const OptionValue& place, const char* key) {
  const auto& map = *place.get_if<OptionMap>();
  for (const auto& [name, value] : map) {
    if (name != "images" && name != "labels") {
      fail<UsageError>("[data] unknown key '{}'. Wanted: {{ images = \"path\", labels = \"path\" }}", name);
    }
  }
  const auto found = map.find(key);
  const auto* path = found == map.end() ? nullptr : found->second.get_if<std::string>();
  if (!path)
    fail<UsageError>("[data] {} has no {}. Wanted: {{ images = \"path\", labels = \"path\" }}", place.str(), key);
  return *path;
}

data::Keep keep_of(const DataOptions& options) {
  if (options.noise > 0 && options.stream == "always")
    fail<UsageError>("[data] stream = \"always\" with noise. Hint: what noise is added to is kept in memory.");
  if (options.stream == "always") return data::Keep::none;
  return options.stream == "never" || options.noise > 0 ? data::Keep::all : data::Keep::what_fits;
}

/// Images with their labels; or noisy ones, where noise is to be removed, with the images themselves.
Dataset read_images(const OptionValue& place, const DataOptions& options, const std::vector<std::string>& classes) {
  Dataset read;
  if (options.format == "images") {
    read = data::image_folder(*place.get_if<std::string>(), classes, keep_of(options)).data;
  } else {
    read = data::images(path_in(place, "images"), path_in(place, "labels"), static_cast<std::int64_t>(classes.size()));
  }
  return options.noise > 0 ? data::noisy(read, options.noise) : read;
}

bool is_set(const OptionValue& place) {
  const auto* path = place.get_if<std::string>();
  return !path || !path->empty();
}

void warn_of_unknown(const data::Schema& schema, std::span<const std::int64_t> unknown, std::string_view where,
                     std::vector<std::string>& warnings) {
  for (std::size_t i = 0; i < unknown.size(); ++i) {
    if (unknown[i] == 0) continue;
    warnings.push_back(fmt::format("{}: {} row{} of {} a level that the training part did not have", where, unknown[i],
                                   unknown[i] == 1 ? " has in column" : "s have in column", schema.features[i].name));
  }
}

Dataset encode_rows(const data::TablePreprocessing& fitted, const data::Table& table,
                    std::span<const std::int64_t> rows, std::string_view where, std::vector<std::string>& warnings) {
  std::vector<std::int64_t> unknown(fitted.schema().features.size());
  Dataset result = fitted.encode(table, rows, unknown);
  warn_of_unknown(fitted.schema(), unknown, where, warnings);
  return result;
}

std::int64_t outputs_of(const data::Schema& schema) {
  return schema.task == data::Task::multiclass ? static_cast<std::int64_t>(schema.classes.size()) : 1;
}

}  // namespace

DataSource::DataSource(DataOptions options) : options_(std::move(options)) {
  if (options_.is_images()) {
    read_pictures();
  } else if (options_.format == "text") {
    read_text();
  } else {
    read_table();
  }
}

void DataSource::read_pictures() {
  if (options_.format == "images") {
    options_.classes = data::class_folders(*options_.train.get_if<std::string>());
  }
  tensors_ = read_images(options_.train, options_, options_.classes);
  rows_.resize(static_cast<std::size_t>(tensors_.rows()));
  std::iota(rows_.begin(), rows_.end(), 0);
  const Shape image(tensors_.columns()[0].second.shape().sizes().subspan(1));
  facts_ = {.task = data::Task::regression, .rows = tensors_.rows(), .outputs = image.size(), .table = false};
  if (options_.noise > 0) {
    notes_.push_back(fmt::format("{} images of {} with noise to remove", tensors_.rows(), image));
    return;
  }
  const auto labels = tensors_["target"].values<std::int32_t>();
  labels_.assign(labels.begin(), labels.end());
  const auto highest = labels_.empty() ? 0 : *std::ranges::max_element(labels_);
  facts_.task = data::Task::multiclass;
  facts_.outputs = std::max<std::int64_t>(highest + 1, static_cast<std::int64_t>(options_.classes.size()));
  notes_.push_back(fmt::format("{} images of {}, {} classes{}", tensors_.rows(), image, facts_.outputs,
                               tensors_.streams() ? ", read while they are used" : ""));
}

void DataSource::read_table() {
  table_ = data::read_table(*options_.train.get_if<std::string>(), separator_of(options_));
  data::Inference inference = data::infer_schema(*table_, options_.table);
  schema_ = std::move(inference.schema);
  rows_ = std::move(inference.rows);
  notes_ = std::move(inference.notes);
  warnings_ = std::move(inference.warnings);
  labels_ = data::class_labels(*table_, schema_, rows_);
  facts_ = {.task = schema_.task, .rows = static_cast<std::int64_t>(rows_.size()), .outputs = outputs_of(schema_)};
}

void DataSource::read_text() {
  const auto* fraction = options_.validation.get_if<double>();
  auto text = std::make_shared<const std::string>(data::read_text(*options_.train.get_if<std::string>()));
  const auto [train, held_out] = data::split_text(*text, fraction ? *fraction : 0);
  data::TextPreprocessing fitted{data::fit_tokenizer(options_.text, train), options_.text.sequence_length};
  const std::int64_t tokens = fitted.tokenizer.size(), length = fitted.sequence_length;
  notes_.push_back(fmt::format("a text of {} bytes{}, {} tokens ({}); the task is to predict the next", text->size(),
                               held_out.empty() ? "" : fmt::format(", the last {} held out", held_out.size()), tokens,
                               options_.text.tokenizer));
  text_ = TextSource{std::move(text), train, held_out, std::move(fitted)};
  facts_ = {.task = data::Task::language,
            .rows = static_cast<std::int64_t>(train.size()) / length,
            .outputs = tokens,
            .table = false,
            .context = length};
}

Parts DataSource::text_parts() const {
  const data::TextPreprocessing& fitted = text_->preprocessing;
  const auto& path = *options_.train.get_if<std::string>();
  Parts parts{.preprocessing = fitted, .train = fitted.encode(text_->train, path, options_.text.stride)};
  if (!text_->held_out.empty()) {
    parts.validation = fitted.encode(text_->held_out, fmt::format("the held-out end of {}", path));
  } else if (options_.validation.holds<std::string>()) {
    parts.validation = encode_place(fitted, options_.validation, options_, parts.warnings);
  }
  return parts;
}

std::vector<std::int64_t> DataSource::rows_at(std::span<const std::int64_t> places) const {
  std::vector<std::int64_t> rows;
  rows.reserve(places.size());
  for (const std::int64_t place : places) rows.push_back(rows_[static_cast<std::size_t>(place)]);
  return rows;
}

Parts DataSource::encode(std::span<const std::int64_t> train, std::span<const std::int64_t> validation) const {
  if (!table_) {
    Parts parts{.preprocessing = data::TensorPreprocessing::fit(tensors_, train, options_.classes),
                .train = tensors_.select(train)};
    if (!validation.empty()) parts.validation = tensors_.select(validation);
    return parts;
  }
  const data::TablePreprocessing fitted(*table_, schema_, train);
  Parts parts{.preprocessing = fitted, .train = fitted.encode(*table_, train)};
  if (!validation.empty()) parts.validation = encode_rows(fitted, *table_, validation, "validation", parts.warnings);
  return parts;
}

/// The rows at `places`, less the fraction to validate on.
Parts DataSource::held_out(std::span<const std::int64_t> places, std::uint64_t seed) const {
  const auto* fraction = options_.validation.get_if<double>();
  if (!fraction || *fraction == 0) {
    Parts parts = encode(rows_at(places), {});
    if (!fraction) {
      parts.validation = encode_place(parts.preprocessing, options_.validation, options_, parts.warnings);
    }
    return parts;
  }
  std::vector<std::int32_t> labels;
  for (const std::int64_t place : labels_.empty() ? std::span<const std::int64_t>{} : places) {
    labels.push_back(labels_[static_cast<std::size_t>(place)]);
  }
  data::Split split = data::split_fraction(static_cast<std::int64_t>(places.size()), *fraction, seed, labels);
  for (auto* part : {&split.train, &split.held_out}) {
    for (std::int64_t& place : *part) place = places[static_cast<std::size_t>(place)];
  }
  return encode(rows_at(split.train), rows_at(split.held_out));
}

Parts DataSource::all_but_test(std::uint64_t seed) const {
  if (text_) return text_parts();
  std::vector<std::int64_t> places(rows_.size());
  std::iota(places.begin(), places.end(), 0);
  return held_out(places, seed);
}

Parts DataSource::parts(std::uint64_t seed) const {
  Parts parts = all_but_test(seed);
  if (is_set(options_.test)) {
    parts.test = encode_place(parts.preprocessing, options_.test, options_, parts.warnings);
  }
  return parts;
}

std::vector<Parts> DataSource::folds(std::int64_t k, std::uint64_t seed) const {
  if (text_) fail<UsageError>("[data] a text has no rows to deal to folds. Hint: validation = 0.1 holds out its end.");
  std::vector<Parts> result;
  for (const data::Split& split : data::split_folds(static_cast<std::int64_t>(rows_.size()), k, seed, labels_)) {
    Parts& parts = result.emplace_back(held_out(split.train, seed));
    const std::vector<std::int64_t> test = rows_at(split.held_out);
    parts.test = table_ ? encode_rows(*parts.preprocessing.table(), *table_, test, "fold", parts.warnings)
                        : tensors_.select(test);
  }
  return result;
}

Dataset encode_place(const data::Preprocessing& preprocessing, const OptionValue& place, const DataOptions& options,
                     std::vector<std::string>& warnings) {
  if (preprocessing.tensor()) {
    return read_images(place, options, preprocessing.classes());
  }
  const std::string path = *place.get_if<std::string>();
  if (const auto* text = preprocessing.text()) return text->encode(data::read_text(path), path);
  const data::Table table = data::read_table(path, separator_of(options));
  const data::TablePreprocessing& fitted = *preprocessing.table();
  return encode_rows(fitted, table, data::usable_rows(table, fitted.schema()), path, warnings);
}

const std::vector<ReaderRow>& readers() {
  static const auto options_of = [](const char* format) {
    DataOptions options;
    options.format = format;
    return describe_fields(options.fields());
  };
  static const std::vector<ReaderRow> rows = {
      {"csv", "a table of text with a header (RFC 4180), separated by commas, semicolons or tabs", options_of("csv")},
      {"idx", "images and labels as MNIST has them, plain or gzip", options_of("idx")},
      {"images", "PNG and JPEG files of one size, in a folder for each class", options_of("images")},
      {"text", "a file or a folder of files, in tokens, of which each is predicted from those before it",
       options_of("text")},
  };
  return rows;
}

}  // namespace thalweg

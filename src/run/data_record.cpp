#include "run/data_record.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/escape.hpp"
#include "core/hint.hpp"
#include "core/name_index.hpp"
#include "core/nesting.hpp"
#include "core/whole_number.hpp"
#include "data/repeated_key.hpp"
#include "run/source.hpp"

namespace thalweg {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t format_version = 1;
constexpr int deepest = 4;  // levels of nesting: the levels of a column are the fourth

std::string hex(std::uint64_t number) { return fmt::format("{:016x}", number); }

std::uint64_t from_hex(const Json& json) {
  const auto& text = json.get_ref<const std::string&>();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (error != std::errc{} || end != text.data() + text.size())
    throw std::invalid_argument("not a number of 16 digits");
  return number;
}

Json json_of(const FileContent& file) {
  return {{"path", file.path},
          {"files", file.files},
          {"bytes", file.bytes},
          {"checksum", hex(file.checksum)},
          {"names_only", file.names_only}};
}

FileContent file_from(const Json& json) {
  return {.path = json.at("path"),
          .files = whole_number(json, "files"),
          .bytes = whole_number(json, "bytes"),
          .checksum = from_hex(json.at("checksum")),
          .names_only = json.at("names_only")};
}

std::vector<DataRecord::Column> columns_of(const data::TablePreprocessing& table) {
  std::vector<DataRecord::Column> columns;
  const data::Schema& schema = table.schema();
  for (std::size_t i = 0; i < schema.features.size(); ++i) {
    columns.push_back(
        {schema.features[i].name, std::string(name(schema.features[i].kind)), table.encodings()[i].levels});
  }
  columns.push_back({schema.target, "target", schema.classes});
  if (!schema.weight.empty()) columns.push_back({schema.weight, "weight"});
  return columns;
}

std::vector<FileContent> files_at(const ReaderRow& reader, const OptionValue& place, const DataOptions& options) {
  std::vector<FileContent> files;
  for (const std::string& path : reader.paths(place)) files.push_back(content_of_file(path));
  if (reader.named) {
    if (auto named = reader.named(place, options)) files.push_back(std::move(*named));
  }
  return files;
}

const OptionValue& place_of(const std::string& key, const DataOptions& options) {
  return key == "test" ? options.test : key == "validation" ? options.validation : options.train;
}

}  // namespace

std::string DataRecord::json() const {
  Json json{{"format", format_version}, {"rows", rows}, {"places", Json::object()}, {"columns", Json::array()}};
  for (const auto& [key, files] : places) {
    for (const FileContent& file : files) json["places"][key].push_back(json_of(file));
  }
  for (const Column& column : columns) {
    json["columns"].push_back({{"name", column.name}, {"kind", column.kind}, {"levels", column.levels}});
  }
  json["held_out"] = Json::array();
  for (const std::uint64_t row : held_out) json["held_out"].push_back(hex(row));
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

DataRecord DataRecord::read(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) {
    fail<UsageError>("[data] there is no {}, the record of the data that the run read", path.string());
  }
  try {
    std::ifstream stream(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    if (!nests_within(text, deepest)) fail<ModelError>("[data] {} is damaged: values nested too deep", path.string());
    const Json json = Json::parse(text);
    if (const auto twice = data::repeated_key(text))
      fail<ModelError>("[data] {} is damaged: '{}' is there twice", path.string(), shown(*twice));
    if (const std::int64_t other = whole_number(json, "format"); other != format_version)
      fail<ModelError>("[data] {} is of format {}, and this version of thalweg knows format {}", path.string(), other,
                       format_version);
    DataRecord record;
    record.rows = whole_number(json, "rows");
    for (const auto& [key, files] : json.at("places").items()) {
      for (const Json& file : files) record.places[key].push_back(file_from(file));
    }
    for (const Json& column : json.at("columns")) {
      record.columns.push_back({column.at("name"), column.at("kind"), column.at("levels")});
    }
    for (const Json& row : json.at("held_out")) record.held_out.push_back(from_hex(row));
    return record;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    fail<ModelError>("[data] {} is damaged: {}", path.string(), error.what());
  }
}

DataRecord record_of(const DataOptions& options, const Parts& parts) {
  const ReaderRow& reader = reader_named(options.format);
  DataRecord record{.rows = parts.train.rows() + static_cast<std::int64_t>(parts.held_out.size()),
                    .held_out = parts.held_out};
  for (const std::string key : {"train", "validation", "test"}) {
    const OptionValue& place = place_of(key, options);
    if (reader.takes(place)) record.places[key] = files_at(reader, place, options);
  }
  if (const auto* table = parts.preprocessing.table()) record.columns = columns_of(*table);
  return record;
}

namespace {

void add_level_changes(const DataRecord::Column& before, const DataRecord::Column& now,
                       std::vector<std::string>& changes) {
  NameIndex known, left;
  for (const std::string& level : before.levels) known.add(level);
  for (const std::string& level : now.levels) {
    left.add(level);
    if (!known.find(level)) changes.push_back(fmt::format("'{}' is new in column '{}'", level, now.name));
  }
  for (const std::string& level : before.levels) {
    if (!left.find(level)) changes.push_back(fmt::format("'{}' is no longer in column '{}'", level, now.name));
  }
}

/// The differences in the columns and rows of a table.
std::vector<std::string> changes_inside(const DataRecord& before, const DataRecord& now) {
  std::vector<std::string> changes;
  if (now.rows != before.rows) changes.push_back(fmt::format("{} rows, and there were {}", now.rows, before.rows));
  NameIndex known, left;
  for (const auto& column : before.columns) known.add(column.name);
  for (const auto& column : now.columns) {
    left.add(column.name);
    const auto place = known.find(column.name);
    if (!place) {
      changes.push_back(fmt::format("column '{}' is new", column.name));
    } else if (const auto& old = before.columns[*place]; old.kind != column.kind) {
      changes.push_back(fmt::format("column '{}' is a {}, and was a {}", column.name, column.kind, old.kind));
    } else {
      add_level_changes(old, column, changes);
    }
  }
  for (const auto& column : before.columns) {
    if (!left.find(column.name)) changes.push_back(fmt::format("column '{}' is gone", column.name));
  }
  return changes;
}

/// The first file that has changed, and its difference; empty if none has changed.
std::string change_of_files(const std::vector<FileContent>& before, const std::vector<FileContent>& now) {
  for (std::size_t i = 0; i < std::min(before.size(), now.size()); ++i) {
    const FileContent &a = before[i], &b = now[i];
    if (a.bytes < 0) return fmt::format("{} was a pipe, which cannot be read again", a.path);
    if (a.checksum == b.checksum && a.bytes == b.bytes && a.files == b.files) continue;
    const std::string count = a.files == b.files ? "" : fmt::format(" in {} files, and had {}", b.files, a.files);
    if (!count.empty()) return fmt::format("{} has {} bytes{}", b.path, b.bytes, count);
    return a.bytes == b.bytes ? fmt::format("{} has other content", b.path)
                              : fmt::format("{} has {} bytes, and had {}", b.path, b.bytes, a.bytes);
  }
  return before.size() == now.size() ? "" : "other files are named";
}

}  // namespace

std::string change_at(const std::string& key, const DataRecord& before, const DataOptions& options,
                      std::uint64_t seed) {
  const auto known = before.places.find(key);
  if (known == before.places.end()) return fmt::format("[data] {} was not recorded", key);
  const ReaderRow& reader = reader_named(options.format);
  const OptionValue& place = place_of(key, options);
  for (const std::string& path : reader.paths(place)) {
    if (!std::filesystem::exists(path)) return path + " is no longer there";
  }
  std::string change = change_of_files(known->second, files_at(reader, place, options));
  if (change.empty() || key != "train") return change;
  try {
    constexpr std::size_t most = 4;
    const auto inside = changes_inside(before, record_of(options, DataSource(options).parts(seed)));
    for (std::size_t i = 0; i < std::min(inside.size(), most); ++i) change += "; " + inside[i];
    if (inside.size() > most) change += fmt::format("; and {} changes more", inside.size() - most);
  } catch (const Error& error) {
    change += fmt::format("; it can no longer be read as it was: {}", before_hint(error.what()));
  }
  return change;
}

}  // namespace thalweg

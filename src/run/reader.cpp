#include "run/reader.hpp"

#include <algorithm>

#include "options/nearest_name.hpp"
#include "options/rows.hpp"
#include "run/readers_parts.hpp"

namespace thalweg {

const std::vector<ReaderRow>& readers() {
  static const std::vector<ReaderRow> rows = joined(readers_parts);
  return rows;
}

namespace {

std::vector<std::string_view> reader_names() {
  std::vector<std::string_view> names;
  for (const ReaderRow& row : readers()) names.push_back(row.name);
  return names;
}

}  // namespace

const ReaderRow& reader_named(std::string_view name) {
  const auto found = std::ranges::find(readers(), name, &ReaderRow::name);
  if (found != readers().end()) return *found;
  const std::vector<std::string_view> names = reader_names();
  fail_option("format", "[data] format = \"{}\". Hint: {}", name, name_hint(name, {names.begin(), names.end()}));
}

bool is_path(const OptionValue& place) {
  const auto* path = place.get_if<std::string>();
  return path && !path->empty();
}

std::vector<std::string> one_path(const OptionValue& place) { return {*place.get_if<std::string>()}; }

Fields DataOptions::fields() {
  return {
      {"format", &format, "how the data is stored", any_number, reader_names()},
      {"train", &train, "the data to train on: a path, or { images = path, labels = path }"},
      {"test", &test, "test data, measured once at the end"},
      {"validation", &validation,
       "validation data: a held-out fraction of the training rows (for a text, of its end; 0 is none), or a place of "
       "data"},
  };
}

double DataOptions::held_out() const {
  const auto* fraction = validation.get_if<double>();
  return fraction ? *fraction : 0;
}

}  // namespace thalweg

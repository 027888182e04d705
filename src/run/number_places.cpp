#include "run/number_places.hpp"

#include "data/feature_columns.hpp"

namespace thalweg {

std::vector<std::int64_t> number_places(const data::TablePreprocessing& table) {
  std::vector<std::int64_t> widths = data::feature_widths(table), places;
  for (const data::EmbeddedColumns& own : data::embedded_columns(table))
    widths[static_cast<std::size_t>(own.feature)] = own.numbers;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < widths.size(); begin += widths[i++]) {
    if (table.schema().features[i].kind != data::ColumnKind::category) places.push_back(begin);
  }
  return places;
}

Choice with_number_places(Choice model, const data::Preprocessing& preprocessing) {
  const data::TablePreprocessing* table = preprocessing.table();
  const auto said = model.options.find("numbers");
  const auto* list = said == model.options.end() ? nullptr : said->second.get_if<OptionList>();
  if (!table || !list || !list->empty()) return model;
  OptionList places;
  for (const std::int64_t place : number_places(*table)) places.push_back({place});
  if (places.empty()) model.options["frequencies"] = {std::int64_t{0}};
  said->second = {std::move(places)};
  return model;
}

}  // namespace thalweg

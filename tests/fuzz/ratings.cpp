// Fuzz target: a table of ratings. Each rating is finite, has a user and an item, and their numbers are valid levels.

#include "data/ratings.hpp"

#include <cmath>
#include <numeric>

#include "fuzz.hpp"

void thalweg::fuzz::run(std::string_view bytes) {
  const MemoryFile file(bytes);
  may_refuse([&] {
    const data::RatingTable table = data::read_ratings(file.path(), {.side = {"side"}});
    std::vector<std::int64_t> rows(static_cast<std::size_t>(table.rows()));
    std::iota(rows.begin(), rows.end(), 0);
    const std::vector<data::Levels> levels = data::levels_of(table, rows);
    const data::Ratings ratings = data::numbered(table, rows, levels);
    for (std::int64_t row = 0; row < ratings.rows(); ++row) {
      if (!std::isfinite(ratings.ratings[static_cast<std::size_t>(row)])) broken("a rating", std::to_string(row));
      for (std::size_t feature = 0; feature < levels.size(); ++feature) {
        const std::int32_t number = ratings.row(row)[feature];
        if (number < 0 || number >= levels[feature].size()) broken("a level out of range", std::to_string(number));
      }
      const double place = data::place_of_pair(table, row, 1);
      if (!(place >= 0 && place < 1)) broken("a place", std::to_string(place));
    }
  });
}

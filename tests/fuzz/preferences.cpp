// Fuzz target: a table of pairs of texts. Each pair has a preferred text and another one, and their tokens decode to
// the texts, or to a prefix if a text is too long.

#include "data/preferences.hpp"

#include "fuzz.hpp"

void thalweg::fuzz::run(std::string_view bytes) {
  const MemoryFile file(bytes);
  may_refuse([&] {
    const data::TextPreprocessing text{data::Tokenizer::bytes(), 32};
    const auto pairs = data::preferences_of(data::read_table(file.path()), {.prompt = "prompt", .group = "group"});
    std::int64_t cut = 0;
    const Dataset rows = data::rows_of(pairs, text, "input", cut);
    for (std::int64_t row = 0; row < rows.rows(); ++row) {
      const data::Preference& pair = pairs[static_cast<std::size_t>(row)];
      if (pair.chosen.empty() || pair.rejected.empty() || pair.chosen == pair.rejected) broken("a pair", pair.chosen);
      const auto prompt = static_cast<std::int64_t>(rows["prompt"].at(row));
      for (const bool preferred : {true, false}) {
        const std::string side = preferred ? "chosen" : "rejected";
        const auto count = static_cast<std::int64_t>(rows[side + "_count"].at(row));
        if (prompt < 1 || count <= prompt || count > 32) broken("a count", side);
        const Tensor own = rows[side].rows(row, row + 1);
        const std::string line =
            text.tokenizer.decode(own.values<std::int32_t>().first(static_cast<std::size_t>(count)));
        const std::string blank = pair.prompt.empty() ? "" : " ";
        const std::string whole = "\n" + pair.prompt + blank + (preferred ? pair.chosen : pair.rejected) + "\n";
        if (line != whole.substr(0, 32)) broken("a line", line);
      }
    }
  });
}

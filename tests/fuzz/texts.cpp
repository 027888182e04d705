// Fuzz target: texts with classes, as lines or as a table. They can be hashed, and every column number is valid.

#include "data/hashed_text.hpp"
#include "data/labelled_texts.hpp"
#include "fuzz.hpp"

void thalweg::fuzz::run(std::string_view bytes) {
  if (bytes.empty()) return;
  const unsigned choice = static_cast<unsigned char>(bytes[0]);
  const MemoryFile file(bytes.substr(1));
  data::TextHasher hasher({.features = 1 + choice / 2, .ngrams = 1 + choice % 3});
  may_refuse([&] {
    const data::LabelledTextOptions options{.layout = choice % 2 == 0 ? "lines" : "csv"};
    const auto texts = data::open_texts(file.path().string(), options);
    while (const auto text = texts->next()) {
      for (const std::int32_t column : hasher(text->text).columns) {
        if (column < 0 || column > static_cast<std::int32_t>(choice / 2))
          broken("a column out of range", texts->where());
      }
    }
  });
}

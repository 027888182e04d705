// Fuzz target: a table of sounds with their texts and speakers. Every row names its line, its text becomes labels that
// decode to it, and the preprocessing is the same after writing and reading it.

#include "data/utterances.hpp"

#include "data/preprocessing.hpp"
#include "fuzz.hpp"

void thalweg::fuzz::run(std::string_view bytes) {
  if (bytes.empty()) return;
  const unsigned choice = static_cast<unsigned char>(bytes[0]);
  const MemoryFile file(bytes.substr(1));
  may_refuse([&] {
    const auto utterances = data::utterances_of_table(file.path(), {});
    data::SoundPreprocessing sounds{.letters = data::letters_of(utterances, choice % 4 == 0 ? "ab \xc3\xa9" : "")};
    std::int64_t before = 1;
    for (const data::Utterance& each : utterances) {
      if (each.place <= before) broken("a line", each.where);
      if (!each.sound.is_absolute()) broken("a path", each.where);
      before = each.place;
      const auto labels = sounds.labels_of(each.text, each.where);
      for (const std::int32_t label : labels) {
        if (label < 1 || label > std::ssize(sounds.letters)) broken("a label", each.where);
      }
      if (sounds.text_of(labels) != each.text) broken("another text", each.where);
    }
    const data::Preprocessing both(sounds);
    if (data::Preprocessing::from_json(both.json()) != both) broken("other letters after", both.json());
  });
}

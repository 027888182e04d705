// Fuzz target: a pronouncing dictionary, or the preprocessing of sequences. Targets decode to the tokens that they were
// encoded from, and the preprocessing is the same after writing and reading it.

#include <set>

#include "data/preprocessing.hpp"
#include "fuzz.hpp"

namespace thalweg::fuzz {

namespace {

void round_trip(const std::vector<data::SequencePair>& pairs, bool words) {
  std::set<std::string> symbols;
  for (const data::SequencePair& pair : pairs) {
    for (const std::string_view piece : data::pieces_of(pair.target, words, "input")) symbols.emplace(piece);
  }
  const data::Alphabet alphabet{words, {symbols.begin(), symbols.end()}};
  for (const data::SequencePair& pair : pairs) {
    const auto tokens = alphabet.tokens_of(pair.target, "input");
    if (tokens.empty() || alphabet.tokens_of(alphabet.text_of(tokens), "input") != tokens)
      broken("tokens", pair.target);
  }
}

}  // namespace

void run(std::string_view bytes) {
  if (bytes.empty()) return;
  const unsigned choice = static_cast<unsigned char>(bytes[0]);
  may_refuse([&] {
    if (choice % 4 < 2) return round_trip(data::dictionary_pairs(bytes.substr(1), "input"), choice % 4 == 0);
    const data::Preprocessing read = data::Preprocessing::from_json(bytes.substr(1));
    if (!(data::Preprocessing::from_json(read.json()) == read)) broken("preprocessing", read.json());
  });
}

}  // namespace thalweg::fuzz

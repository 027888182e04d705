// Fuzz target: tokenizers. The tokens of a text decode to the same text.

#include "data/text.hpp"
#include "fuzz.hpp"

void thalweg::fuzz::run(std::string_view bytes) {
  if (bytes.empty()) return;
  const unsigned choice = static_cast<unsigned char>(bytes[0]);
  bytes.remove_prefix(1);
  may_refuse([&] {
    const data::TextOptions options{.tokenizer = choice % 3 == 0   ? "bytes"
                                                 : choice % 3 == 1 ? "characters"
                                                                   : "bpe",
                                    .vocabulary_size = 256 + choice};
    const auto [fitted, rest] = data::split_text(bytes, 0.25);
    const data::Tokenizer tokenizer = data::fit_tokenizer(options, fitted);
    if (tokenizer.decode(tokenizer.encode(fitted)) != fitted) broken("another text", fitted);
    const data::TextPreprocessing windows{tokenizer, 1 + choice % 8};
    (void)windows.encode(bytes, "input", choice % 5);
  });
}

#include "data/text.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/error.hpp"
#include "core/file_error.hpp"
#include "data/file.hpp"
#include "data/memory.hpp"

namespace fs = std::filesystem;

namespace thalweg::data {

Fields TextOptions::fields() {
  return {
      {"tokenizer",
       &tokenizer,
       "bytes, characters, or bpe: byte pairs learned from the training text",
       any_number,
       {"bytes", "characters", "bpe"}},
      {"vocabulary_size", &vocabulary_size, "bpe: how many tokens to learn", {.low = 256, .high = 1 << 20}},
      {"sequence_length", &sequence_length, "tokens a row", {.low = 1, .high = 1 << 20}},
      {"stride", &stride, "tokens from the start of a row to that of the next; 0 is sequence_length", not_negative}};
}

namespace {

std::vector<fs::path> files_in(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  looking_at_files([&] {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  });
  std::ranges::sort(files);
  return files;
}

/// Appends the contents of a file to `text`.
void append(std::string& text, const fs::path& path) {
  const File file(path);
  constexpr std::size_t portion = 1 << 20;
  std::size_t got = 0;
  do {
    const std::size_t size = text.size();
    if (static_cast<std::int64_t>(size) > memory_budget() / 8) {  // tokens take four bytes, and temporarily exist twice
      fail<MemoryError>("[text] {} is more than fits into memory, with its tokens", path.string());
    }
    text.resize(size + portion);
    got = file.read_some(std::as_writable_bytes(std::span(text).subspan(size)));
    text.resize(size + got);
  } while (got > 0);
}

}  // namespace

std::string read_text(const fs::path& path) {
  std::string text;
  for (const fs::path& file : files_in(path)) append(text, file);
  if (text.empty())
    fail<DataError>("[text] {} is empty. Wanted: a file, or a folder of files, with text", path.string());
  return text;
}

std::pair<std::string_view, std::string_view> split_text(std::string_view text, double fraction) {
  auto at = static_cast<std::size_t>(std::llround(static_cast<double>(text.size()) * (1 - fraction)));
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80) ++at;
  return {text.substr(0, at), text.substr(at)};
}

Tokenizer fit_tokenizer(const TextOptions& options, std::string_view text) {
  if (options.tokenizer == "bytes") return Tokenizer::bytes();
  if (options.tokenizer == "characters") return Tokenizer::characters(text);
  return Tokenizer::bpe(text, options.vocabulary_size);
}

Dataset TextPreprocessing::encode(std::string_view text, std::string_view where, std::int64_t stride) const {
  const std::vector<std::int32_t> ids = tokenizer.encode(text);
  const auto count = static_cast<std::int64_t>(ids.size()), length = sequence_length;
  if (count <= length) {
    fail<DataError>("[text] {} has {} tokens. Wanted: more than sequence_length = {}", where, count, length);
  }
  const Tensor tokens = Tensor::from(ids, {count});
  const std::int64_t step = stride > 0 ? stride : length, rows = (count - 1 - length) / step + 1;
  Dataset result;
  for (const std::int64_t shift : {0, 1}) {
    const char* const name = shift == 0 ? "input" : "target";
    if (step == length) {
      result.set(name, tokens.rows(shift, shift + rows * length).reshape({rows, length}));
      continue;
    }
    Tensor column({rows, length}, i32);
    const auto into = column.mutable_values<std::int32_t>();
    for (std::int64_t row = 0; row < rows; ++row) {
      std::copy_n(ids.begin() + row * step + shift, length, into.begin() + row * length);
    }
    result.set(name, std::move(column));
  }
  result.set_unit({.token_bytes = token_bytes()});
  return result;
}

Tensor TextPreprocessing::token_bytes() const {
  Tensor bytes({tokenizer.size()}, f64);
  for (std::int64_t id = 0; id < tokenizer.size(); ++id) {
    bytes.set(id, static_cast<double>(tokenizer.token(id).size()));
  }
  return bytes;
}

}  // namespace thalweg::data

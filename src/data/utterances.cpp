#include "data/utterances.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "core/error.hpp"
#include "core/file_error.hpp"
#include "core/utf8.hpp"
#include "data/sound.hpp"
#include "data/table.hpp"

namespace fs = std::filesystem;

namespace thalweg::data {

std::vector<Utterance> utterances_of_table(const fs::path& path, const SpeechColumns& columns) {
  const Table table = read_table(path);
  const auto column = [&](const std::string& name) {
    if (const auto found = table.find(name)) return *found;
    fail<DataError>("[speech] {} has no column '{}'. Hint: its columns are {}", table.file(), name,
                    fmt::join(table.names(), ", "));
  };
  const std::size_t file = column(columns.file), text = column(columns.text);
  const bool is_asked = columns.speaker != SpeechColumns{}.speaker;
  const auto speaker = is_asked ? std::optional(column(columns.speaker)) : table.find(columns.speaker);
  std::vector<Utterance> all;
  for (std::int64_t row = 0; row < table.rows(); ++row) {
    const std::string name(table.cell(row, file));
    all.push_back({.sound = path.parent_path() / name,
                   .where = fmt::format("{}, line {}, {}", table.file(), table.line(row), name),
                   .text = std::string(table.cell(row, text)),
                   .speaker = speaker ? std::string(table.cell(row, *speaker)) : std::string(),
                   .place = table.line(row)});
  }
  return all;
}

namespace {

bool is_sound(const fs::path& path) {
  constexpr std::string_view endings[] = {".wav", ".flac", ".ogg", ".oga", ".opus"};
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return std::ranges::count(endings, extension) > 0;
}

std::string text_beside(const fs::path& sound) {
  fs::path path = sound;
  path.replace_extension(".txt");
  if (fs::exists(path) && !fs::is_regular_file(path)) fail<DataError>("[speech] {} is not a plain file", path.string());
  std::ifstream file(path, std::ios::binary);
  if (!file) fail<DataError>("[speech] {} has no text: there is no {}", sound.string(), path.string());
  std::string text{std::istreambuf_iterator<char>(file), {}};
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace

std::vector<Utterance> utterances_of_folder(const fs::path& folder) {
  std::vector<fs::path> sounds;
  looking_at_files([&] {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file() && is_sound(entry.path())) sounds.push_back(entry.path());
    }
  });
  std::ranges::sort(sounds);
  std::vector<Utterance> all;
  for (const fs::path& sound : sounds) {
    const fs::path parent = sound.parent_path().lexically_relative(folder);
    all.push_back({.sound = sound,
                   .where = sound.string(),
                   .text = text_beside(sound),
                   .speaker = parent == "." ? "" : parent.string(),
                   .place = std::ssize(all) + 1});
  }
  if (all.empty())
    fail<DataError>("[speech] {} holds no files that end in .wav, .flac, .ogg, .oga or .opus", folder.string());
  return all;
}

std::vector<std::string> letters_of(std::span<const Utterance> utterances, const std::string& alphabet) {
  std::string texts = alphabet;
  for (const Utterance& each : utterances) {
    if (alphabet.empty()) texts += each.text;
    if (!is_utf8(each.text)) fail<DataError>("[speech] {}: a text that is not UTF-8", each.where);
  }
  std::vector<std::string> letters = letters_of(texts, "alphabet");
  if (letters.empty()) fail<DataError>("[speech] all {} texts are empty", utterances.size());
  return letters;
}

}  // namespace thalweg::data

#pragma once
// Sounds with their texts: a table that lists them, or a folder with a text file for each sound.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace thalweg::data {

/// The names of the columns of a table of sounds.
struct SpeechColumns {
  std::string file = "file", text = "text", speaker = "speaker";
};

/// A sound and its text.
struct Utterance {
  std::filesystem::path sound;
  std::string where;  ///< for messages: "speech.csv, line 7, a.wav"
  std::string text, speaker;
  std::int64_t place = 0;  ///< the line of the table, or the number of the file
};

/// The rows of a table. Files are relative to its folder; the column of speakers may be missing. Throws DataError if
/// one of the others is, and as read_table does.
[[nodiscard]] std::vector<Utterance> utterances_of_table(const std::filesystem::path& path,
                                                         const SpeechColumns& columns);
/// For a.wav, reads a.txt in the same folder; the speaker is the name of the folder, if it is a subfolder. Throws
/// DataError for a sound without a text, and if there is no sound.
[[nodiscard]] std::vector<Utterance> utterances_of_folder(const std::filesystem::path& folder);

/// The letters of an alphabet; without one, those of the texts. Throws DataError for a text that is not UTF-8, and if
/// there is no letter.
[[nodiscard]] std::vector<std::string> letters_of(std::span<const Utterance> utterances, const std::string& alphabet);

}  // namespace thalweg::data

#pragma once
// What a run read, so that it can be told later whether that is still there: data.json of its folder.

#include <filesystem>
#include <map>

#include "run/content.hpp"
#include "run/reader.hpp"

namespace thalweg {

struct DataRecord {
  struct Column {
    std::string name, kind;  ///< "number", "category", "target" or "weight"
    std::vector<std::string> levels = {};
    friend bool operator==(const Column&, const Column&) = default;
  };
  /// By the key of `[data]` that names the place: "train", "validation", "test".
  std::map<std::string, std::vector<FileContent>> places = {};
  std::int64_t rows = 0;                     ///< of "train", those to train on and those held out
  std::vector<Column> columns = {};          ///< of a table
  std::vector<std::uint64_t> held_out = {};  ///< the content of each row of "train" that was held out

  [[nodiscard]] std::string json() const;
  /// From a file that json() was written to. Throws UsageError where there is none, ModelError for any other content.
  [[nodiscard]] static DataRecord read(const std::filesystem::path& path);
};

/// What is at the places that the options name.
[[nodiscard]] DataRecord record_of(const DataOptions& options, const Parts& parts);

/// What is otherwise at one place than it was, as a sentence that begins with the file; empty where nothing is. The
/// files are read; of a table it is said which columns and levels differ.
[[nodiscard]] std::string change_at(const std::string& key, const DataRecord& before, const DataOptions& options,
                                    std::uint64_t seed);

}  // namespace thalweg

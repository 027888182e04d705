#pragma once
// The record of the data of a run, to detect later changes of the data: data.json of the run's folder.

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
  std::int64_t rows = 0;                     ///< of "train": training rows and held-out rows together
  std::vector<Column> columns = {};          ///< of a table
  std::vector<std::uint64_t> held_out = {};  ///< the hash of each held-out row of "train"

  [[nodiscard]] std::string json() const;
  /// Reads a file written with json(). Throws UsageError if it does not exist, ModelError for any other content.
  [[nodiscard]] static DataRecord read(const std::filesystem::path& path);
};

/// The record of the places that the options name.
[[nodiscard]] DataRecord record_of(const DataOptions& options, const Parts& parts);

/// The changes at one place since the record, as a sentence that begins with the first changed file; empty if there are
/// none. It reads the files; for a table it names the columns and levels that differ.
[[nodiscard]] std::string change_at(const std::string& key, const DataRecord& before, const DataOptions& options,
                                    std::uint64_t seed);

}  // namespace thalweg

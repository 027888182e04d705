#pragma once
// The media that a run showed during training: files in its folder media/, and media.jsonl with one object per file.

#include <filesystem>
#include <string>
#include <vector>

#include "report/report.hpp"

namespace thalweg {

class MediaLog {
 public:
  /// For the run in this folder; appends to existing entries.
  explicit MediaLog(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Adds media after those of the same step. Throws IoError.
  void add(std::int64_t epoch, std::int64_t step, const NamedMedia& media);
  /// Removes what was shown after this step, because a resumed run shows it again.
  void cut_after(std::int64_t step);
  /// Whether the same media was already shown with this name.
  [[nodiscard]] bool has(const std::string& name, const Medium& medium) const;
  /// All media, by name, in the order of their moments. Damaged or missing files are left out.
  [[nodiscard]] std::vector<MediaSeries> series() const;

 private:
  struct Entry {
    std::string line, name, kind, file;
    std::int64_t epoch = 0, step = 0;
  };
  [[nodiscard]] std::vector<Entry> entries() const;
  [[nodiscard]] std::filesystem::path file_of(const Entry& entry) const {
    return folder_ / "media" / std::filesystem::path(entry.file).filename();
  }
  [[nodiscard]] std::filesystem::path index() const { return folder_ / "media.jsonl"; }

  std::filesystem::path folder_;
  std::int64_t step_ = -1, number_ = 0;  // of the file added last: its step, and its number within that step
};

}  // namespace thalweg

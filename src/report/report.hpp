#pragma once
// The report of a run: one HTML file without references to others.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "insight/confusion.hpp"
#include "insight/look.hpp"
#include "insight/verdict.hpp"
#include "thalweg/medium.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// A headline number: ("test accuracy", "0.9021", "10,000 images").
struct ReportTile {
  std::string label, value, note = {};
};

/// The confusion matrix, with the names of the classes.
struct ReportConfusion {
  std::vector<std::string> classes;
  Confusion counts;
};

/// One point per row; both values are in the unit of the target.
struct PredictedAgainstTrue {
  std::string target;
  std::vector<double> truth, predicted;
};

/// Pictures side by side, as PNG files.
struct PictureRow {
  std::string label;
  std::vector<std::vector<std::byte>> pngs;
};

/// One of the rows with the highest losses.
struct WorstRow {
  std::string place, truth, predicted;  ///< "line 17", "yes", "no (0.98)"
  double loss = 0;
  std::vector<std::byte> png = {};  ///< of an image
};

/// The media of a run with one name, ordered by their moments.
struct MediaMoment {
  std::int64_t epoch = 0, step = 0;  ///< 0 and 0: after the end of the run
  Medium medium;
};
struct MediaSeries {
  std::string name;
  std::vector<MediaMoment> moments;
};

/// The contents of a report. Empty parts are left out. Texts are plain text: the report escapes them.
struct ReportData {
  std::string title = {};     ///< of the run: "houses"
  std::string subtitle = {};  ///< "mlp on houses.csv, regression of medv"
  std::vector<ReportTile> tiles = {};
  Verdict verdict = {};  ///< judge(history)
  History history = {};
  std::vector<Look> looks = {};
  Metrics evaluation = {};                                      ///< on the data named by `evaluated_on`
  std::vector<std::pair<std::string, Metrics>> baselines = {};  ///< ("always no", metrics), ... on the same data
  std::string evaluated_on = {};                                ///< "test, 10,000 rows"
  std::optional<ReportConfusion> confusion = {};
  std::optional<PredictedAgainstTrue> predictions = {};
  std::vector<std::pair<std::string, double>> importance = {};  ///< importance of each feature, the highest first
  std::string importance_rows = {};       ///< the rows on which it is measured, if not all: "2,000 of 5,000"
  std::vector<WorstRow> worst = {};       ///< the rows with the highest losses, the highest first
  std::vector<PictureRow> pictures = {};  ///< "noisy", "denoised", "clean"
  std::vector<MediaSeries> media = {};
  std::string map = {}, map_note = {};                                ///< a drawing, as an <svg>, and its description
  std::vector<ParameterEntry> parameters = {};                        ///< Layout::entries
  std::string config = {};                                            ///< resolved, as TOML
  std::vector<std::pair<std::string, std::string>> environment = {};  ///< ("version", "0.1.0"), ("threads", "2"), ...
  std::vector<std::string> objectives = {};                           ///< their names; empty if there is only one
};

[[nodiscard]] std::string report_html(const ReportData& data);

}  // namespace thalweg

#pragma once
// The report of a run: one HTML file that needs nothing else.

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

/// What was taken for what, with the names of the classes.
struct ReportConfusion {
  std::vector<std::string> classes;
  Confusion counts;
};

/// One point a row, both in the target's own units.
struct PredictedAgainstTrue {
  std::string target;
  std::vector<double> truth, predicted;
};

/// Pictures beside each other, as PNG files.
struct PictureRow {
  std::string label;
  std::vector<std::vector<std::byte>> pngs;
};

/// A row that the model was most wrong about.
struct WorstRow {
  std::string place, truth, predicted;  ///< "line 17", "yes", "no (0.98)"
  double loss = 0;
};

/// What a run showed under one name, at moments in their order.
struct MediaMoment {
  std::int64_t epoch = 0, step = 0;  ///< 0 and 0: when it had ended
  Medium medium;
};
struct MediaSeries {
  std::string name;
  std::vector<MediaMoment> moments;
};

/// What a report shows. A part that is empty is left out. Texts are plain: the report escapes them.
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
  std::vector<std::pair<std::string, double>> importance = {};  ///< of each feature, the most important first
  std::string importance_rows = {};       ///< the rows that it is measured on, where they are not all: "2,000 of 5,000"
  std::vector<WorstRow> worst = {};       ///< the worst first
  std::vector<PictureRow> pictures = {};  ///< "noisy", "denoised", "clean"
  std::vector<MediaSeries> media = {};
  std::string map = {}, map_note = {};                                ///< a drawing, as an <svg>, and what it is of
  std::vector<ParameterEntry> parameters = {};                        ///< Layout::entries
  std::string config = {};                                            ///< resolved, as TOML
  std::vector<std::pair<std::string, std::string>> environment = {};  ///< ("version", "0.1.0"), ("threads", "2"), ...
  std::vector<std::string> objectives = {};                           ///< their names, where they are several
};

[[nodiscard]] std::string report_html(const ReportData& data);

}  // namespace thalweg

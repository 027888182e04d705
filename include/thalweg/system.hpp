#pragma once
// Systems: functions that are trained together to generate or to act, rather than to predict a target: an autoencoder,
// a generator and its critic. A system is a row: the command trains, resumes, reports and measures it, and asks it for
// its products.

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/data.hpp"
#include "thalweg/environment.hpp"
#include "thalweg/medium.hpp"
#include "thalweg/options.hpp"
#include "thalweg/sound.hpp"
#include "thalweg/state.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// The data that a system is made for: the form of its rows, and the number of threads.
struct SystemData {
  Shape input = {};  ///< of one row of "input"
  DType dtype = f32;
  std::vector<std::string> classes = {};  ///< the names of the labels 0, 1, ... of "target"
  std::shared_ptr<const data::Preprocessing> preprocessing = {};
  int threads = 0;
  std::vector<EnvironmentRow> environments = {};  ///< that a system can act in
};

/// The request of `thalweg generate`. It has only those options that the system's row says it takes.
struct GenerateRequest {
  std::int64_t count = 64;
  std::uint64_t seed = 1;
  std::optional<std::int64_t> label = {};  ///< --class: of this class; else of all in turn
  std::optional<double> guidance = {};     ///< --guidance: how much more than the data
  std::optional<std::int64_t> steps = {};  ///< --steps: of the sampler
  std::optional<std::string> text = {};    ///< --text: to be spoken
};

/// The products of a system.
struct Generated {
  std::vector<Medium> items = {};  ///< each a file
  std::optional<Medium> all = {};  ///< all of them in one medium
};

/// The data on which a system is measured.
struct SystemSets {
  const Dataset& train;
  const Dataset& test;
  std::string name;                     ///< of the test rows: "test", or where they are from
  std::uint64_t seed;                   ///< of the run
  const Dataset* validation = nullptr;  ///< that the run held out or was given, where there are such rows
};

/// The figures of a system, the figures of its baselines, and media to show.
struct SystemFigures {
  Metrics metrics = {};
  std::vector<std::pair<std::string, Metrics>> baselines = {};  ///< ("16 principal components", ...)
  NamedMedia media = {};
  std::string on = {};  ///< "100 episodes": what was measured, where it is not the test rows
};

/// What a system says of a text: for each thing that the text asks, answers with their probabilities, the likeliest
/// first.
using Answers = std::vector<std::vector<std::pair<std::string, double>>>;

/// How a system makes the rows that it is trained on, where it is given none.
struct OwnRows {
  Dataset like;  ///< an example of a collection's rows: their number, columns and shapes
  Collect collect;
  std::int64_t passes = 1;  ///< epochs on each collection
  std::string unit;         ///< what the rows are called: "steps"
  std::string goal = {};    ///< the metric of collections that says how good the system is; higher is better
};

/// For `thalweg play`: an environment, and a player that acts in it.
struct Playing {
  std::unique_ptr<Environment> environment;  ///< an episode of it has begun
  std::function<std::int64_t(const Environment&)> act;
};

/// A sequence to be read, and what messages call it: "words.csv, line 7".
struct SequenceSource {
  std::string text, where;
};
/// How outputs are searched for; what is empty is as the system's options say.
struct SequenceSearch {
  std::optional<std::int64_t> beam = {};      ///< beginnings that are kept; 1: the likeliest token at each place
  std::optional<double> length_penalty = {};  ///< the power of the length that a score is divided by
};
/// What was written for a source.
struct SequenceOutput {
  std::string text;
  double log_probability = 0;
};

/// A loss, and what it trains with the configured optimizer, whose slots each objective has of its own.
struct SystemObjective {
  std::string name = {};  ///< "d", "g"; may be empty where there is only one
  Objective loss;
  ObjectiveOptions options = {};
  double lr_factor = 1;  ///< of the configured rate
};

/// A system for some data. An empty function is something that the system does not do.
struct System {
  std::vector<SystemObjective> objectives;  ///< which take turns, in this order
  /// What the report shows after an epoch; `rows` are held out where the run holds some out.
  std::function<NamedMedia(const State&, const Dataset& rows)> show = {};
  std::function<SystemFigures(const State&, const SystemSets&)> evaluate = {};
  std::function<Generated(const State&, const GenerateRequest&)> generate = {};
  /// `thalweg transcribe`: the text of a sound, by a beam search of this width.
  std::function<std::string(const State&, const Sound&, std::int64_t beam)> transcribe = {};
  /// `thalweg predict`: what it says of a text, at most `count` answers to each question. Throws UsageError for a text
  /// that asks nothing.
  std::function<Answers(const State&, const std::string& text, std::int64_t count)> answer = {};
  /// `thalweg predict`: the output for each source. Throws DataError for one that cannot be read.
  std::function<std::vector<SequenceOutput>(const State&, std::span<const SequenceSource>, const SequenceSearch&)>
      write = {};
  /// A trained run whose parameters these start from; empty: as they are initialised. Throws as Trainer::load does.
  std::string start = {};
  /// Where the loss does not say how good the system is: what it reports that does; higher is better.
  std::string goal = {};
  std::optional<OwnRows> own_rows = {};
  std::function<Playing(const State&, std::uint64_t seed)> play = {};
};

/// A part of a system that a run of another system may have trained before.
struct TrainedPart {
  std::string_view option;              ///< that names the run; empty: the part starts untrained
  std::string_view kind;                ///< of system that the run must be of
  std::vector<std::string_view> sizes;  ///< options that are taken from that run
  std::string parameters;               ///< a pattern: "encoder/*"
  std::string under;                    ///< where they stand in this system: "tuned" has "tuned/encoder/..."
};

/// A row of the table of systems.
struct SystemRow {
  std::string_view name, summary, formula = {}, when = {}, source = {};
  std::vector<OptionDoc> options = {};
  std::vector<std::string_view> takes =
      {};  ///< of the options of `thalweg generate`: "class", "guidance", "steps", "text"
  /// Sections whose keys have other defaults with this system: { "optimizer", ... }, { "train", ... }.
  OptionMap defaults = {};
  std::optional<TrainedPart> part = {};
  /// The options with every default written out. Throws UsageError for invalid ones.
  std::function<OptionMap(const OptionMap&)> complete = {};
  /// Throws UsageError for data that does not suit the system.
  std::function<System(const SystemData&, const OptionMap&)> make = {};
};
[[nodiscard]] const std::vector<SystemRow>& systems();

}  // namespace thalweg

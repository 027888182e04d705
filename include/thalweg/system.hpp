#pragma once
// Systems: functions that are trained together to generate or to act, rather than to predict a target: an autoencoder,
// a generator and its critic. A system is a row of a table: the command trains, resumes, reports and measures it, and
// calls it for its products.

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

/// The data for which a system is made: the form of its rows, and the number of threads.
struct SystemData {
  Shape input = {};  ///< the shape of one row of "input"
  DType dtype = f32;
  std::vector<std::string> classes = {};  ///< the names of the labels 0, 1, ... of "target"
  std::shared_ptr<const data::Preprocessing> preprocessing = {};
  int threads = 0;
  std::vector<EnvironmentRow> environments = {};  ///< the environments in which a system can act
};

/// The request of `thalweg generate`. Only options that the system's row takes can be set.
struct GenerateRequest {
  std::int64_t count = 64;
  std::uint64_t seed = 1;
  std::optional<std::int64_t> label = {};  ///< --class: only this class; empty: all classes in turn
  std::optional<double> guidance = {};     ///< --guidance: how much to strengthen the class
  std::optional<std::int64_t> steps = {};  ///< --steps: of the sampler
  std::optional<std::string> text = {};    ///< --text: the text to speak
};

/// The products of a system.
struct Generated {
  std::vector<Medium> items = {};  ///< each is saved as a file
  std::optional<Medium> all = {};  ///< all of them in one medium
};

/// The data on which a system is measured.
struct SystemSets {
  const Dataset& train;
  const Dataset& test;
  std::string name;                     ///< of the test rows: "test", or their place
  std::uint64_t seed;                   ///< of the run
  const Dataset* validation = nullptr;  ///< rows that the run held out or was given; null if there are none
};

/// The figures of a system, the figures of its baselines, and media to show.
struct SystemFigures {
  Metrics metrics = {};
  std::vector<std::pair<std::string, Metrics>> baselines = {};  ///< ("16 principal components", ...)
  NamedMedia media = {};
  std::string on = {};  ///< "100 episodes": the measured data, if it is not the test rows
};

/// The answers of a system to a text: for each question in the text, answers with their probabilities, the likeliest
/// first.
using Answers = std::vector<std::vector<std::pair<std::string, double>>>;

/// How a system makes its own training rows, if it reads no data.
struct OwnRows {
  Dataset like;  ///< an example of a collection's rows: their number, columns and shapes
  Collect collect;
  std::int64_t passes = 1;  ///< epochs on each collection
  std::string unit;         ///< the name of the rows: "steps"
  std::string goal = {};    ///< the metric of collections that shows the quality of the system; higher is better
};

/// For `thalweg play`: an environment, and a player that acts in it.
struct Playing {
  std::unique_ptr<Environment> environment;  ///< an episode of it has begun
  std::function<std::int64_t(const Environment&)> act;
};

/// A source sequence, and its name in messages: "words.csv, line 7".
struct SequenceSource {
  std::string text, where;
};
/// Options of the search for outputs; empty ones are taken from the system's options.
struct SequenceSearch {
  std::optional<std::int64_t> beam = {};      ///< width of the beam; 1: the likeliest token at each place
  std::optional<double> length_penalty = {};  ///< a score is divided by this power of the length
};
/// The output for a source.
struct SequenceOutput {
  std::string text;
  double log_probability = 0;
};

/// A loss, and the parameters that it trains with the configured optimizer. Each objective has its own slots.
struct SystemObjective {
  std::string name = {};  ///< "d", "g"; may be empty if there is only one
  Objective loss;
  ObjectiveOptions options = {};
  double lr_factor = 1;  ///< factor of the configured rate
};

/// A system for some data. A function is empty if the system does not support it.
struct System {
  std::vector<SystemObjective> objectives;  ///< they take turns, in this order
  /// The media for the report after an epoch. `rows` are held-out rows, if the run holds some out.
  std::function<NamedMedia(const State&, const Dataset& rows)> show = {};
  std::function<SystemFigures(const State&, const SystemSets&)> evaluate = {};
  std::function<Generated(const State&, const GenerateRequest&)> generate = {};
  /// `thalweg transcribe`: the text of a sound, by a beam search of this width.
  std::function<std::string(const State&, const Sound&, std::int64_t beam)> transcribe = {};
  /// `thalweg predict`: the answers to a text, at most `count` for each question. Throws UsageError for a text without
  /// a question.
  std::function<Answers(const State&, const std::string& text, std::int64_t count)> answer = {};
  /// `thalweg predict`: the output for each source. Throws DataError for a source that cannot be read.
  std::function<std::vector<SequenceOutput>(const State&, std::span<const SequenceSource>, const SequenceSearch&)>
      write = {};
  /// A trained run, from whose parameters this system starts; empty: from initial parameters. Throws as Trainer::load
  /// does.
  std::string start = {};
  /// The name of the reported metric that shows the quality of the system, if the loss does not; higher is better.
  std::string goal = {};
  std::optional<OwnRows> own_rows = {};
  std::function<Playing(const State&, std::uint64_t seed)> play = {};
};

/// A part of a system that a run of another system may have trained before.
struct TrainedPart {
  std::string_view option;  ///< the option that names the run; if its value is empty, the part starts untrained
  std::string_view kind;    ///< the kind of system that the run must have
  std::vector<std::string_view> sizes;  ///< options that are taken from that run
  std::string parameters;               ///< a pattern: "encoder/*"
  std::string under;                    ///< their place in this system: "tuned" for "tuned/encoder/..."
};

/// A row of the table of systems.
struct SystemRow {
  std::string_view name, summary, formula = {}, when = {}, source = {};
  std::vector<OptionDoc> options = {};
  std::vector<std::string_view> takes =
      {};  ///< the options of `thalweg generate` that it takes: "class", "guidance", "steps", "text"
  /// Sections with other defaults for this system: { "optimizer", ... }, { "train", ... }.
  OptionMap defaults = {};
  std::optional<TrainedPart> part = {};
  /// The options with every default written out. Throws UsageError for invalid ones.
  std::function<OptionMap(const OptionMap&)> complete = {};
  /// Throws UsageError for data that does not suit the system.
  std::function<System(const SystemData&, const OptionMap&)> make = {};
};
[[nodiscard]] const std::vector<SystemRow>& systems();

}  // namespace thalweg

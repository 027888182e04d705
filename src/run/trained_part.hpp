#pragma once
// A part of a system that was trained by an earlier run of a system or a model. Its sizes, its words and its parameters
// are taken from that run.

#include "data/text.hpp"
#include "data/word_rows.hpp"
#include "run/config.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

/// The options of a system, completed with the sizes of the run that they name, if any. Throws UsageError for a missing
/// or unfinished run, OptionError for a run of another kind and for a size that differs from the run's.
[[nodiscard]] OptionMap with_part_sizes(const SystemRow& row, OptionMap options);

/// Copies the run's parameters into a new state. Throws as above, and UsageError if the run's words differ from those
/// of the data.
void load_part(const SystemRow& row, const OptionMap& options, const data::Preprocessing& preprocessing, State& state);

/// Throws UsageError with the key of the configuration if the folder does not exist.
void expect_run(std::string_view key, const std::string& run);

/// The kind of the system or model of a run. Throws as words_of_run does.
[[nodiscard]] std::string kind_of_run(const std::string& run);

/// The words of a run. Throws UsageError if the run does not exist or has no words.
[[nodiscard]] data::WordPreprocessing words_of_run(const std::string& run);
/// The preprocessing of texts in a run. Throws UsageError if the run does not exist or reads no texts.
[[nodiscard]] data::TextPreprocessing text_of_run(const std::string& run);

}  // namespace thalweg

#pragma once
// A part of a system that another run trained, of a system or a model: its sizes, its words and its parameters are
// taken from that run.

#include "data/text.hpp"
#include "data/word_rows.hpp"
#include "run/config.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

/// The options of a system with the sizes of the run that they name, where they name one. Throws UsageError for a run
/// that is not there or not finished, OptionError for one of another kind and for a size that differs from the run's.
[[nodiscard]] OptionMap with_part_sizes(const SystemRow& row, OptionMap options);

/// Puts the run's parameters into a state that has just begun. Throws as above, and UsageError where the run has other
/// words than the data.
void load_part(const SystemRow& row, const OptionMap& options, const data::Preprocessing& preprocessing, State& state);

/// Throws UsageError, naming the key of the configuration, where it names no folder.
void expect_run(std::string_view key, const std::string& run);

/// What a run trained: the kind of its system or model. Throws as words_of_run does.
[[nodiscard]] std::string kind_of_run(const std::string& run);

/// The words of a run. Throws UsageError for a run that is not there or has none.
[[nodiscard]] data::WordPreprocessing words_of_run(const std::string& run);
/// How a run reads texts. Throws UsageError for a run that is not there or reads none.
[[nodiscard]] data::TextPreprocessing text_of_run(const std::string& run);

}  // namespace thalweg

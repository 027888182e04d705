#pragma once
// A study: a claim of a textbook that compares two or more methods. Each method is run several times, and a rank test
// decides.

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cli/arguments.hpp"
#include "options/rows.hpp"
#include "options/toml.hpp"

namespace thalweg::cli {

/// One of the compared methods, with its results. Lower results are better.
struct StudyArm {
  std::string name;
  OptionMap options;  ///< the options for the kind of study
  std::vector<double> results = {};
  std::string note = {};  ///< the values that were chosen: "lr 0.1, the best of 13"
  /// Other measurements of each repetition, by name: shown with the results, but not tested.
  std::vector<std::pair<std::string, std::vector<double>>> beside = {};
  std::vector<double> course = {};  ///< medians for each epoch, if the kind of study has them
};

struct Study {
  std::string name;
  std::filesystem::path folder;  ///< paths in the study are relative to it
  std::string question, claim, source, kind, measure;
  std::string lower, higher;  ///< the claim: the arm `lower` has lower results than the arm `higher`
  std::string remark;         ///< a remark on what the numbers do not show
  std::int64_t repeats = 11;
  OptionMap options;  ///< for the kind of study
  std::vector<StudyArm> arms;
};

/// Reads the fields from an arm, or from its study if the arm does not have them. Throws UsageError, with study and
/// arm, for a value of another type or out of range.
void read_study_fields(const Fields& fields, const Study& study, const StudyArm& arm);

/// A kind of study: how one arm is run.
struct StudyKind {
  std::string_view name, summary;
  std::int64_t most_repeats = 10'000;
  std::vector<OptionDoc> options = {};                            ///< keys of the study or of an arm
  std::function<void(const Study&, const StudyArm&)> check = {};  ///< throws as read_study_fields does
  std::function<void(const Study&, StudyArm&, const Context&)> run = {};
};

/// A kind that has an options struct. `fields(Options&)` is found beside the struct.
template <class Options>
StudyKind study_kind(StudyKind kind, void (*run)(const Study&, StudyArm&, const Options&, const Context&)) {
  const auto read = [](const Study& study, const StudyArm& arm) {
    Options options;
    read_study_fields(fields(options), study, arm);
    return options;
  };
  kind.options = docs_of<Options>();
  kind.check = [read](const Study& study, const StudyArm& arm) { (void)read(study, arm); };
  kind.run = [read, run](const Study& study, StudyArm& arm, const Context& context) {
    run(study, arm, read(study, arm), context);
  };
  return kind;
}

/// Trainings of a configuration, with different changes in each arm.
[[nodiscard]] StudyKind training_study();
/// Optimizers on a mean over the rows of a configuration's data, in f64.
[[nodiscard]] StudyKind finite_sum_study();
[[nodiscard]] const std::vector<StudyKind>& study_kinds();

/// The configuration that a study names.
[[nodiscard]] NamedTree study_configuration(const Study& study, const std::string& config, const Context& context);

/// Throws UsageError, with the name of the file, if it is not a study.
[[nodiscard]] Study read_study(const std::filesystem::path& path);

}  // namespace thalweg::cli

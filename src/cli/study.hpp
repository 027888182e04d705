#pragma once
// A study: a claim of the textbooks about two or more ways to do a thing, each repeated, and a test of it by ranks.

#include <filesystem>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "core/error.hpp"
#include "options/toml.hpp"

namespace thalweg::cli {

/// One of the ways: what it is, and what came of it each time. Lower results are better.
struct StudyArm {
  std::string name;
  OptionMap options;  ///< what the kind of study reads
  std::vector<double> results = {};
  std::string note = {};  ///< "lr 0.1 of 13": what was chosen for it
  /// What else was measured of each repetition, by name: shown beside the results, not tested.
  std::vector<std::pair<std::string, std::vector<double>>> beside = {};
  std::vector<double> course = {};  ///< medians, epoch by epoch, where the kind of study has them
};

struct Study {
  std::string name;
  std::filesystem::path folder;  ///< that paths in it are relative to
  std::string question, claim, source, kind, measure;
  std::string lower, higher;  ///< the arms that the claim is about: the results of the first are said to be the lower
  std::string remark;         ///< what the numbers do not show
  std::int64_t repeats = 11;
  OptionMap options;  ///< of the kind
  std::vector<StudyArm> arms;
};

/// An option of an arm, or else of the study; `usual` where neither has it.
template <class T>
T study_option(const Study& study, const StudyArm& arm, const char* key, T usual) {
  for (const OptionMap* map : {&arm.options, &study.options}) {
    const auto found = map->find(key);
    if (found == map->end()) continue;
    if (const T* value = found->second.get_if<T>()) return *value;
    if constexpr (std::same_as<T, double>) {
      if (const auto* whole = found->second.get_if<std::int64_t>()) return static_cast<double>(*whole);
    }
    fail<UsageError>("[study] {}: {} = {} is of another type than wanted", study.name, key, found->second.str());
  }
  return usual;
}

/// Trainings of a configuration, each arm with changes of its own.
void run_trainings(const Study& study, StudyArm& arm, const Context& context);

/// Optimizers on a mean over the rows of a configuration's data, in f64.
void run_finite_sums(const Study& study, StudyArm& arm, const Context& context);

/// A kind of study: how one arm is run.
struct StudyKind {
  std::string_view name, summary;
  std::vector<std::string_view> options;  ///< keys of the study or of an arm
  void (*run)(const Study& study, StudyArm& arm, const Context& context);
};
[[nodiscard]] const std::vector<StudyKind>& study_kinds();

/// Throws UsageError, with the file, for what is no study.
[[nodiscard]] Study read_study(const std::filesystem::path& path);

}  // namespace thalweg::cli

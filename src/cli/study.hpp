#pragma once
// A study: a claim of the textbooks about two or more ways to do a thing, each repeated, and a test of it by ranks.

#include <filesystem>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "options/toml.hpp"

namespace thalweg::cli {

/// One of the ways: what it is, and what came of it each time. Lower results are better.
struct StudyArm {
  std::string name;
  OptionMap options;  ///< what the kind of study reads
  std::vector<double> results = {};
  std::string note = {};  ///< "lr 0.1 of 13": what was chosen for it
};

struct Study {
  std::string name;
  std::string question, claim, source, kind, measure;
  std::string lower, higher;  ///< the arms that the claim is about: the results of the first are said to be the lower
  std::string remark;         ///< what the numbers do not show
  std::int64_t repeats = 11;
  OptionMap options;  ///< of the kind
  std::vector<StudyArm> arms;
};

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

#pragma once
// What runs on texts have learned, for systems that start from them or are measured by them.

#include "data/text.hpp"
#include "thalweg/gpt.hpp"
#include "thalweg/state.hpp"
#include "thalweg/system.hpp"

namespace thalweg {

/// A finished run of a model or system that reads texts, as its file describes it.
struct TextRun {
  std::string file;  ///< its model.safetensors
  OptionMap options;
  data::TextPreprocessing text;
  std::string checksum;  ///< of its parameters, as hexadecimal digits

  /// The options of its gpt, among which may be others.
  [[nodiscard]] nn::GptOptions gpt() const;
};
/// Throws OptionError for `key` where `run` is not the folder of a finished run of this kind: "gpt", "reward".
[[nodiscard]] TextRun text_run(std::string_view key, const std::string& run, std::string_view kind);
/// The same of a run that was there when this one began. Throws DataError where it is not, or no longer has the
/// parameters with this checksum.
[[nodiscard]] TextRun text_run_as_it_was(std::string_view key, const std::string& run, std::string_view kind,
                                         const std::string& checksum);
/// Throws OptionError where a reward reads other tokens than a policy writes.
void expect_same_tokens(std::string_view system, const std::string& gpt, const TextRun& policy,
                        const std::string& reward, const TextRun& judge);

/// Throws OptionError where a reward has too few positions for texts of so many tokens.
void expect_reads(std::string_view system, const TextRun& judge, std::int64_t length);

/// The part of a system that a run of gpt has trained, which its option `gpt` names: all options of its net but dropout
/// are that run's.
[[nodiscard]] TrainedPart gpt_part(std::string under);

/// The parameters of such a run: of a net whose parameters are declared by `declare`, given tokens i32 (1, 2).
[[nodiscard]] State state_of(const TextRun& run, const std::function<Var(Scope, Var)>& declare);
/// A gpt's.
[[nodiscard]] State state_of_gpt(const TextRun& run);

/// The parameters below a name, by the rest of theirs: of "reference/norm/weight" as "norm/weight".
[[nodiscard]] State part_of(const State& state, const std::string& name);

}  // namespace thalweg

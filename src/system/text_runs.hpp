#pragma once
// Opens finished runs on texts, for systems that start from them or are measured with them.

#include "data/text.hpp"
#include "thalweg/gpt.hpp"
#include "thalweg/state.hpp"
#include "thalweg/system.hpp"

namespace thalweg {

/// A finished run of a model or system on texts, read from its file.
struct TextRun {
  std::string file;  ///< its model.safetensors
  OptionMap options;
  data::TextPreprocessing text;
  std::string checksum;  ///< checksum of its parameters, in hexadecimal digits

  /// The options of its gpt; `options` may have others too.
  [[nodiscard]] nn::GptOptions gpt() const;
};
/// Throws OptionError for `key` if `run` is not the folder of a finished run of this kind ("gpt", "reward").
[[nodiscard]] TextRun text_run(std::string_view key, const std::string& run, std::string_view kind);
/// The same for a run that was checked when this run began. Throws DataError if it is gone, or if its parameters no
/// longer have this checksum.
[[nodiscard]] TextRun text_run_as_it_was(std::string_view key, const std::string& run, std::string_view kind,
                                         const std::string& checksum);
/// Throws OptionError if a reward reads other tokens than a policy writes.
void expect_same_tokens(std::string_view system, const std::string& gpt, const TextRun& policy,
                        const std::string& reward, const TextRun& judge);

/// Throws OptionError if a reward has too few positions for texts of `length` tokens.
void expect_reads(std::string_view system, const TextRun& judge, std::int64_t length);

/// The part of a system that comes from the run of a gpt, named by the option `gpt`. All options of the net but dropout
/// are those of that run.
[[nodiscard]] TrainedPart gpt_part(std::string under);

/// The parameters of such a run, for a net whose parameters `declare` declares for tokens i32 (1, 2).
[[nodiscard]] State state_of(const TextRun& run, const std::function<Var(Scope, Var)>& declare);
/// The same for a gpt.
[[nodiscard]] State state_of_gpt(const TextRun& run);

/// The parameters below a name, with this name removed: "reference/norm/weight" becomes "norm/weight".
[[nodiscard]] State part_of(const State& state, const std::string& name);

}  // namespace thalweg

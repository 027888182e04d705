#pragma once
// The common options of the systems that tune a policy of texts.

#include <string>
#include <vector>

#include "thalweg/gpt.hpp"

namespace thalweg {

struct TunedOptions {
  nn::GptOptions net;
  std::string gpt = {}, reward = {};
  std::vector<std::string> prompts = {""};
  std::int64_t length = 64, texts = 256;
};

/// All fields: those of the net, which the run of a gpt decides, then these, with `own` among them.
[[nodiscard]] Fields tuned_fields(TunedOptions& o, std::string_view reward_doc, const Fields& own);

}  // namespace thalweg

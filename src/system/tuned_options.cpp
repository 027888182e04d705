#include "system/tuned_options.hpp"

#include <algorithm>
#include <vector>

namespace thalweg {

Fields tuned_fields(TunedOptions& o, std::string_view reward_doc, const Fields& own) {
  Fields all = nn::fields(o.net);
  std::erase_if(all, [](const Field& field) { return field.name == "dropout"; });
  const auto add = [&](const Fields& more) { all.insert(all.end(), more.begin(), more.end()); };
  add({{"gpt", &o.gpt,
        "a run of a gpt: the initial policy with its sizes and tokens, and the reference for the divergence"},
       {"reward", &o.reward, reward_doc}});
  add(own);
  add({{"prompts", &o.prompts, "prompts of the written texts, used in turn; \"\" is no prompt"},
       {"length",
        &o.length,
        "the largest number of tokens of a written text, with its prompt",
        {.low = 2, .high = 1 << 16}},
       {"texts",
        &o.texts,
        "number of texts that each policy writes for `thalweg evaluate`",
        {.low = 1, .high = 1 << 20}}});
  return all;
}

}  // namespace thalweg

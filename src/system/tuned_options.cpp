#include "system/tuned_options.hpp"

#include <algorithm>
#include <vector>

namespace thalweg {

Fields tuned_fields(TunedOptions& o, std::string_view reward_doc, const Fields& own) {
  Fields all = nn::fields(o.net);
  std::erase_if(all, [](const Field& field) { return field.name == "dropout"; });
  const auto add = [&](const Fields& more) { all.insert(all.end(), more.begin(), more.end()); };
  add({{"gpt", &o.gpt, "a run of a gpt: the policy, its sizes and its tokens, and what it is held against"},
       {"reward", &o.reward, reward_doc}});
  add(own);
  add({{"prompts", &o.prompts, "what texts that are written go on from, in turn; \"\" is nothing"},
       {"length", &o.length, "tokens of a text that is written, with its prompt, at most", {.low = 2, .high = 1 << 16}},
       {"texts", &o.texts, "that `thalweg evaluate` has each policy write", {.low = 1, .high = 1 << 20}}});
  return all;
}

}  // namespace thalweg

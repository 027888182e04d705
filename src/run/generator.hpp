#pragma once
// Generates text: one token at a time through the one-place form of a model, whose caches stay in place.

#include "core/random.hpp"
#include "engine/forward.hpp"
#include "thalweg/model.hpp"

namespace thalweg {

/// The next-token logits of a model, token after token.
class TokenStream {
 public:
  /// The model must outlive it. Throws UsageError for a model that cannot generate.
  explicit TokenStream(const Model& model);

  /// The logits (vocabulary) after the tokens so far and this one; valid until the next call. When the model's context
  /// is full, the later half of its tokens is processed again from position 0.
  std::span<const float> feed(std::int32_t token);

 private:
  void take_in(std::int32_t token);
  void empty_caches();

  const Model::Parts& parts_;
  std::int64_t context_;
  std::vector<std::int32_t> seen_;  // since the caches were empty
  std::vector<Block> state_;
  std::vector<float> logits_;
  std::int32_t token_ = 0, position_ = 0;
  std::optional<ForwardProgram> program_;
  std::vector<const std::byte*> inputs_;  // the token, its position, and the caches
  Block arena_;
  Workers alone_{1};
};

/// Draws a token from softmax(logits / temperature), limited to the top_k most probable tokens, and among these to the
/// smallest set with a probability of at least top_p. The draw depends only on the logits, the options and the place.
[[nodiscard]] std::int32_t draw_token(std::span<const float> logits, const GenerateOptions& options,
                                      std::int64_t place);

}  // namespace thalweg

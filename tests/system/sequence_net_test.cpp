// The net of the system `sequences`: decoding token by token agrees with decoding all at once, padding changes nothing,
// and edit distances in a graph agree with those of the host.

#include "system/sequence_net.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "core/random.hpp"
#include "evaluate.hpp"
#include "thalweg/apply.hpp"
#include "thalweg/edit_distance.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/train.hpp"

namespace thalweg {
namespace {

/// Random tokens from 1 to `tokens` - 1; each row has another length and is padded with zeros.
Tensor drawn(std::int64_t rows, std::int64_t width, std::int64_t tokens, std::uint64_t seed) {
  Tensor all({rows, width}, i32);
  const RandomKey key = RandomKey{seed}.fold("tokens");
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto length = static_cast<std::int64_t>(random_unit(key.fold("length"), static_cast<std::uint64_t>(row)) *
                                                  static_cast<double>(width + 1));
    for (std::int64_t i = 0; i < length; ++i)
      all.set(row * width + i, 1 + std::floor(random_unit(key, static_cast<std::uint64_t>(row * width + i)) *
                                              static_cast<double>(tokens - 1)));
  }
  return all;
}

std::vector<std::int32_t> tokens_of(const Tensor& rows, std::int64_t row) {
  const std::int64_t width = rows.shape()[1];
  std::vector<std::int32_t> tokens;
  for (std::int64_t i = row * width; i < (row + 1) * width && rows.at(i) != 0; ++i)
    tokens.push_back(static_cast<std::int32_t>(rows.at(i)));
  return tokens;
}

TEST(EditDistances, AgreeWithThoseOfTheHost) {
  for (const std::int64_t tokens : {2, 3, 6}) {
    const Tensor written = drawn(60, 7, tokens, 1), targets = drawn(60, 5, tokens, 2);
    const Tensor found = evaluate([](const std::vector<Var>& x) { return std::vector{edit_distances(x[0], x[1])}; },
                                  {written, targets})[0];
    for (std::int64_t row = 0; row < 60; ++row)
      EXPECT_EQ(found.at(row), static_cast<double>(edits(tokens_of(written, row), tokens_of(targets, row)).errors()));
  }
}

TEST(PlacesThatCount, EndAfterTheFirstZero) {
  const Tensor tokens = Tensor::from(std::vector<std::int32_t>{3, 1, 0, 0, 0, 0, 0, 0}, {2, 4});
  const auto found = evaluate(
      [](const std::vector<Var>& x) {
        return std::vector{places_that_count(x[0]), shifted(x[0])};
      },
      {tokens});
  const std::vector<double> counts = {1, 1, 1, 0, 1, 0, 0, 0}, before = {0, 3, 1, 0, 0, 0, 0, 0};
  for (std::int64_t i = 0; i < 8; ++i) {
    EXPECT_EQ(found[0].at(i), counts[static_cast<std::size_t>(i)]) << i;
    EXPECT_EQ(found[1].at(i), before[static_cast<std::size_t>(i)]) << i;
  }
}

class Net : public ::testing::Test {
 protected:
  const SequenceNet net{{.width = 12, .encoder_layers = 2, .decoder_layers = 2, .heads = 3, .dropout = 0}, 5, 4};
  const Tensor input = Tensor::from(std::vector<std::int32_t>{1, 2, 3, 4, 2, 2, 0, 0, 4, 0, 0, 0}, {3, 4});
  const Tensor length = Tensor::of({4, 2, 1});
  const Tensor target = Tensor::from(std::vector<std::int32_t>{3, 2, 1, 0, 0, 1, 1, 1, 2, 0, 2, 0, 0, 0, 0}, {3, 5});

  State state_of() const {
    TrainStep step(
        [this](Scope s, const Batch& b) {
          SequenceNet::Memory memory = net.encode(s, b["input"], b["length"]);
          return Loss::of_samples(
              mean(cross_entropy_with_labels(net.decode(s, memory, shifted(b["target"])), b["target"]), -1));
        },
        optim::sgd({.lr = 0.1}));
    Dataset rows;
    rows.set("input", input);
    rows.set("length", length);
    rows.set("target", target);
    return step.init(rows, 3);
  }
  const State state = state_of();
};

/// Decoding one token at a time with a carried state gives the logits of all tokens at once.
TEST_F(Net, DecodesTokenByTokenAsAllAtOnce) {
  const Apply both([this](Scope s, const Batch& b) {
    SequenceNet::Memory memory = net.encode(s, b["input"], b["length"]), steps = memory;
    const Var before = shifted(b["target"]), whole = net.decode(s, memory, before);
    std::vector<Var> parts;
    for (std::int64_t t = 0; t < before.dim(1); ++t) parts.push_back(net.decode(s, steps, slice(before, t, t + 1, 1)));
    return NamedVars{{"whole", whole}, {"parts", concat(parts, 1)}};
  });
  const NamedTensors found = both.all(state, {{"input", input}, {"length", length}, {"target", target}});
  for (std::int64_t i = 0; i < found[0].second.size(); ++i)
    EXPECT_NEAR(found[0].second.at(i), found[1].second.at(i), 2e-6);
}

TEST_F(Net, PaddingOfASourceChangesNothing) {
  const Apply logits([this](Scope s, const Batch& b) {
    SequenceNet::Memory memory = net.encode(s, b["input"], b["length"]);
    return net.decode(s, memory, shifted(b["target"]));
  });
  const Tensor together = logits(state, {{"input", input}, {"length", length}, {"target", target}});
  for (std::int64_t row = 0; row < 3; ++row) {
    const auto own = static_cast<std::int64_t>(length.at(row));
    const Tensor alone = logits(
        state,
        {{"input",
          Tensor::from(input.rows(row, row + 1).values<std::int32_t>().first(static_cast<std::size_t>(own)), {1, own})},
         {"length", length.rows(row, row + 1)},
         {"target", target.rows(row, row + 1)}});
    const Tensor same = together.rows(row, row + 1);
    for (std::int64_t i = 0; i < same.size(); ++i) EXPECT_NEAR(alone.at(i), same.at(i), 2e-6) << row;
  }
}

/// Each written token is the likeliest one after the tokens before it, and nothing follows an end.
TEST_F(Net, WritesTheLikeliestTokenEachTime) {
  const Apply written([this](Scope s, const Batch& b) {
    const SequenceNet::Memory memory = net.encode(s, b["input"], b["length"]);
    const Var tokens = net.write(s, memory, 6, [](const Var& logits, std::int64_t) { return argmax(logits); });
    SequenceNet::Memory again = memory;
    return NamedVars{{"tokens", tokens}, {"likeliest", argmax(net.decode(s, again, shifted(tokens)))}};
  });
  const NamedTensors found = written.all(state, {{"input", input}, {"length", length}});
  for (std::int64_t row = 0; row < 3; ++row) {
    bool ended = false;
    for (std::int64_t i = row * 6; i < (row + 1) * 6; ++i) {
      EXPECT_EQ(found[0].second.at(i), ended ? 0 : found[1].second.at(i));
      ended = ended || found[0].second.at(i) == 0;
    }
  }
}

}  // namespace
}  // namespace thalweg

// Language models in the command: trained, and used to generate text.

#include "command.hpp"

#include <cmath>
#include <filesystem>

#include "run/generator.hpp"
#include "run/model_parts.hpp"
#include "thalweg/model.hpp"

namespace thalweg::testing {
namespace {

class Language : public CommandTest {
 protected:
  std::string configuration(const std::string& data, const std::string& model) const {
    return "[data]\nformat = \"text\"\ntrain = \"text.txt\"\nsequence_length = 24\n" + data + "[model]\n" + model +
           "[train]\nepochs = 10\nbatch_size = 16\n";
  }
  void write_text() const {
    std::string text;
    for (int i = 0; i < 300; ++i) text += "the whale and the sea, " + std::to_string(i % 10) + " times; ";
    write("text.txt", text);
  }
  void train(const std::string& data, const std::string& model) const {
    write_text();
    write("text.toml", configuration(data, model));
    const Ran ran = run("train text.toml --quiet");
    ASSERT_EQ(ran.code, 0) << ran.err;
  }
};

const char* const small_gpt = "kind = \"gpt\"\nlayers = 2\nwidth = 32\nheads = 2\ncontext = 24\n";
const char* const small_lstm = "kind = \"lstm\"\nlayers = 1\nwidth = 32\n";

TEST_F(Language, ATextIsLearnedAndContinued) {
  train("", small_gpt);
  const nlohmann::json measured = run("evaluate runs/text --json").json();
  EXPECT_LT(measured["loss"].get<double>(), 2);  // 5.5 = log 256 if all bytes were equally likely
  EXPECT_NEAR(measured["bits_per_byte"].get<double>(), measured["loss"].get<double>() / std::log(2.0), 1e-9);
  const Ran first = run("generate runs/text --prompt 'the ' --tokens 60 --temperature 0.5");
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(first.out.size(), 4U + 60 + 1);
  EXPECT_TRUE(first.out.starts_with("the "));
  EXPECT_EQ(run("generate runs/text --prompt 'the ' --tokens 60 --temperature 0.5").out, first.out);
  EXPECT_NE(run("generate runs/text --prompt 'the ' --tokens 60 --seed 2").out,
            run("generate runs/text --prompt 'the ' --tokens 60 --seed 3").out);
  EXPECT_EQ(run("generate runs/text --tokens 5 --temperature 0 --json").json()["prompt"], "");
}

TEST_F(Language, EveryTokenizerTrainsAndIsSavedWithTheModel) {
  for (const std::string tokenizer : {"characters", "bpe"}) {
    train("tokenizer = \"" + tokenizer + "\"\nvocabulary_size = 270\n", small_lstm);
    const Ran ran = run("generate runs/latest --prompt 'the whale' --tokens 10 --top-k 3 --top-p 0.9");
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_TRUE(ran.out.starts_with("the whale"));
    EXPECT_GT(run("evaluate runs/latest --json").json()["bits_per_byte"].get<double>(), 0);
  }
}

/// Compares the logits of the whole window with those of the model that is given one token at a time.
void expect_same_logits(const std::filesystem::path& run) {
  const Model model = Model::load(run);
  std::vector<std::int32_t> tokens;
  for (int i = 0; i < 24; ++i) tokens.push_back(static_cast<unsigned char>("the sea and a whale, 7 times"[i]));
  const Tensor probabilities = model.predict_encoded(Tensor::from(tokens, {1, 24}));
  TokenStream stream(model);
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const auto logits = stream.feed(tokens[t]);
    double largest = logits[0], total = 0;
    for (const float x : logits) largest = std::max(largest, static_cast<double>(x));
    for (const float x : logits) total += std::exp(static_cast<double>(x) - largest);
    for (std::size_t k = 0; k < logits.size(); ++k) {
      const double p = probabilities.at(static_cast<std::int64_t>(t * logits.size() + k));
      if (p < 1e-6) continue;  // its logarithm is not accurate
      EXPECT_NEAR(static_cast<double>(logits[k]) - largest - std::log(total), std::log(p),
                  1e-5 * (1 + std::abs(std::log(p))))
          << "place " << t << ", token " << k;
    }
  }
}

TEST_F(Language, TheCacheGivesTheLogitsOfTheWholeModel) {
  for (const std::string& model :
       {std::string(small_gpt), small_gpt + std::string("positions = \"rotary\"\nfeed_forward = \"swiglu\"\n"),
        small_gpt + std::string("positions = \"sinusoidal\"\ntied = false\n"), std::string(small_lstm)}) {
    SCOPED_TRACE(model);
    train("", model);
    expect_same_logits(path("runs/latest"));
  }
}

TEST_F(Language, WritingGoesOnBeyondTheContext) {
  train("", small_gpt);
  EXPECT_EQ(run("generate runs/text --prompt 'the whale' --tokens 100").out.size(), 9U + 100 + 1);
}

TEST_F(Language, InvalidRequestsAreRefused) {
  write("text.txt", "short");
  write("text.toml", configuration("", small_gpt));
  const Ran short_text = run("train text.toml");
  EXPECT_EQ(short_text.code, 3);
  EXPECT_NE(short_text.err.find("sequence_length = 24"), std::string::npos) << short_text.err;
  write("text.toml", configuration("tokenizer = \"words\"\n", small_gpt));
  EXPECT_NE(run("train text.toml").err.find("tokenizer"), std::string::npos);
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet").code, 0);
  const Ran table = run("generate runs/t --prompt x");
  EXPECT_EQ(table.code, 2);
  EXPECT_NE(table.err.find("does not write text"), std::string::npos) << table.err;
  EXPECT_EQ(run("generate runs/t --top-p 2").code, 2);
}

TEST(DrawToken, FollowsTheProbabilitiesAndItsOptions) {
  const std::vector<float> logits = {std::log(0.5F), std::log(0.1F), std::log(0.4F)};
  std::vector<int> counts(3);
  for (int i = 0; i < 4000; ++i) ++counts[static_cast<std::size_t>(draw_token(logits, {}, i))];
  EXPECT_NEAR(counts[0], 2000, 150);
  EXPECT_NEAR(counts[1], 400, 90);
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(draw_token(logits, {.temperature = 0}, i), 0);
    EXPECT_EQ(draw_token(logits, {.top_k = 1}, i), 0);
    EXPECT_EQ(draw_token(logits, {.top_p = 0.45}, i), 0);
    EXPECT_NE(draw_token(logits, {.top_p = 0.85}, i), 1);
    EXPECT_NE(draw_token(logits, {.top_k = 2}, i), 1);
  }
}

}  // namespace
}  // namespace thalweg::testing

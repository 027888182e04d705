// Word vectors of an embedding: the nearest words, and multiple-choice questions about synonyms.
#include <gtest/gtest.h>

#include "run/embeddings.hpp"
#include "temporary_folder.hpp"
#include "thalweg/error.hpp"

namespace thalweg {
namespace {

class WordSpaceTest : public testing::TemporaryFolderTest {
 protected:
  // vectors of different lengths at angles of 0, 30, 60, 90 and 180 degrees; "still" is 0
  WordSpace space = {
      {{"east", "tilted", "steep", "north", "west", "still"}, {9, 8, 7, 6, 5, 4}},
      Tensor::of({2.F, 0.F, 0.8660254F, 0.5F, 1.5F, 2.5980762F, 0.F, 1.F, -3.F, 0.F, 0.F, 0.F}).reshape({6, 2})};
};

TEST_F(WordSpaceTest, TheNearestHaveTheLargestCosine) {
  const auto near = space.neighbours("East", 3);
  ASSERT_EQ(near.size(), 3u);
  EXPECT_EQ(near[0].word, "tilted");
  EXPECT_NEAR(near[0].cosine, 0.8660254, 1e-6);
  EXPECT_EQ(near[1].word, "steep");
  EXPECT_NEAR(near[1].cosine, 0.5, 1e-6);
  EXPECT_EQ(near[2].word, "north");
  EXPECT_EQ(space.neighbours("east", 100).size(), 5u);
  EXPECT_EQ(space.neighbours("east", 100).back().word, "west");
}

TEST_F(WordSpaceTest, AnUnknownWordIsNamedWithSimilarSpellings) {
  try {
    (void)space.neighbours("nort", 3);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "[neighbours] there is no word 'nort' among 6. Hint: similar words are north.");
  }
  EXPECT_THROW((void)space.neighbours("two words", 3), UsageError);
  EXPECT_THROW((void)space.neighbours("...", 3), UsageError);
}

TEST_F(WordSpaceTest, TheAnswerIsTheNearestChoiceAndTiesCountInParts) {
  write("q.csv",
        "word,answer,other1,other2\n"
        "east,tilted,north,west\n"    // right
        "east,west,tilted,north\n"    // wrong
        "north,east,west,east\n"      // a tie of three
        "east,tilted,north,absent\n"  // not answered
  );
  const ChoiceFigures figures = answer_choices(space, path("q.csv"));
  EXPECT_EQ(figures.questions, 4);
  EXPECT_EQ(figures.answered, 3);
  EXPECT_NEAR(figures.right, (1 + 1.0 / 3) / 3, 1e-12);
  EXPECT_NEAR(figures.chance, 1.0 / 3, 1e-12);
}

TEST_F(WordSpaceTest, TablesWithoutQuestionsAreRefused) {
  write("a.csv", "word,other1\na,b\n");
  EXPECT_THROW((void)answer_choices(space, path("a.csv")), DataError);
  write("b.csv", "word,answer,other1\n");
  EXPECT_THROW((void)answer_choices(space, path("b.csv")), DataError);
}

}  // namespace
}  // namespace thalweg

// The reader of pairs of texts: groups of rows are held out as a whole.

#include <gtest/gtest.h>

#include <set>

#include "data/preferences.hpp"
#include "options/toml.hpp"
#include "run/config.hpp"
#include "run/reader.hpp"
#include "temporary_folder.hpp"

namespace thalweg {
namespace {

class PreferenceReader : public testing::TemporaryFolderTest {
 protected:
  /// Writes forty pairs in `groups` alternating groups; the texts name their group.
  void write_pairs(int groups) const {
    std::string pairs = "first,first_score,second,second_score,product\n";
    for (int i = 0; i < 40; ++i) {
      const std::string group = std::to_string(i % groups);
      pairs += "good " + group + " " + std::to_string(i) + ",2,bad " + group + ",1," + group + "\n";
    }
    write("p.csv", pairs);
  }
  [[nodiscard]] Parts parts(std::uint64_t seed, const std::string& more = "group = \"product\"\n") const {
    const std::string section =
        "[data]\nformat = \"preferences\"\ntrain = \"p.csv\"\nvalidation = 0.3\nsequence_length = 32\n";
    const DataOptions options = read_data_options(parse_toml(section + more, "c.toml"), path());
    return reader_named("preferences").read(options)->parts(seed);
  }
  static std::set<std::string> groups_of(const Dataset& rows) {
    std::set<std::string> groups;
    for (std::int64_t row = 0; row < rows.rows(); ++row) {
      const std::string text = data::text_at(rows["rejected_text"], row);
      groups.insert(text.substr(text.rfind(' ') + 1));
    }
    return groups;
  }
};

TEST_F(PreferenceReader, AGroupIsTrainedOnOrHeldOutAsAWhole) {
  write_pairs(10);
  std::set<std::set<std::string>> held_out;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Parts drawn = parts(seed);
    ASSERT_TRUE(drawn.validation.has_value());
    EXPECT_EQ(drawn.train.rows() + drawn.validation->rows(), 40);
    EXPECT_EQ(drawn.validation->rows(), 12) << "three groups of ten";
    const std::set<std::string> train = groups_of(drawn.train), validation = groups_of(*drawn.validation);
    EXPECT_EQ(train.size() + validation.size(), 10U);
    for (const std::string& group : validation) EXPECT_EQ(train.count(group), 0U) << group;
    held_out.insert(validation);
  }
  EXPECT_GT(held_out.size(), 1U) << "the seed chooses the groups";
}

TEST_F(PreferenceReader, WithoutGroupsRowsAreHeldOutOneByOne) {
  write_pairs(2);
  const Parts drawn = parts(1, "");
  EXPECT_EQ(drawn.validation->rows(), 12);
  EXPECT_EQ(groups_of(drawn.train).size(), 2U);
  EXPECT_EQ(groups_of(*drawn.validation).size(), 2U);
}

TEST_F(PreferenceReader, OneGroupCannotBeDivided) {
  write_pairs(1);
  EXPECT_THROW((void)parts(1), DataError);
}

}  // namespace
}  // namespace thalweg

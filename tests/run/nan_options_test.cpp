// Every numeric option of every table refuses NaN.

#include <gtest/gtest.h>

#include <algorithm>

#include <limits>

#include "thalweg/error.hpp"
#include "thalweg/layers.hpp"
#include "thalweg/registry.hpp"
#include "thalweg/train.hpp"

namespace thalweg {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

bool is_length_of_training(const std::string& text) {
  try {
    (void)Duration(text);
    return true;
  } catch (const UsageError&) {
    return false;
  }
}

/// NaN in each form that the option may have: a number, a list of numbers, a duration.
std::vector<OptionValue> forms_of(const OptionDoc& option) {
  const OptionValue& initial = option.initial;
  if (initial.holds<double>() || initial.holds<std::int64_t>()) return {{none}};
  if (initial.holds<OptionList>()) return {{none}, {OptionList{{none}}}};
  if (const auto* text = initial.get_if<std::string>(); text && is_length_of_training(*text))
    return {{"nan epochs"}, {none}};
  return {};
}

/// Checks all numeric options of the rows, and returns their number.
template <class Rows, class Make>
int expect_refused(const Rows& rows, const Make& make) {
  int count = 0;
  for (const auto& row : rows) {
    for (const OptionDoc& option : row.options) {
      for (const OptionValue& value : forms_of(option)) {
        ++count;
        try {
          OptionMap options{{"lr", {0.1}}};  // methods without a default rate would complain about a missing rate first
          if (std::ranges::find(row.options, "lr", &OptionDoc::name) == row.options.end()) options.clear();
          options[option.name] = value;
          (void)make(row, options);
          ADD_FAILURE() << row.name << "." << option.name << " accepts NaN";
        } catch (const UsageError& error) {
          EXPECT_NE(std::string(error.what()).find(option.name), std::string::npos) << error.what();
        }
      }
    }
  }
  return count;
}

TEST(NotANumber, IsRefusedByEveryNumericOption) {
  const Registry all = registry();
  const auto plain = [](const auto& row, const OptionMap& options) { return row.make(options); };
  EXPECT_GT(expect_refused(all.optimizers(), plain), 50);
  EXPECT_GT(expect_refused(all.schedules(), plain), 20);
  EXPECT_GT(expect_refused(all.losses(), plain), 10);
  EXPECT_GT(
      expect_refused(all.models(), [](const auto& row, const OptionMap& options) { return row.make(2, options); }), 10);
  EXPECT_GT(expect_refused(nn::layers(), plain), 20);
}

}  // namespace
}  // namespace thalweg

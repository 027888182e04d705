#include "data/number_form.hpp"

#include <gtest/gtest.h>

namespace thalweg::data {
namespace {

constexpr NumberForm comma{',', '\0', false}, thousands{'.', ',', false}, dots{',', '.', false},
    blanks{'.', ' ', false}, percent{'.', '\0', true};

TEST(NumberForm, ACellInAnotherFormIsReported) {
  const NumberForm plain;
  EXPECT_EQ(why_no_number("5,0", percent), "a number in another form than the column's (percent, 12.5% is 12.5)");
  EXPECT_EQ(why_no_number("5", percent), "a number in another form than the column's (percent, 12.5% is 12.5)");
  EXPECT_EQ(why_no_number("five", percent), "not a finite number (percent, 12.5% is 12.5)");
  EXPECT_EQ(why_no_number("5,0", plain), "a number in another form (decimal commas, 1234,5 is 1234.5)");
  EXPECT_EQ(why_no_number("5%", plain), "a number in another form (percent, 12.5% is 12.5)");
  EXPECT_EQ(why_no_number("inf", plain), "not a finite number");
}

TEST(NumberForm, ReadsWhatItsFormAllows) {
  EXPECT_EQ(number_in("-0,4323", comma), -0.4323);
  EXPECT_EQ(number_in("1234", comma), 1234.0);
  EXPECT_EQ(number_in("1,5e-3", comma), 1.5e-3);
  EXPECT_EQ(number_in("3,161", thousands), 3161.0);
  EXPECT_EQ(number_in("-1,234,567.25", thousands), -1234567.25);
  EXPECT_EQ(number_in("1.234.567,25", dots), 1234567.25);
  EXPECT_EQ(number_in("12 345.5", blanks), 12345.5);
  EXPECT_EQ(number_in("12\u00a0345", blanks), 12345.0);
  EXPECT_EQ(number_in("12\u202f345", blanks), 12345.0);
  EXPECT_EQ(number_in("12'345", blanks), 12345.0);
  EXPECT_EQ(number_in("-0.4323%", percent), -0.4323);
  EXPECT_EQ(number_in(" 12 % ", percent), 12.0);
}

TEST(NumberForm, IsDescribedByAnExample) {
  EXPECT_EQ(described({'.', ' ', false}), "thousands, 1 234.5 or 1'234.5 is 1234.5");
  EXPECT_EQ(described({',', '.', false}), "thousands, 1.234,5 is 1234.5");
}

TEST(NumberForm, RefusesOtherForms) {
  for (const char* cell : {"1.5", "1,2,3", ",", "", "-", "1,5x", "1 234", "nan", "--1,5"})
    EXPECT_EQ(number_in(cell, comma), std::nullopt) << cell;
  EXPECT_EQ(number_in("1,", comma), 1.0);  // as "1." is
  for (const char* cell : {"12,34", "1234,567", "1,2345", ",123", "1,234,56", "1.234,5", "1,,234", "1,234,"}) {
    EXPECT_EQ(number_in(cell, thousands), std::nullopt) << cell;
  }
  for (const char* cell : {"5", "%", "5%%", "a%"}) EXPECT_EQ(number_in(cell, percent), std::nullopt) << cell;
}

TEST(NumberForm, OneNumberHasOneCanonicalText) {
  for (const char* text : {"1.50", "+1.5", "15e-1", "001.5", "0.15E1"}) {
    EXPECT_EQ(canonical_number(text), canonical_number("1.5")) << text;
  }
  for (const char* zero : {"0", "-0", "0.00", "0e9"}) EXPECT_EQ(canonical_number(zero), "0") << zero;
  EXPECT_NE(canonical_number("9007199254740992"), canonical_number("9007199254740993"));
  EXPECT_NE(canonical_number("-1"), canonical_number("1"));
  for (const char* none : {"", "x", "1,5", "1 2", "inf", "-inf", "nan"})
    EXPECT_EQ(canonical_number(none), std::nullopt) << none;
}

}  // namespace
}  // namespace thalweg::data

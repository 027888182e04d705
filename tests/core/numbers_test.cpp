#include "core/numbers.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace thalweg {
namespace {

TEST(Numbers, ThousandsAreSeparated) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(54000), "54,000");
  EXPECT_EQ(with_commas(-1234567), "-1,234,567");
  EXPECT_EQ(with_commas(std::numeric_limits<std::int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(Numbers, ExponentsHaveNoPlusAndNoLeadingZeros) {
  EXPECT_EQ(number_text(1e-8), "1e-8");
  EXPECT_EQ(number_text(2.5e34), "2.5e34");
  EXPECT_EQ(number_text(1e-100), "1e-100");
  EXPECT_EQ(number_text(0.25), "0.25");
  EXPECT_EQ(number_text(-0.0), "0");
  EXPECT_EQ(number_text(1234567, 4), "1.235e6");
  EXPECT_EQ(number_text(std::numeric_limits<double>::quiet_NaN()), "nan");
}

TEST(Numbers, AFigureHasFourDigitsAndNanIsADash) {
  EXPECT_EQ(figure(0.312684), "0.3127");
  EXPECT_EQ(figure(12345.6), "12,346");
  EXPECT_EQ(figure(3e-5), "3e-5");
  EXPECT_EQ(figure(4e12), "4e12");
  EXPECT_EQ(figure(std::numeric_limits<double>::quiet_NaN()), "-");
}

TEST(Numbers, PartsDurationsAndBytes) {
  EXPECT_EQ(percent_text(0.041), "4.1 %");
  EXPECT_EQ(percent_text(0.37), "37 %");
  EXPECT_EQ(percent_text(1e-5), "less than 0.1 %");
  EXPECT_EQ(percent_text(0), "0.0 %");
  EXPECT_EQ(duration_text(0.42), "0.4 s");
  EXPECT_EQ(duration_text(200), "3 min 20 s");
  EXPECT_EQ(duration_text(7500), "2 h 5 min");
  EXPECT_EQ(bytes_text(1234567), "1.2 MB");
}

}  // namespace
}  // namespace thalweg

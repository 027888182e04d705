#include "data/date.hpp"

#include <gtest/gtest.h>

namespace thalweg::data {
namespace {

constexpr DateOrder ymd = DateOrder::year_month_day, dmy = DateOrder::day_month_year, mdy = DateOrder::month_day_year;

TEST(Date, IsDaysSinceTheEpoch) {
  EXPECT_EQ(days_in("1970-01-01", ymd), 0.0);
  EXPECT_EQ(days_in("2000-03-01", ymd), 11017.0);
  EXPECT_EQ(days_in("1969-12-31", ymd), -1.0);
  EXPECT_EQ(days_in("2000/3/1", ymd), 11017.0);
  EXPECT_EQ(days_in("1.3.2000", dmy), 11017.0);
  EXPECT_EQ(days_in("3/1/2000", mdy), 11017.0);
  EXPECT_EQ(days_in("2000-03-01T12:00", ymd), 11017.5);
  EXPECT_EQ(days_in("2000-03-01 06:00:00.0", ymd), 11017.25);
  EXPECT_EQ(days_in("2000-03-01T12:00:00Z", ymd), 11017.5);
  EXPECT_EQ(days_in("2000-03-01T12:00:00+06:00", ymd), 11017.25);
  EXPECT_EQ(days_in("2000-03-01T12:00:00-0600", ymd), 11017.75);
}

TEST(Date, InvalidDatesAreRefused) {
  for (const char* cell :
       {"", "2000", "2000-13-01", "2001-02-29", "2000-01", "2000-1-1x", "2000-01/01", "20000-01-01", "2000-01-01 25:00",
        "2000-01-01 12", "2000-01-01 12:61", "2000-01-01T12:00+99:00", "-1-1-1"}) {
    EXPECT_EQ(days_in(cell, ymd), std::nullopt) << cell;
  }
  EXPECT_EQ(days_in("13/1/2000", mdy), std::nullopt);
  EXPECT_EQ(days_in("1/13/2000", dmy), std::nullopt);
  EXPECT_EQ(days_in("1/1/20", dmy), std::nullopt) << "the century is unknown";
  EXPECT_EQ(days_in("2000-01-01", dmy), std::nullopt);
}

TEST(Date, HasItsPlaceInYearWeekAndDay) {
  const CalendarParts monday = calendar_parts(*days_in("2024-01-01", ymd));
  EXPECT_EQ(monday.year, 0);
  EXPECT_EQ(monday.week, 0);
  EXPECT_EQ(monday.day, 0);
  const CalendarParts noon = calendar_parts(*days_in("2024-07-02 12:00", ymd));
  EXPECT_DOUBLE_EQ(noon.year, 183.5 / 366);
  EXPECT_DOUBLE_EQ(noon.week, 1.5 / 7);
  EXPECT_EQ(noon.day, 0.5);
  EXPECT_EQ(calendar_parts(1e300).year, 0) << "out of the range of the calendar";
}

}  // namespace
}  // namespace thalweg::data

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
  EXPECT_EQ(days_in("1/1/5", dmy), std::nullopt) << "a year has two or four digits";
  EXPECT_EQ(days_in("2000-01-01", dmy), std::nullopt);
}

TEST(Date, YearsOfTwoDigitsAreFrom1969To2068) {
  EXPECT_EQ(days_in("1/3/00", dmy), 11017.0);
  EXPECT_EQ(days_in("03/01/00", mdy), 11017.0);
  EXPECT_EQ(days_in("1.3.00 12:00", dmy), 11017.5);
  EXPECT_EQ(days_in("00-03-01", ymd), 11017.0);
  EXPECT_EQ(days_in("31.12.69", dmy), days_in("1969-12-31", ymd));
  EXPECT_EQ(days_in("31.12.68", dmy), days_in("2068-12-31", ymd));
  EXPECT_TRUE(has_short_year("1/3/00", dmy));
  EXPECT_FALSE(has_short_year("1/3/2000", dmy));
}

TEST(Date, MonthsMayHaveNames) {
  for (const char* cell : {"1 Mar 2000", "1-Mar-00", "01-MAR-2000", "1. March 2000", "1st March, 2000", "1 mar. 2000",
                           "1/Mar/2000", "01MAR2000", "Wed, 01 Mar 2000", "Wednesday 1 March 2000"})
    EXPECT_EQ(days_in(cell, dmy), 11017.0) << cell;
  for (const char* cell : {"Mar 1, 2000", "March 1st, 2000", "Mar. 1, 2000", "Mar-01-00", "Wed Mar 1 2000"})
    EXPECT_EQ(days_in(cell, mdy), 11017.0) << cell;
  EXPECT_EQ(days_in("2000-Mar-01", ymd), 11017.0);
  for (const char* cell : {"1 Ma 2000", "1 Marx 2000", "32 Mar 2000", "1 Mar", "Mar 2000", "1 March 200",
                           "1 Mar 2000 x", "Mar 1, 2000", "00-Mar-01 12"})
    EXPECT_EQ(days_in(cell, dmy), std::nullopt) << cell;
  EXPECT_EQ(days_in("00-Mar-01", ymd), std::nullopt) << "a name follows a year of four digits, or a day";
}

TEST(Date, TimesMayBeOfHalfADayOrWithAZone) {
  EXPECT_EQ(days_in("3/1/2000 12:00 PM", mdy), 11017.5);
  EXPECT_EQ(days_in("3/1/2000 12:00:00 am", mdy), 11017.0);
  EXPECT_EQ(days_in("3/1/2000 6:00pm", mdy), 11017.75);
  EXPECT_EQ(days_in("Mar 1, 2000, 6:00 AM", mdy), 11017.25);
  EXPECT_EQ(days_in("2000-03-01 12:00:00 UTC", ymd), 11017.5);
  EXPECT_EQ(days_in("Wed, 01 Mar 2000 12:00:00 GMT", dmy), 11017.5);
  EXPECT_EQ(days_in("01/Mar/2000:12:00:00 +0600", dmy), 11017.25);
  EXPECT_EQ(days_in("20000301", ymd), 11017.0);
  EXPECT_EQ(days_in("20000301 12:00", ymd), 11017.5);
  for (const char* cell : {"3/1/2000 13:00 PM", "3/1/2000 0:30 AM", "3/1/2000 12 PM", "3/1/2000 12:00 XM"})
    EXPECT_EQ(days_in(cell, mdy), std::nullopt) << cell;
  for (const char* cell : {"2000030", "200003011", "20001301"}) EXPECT_EQ(days_in(cell, ymd), std::nullopt) << cell;
}

TEST(Date, WhatAPersonWouldTakeForOneLooksLikeIt) {
  for (const char* cell : {"2020-01-31", "31/12/21", "2020/31/01", "Jan 2020", "2020-01", "01/2020", "12:30", "7:05 PM",
                           "31. Januar 2020", "8 de marzo de 2020", "Wed Jan 08 00:37:00 2020", "2020-01-31 (est.)"})
    EXPECT_TRUE(looks_like_date(cell)) << cell;
  for (const char* cell : {"", "May", "12", "2020", "3:1", "1.2.3.4", "3.10.2", "555-0001", "12-17", "A12", "3.5 kg",
                           "Mark 5", "10 x 20", "2020Q1", "seen on 2020-01-31 by three people and a dog, at noon"})
    EXPECT_FALSE(looks_like_date(cell)) << cell;
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

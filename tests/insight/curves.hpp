#pragma once
// Histories of runs by the shape of their curves, to be judged.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "insight/verdict.hpp"

namespace thalweg {

using Curve = std::function<double(double)>;  // of the fraction of the run that is done, from 0 to 1

inline History steps_of(
    int count, const Curve& loss, double deviation = 0, const Curve& rate = [](double) { return 0.1; },
    const Curve& gradient = [](double) { return 1.0; }) {
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  History history;
  for (int i = 0; i < count; ++i) {
    const double t = static_cast<double>(i) / (count - 1);
    history.steps.push_back({.step = i + 1,
                             .total_steps = count,
                             .loss = loss(t) + deviation * normal(random),
                             .gradient_norm = gradient(t),
                             .lr = rate(t)});
  }
  return history;
}

inline void add_epochs(History& history, int count, const Curve& loss, const Curve& validation, double deviation = 0) {
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  for (int i = 0; i < count; ++i) {
    const double t = static_cast<double>(i) / (count - 1);
    history.epochs.push_back(
        {.epoch = i + 1,
         .step = (i + 1) * std::ssize(history.steps) / count,
         .metrics = {{"loss", loss(t)}, {"validation.loss", validation(t) + deviation * normal(random)}}});
  }
}

inline double value_of(const Verdict& verdict, std::string_view evidence) {
  for (const Evidence& e : verdict.evidence) {
    if (e.name == evidence) return e.value;
  }
  ADD_FAILURE() << "no evidence " << evidence;
  return std::numeric_limits<double>::quiet_NaN();
}

inline Curve decay(double rate, double floor = 0.1) {
  return [=](double t) { return floor + 2 * std::exp(-rate * t); };
}
inline Curve line(double from, double to) {
  return [=](double t) { return from + (to - from) * t; };
}

}  // namespace thalweg

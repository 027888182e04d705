#pragma once
// Optimizers for means over the rows of a data set that remember what the rows said.

#include "thalweg/optimizers.hpp"

namespace thalweg::optim {

struct SagaOptions {
  OptionMap optimizer = {{"kind", {std::string("sgd")}}, {"lr", {0.1}}};
  double most_mib = 1024;
};
/// The step of any method with the mean over the batch of g_i(x) - g_i(where row i was last seen), plus the mean of
/// what is remembered of all rows: linear convergence on strongly convex finite sums, without SVRG's passes over all
/// rows. It keeps a gradient a row, rows x parameters numbers, from 0; more than `most_mib` MiB are refused. (A linear
/// model could keep a number for each output in place of it; here all models keep gradients.) For Trainer::fit, and
/// models that draw nothing and keep no batch statistics. (Defazio, Bach and Lacoste-Julien 2014)
Optimizer saga(SagaOptions options = {});
Optimizer saga(Optimizer base, double most_mib = 1024);

}  // namespace thalweg::optim

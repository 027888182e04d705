#pragma once
// Optimizers for means over the rows of a data set that store a gradient of each row.

#include "thalweg/optimizers.hpp"

namespace thalweg::optim {

struct SagaOptions {
  OptionMap optimizer = {{"kind", {std::string("sgd")}}, {"lr", {0.1}}};
  double most_mib = 1024;
};
/// The step of any optimizer with this gradient: the mean over the batch of g_i(x) - (stored gradient of row i), plus
/// the mean of the stored gradients of all rows, each from the last step that used its row: linear convergence on
/// strongly convex finite sums, without SVRG's passes over all rows. Stored gradients start at 0. They take rows x
/// parameters numbers. If the output of a model is affine in the trained parameters, only the derivatives of the loss
/// by the output are stored, rows x outputs numbers, because the gradients follow from these. More than `most_mib` MiB
/// are refused. For Trainer::fit, and models without random draws and batch statistics. (Defazio, Bach and
/// Lacoste-Julien 2014)
Optimizer saga(SagaOptions options = {});
Optimizer saga(Optimizer base, double most_mib = 1024);

}  // namespace thalweg::optim

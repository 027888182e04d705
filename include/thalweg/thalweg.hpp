#pragma once
// Thalweg: models trained by gradient descent. This header brings in everything.

#include "thalweg/data.hpp"
#include "thalweg/derivatives.hpp"
#include "thalweg/error.hpp"
#include "thalweg/loss.hpp"
#include "thalweg/metrics.hpp"
#include "thalweg/minimize.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/optim.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/schedule.hpp"
#include "thalweg/scope.hpp"
#include "thalweg/state.hpp"
#include "thalweg/tensor.hpp"
#include "thalweg/train.hpp"
#include "thalweg/var.hpp"

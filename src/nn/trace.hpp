#pragma once
// The record that a Scope writes while an objective is traced: parameters, statistics, reports.

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/name_index.hpp"
#include "graph/graph.hpp"
#include "thalweg/scope.hpp"

namespace thalweg {

struct TracedParameter {
  std::string name;
  ParameterOptions options;
  Var var;
  bool statistic = false;
  bool average = false;           // a moving average, which is read and not declared
  std::uint64_t declared_by = 0;  // one bit for each objective of the trace
};

/// A statistic and the value towards which it moves.
struct Observation {
  std::string statistic;
  Var value;
  double momentum;
};

/// A number reported for a batch: a mean over samples, kept as a sum.
struct TracedReport {
  std::string name;
  Var sum;
};

/// Checks each parameter when it is declared, before the next one. Throws for a parameter that is not allowed.
using ParameterCheck = std::function<void(const std::string& name, const Shape& shape)>;

/// The inputs of the graph from which its random numbers follow.
struct RandomInputs {
  Var seed, step;  // f64 scalars
  Var places;      // i32 (samples): the place of each sample in the whole batch
};

struct TraceContext {
  Graph& graph;
  Mode mode = Mode::train;
  DType dtype = f32;
  std::int64_t samples = 1;                      // number of samples of the traced batch
  std::vector<TracedParameter> parameters = {};  // in order of declaration
  NameIndex places = {};                         // index of the names in `parameters`
  std::vector<Observation> observations = {};
  std::optional<RandomInputs> random = {};  // set where random numbers are asked for
  std::vector<TracedReport> reports = {};
  // names that are taken, and how often each shared part was called from each place, see Scope::share
  std::set<std::string, std::less<>> parameter_names = {}, random_names = {};
  std::map<std::string, int, std::less<>> calls = {};
  int objective = 0;                      // index of the objective that is traced
  const ParameterCheck* check = nullptr;  // null where every parameter is allowed

  /// Begins the next of several objectives in one graph. It gets the parameters that earlier objectives declared.
  void begin_next_objective() {
    parameter_names.clear();
    random_names.clear();
    calls.clear();
    ++objective;
  }
};

}  // namespace thalweg

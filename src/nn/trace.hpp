#pragma once
// What a Scope writes to while an objective is traced.

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
  bool average = false;           // of a parameter: read, not declared
  std::uint64_t declared_by = 0;  // a bit for each objective of the trace
};

/// What a statistic is moved towards.
struct Observation {
  std::string statistic;
  Var value;
  double momentum;
};

/// What is reported of a batch: a mean over its samples, as a sum.
struct TracedReport {
  std::string name;
  Var sum;
};

/// Looks at each parameter as it is declared, before the next one is. Throws for one that must not be.
using ParameterCheck = std::function<void(const std::string& name, const Shape& shape)>;

/// The inputs of the graph that its random numbers follow from.
struct RandomInputs {
  Var seed, step;  // f64 scalars
  Var places;      // i32 (samples): of each sample in the whole batch
};

struct TraceContext {
  Graph& graph;
  Mode mode = Mode::train;
  DType dtype = f32;
  std::int64_t samples = 1;                      // of the batch that is traced
  std::vector<TracedParameter> parameters = {};  // in order of declaration
  NameIndex places = {};                         // of their names
  std::vector<Observation> observations = {};
  std::optional<RandomInputs> random = {};  // where it is asked for
  std::vector<TracedReport> reports = {};
  // names that are taken, and how often each shared part was called: by the place of the call, see Scope::share
  std::set<std::string, std::less<>> parameter_names = {}, random_names = {};
  std::map<std::string, int, std::less<>> calls = {};
  int objective = 0;                      // which is traced, of several
  const ParameterCheck* check = nullptr;  // empty where any parameter may be

  /// The next of several objectives in one graph: it is given the parameters that those before it declared.
  void begin_next_objective() {
    parameter_names.clear();
    random_names.clear();
    calls.clear();
    ++objective;
  }
};

}  // namespace thalweg

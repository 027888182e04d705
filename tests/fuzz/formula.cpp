// Fuzz target: a formula is parsed; if it is accepted, it can be traced.

#include "thalweg/formula.hpp"

#include "fuzz.hpp"
#include "graph/graph.hpp"

void thalweg::fuzz::run(std::string_view bytes) {
  may_refuse([&] {
    const Formula formula(bytes);
    Graph graph;
    const auto size = static_cast<std::int64_t>(formula.variables().size());
    (void)formula(graph.input("x", {size}, f64));
  });
}

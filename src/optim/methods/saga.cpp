// SAGA: another method on gradients whose noise vanishes, by a table with the last gradient of each row (Defazio et al.
// 2014).

#include "optim/asks.hpp"
#include "optim/row.hpp"
#include "thalweg/finite_sums.hpp"

namespace thalweg::optim {

Fields fields(SagaOptions& o) {
  return {{"optimizer", &o.optimizer, "the method that takes the steps: { kind = \"sgd\", lr = 0.1 }"},
          {"most_mib", &o.most_mib, "largest size of the table, in MiB; a model whose table is larger is refused",
           positive}};
}

Optimizer saga(Optimizer base, double most_mib) {
  constexpr double mebi = 1 << 20;
  Optimizer result = asking(std::move(base), {.per_row = true, .most_bytes = most_mib * mebi}, "saga");
  result.chain.insert(result.chain.begin(),
                      Transform{.name = "saga", .slots = {{.name = "mean"}}, .needs_method = true});
  OptionMap inner = std::move(result.options);
  inner["kind"] = {result.name};
  result.options = {{"optimizer", {std::move(inner)}}, {"most_mib", {most_mib}}};
  result.name = "saga";
  return result;
}

Optimizer saga(SagaOptions o) {
  check_fields(fields(o), "saga");
  return saga(in_option("optimizer", [&] { return make_optimizer(o.optimizer); }), o.most_mib);
}

std::vector<OptimizerRow> saga_methods() {
  return {row<SagaOptions>(
      saga,
      {.name = "saga",
       .summary = "another method on gradients whose noise vanishes, by a table with the last gradient of each row",
       .formula = "the method's step with mean(g_i(x) - a_i) over the batch + mean a over all rows; then a_i = "
                  "g_i(x) for the rows of the batch",
       .when = "as svrg, but without passes over all rows; for a linear model the table has one number for each row "
               "and output, for others rows times parameters; a step takes the gradients of its rows twice",
       .source = "Defazio, Bach and Lacoste-Julien 2014",
       .needs = {Need::gradient, Need::gradient}})};
}

}  // namespace thalweg::optim

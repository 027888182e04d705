// Lookahead: slow weights that follow the weights of another method (Zhang et al. 2019).

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(LookaheadOptions& o) {
  return {{"optimizer", &o.optimizer, "the fast method: { kind = \"adamw\", lr = 1e-3 }"},
          {"every", &o.every, "steps of the fast method between two moves of the slow weights", {.low = 1}},
          {"mix", &o.mix, "how far the slow weights move towards the fast weights; 1 is all the way", unit_interval}};
}

Optimizer lookahead(Optimizer fast, std::int64_t every, double mix) {
  fast.chain.push_back(look_ahead(every, mix));
  fast.options = {{"optimizer", {fast.options}}, {"every", {every}}, {"mix", {mix}}};
  (*fast.options["optimizer"].get_if<OptionMap>())["kind"] = {fast.name};
  fast.name = "lookahead";
  return fast;
}

Optimizer lookahead(LookaheadOptions o) {
  check_fields(fields(o), "lookahead");
  return lookahead(in_option("optimizer", [&] { return make_optimizer(o.optimizer); }), o.every, o.mix);
}

std::vector<OptimizerRow> lookahead_methods() {
  return {row<LookaheadOptions>(lookahead, {.name = "lookahead",
                                            .summary = "slow weights that follow the weights of another method",
                                            .formula = "every few steps: slow += mix (x - slow); x = slow",
                                            .when = "to stabilise a method whose learning rate is near its limit",
                                            .source = "Zhang et al. 2019"})};
}

}  // namespace thalweg::optim

#include "estimate/published.hpp"

#include <fmt/format.h>

#include <cmath>

#include "estimate/layout.hpp"

namespace thalweg::estimate {

namespace {

constexpr double GB = 1e9, GiB = 1024.0 * 1024 * 1024, TiB = 1024 * GiB, tera = 1e12, day = 86400, percent = 0.01;

void add_zero(std::vector<PublishedRow>& rows) {
  constexpr const char* names[] = {"nothing shared", "slots shared", "gradients too", "all shared"};
  constexpr double figures[] = {120, 31.4, 16.6, 1.88};
  for (int level = 0; level < 4; ++level) {
    rows.push_back({fmt::format("ZeRO, 7.5 B parameters, 64 ranks: {}", names[level]),
                    "Rajbhandari et al. 2020, figure 1", "GB", figures[level],
                    state_bytes(7.5e9, mixed_adam, 64, level).total() / GB, Evidence::formula});
  }
}

/// A model and its layout in Korthikanti et al. 2022, table 3, with its figures from tables 4 and 5 and figure 1.
struct Megatron {
  const char* name;
  Gpt model;
  std::int64_t pipeline, interleave, micro_batch, batch;
  double activations;      // GiB, with tensor parallelism only
  double full, selective;  // seconds per step
  double utilisation;      // percent, for `selective`
  Evidence time;

  [[nodiscard]] Work work() const { return {model, batch, mixed_adam}; }
  [[nodiscard]] Layout layout(bool parallel, Recompute recompute) const {
    return {1, 8, pipeline, interleave, micro_batch, 0, parallel, recompute};
  }
};

Gpt gpt_of(std::int64_t layers, std::int64_t width, std::int64_t heads, std::int64_t vocabulary = 51200) {
  return {.layers = layers, .width = width, .heads = heads, .vocabulary = vocabulary, .sequence = 2048};
}

void add_megatron(std::vector<PublishedRow>& rows, const Machine& a100) {
  const Megatron models[] = {
      {"22 B", gpt_of(48, 6144, 64), 1, 1, 4, 4, 59.25, 1.42, 1.10, 41.5, Evidence::fitted},
      {"175 B", gpt_of(96, 12288, 96), 8, 3, 1, 64, 66.84, 18.13, 13.75, 51.4, Evidence::fitted},
      {"530 B", gpt_of(105, 20480, 128), 35, 3, 1, 280, 114.02, 49.05, 37.83, 56.0, Evidence::checked},
      {"1 T", gpt_of(128, 25600, 160), 64, 1, 1, 512, 131.25, 94.42, 71.49, 56.3, Evidence::checked}};
  for (const Megatron& m : models) {
    rows.push_back({fmt::format("Megatron, {}: activations, tensor parallel", m.name),
                    "Korthikanti et al. 2022, equation 2 with the settings of table 3", "GiB", m.activations,
                    memory_of(m.work(), m.layout(false, Recompute::none)).activations / GiB, Evidence::formula});
  }
  for (const Megatron& m : models) {
    rows.push_back({fmt::format("Megatron, {}: utilisation at the measured time", m.name),
                    "Korthikanti et al. 2022, table 5", "%", m.utilisation,
                    utilisation(m.work(), 8 * m.pipeline, m.selective, a100.half) / percent, Evidence::formula});
  }
  for (const Megatron& m : models) {
    for (const bool full : {true, false}) {
      const StepTime time = time_of(m.work(), m.layout(!full, full ? Recompute::full : Recompute::selective), a100);
      rows.push_back({fmt::format("Megatron, {}: a step, {} computed again", m.name, full ? "blocks" : "attention"),
                      "Korthikanti et al. 2022, table 5", "s", full ? m.full : m.selective, time.total(), m.time});
    }
  }
}

/// Three sizes of one machine: the software was slower than a year later; its speed is fitted to the first size.
void add_turing(std::vector<PublishedRow>& rows, const Machine& a100) {
  const Gpt model = gpt_of(105, 20480, 128);
  constexpr double seconds[] = {60.1, 50.2, 44.4}, rates[] = {126, 121, 113};
  constexpr std::int64_t nodes[] = {280, 350, 420};
  double slower = 1;
  for (int i = 0; i < 3; ++i) {
    const Layout layout{nodes[i] / 35, 8, 35, 1, 1, 0, false, Recompute::full};
    const Work work{model, 1920, mixed_adam};
    const double computed = time_of(work, layout, a100).total();
    if (i == 0) slower = seconds[0] / computed;
    rows.push_back({fmt::format("MT-NLG, 530 B, {} nodes: a step", nodes[i]), "Smith et al. 2022, section 2.4", "s",
                    seconds[i], slower * computed, i == 0 ? Evidence::fitted : Evidence::checked});
    // the operations that were executed: forward twice, and backward
    const double operations = model.model_operations(1920.0 * 2048) * 4 / 3 - model.logit_operations(1920.0 * 2048);
    rows.push_back({fmt::format("MT-NLG, 530 B, {} nodes: a step at the published rate", nodes[i]),
                    "Smith et al. 2022, section 2.4", "s", seconds[i],
                    operations / (8 * static_cast<double>(nodes[i]) * rates[i] * tera), Evidence::formula});
  }
}

/// Days for this many tokens if only parameters count and everything is recomputed: 8 T P / (n X).
double days(double tokens, double parameters, double ranks, double rate) {
  return 8 * tokens * parameters / (ranks * rate) / day;
}

}  // namespace

std::vector<PublishedRow> published_rows() {
  const Machine a100 = machine_named("a100");
  std::vector<PublishedRow> rows;
  add_zero(rows);
  add_megatron(rows, a100);
  add_turing(rows, a100);
  constexpr const char* narayanan = "Narayanan et al. 2021, section 5.1";
  rows.push_back({"GPT-3, 300 B tokens on 1,024 A100 at 140 TFLOP/s", narayanan, "days", 34,
                  days(300e9, 175e9, 1024, 140 * tera), Evidence::formula});
  rows.push_back({"1 T parameters, 450 B tokens on 3,072 A100 at 163 TFLOP/s", narayanan, "days", 84,
                  days(450e9, 1e12, 3072, 163 * tera), Evidence::formula});
  // heads of 256, so that attention is 12,288 wide in a model 18,432 wide: operations as counted in the paper
  const double palm = 6 * 540.35e9 + 12.0 * 118 * 48 * 256 * 2048;
  rows.push_back({"PaLM, 540 B on 6,144 TPU v4 at 238,300 tokens/s: utilisation",
                  "Chowdhery et al. 2022, table 3 and "
                  "appendix B",
                  "%", 46.2, palm * 238.3e3 / (6144 * machine_named("tpu-v4").half) / percent, Evidence::formula});
  Gpt bloom = gpt_of(70, 14336, 112, 250880);
  bloom.learned_positions = false;
  rows.push_back({"BLOOM, 176 B: a checkpoint (published as 2.3 TB, which are TiB)",
                  "BigScience 2022, the model's page", "TiB", 2.3,
                  checkpoint_bytes(bloom.parameters(), mixed_adam) / TiB, Evidence::formula});
  rows.push_back({"Llama 3, 405 B on 15.6 T tokens: operations", "Grattafiori et al. 2024, section 3.2", "10^25", 3.8,
                  6 * 405e9 * 15.6e12 / 1e25, Evidence::formula});
  return rows;
}

}  // namespace thalweg::estimate

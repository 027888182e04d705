// Converts a sequence to another: letters to sounds, or words of one language to words of another. It learns from
// pairs, and can be tuned on its own outputs by the score function.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.hpp"
#include "core/index.hpp"
#include "data/preprocessing.hpp"
#include "options/error.hpp"
#include "system/beam.hpp"
#include "system/row.hpp"
#include "system/sequence_net.hpp"
#include "thalweg/apply.hpp"
#include "thalweg/bleu.hpp"
#include "thalweg/edit_distance.hpp"
#include "thalweg/estimators.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

namespace {

struct SequencesOptions {
  SequenceNetOptions net;
  double label_smoothing = 0.1;
  std::int64_t beam = 1;
  double length_penalty = 0;
  std::string reward = "none", baseline = "samples";
  std::int64_t samples = 4;
  double temperature = 1;
  std::string start = "";
};

Fields fields(SequencesOptions& o) {
  return {
      {"width", &o.net.width, "width of embeddings and layers, a multiple of heads", {.low = 2}},
      {"encoder_layers", &o.net.encoder_layers, "bidirectional recurrent layers", {.low = 1}},
      {"decoder_layers", &o.net.decoder_layers, "recurrent layers, each with attention to the source", {.low = 1}},
      {"heads", &o.net.heads, "heads of attention", {.low = 1}},
      {"dropout", &o.net.dropout,
       "dropout rate before each recurrent layer and the output; not used in training with a reward", below_one},
      {"label_smoothing", &o.label_smoothing, "fraction of the target's probability that is spread over all tokens",
       below_one},
      {"beam", &o.beam, "width of the beam search; 1: always the likeliest token", {.low = 1, .high = 1000}},
      {"length_penalty", &o.length_penalty, "a score is the log-probability over ((5 + tokens) / 6) to this power",
       not_negative},
      {"reward",
       &o.reward,
       "the objective: none: the likelihood of the targets; exact: outputs equal to the target; edits: few errors",
       any_number,
       {"none", "exact", "edits"}},
      {"baseline",
       &o.baseline,
       "what is subtracted from a reward: samples: the mean of the other outputs for the source; weighted: that mean "
       "by the squares of their scores' lengths; greedy: the reward of the likeliest tokens; none: 0",
       any_number,
       {"samples", "weighted", "greedy", "none"}},
      {"samples", &o.samples, "with a reward: the number of outputs drawn for each source", {.low = 1, .high = 1024}},
      {"temperature",
       &o.temperature,
       "with a reward: outputs are drawn with logits / temperature; the lower, the nearer to the likeliest tokens",
       {.low = 0.01, .high = 100}},
      {"start", &o.start, "the folder of a trained run; this run starts from its parameters"}};
}

constexpr std::int64_t portion = 64;             // the largest number of sources that are searched at once
constexpr std::int64_t sequences_at_once = 512;  // the largest number of tokens of all their beams together

bool needs_others(std::string_view baseline) { return baseline == "samples" || baseline == "weighted"; }

/// The loss of a batch, and its reports.
class SequenceLoss {
 public:
  SequenceLoss(const SequencesOptions& options, const SequenceNet& net) : o_(options), net_(net) {}

  [[nodiscard]] Loss operator()(const Scope& s, const Batch& b) const {
    SequenceNet::Memory memory = net_.encode(s, b["input"], b["input_length"]);
    if (s.mode() == Mode::evaluate) report_written(s, b, memory);
    return o_.reward == "none" ? likelihood(s, b, memory) : rewarded(s, b, memory);
  }

 private:
  /// The surprise at each token of the target and at its end, averaged over all tokens.
  [[nodiscard]] Loss likelihood(const Scope& s, const Batch& b, SequenceNet::Memory memory) const {
    const Var target = b["target"], logits = net_.decode(s, memory, shifted(target));
    const Var counts = cast(places_that_count(target), s.dtype());
    Var surprise = cross_entropy_with_labels(logits, target);
    if (o_.label_smoothing > 0)
      surprise = (1 - o_.label_smoothing) * surprise + o_.label_smoothing * (logsumexp(logits, -1) - mean(logits, -1));
    return {sum(surprise * counts), sum(counts)};
  }

  /// Reports the errors of the likeliest tokens.
  void report_written(const Scope& s, const Batch& b, const SequenceNet::Memory& memory) const {
    const Var target = b["target"], written = likeliest(s, memory, target.dim(1));
    s.report("exact", exact(written, target));
    s.report("errors a token", edit_distances(written, target) / cast(maximum(b["target_length"], 1), f32));
  }

  [[nodiscard]] Var likeliest(const Scope& s, const SequenceNet::Memory& memory, std::int64_t steps) const {
    return net_.write(s, memory, steps, [](const Var& logits, std::int64_t) { return argmax(logits); });
  }
  [[nodiscard]] static Var exact(const Var& written, const Var& target) {
    return cast(min(equal(written, target), -1), f32);
  }
  [[nodiscard]] Var reward_of(const Var& written, const Var& target) const {
    if (o_.reward == "exact") return exact(written, target);
    return -edit_distances(written, target) / cast(maximum(sum(not_equal(target, 0), -1), 1), f32);
  }

  /// -(reward - baseline) log P(written | source), averaged over outputs drawn from P.
  [[nodiscard]] Loss rewarded(const Scope& s, const Batch& b, const SequenceNet::Memory& memory) const {
    const Var target = b["target"];
    const std::int64_t batch = target.dim(0), steps = target.dim(1), each = o_.samples;
    const auto repeated = [&](const Var& x) {
      Shape wide{batch, each}, flat{batch * each};
      for (int axis = 1; axis < x.rank(); ++axis) {
        wide.push_back(x.dim(axis));
        flat.push_back(x.dim(axis));
      }
      return reshape(broadcast_to(expand_dims(x, 1), wide), flat);
    };
    SequenceNet::Memory own{.keys_values = {}, .length = repeated(memory.length), .carry = {}};
    for (const Var& one : memory.keys_values) own.keys_values.push_back(repeated(one));
    for (const Var& one : memory.carry) own.carry.push_back(repeated(one));
    const Var noise = reshape(gumbel_noise(s.uniform("choice", {batch, each, steps, net_.tokens()})),
                              {batch * each, steps, net_.tokens()});
    const Var drawn = net_.write(s, own, steps, [&](const Var& logits, std::int64_t step) {
      return argmax(logits / o_.temperature + squeeze(slice(noise, step, step + 1, 1), 1));
    });
    const Var reward = reshape(reward_of(drawn, repeated(target)), {batch, each});
    const Var log_probabilities = log_softmax(net_.decode(s, own, shifted(drawn)) / o_.temperature);
    const Var counts = cast(places_that_count(drawn), s.dtype());
    const Var of_tokens = pick(log_probabilities, drawn);
    const Var log_probability = reshape(sum(of_tokens * counts, -1), {batch, each});
    // of the derivative of the score by the logits
    const Var squares = 1 - 2 * exp(of_tokens) + sum(exp(2 * log_probabilities), -1);
    const Var baseline = o_.baseline == "samples" ? leave_one_out(reward)
                         : o_.baseline == "weighted"
                             ? weighted(reward, reshape(sum(squares * counts, -1), {batch, each}))
                         : o_.baseline == "greedy" ? expand_dims(reward_of(likeliest(s, memory, steps), target), 1)
                                                   : reward * 0;
    s.report("reward", reward);
    return Loss::of_samples(-score_function(log_probability, reward, baseline));
  }

  /// For each output the weighted mean of the rewards of the other outputs. With the squared lengths of the scores (the
  /// gradients of log P) as weights, it estimates the constant with the lowest variance (Weaver and Tao 2001).
  [[nodiscard]] static Var weighted(const Var& reward, const Var& squares) {
    const Var weight = squares + 1e-6, product = weight * reward;
    return (sum(product, -1, Keep::yes) - product) / (sum(weight, -1, Keep::yes) - weight);
  }

  SequencesOptions o_;
  SequenceNet net_;
};

/// Finds outputs for sources by a beam search.
class Writer {
 public:
  Writer(const SequenceNet& net, int threads)
      : read_([net](Scope s, const Batch& b) { return named(net.encode(s, b["input"], b["length"])); }, threads),
        step_([net](Scope s, const Batch& b) { return next(net, s, b); }, threads) {}

  /// The best output of each row; input i32 (rows, steps), length i32 (rows).
  [[nodiscard]] std::vector<Hypothesis> written(const State& state, const Tensor& input, const Tensor& length,
                                                const BeamOptions& options) const {
    std::vector<Hypothesis> best;
    const std::int64_t at_once = std::clamp<std::int64_t>(sequences_at_once / options.width, 1, portion);
    for (std::int64_t begin = 0; begin < input.shape()[0]; begin += at_once) {
      const std::int64_t end = std::min(input.shape()[0], begin + at_once);
      for (auto& found : searched(state, input.rows(begin, end), length.rows(begin, end), options))
        best.push_back(std::move(found.front()));
    }
    return best;
  }

 private:
  /// Converts the memory to outputs of one pass, and back from inputs of the next.
  static NamedVars named(const SequenceNet::Memory& memory) {
    NamedVars all;
    for (std::size_t i = 0; i < memory.carry.size(); ++i) {
      all.emplace_back("carry" + std::to_string(i), memory.carry[i]);
      all.emplace_back("keys" + std::to_string(i), memory.keys_values[i]);
    }
    return all;
  }
  static NamedVars next(const SequenceNet& net, const Scope& s, const Batch& b) {
    SequenceNet::Memory memory{.keys_values = {}, .length = b["length"], .carry = {}};
    for (std::int64_t i = 0; i < net.decoder_layers(); ++i) {
      memory.carry.push_back(gather(b["carry" + std::to_string(i)], b["parents"]));
      memory.keys_values.push_back(b["keys" + std::to_string(i)]);
    }
    NamedVars all = {{"next", squeeze(log_softmax(net.decode(s, memory, b["tokens"])), 1)}};
    for (std::size_t i = 0; i < memory.carry.size(); ++i)
      all.emplace_back("carry" + std::to_string(i), memory.carry[i]);
    return all;
  }

  [[nodiscard]] std::vector<std::vector<Hypothesis>> searched(const State& state, const Tensor& input,
                                                              const Tensor& length, const BeamOptions& options) const {
    const std::int64_t rows = input.shape()[0], count = rows * options.width;
    const Tensor lengths = repeated(length, options.width);
    NamedTensors inputs = read_.all(state, {{"input", input}, {"length", length}});
    for (auto& [name, value] : inputs) value = repeated(value, options.width);
    inputs.insert(inputs.begin(), {{"parents", Tensor({count}, i32)}, {"tokens", Tensor({count, 1}, i32)}});
    inputs.emplace_back("length", lengths);
    return beam_search(rows, options, [&](std::span<const std::int32_t> parents, std::span<const std::int32_t> tokens) {
      inputs[0].second = Tensor::from(parents, {count});
      inputs[1].second = Tensor::from(tokens, {count, 1});
      NamedTensors outputs = step_.all(state, inputs);
      for (auto& [name, value] : std::span(outputs).subspan(1))
        std::ranges::find(inputs, name, &NamedTensors::value_type::first)->second = std::move(value);
      return std::move(outputs.front().second);
    });
  }
  /// Repeats each row `times` times, one after the other.
  static Tensor repeated(const Tensor& rows, std::int64_t times) {
    const std::int64_t count = rows.shape()[0];
    Shape shape = rows.shape();
    shape.set(0, count * times);
    Tensor all(shape, rows.dtype());
    const std::size_t width = rows.bytes() / static_cast<std::size_t>(count);
    std::byte* to = all.mutable_raw();
    for (std::int64_t i = 0; i < count * times; ++i, to += width)
      std::memcpy(to, rows.raw() + static_cast<std::size_t>(i / times) * width, width);
    return all;
  }

  Apply read_, step_;
};

std::span<const std::int32_t> tokens_of(const Dataset& rows, std::string_view column, std::int64_t row) {
  const Tensor& all = rows[column];
  const std::string length = std::string(column) + "_length";
  return all.values<std::int32_t>().subspan(static_cast<std::size_t>(row * all.shape()[1]),
                                            static_cast<std::size_t>(rows[length].at(row)));
}

/// Counts errors over rows.
struct Errors {
  Edits edits;
  BleuCounts runs;
  std::int64_t right = 0, rows = 0;

  void add(std::span<const std::int32_t> written, std::span<const std::int32_t> target) {
    const Edits own = thalweg::edits(written, target);
    edits += own;
    runs += bleu_counts(written, target);
    right += own.errors() == 0 ? 1 : 0;
    ++rows;
  }
  [[nodiscard]] Metrics metrics() const {
    return {{"token error rate", edits.rate()},
            {"exact match", static_cast<double>(right) / static_cast<double>(rows)},
            {"BLEU", runs.bleu()}};
  }
};

Medium table_of(const data::SequencePreprocessing& data, const Dataset& rows, std::span<const Hypothesis> written) {
  std::vector<std::vector<std::string>> lines;
  for (std::size_t i = 0; i < written.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    lines.push_back({data.source.text_of(tokens_of(rows, "input", row)),
                     data.target.text_of(tokens_of(rows, "target", row)), data.target.text_of(written[i].tokens)});
  }
  return Medium::table({"source", "target", "written"}, lines);
}

/// The variance of the gradient from the random draws, summed over all elements, from `draws` steps on the same rows
/// and the same parameters. A step of size 1 equals the gradient.
double gradient_variance(const SequenceLoss& loss, const State& state, const Dataset& rows, int threads) {
  constexpr std::int64_t draws = 32;
  TrainStep step([&loss](Scope s, const Batch& b) { return loss(s, b); }, optim::sgd({.lr = 1}), threads);
  State from = step.init(rows, 1);
  for (const ParameterEntry& entry : state.layout->entries) from.set_parameter(entry.name, state.parameter(entry.name));
  std::vector<double> sums(static_cast<std::size_t>(from.parameters.size()));
  double squares = 0;
  for (std::int64_t draw = 0; draw < draws; ++draw) {
    State to = from;
    to.step = draw;
    (void)step(to, rows);
    const auto before = from.parameters.values<float>(), after = to.parameters.values<float>();
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const double gradient = static_cast<double>(before[i]) - static_cast<double>(after[i]);
      sums[i] += gradient;
      squares += gradient * gradient;
    }
  }
  for (const double sum : sums) squares -= sum * sum / static_cast<double>(draws);
  return squares / static_cast<double>(draws - 1);
}

/// The gradient's variance on the first training rows with each baseline. For the run's own baseline it is one of the
/// metrics.
void add_variances(SystemFigures& figures, const SequencesOptions& options, const SequenceNet& net, const State& state,
                   const Dataset& train, int threads) {
  const Dataset rows = train.slice(0, std::min(portion, train.rows()));
  for (const std::string name : {"samples", "weighted", "greedy", "none"}) {
    SequencesOptions own = options;
    own.baseline = name;
    if (needs_others(name) && own.samples < 2) continue;
    const Metrics found = {{"gradient variance", gradient_variance({own, net}, state, rows, threads)}};
    if (name == options.baseline)
      figures.metrics.push_back(found.front());
    else
      figures.baselines.emplace_back(name == "none" ? "without a baseline" : "by the baseline " + name, found);
  }
}

SystemFigures figures_of(const Writer& writer, const data::SequencePreprocessing& data, const BeamOptions& search,
                         const State& state, const SystemSets& sets) {
  constexpr std::int64_t shown = 50, stride = 7919;  // a prime number: the stride between the chosen training targets
  const std::vector<Hypothesis> written = writer.written(state, sets.test["input"], sets.test["input_length"], search);
  Errors all, any;
  for (std::int64_t row = 0; row < sets.test.rows(); ++row) {
    const auto target = tokens_of(sets.test, "target", row);
    all.add(at(written, row).tokens, target);
    any.add(tokens_of(sets.train, "target", row * stride % sets.train.rows()), target);
  }
  const std::int64_t few = std::min(shown, sets.test.rows());
  return {
      .metrics = all.metrics(),
      .baselines = {{"a training target unread", any.metrics()}},
      .media = {{"source, target and what is written",
                 table_of(data, sets.test.slice(0, few), std::span(written).first(static_cast<std::size_t>(few)))}}};
}

/// The sources as rows, padded to the length of the longest.
std::vector<SequenceOutput> outputs_of(const Writer& writer, const data::SequencePreprocessing& data,
                                       const BeamOptions& search, const State& state,
                                       std::span<const SequenceSource> sources) {
  std::vector<std::vector<std::int32_t>> tokens;
  std::int64_t width = 1;
  for (const SequenceSource& source : sources) {
    tokens.push_back(data.source.tokens_of(source.text, source.where));
    const auto count = std::ssize(tokens.back());
    if (count == 0 || count > data.longest)
      fail<DataError>("[sequences] {}: a source of {} tokens. Wanted: 1 to {}", source.where, count, data.longest);
    width = std::max(width, count);
  }
  const std::int64_t count = std::ssize(tokens);
  Tensor input({count, width}, i32), length({count}, i32);
  for (std::int64_t i = 0; i < count; ++i) {
    std::ranges::copy(at(tokens, i), input.mutable_values<std::int32_t>().begin() + i * width);
    length.set(i, static_cast<double>(at(tokens, i).size()));
  }
  std::vector<SequenceOutput> outputs;
  for (const Hypothesis& one : writer.written(state, input, length, search))
    outputs.push_back({data.target.text_of(one.tokens), one.log_probability});
  return outputs;
}

SequencesOptions checked(SequencesOptions o) {
  if (o.reward != "none") {
    if (needs_others(o.baseline) && o.samples < 2)
      fail_option("samples", "[sequences] samples = {}. Wanted: >= 2, because this baseline needs the other samples",
                  o.samples);
    if (o.start.empty())
      fail_option("start",
                  "[sequences] reward = \"{}\" without a start. Hint: start = \"runs/NAME\", a run trained with "
                  "reward = \"none\": a net with random parameters never draws a right output.",
                  o.reward);
    o.net.dropout = 0;  // otherwise outputs are drawn from another net than the one that is differentiated
  }
  return o;
}

System make_sequences(const SystemData& data, const SequencesOptions& given) {
  const auto* sequences = data.preprocessing ? data.preprocessing->sequences() : nullptr;
  if (!sequences)
    fail<UsageError>("[sequences] the rows are not pairs of sequences. Wanted: format = \"sequences\" in [data]");
  const SequencesOptions options = checked(given);
  const SequenceNet net(options.net, sequences->source.size() + 1, sequences->target.size() + 1);
  const auto loss = std::make_shared<const SequenceLoss>(options, net);
  const auto writer = std::make_shared<const Writer>(net, data.threads);
  const BeamOptions search{
      .width = options.beam, .longest = sequences->longest, .length_power = options.length_penalty};
  return {.objectives = {{.loss = [loss](Scope s, const Batch& b) { return (*loss)(s, b); }}},
          .show = [writer, own = *sequences](const State& state, const Dataset& rows) -> NamedMedia {
            const Dataset few = rows.slice(0, std::min<std::int64_t>(8, rows.rows()));
            const auto written = writer->written(state, few["input"], few["input_length"], {.longest = own.longest});
            return {{"source, target and what is written", table_of(own, few, written)}};
          },
          .evaluate =
              [=, own = *sequences, threads = data.threads](const State& state, const SystemSets& sets) {
                SystemFigures figures = figures_of(*writer, own, search, state, sets);
                if (options.reward != "none") add_variances(figures, options, net, state, sets.train, threads);
                return figures;
              },
          .write =
              [writer, own = *sequences, search](const State& state, std::span<const SequenceSource> sources,
                                                 const SequenceSearch& asked) {
                BeamOptions how = search;
                how.width = asked.beam.value_or(how.width);
                how.length_power = asked.length_penalty.value_or(how.length_power);
                return outputs_of(*writer, own, how, state, sources);
              },
          .start = options.start,
          .goal = options.reward == "none" ? "" : "reward"};
}

}  // namespace

std::vector<SystemRow> sequences_systems() {
  return {system_row<SequencesOptions>(
      {.name = "sequences",
       .summary = "a sequence from another: sounds from letters, words from words",
       .formula = "-sum_t log P(y_t | y_<t, x) from bidirectional GRUs and GRUs with attention to them; with a reward "
                  "-(reward(y) - baseline) log P(y | x), y drawn from P",
       .when = "pairs of sequences (format = \"sequences\")",
       .source =
           "Bahdanau, Cho and Bengio 2015; attention: Vaswani et al. 2017; search: Sutskever et al. 2014, Wu et al. "
           "2016; baselines: Rennie et al. 2017 (greedy), Kool et al. 2019 (samples), Weaver and Tao 2001 (weighted)",
       .defaults = {{"optimizer", OptionMap{{"kind", "adam"}, {"lr", 2e-3}, {"clip_norm", 1.}}},
                    {"schedule", OptionMap{{"kind", "cosine"}, {"warmup", "2%"}}},
                    {"train", OptionMap{{"epochs", 10}, {"batch_size", 128}}}}},
      make_sequences)};
}

}  // namespace thalweg

#include "system/text_figures.hpp"

#include <algorithm>
#include <numeric>
#include <set>

#include "core/error.hpp"
#include "core/index.hpp"
#include "core/numbers.hpp"
#include "system/scatter.hpp"

namespace thalweg {

namespace {

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// The texts of one policy.
struct Wrote {
  TextRows rows;
  std::vector<double> reward = {}, divergence = {};  // of each text
  Metrics metrics = {};
};

Wrote wrote_by(const TunedPolicy& tuned, const State& state, std::int64_t texts, RandomKey key) {
  Wrote wrote{tuned.policy.write(state, tuned.prompts, texts, 0, key)};
  const TextSaid said = tuned.policy.said(state, tuned.before, wrote.rows);
  const std::int64_t places = said.divergence.shape()[1];
  double entropy = 0, tokens = 0, ended = 0;
  for (std::int64_t row = 0; row < texts; ++row) {
    double divergence = 0;
    for (std::int64_t i = row * places; i < (row + 1) * places; ++i) {
      divergence += said.divergence.at(i);
      entropy += said.entropy.at(i);
    }
    wrote.divergence.push_back(divergence);
    tokens += wrote.rows.count.at(row) - wrote.rows.prompt.at(row);
    ended += tuned.policy.ends(wrote.rows, row) ? 1 : 0;
  }
  const auto count = static_cast<double>(texts);
  if (tuned.judge) {
    wrote.reward = (*tuned.judge)(wrote.rows);
    wrote.metrics.emplace_back("reward", mean_of(wrote.reward));
  }
  wrote.metrics.insert(wrote.metrics.end(), {{"divergence", mean_of(wrote.divergence)},
                                             {"entropy a token", entropy / std::max(tokens, 1.0)},
                                             {"distinct runs of three", distinct_runs(wrote.rows)},
                                             {"tokens a text", tokens / count},
                                             {"texts that end", ended / count}});
  return wrote;
}

ScatterSeries series_of(const Wrote& wrote, const std::array<double, 3>& colour) {
  ScatterSeries series{.points = {}, .colour = colour};
  for (std::size_t i = 0; i < wrote.reward.size(); ++i)
    series.points.emplace_back(wrote.divergence[i], wrote.reward[i]);
  return series;
}

/// The texts of one policy and, if there is a judge, their rewards.
struct Shown {
  const TextRows& rows;
  const std::vector<double>& reward;
};

Medium table_of(const TunedPolicy& tuned, std::int64_t texts, const Shown& then, const Shown& now) {
  std::vector<std::string> head = {"prompt", "before", "now"};
  if (tuned.judge) head = {"prompt", "before", "reward", "now", "reward"};
  std::vector<std::vector<std::string>> lines;
  for (std::int64_t row = 0; row < texts; ++row) {
    std::vector<std::string> line = {at(tuned.prompts, row % std::ssize(tuned.prompts))};
    for (const Shown& own : {then, now}) {
      line.push_back(tuned.policy.text_of(own.rows, row));
      if (tuned.judge) line.push_back(fmt::format("{:.2f}", at(own.reward, row)));
    }
    lines.push_back(std::move(line));
  }
  return Medium::table(head, lines);
}

constexpr const char* table_name = "what is written";

}  // namespace

double distinct_runs(const TextRows& rows) {
  constexpr std::size_t run = 3;
  std::set<std::vector<std::int32_t>> seen;
  std::int64_t all = 0;
  const auto tokens = rows.tokens.values<std::int32_t>();
  const auto width = static_cast<std::size_t>(rows.tokens.shape()[1]);
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    const auto first = static_cast<std::size_t>(rows.prompt.at(row)),
               end = static_cast<std::size_t>(rows.count.at(row));
    for (std::size_t i = first; i + run <= end; ++i) {
      const auto own = tokens.subspan(static_cast<std::size_t>(row) * width + i, run);
      seen.insert({own.begin(), own.end()});
      ++all;
    }
  }
  return static_cast<double>(seen.size()) / static_cast<double>(std::max<std::int64_t>(1, all));
}

SystemFigures figures_of(const TunedPolicy& tuned, std::int64_t texts, RandomKey key) {
  constexpr std::int64_t shown = 24;
  const Wrote now = wrote_by(tuned, tuned.state, texts, key), then = wrote_by(tuned, tuned.before, texts, key);
  SystemFigures figures{.metrics = now.metrics, .baselines = {{"before", then.metrics}}};
  figures.media.emplace_back(table_name,
                             table_of(tuned, std::min(shown, texts), {then.rows, then.reward}, {now.rows, now.reward}));
  if (tuned.judge) {
    constexpr std::array<double, 3> blue = {0.12, 0.40, 0.75}, grey = {0.45, 0.45, 0.45};
    const ScatterSeries series[] = {series_of(then, grey), series_of(now, blue)};
    Scatter plane = scatter(series);
    figures.media.emplace_back(
        fmt::format("reward, upwards from {} to {}, by divergence, rightwards from {} to {}; grey: before", plane.low,
                    plane.high, plane.left, plane.right),
        std::move(plane.picture));
  }
  figures.on = fmt::format("{} texts by each policy", with_commas(texts));
  return figures;
}

NamedMedia samples_of(const TunedPolicy& tuned, std::int64_t texts, RandomKey key) {
  const TextRows then = tuned.policy.write(tuned.before, tuned.prompts, texts, 0, key),
                 now = tuned.policy.write(tuned.state, tuned.prompts, texts, 0, key);
  const auto worth = [&](const TextRows& rows) { return tuned.judge ? (*tuned.judge)(rows) : std::vector<double>{}; };
  const std::vector<double> worth_then = worth(then), worth_now = worth(now);
  return {{table_name, table_of(tuned, texts, {then, worth_then}, {now, worth_now})}};
}

Generated generated(const TextPolicy& policy, const State& state, const std::vector<std::string>& prompts,
                    const GenerateRequest& request) {
  const TextRows rows = policy.write(state, prompts, request.count, 0, RandomKey{request.seed}.fold("generate"));
  Generated made;
  std::string all;
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    const std::string& prompt = at(prompts, row % std::ssize(prompts));
    const std::string text = prompt + (prompt.empty() ? "" : " ") + policy.text_of(rows, row) + "\n";
    made.items.push_back(Medium::text(text));
    all += text;
  }
  made.all = Medium::text(all);
  return made;
}

}  // namespace thalweg

// A training over several ranks gives the bits of a training on one rank.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "local_ranks.hpp"
#include "moons.hpp"
#include "temporary_folder.hpp"
#include "thalweg/layers.hpp"
#include "thalweg/sequence.hpp"
#include "thalweg/thalweg.hpp"
#include "thalweg/vision.hpp"

namespace thalweg {
namespace {

using testing::expect_same;
using testing::LocalRanks;
using testing::trained_in_parts;

ModelFunction network() { return nn::mlp(1, {.hidden = {40, 30}}); }

State trained(const FitOptions& options, int threads, std::shared_ptr<Communicator> ranks = {}) {
  Trainer trainer(network(), loss::binary_cross_entropy, optim::adam({.lr = 0.01, .clip_norm = 1}), threads);
  FitOptions own = options;
  own.ranks = std::move(ranks);
  trainer.fit(two_moons(300), own);
  return trainer.state();
}

TEST(Ranks, GiveTheBitsOfOneRank) {
  for (const std::int64_t shard_size : {5, 8, 16, 64}) {
    const FitOptions options{.epochs = 2, .batch_size = 64, .shard_size = shard_size};
    const State alone = trained(options, 1);
    for (const int ranks : {1, 2, 3, 4, 8}) {
      for (const int threads : {1, 2}) {
        LocalRanks all(ranks);
        all.run([&](const std::shared_ptr<Communicator>& own) {
          const State shared = trained(options, threads, own);
          expect_same(shared, alone, fmt::format("{} ranks of {} threads, shards of {}", ranks, threads, shard_size));
        });
      }
    }
  }
}

Tensor random_integers(const Shape& shape, std::int64_t below, std::uint64_t seed) {
  Tensor values = zeros(shape, i32);
  const Tensor places = random_uniform(shape, 0, static_cast<double>(below), seed);
  for (std::int64_t i = 0; i < values.size(); ++i) values.set(i, std::floor(places.at(i)));
  return values;
}

Dataset pictures() {
  Dataset data;
  data.set("input", random_normal({22, 8, 8, 3}, 1));
  data.set("target", random_integers({22}, 3, 2));
  return data;
}

Dataset texts() {
  Dataset data;
  data.set("input", random_integers({22, 12}, 17, 3));
  data.set("target", random_integers({22, 12}, 17, 4));
  return data;
}

struct Kind {
  std::string name;
  std::function<Trainer(int threads)> trainer;
  Dataset data;
};

std::vector<Kind> kinds() {
  const auto of = [](const ModelFunction& model, const LossFunction& loss, const Optimizer& optimizer) {
    return [=](int threads) { return Trainer(model, loss, optimizer, threads); };
  };
  const auto two = [](bool simultaneous) {
    return [=](int threads) {
      const auto objective = [](const std::string& name) {
        return [name](Scope s, const Batch& b) {
          const Var hidden = nn::batch_norm(s.share("norm"), nn::dense(s.share("body"), b["input"], 8));
          return Loss::of_samples(square(nn::dense(s / name, relu(hidden), 1)));
        };
      };
      std::vector<ObjectiveRow> rows = {
          {"a", objective("p"), optim::adam({.lr = 0.01}), {.trains = "p/*"}},
          {"b", objective("q"), optim::adam({.lr = 0.02}), {.trains = {"body/*", "norm/*", "q/*"}}}};
      return Trainer(std::move(rows), {.threads = threads, .simultaneous = simultaneous});
    };
  };
  return {{"a convolutional network with dropout and batch normalisation",
           of(nn::convnet(3, {.filters = {4, 6}, .hidden = {10}, .dropout = 0.3}), loss::cross_entropy,
              optim::sgd({.lr = 0.05, .momentum = 0.9})),
           pictures()},
          {"a residual network", of(nn::resnet(3, {.blocks = {1, 1}, .width = 4}), loss::cross_entropy, optim::adam()),
           pictures()},
          {"a transformer",
           of(nn::gpt(17, {.layers = 2, .width = 16, .heads = 2, .context = 12, .dropout = 0.1}), loss::cross_entropy,
              optim::muon({.lr = 0.02})),
           texts()},
          {"objectives that take turns", two(false), two_moons(22)},
          {"objectives that step at once", two(true), two_moons(22)}};
}

TEST(Ranks, GiveTheBitsOfOneRankForEveryKindOfModel) {
  for (const Kind& kind : kinds()) {
    const FitOptions options{.epochs = 2, .batch_size = 8, .shard_size = 2};
    Trainer alone = kind.trainer(1);
    (void)alone.fit(kind.data, options);
    for (const int ranks : {2, 3, 4, 8}) {
      LocalRanks all(ranks);
      all.run([&](const std::shared_ptr<Communicator>& own) {
        FitOptions shared = options;
        shared.ranks = own;
        Trainer trainer = kind.trainer(1 + own->rank() % 2);
        (void)trainer.fit(kind.data, shared);
        expect_same(trainer.state(), alone.state(), fmt::format("{}, {} ranks", kind.name, ranks));
      });
    }
  }
}

TEST(Ranks, GiveTheBitsOfOneRankWithAGradientInBuckets) {
  const auto trained_wide = [](int threads, const std::shared_ptr<Communicator>& ranks) {
    Trainer trainer(nn::mlp(1, {.hidden = {700, 700, 500}}), loss::binary_cross_entropy,
                    optim::adam({.lr = 0.01, .clip_norm = 1}), threads);
    FitOptions options{.epochs = 1, .batch_size = 40, .shard_size = 6};  // 7 shards, and 4 in the last batch
    options.ranks = ranks;
    (void)trainer.fit(two_moons(64), options);
    return trainer.state();
  };
  const State alone = trained_wide(1, {});
  for (const int ranks : {2, 3, 4, 8}) {
    for (const int threads : {1, 2}) {
      LocalRanks all(ranks);
      all.run([&](const std::shared_ptr<Communicator>& own) {
        expect_same(trained_wide(threads, own), alone, fmt::format("{} ranks of {} threads", ranks, threads));
      });
    }
  }
}

/// The two-moons data as a streamed data set that counts how often each row is read.
Dataset streamed_moons(std::int64_t rows, std::shared_ptr<std::vector<std::atomic<int>>> times) {
  const Dataset moons = two_moons(rows);
  Dataset data;
  const Tensor input = moons["input"];
  const std::size_t bytes = input.bytes() / static_cast<std::size_t>(rows);
  data.set("input",
           RowReader{.row = {input.size() / rows},
                     .read =
                         [=](std::int64_t row, std::span<std::byte> into) {
                           if (times) ++(*times)[static_cast<std::size_t>(row)];
                           std::memcpy(into.data(), input.raw() + static_cast<std::size_t>(row) * bytes, bytes);
                         }},
           rows);
  data.set("target", moons["target"]);
  return data;
}

TEST(Ranks, EachReadsOnlyItsRowsOfABatch) {
  constexpr std::int64_t rows = 100;
  const FitOptions options{.epochs = 2, .batch_size = 40, .shard_size = 6};  // 7 shards, and 4 of a batch of 20 rows
  const auto fit = [&](int threads, const std::shared_ptr<Communicator>& ranks, const auto& times) {
    Trainer trainer(network(), loss::binary_cross_entropy, optim::adam({.lr = 0.01}), threads);
    FitOptions own = options;
    own.ranks = ranks;
    (void)trainer.fit(streamed_moons(rows, times), own);
    return trainer.state();
  };
  const State alone = fit(1, {}, nullptr);
  for (const int ranks : {2, 3, 8}) {
    const auto all_times = std::make_shared<std::vector<std::atomic<int>>>(rows);
    LocalRanks all(ranks);
    all.run([&](const std::shared_ptr<Communicator>& own) {
      const auto times = std::make_shared<std::vector<std::atomic<int>>>(rows);
      expect_same(fit(2, own, times), alone, fmt::format("{} ranks", ranks));
      int read = 0;
      for (std::int64_t row = 0; row < rows; ++row) {
        const auto at = static_cast<std::size_t>(row);
        read += (*times)[at];
        (*all_times)[at] += (*times)[at];
      }
      const int steps = 6, shards = (7 + ranks - 1) / ranks;
      EXPECT_LE(read, steps * shards * 6);
    });
    // a rank without a shard in a batch reads one row of it
    int read = 0;
    for (const auto& times : *all_times) read += times;
    const int spare = ranks == 8 ? 2 * (1 + 1 + 4) : 0;
    EXPECT_EQ(read, 2 * static_cast<int>(rows) + spare) << ranks;
  }
}

TEST(Ranks, AllNameTheRowThatIsNotFiniteThoughOnlyOneHasReadIt) {
  LocalRanks all(3);
  all.run([&](const std::shared_ptr<Communicator>& own) {
    Dataset data;
    data.set("input",
             RowReader{.row = {2},
                       .read =
                           [](std::int64_t row, std::span<std::byte> into) {
                             const float value = row == 57 ? INFINITY : static_cast<float>(row) / 100;
                             const float values[] = {value, 1 - value};
                             std::memcpy(into.data(), values, sizeof values);
                           }},
             60);
    data.set("target", two_moons(60)["target"]);
    FitOptions options{.epochs = 1, .batch_size = 60, .shard_size = 10, .shuffle = false};
    options.ranks = own;
    Trainer trainer(network(), loss::binary_cross_entropy, optim::adam(), 1);
    try {
      (void)trainer.fit(data, options);
      ADD_FAILURE() << "no rank noticed";
    } catch (const NumericError& error) {
      EXPECT_NE(std::string(error.what()).find("the column 'input' has a value that is not finite (inf)"),
                std::string::npos)
          << error.what();
    }
  });
}

TEST(Ranks, AnotherNumberOfRanksResumesWithTheSameBits) {
  const FitOptions options{.epochs = 3, .batch_size = 64, .shard_size = 8};
  const State alone = trained(options, 1);
  const State last = trained_in_parts(
      options, {{1, 4}, {4, 7}, {3, 11}, {1, 0}},
      [&](const FitOptions& part, const std::shared_ptr<Communicator>& own) { return trained(part, 1, own); });
  expect_same(last, alone, "the last of four sittings");
}

TEST(Ranks, ARankWithOtherParametersIsNamedBeforeACheckpointIsWritten) {
  const testing::TemporaryFolder folder;
  LocalRanks all(3);
  all.run([&](const std::shared_ptr<Communicator>& own) {
    Trainer trainer(network(), loss::binary_cross_entropy, optim::adam(), 1);
    FitOptions options{.epochs = 9, .batch_size = 64, .shard_size = 8};
    options.checkpoints = folder / "checkpoints";
    options.checkpoint_every = "20 steps";
    options.ranks = own;
    options.on_step = [&](const StepReport& report) {
      if (own->rank() != 1 || report.step != 23) return;
      State changed = trainer.state();
      changed.parameters.set(7, changed.parameters.at(7) + 1e-6);
      trainer.set_state(changed);
    };
    try {
      (void)trainer.fit(two_moons(300), options);
      ADD_FAILURE() << "no rank noticed";
    } catch (const DistributedError& error) {
      EXPECT_NE(std::string(error.what()).find("at step 40 the parameters or slots of rank 1 on here"),
                std::string::npos)
          << error.what();
      EXPECT_EQ(error.exit_code(), 8);
    }
  });
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "checkpoints"))
    left.push_back(entry.path().filename().string());
  ASSERT_EQ(left.size(), 1U);
  EXPECT_NE(left.front().find("20"), std::string::npos) << left.front();
}

TEST(Ranks, StopTogetherWhenOneIsStopped) {
  LocalRanks all(3);
  all.run([&](const std::shared_ptr<Communicator>& own) {
    std::stop_source stop;
    FitOptions options{.epochs = 3, .batch_size = 64, .shard_size = 8, .stop = stop.get_token(), .ranks = own};
    options.on_step = [&](const StepReport& report) {
      if (own->rank() == 1 && report.step == 4) stop.request_stop();
    };
    Trainer trainer(network(), loss::binary_cross_entropy, optim::adam(), 1);
    const History history = trainer.fit(two_moons(300), options);
    EXPECT_EQ(history.reason, StopReason::stop_requested);
    EXPECT_EQ(trainer.state().step, 4);
  });
}

TEST(Ranks, EachSendsOneGradientAndOneSum) {
  LocalRanks all(4);
  std::int64_t parameters = 0;
  all.run([&](const std::shared_ptr<Communicator>& own) {
    const State state = trained({.steps = 1, .batch_size = 64, .shard_size = 8}, 1, own);
    if (own->rank() == 0) parameters = state.layout->size;
  });
  // each rank sends three quarters of its gradient, and its quarter of the sum to three ranks; 4 bytes a number
  const auto wanted = static_cast<double>(4 * 2 * 3 * parameters);
  EXPECT_NEAR(static_cast<double>(all.bytes()), wanted, 2000);
}

}  // namespace
}  // namespace thalweg

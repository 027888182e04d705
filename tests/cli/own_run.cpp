// tw::Run: a user's program gets the command's run folder, checkpoints, resuming and report.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "temporary_folder.hpp"
#include "thalweg/error.hpp"
#include "thalweg/model.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/run.hpp"

namespace thalweg::testing {
namespace {

class OwnRun : public TemporaryFolderTest {
 protected:
  static Dataset points() {
    Dataset data;
    data.set("x", random_normal({64, 2}, 1));
    return data;
  }
  static Loss objective(Scope s, const Batch& b) {
    const Var w = s.parameter("w", {2}, {.initializer = init::normal()});
    return Loss::of_samples(square(sum(b["x"] * (w - 3), -1)));
  }
  [[nodiscard]] std::unique_ptr<thalweg::Run> run_in(const std::string& folder,
                                                     std::vector<const char*> arguments) const {
    arguments.insert(arguments.begin(), {"program", "--quiet"});
    return std::make_unique<thalweg::Run>(path(folder), static_cast<int>(arguments.size()), arguments.data());
  }
  /// Trains a few epochs with these command-line arguments, and returns the state.
  [[nodiscard]] State trained(const std::string& folder, const std::vector<const char*>& arguments) const {
    const auto run = run_in(folder, arguments);
    std::int64_t epochs = 4;
    run->read({{"epochs", &epochs, "passes", {.low = 1}}});
    Trainer trainer(objective, optim::adam({.lr = 0.1}), 1);
    run->on_epoch([&] {
      run->text("weights", trainer.state().parameter("w").str());
      run->sound("tone", Tensor({8}), 8000);
    });
    (void)run->fit(trainer, points(), {.epochs = epochs, .batch_size = 16});
    EXPECT_EQ(run->finish(trainer), 0);
    return trainer.state();
  }
  /// Runs a user's own loop of ten steps, and returns the state.
  [[nodiscard]] State looped(const std::string& folder, const std::vector<const char*>& arguments) const {
    const auto run = run_in(folder, arguments);
    TrainStep step = train_step(objective, optim::adam({.lr = 0.1}), 1);
    State state = step.init(points(), 1);
    run->on_epoch([&] {
      run->text("weights", state.parameter("w").str());
      run->text("moment", std::to_string(run->step()));
    });
    run->text("settings", "of ten steps");
    for (run->restore(state); run->step() < 10; run->next(state)) {
      run->log("length", step(state, points().slice(4 * run->step(), 4 * run->step() + 8)).loss);
      run->log("twice", 2.0 * static_cast<double>(run->step()));
    }
    EXPECT_EQ(run->finish(state), 0);
    return state;
  }
};

TEST_F(OwnRun, IsStoppedAndResumedWithTheSameBitsAndWritesItsReport) {
  const State whole = trained("whole", {});
  (void)trained("halves", {"--stop-after", "6"});
  EXPECT_FALSE(std::filesystem::exists(path("halves/report.html")));
  const State resumed = trained("halves", {"--resume"});
  EXPECT_TRUE(identical(whole.parameters, resumed.parameters));
  EXPECT_EQ(read_text(path("whole/media.jsonl")), read_text(path("halves/media.jsonl")));
  EXPECT_EQ(read_text(path("whole/model.safetensors")), read_text(path("halves/model.safetensors")));
  const std::string report = read_text(path("halves/report.html"));
  for (const char* part : {"Products of the run", "<audio", "epoch 1<", "epoch 4<", "epochs = 4"})
    EXPECT_NE(report.find(part), std::string::npos) << part;
}

TEST_F(OwnRun, EachMediumThatAStepShowsHasAFileOfItsOwn) {
  (void)looped("run", {});
  std::set<std::string> files;
  std::istringstream lines(read_text(path("run/media.jsonl")));
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) files.insert(nlohmann::json::parse(line).at("file"));
  EXPECT_EQ(count, 21u);
  EXPECT_EQ(files.size(), count);
  for (const std::string& file : files) EXPECT_TRUE(std::filesystem::exists(path("run/" + file))) << file;
}

TEST_F(OwnRun, ARunThatEndedWithoutAReportWritesItWhenResumed) {
  const auto all_but_the_end = [&](const std::vector<const char*>& arguments, bool finishes) {
    const auto run = run_in("run", arguments);
    Trainer trainer(objective, optim::adam({.lr = 0.1}), 1);
    FitOptions options = run->options({.epochs = 2, .batch_size = 16});
    run->text("settings", "of two epochs");
    (void)trainer.fit(points(), options);
    run->text("result", trainer.state().parameter("w").str());
    if (!finishes) return;
    EXPECT_EQ(run->finish(trainer), 0);
  };
  all_but_the_end({}, false);
  const std::string shown = read_text(path("run/media.jsonl"));
  EXPECT_NE(shown.find("\"step\":8,\"name\":\"result\""), std::string::npos) << shown;
  all_but_the_end({"--resume"}, true);
  EXPECT_EQ(read_text(path("run/media.jsonl")), shown);
  EXPECT_NE(read_text(path("run/report.html")).find("8 steps"), std::string::npos);
}

TEST_F(OwnRun, AFitThatDivergesHasAReportThatSaysSo) {
  const auto run = run_in("run", {});
  Trainer trainer(objective, optim::sgd({.lr = 10}), 1);
  EXPECT_THROW((void)run->fit(trainer, points(), {.epochs = 40, .batch_size = 16}), NumericError);
  EXPECT_NE(read_text(path("run/report.html")).find("Diverged"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path("run/model.safetensors")));
}

TEST_F(OwnRun, ADivergedTrainerFitHasAReportTooAndCallsOnFailure) {
  const auto run = run_in("run", {});
  Trainer trainer(objective, optim::sgd({.lr = 10}), 1);
  std::string told;
  FitOptions wanted{.epochs = 40, .batch_size = 16};
  wanted.on_failure = [&](const State& state, const NumericError& error) {
    told = error.what();
    EXPECT_GT(state.step, 0);
  };
  EXPECT_THROW((void)trainer.fit(points(), run->options(wanted)), NumericError);
  EXPECT_NE(told.find("step"), std::string::npos) << told;
  EXPECT_NE(read_text(path("run/report.html")).find("Diverged"), std::string::npos);
}

TEST_F(OwnRun, ALoopThatDivergesHasAReportThatSaysSo) {
  const auto run = run_in("run", {});
  TrainStep step = train_step(objective, optim::sgd({.lr = 10}), 1);
  State state = step.init(points(), 1);
  try {
    for (run->restore(state); run->step() < 200; run->next(state)) run->log("length", step(state, points()).loss);
    FAIL();
  } catch (const NumericError& error) {
    EXPECT_EQ(run->finish(error), 5);
  }
  EXPECT_NE(read_text(path("run/report.html")).find("Ended in an error in step"), std::string::npos);
}

TEST_F(OwnRun, OneObjectiveGetsAVerdictWhateverItsMetricsAreCalled) {
  const auto run = run_in("run", {});
  const auto reporting = [](Scope s, const Batch& b) {
    s.report("left.loss", b["x"]);
    s.report("right.loss", b["x"]);
    return objective(s, b);
  };
  Trainer trainer(reporting, optim::adam({.lr = 0.1}), 1);
  (void)run->fit(trainer, points(), {.epochs = 4, .batch_size = 16});
  EXPECT_EQ(run->finish(trainer), 0);
  const std::string report = read_text(path("run/report.html"));
  EXPECT_EQ(report.find("Not judged"), std::string::npos);
  EXPECT_EQ(report.find("training losses"), std::string::npos);
}

TEST_F(OwnRun, RefusesWhatItDoesNotKnow) {
  EXPECT_THROW((void)trained("a", {"--resume"}), UsageError);
  EXPECT_THROW((void)trained("b", {"--fast"}), UsageError);
  EXPECT_THROW((void)trained("c", {"--set", "epochs=0"}), UsageError);
  EXPECT_THROW((void)trained("c", {"--set", "epoch=2"}), UsageError);
  EXPECT_THROW((void)looped("c", {"--set", "epochs=2"}), UsageError);
  for (const char* folder : {"a", "b", "c"}) EXPECT_FALSE(std::filesystem::exists(path(folder))) << folder;
  (void)trained("d", {"--stop-after", "6"});
  EXPECT_THROW((void)trained("d", {"--resume", "--set", "epochs=5"}), UsageError);
}

TEST_F(OwnRun, AUsersLoopIsStoppedAndResumedWithTheSameBits) {
  const State whole = looped("whole", {});
  (void)looped("halves", {"--stop-after", "3"});
  EXPECT_FALSE(std::filesystem::exists(path("halves/report.html")));
  const State resumed = looped("halves", {"--resume"});
  EXPECT_EQ(resumed.step, 10);
  EXPECT_TRUE(identical(whole.parameters, resumed.parameters));
  EXPECT_EQ(read_text(path("whole/media.jsonl")), read_text(path("halves/media.jsonl")));
  EXPECT_EQ(read_text(path("whole/model.safetensors")), read_text(path("halves/model.safetensors")));
  const std::string report = read_text(path("halves/report.html"));
  for (const char* part : {"length", "twice was 0 in the first step and 18 in the last", ">step 10<"})
    EXPECT_NE(report.find(part), std::string::npos) << part;
  EXPECT_EQ(report.find("learning rate"), std::string::npos);  // a user's loop does not report its rate
}

TEST_F(OwnRun, ItsModelIsLoadedFromTheFolderWithItsFunction) {
  Dataset rows;
  rows.set("input", random_normal({40, 3}, 1));
  rows.set("target", random_normal({40, 1}, 2));
  const auto run = run_in("run", {});
  Trainer trainer(nn::linear(1), loss::mse, optim::sgd({.lr = 0.1}), 1);
  (void)run->fit(trainer, rows, {.epochs = 2});
  EXPECT_EQ(run->finish(trainer), 0);
  const Tensor predicted = Model::load(path("run"), nn::linear(1)).predict(rows["input"]);
  EXPECT_TRUE(identical(predicted.reshape({40, 1}), trainer.predict(rows)));
  try {
    (void)Model::load(path("run"));
    ADD_FAILURE();
  } catch (const ModelError& error) {
    EXPECT_NE(std::string(error.what()).find("Hint: Model::load(PATH, model)"), std::string::npos) << error.what();
  }
}

TEST_F(OwnRun, ItsStateIsSavedAsAFileThatLoads) {
  const State state = looped("run", {});
  TrainStep step = train_step(objective, optim::adam({.lr = 0.1}), 1);
  State fresh = step.init(points(), 2);
  fresh.load(path("run/model.safetensors"));
  EXPECT_TRUE(identical(fresh.parameter("w"), state.parameter("w")));
}

}  // namespace
}  // namespace thalweg::testing

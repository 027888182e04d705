// tw::Run: what the command does around a training, in a program of one's own.

#include <gtest/gtest.h>

#include "temporary_folder.hpp"
#include "thalweg/error.hpp"
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
  /// Trains a few epochs with these arguments behind the program's name; gives the state.
  [[nodiscard]] State trained(const std::string& folder, const std::vector<const char*>& arguments) const {
    const auto run = run_in(folder, arguments);
    std::int64_t epochs = 4;
    run->read({{"epochs", &epochs, "passes", {.low = 1}}});
    Trainer trainer(objective, optim::adam({.lr = 0.1}), 1);
    run->on_epoch([&] {
      run->text("weights", trainer.state().parameter("w").str());
      run->sound("tone", Tensor({8}), 8000);
    });
    trainer.fit(points(), run->options({.epochs = epochs, .batch_size = 16}));
    EXPECT_EQ(run->finish(trainer), 0);
    return trainer.state();
  }
  /// A loop of ten steps.
  [[nodiscard]] State looped(const std::string& folder, const std::vector<const char*>& arguments) const {
    const auto run = run_in(folder, arguments);
    TrainStep step = train_step(objective, optim::adam({.lr = 0.1}), 1);
    State state = step.init(points(), 1);
    run->on_epoch([&] { run->text("weights", state.parameter("w").str()); });
    for (run->restore(state); run->step() < 10; run->next(state)) {
      run->log("length", step(state, points().slice(4 * run->step(), 4 * run->step() + 8)).loss);
      run->log("twice", 2.0 * static_cast<double>(run->step()));
    }
    EXPECT_EQ(run->finish(state), 0);
    return state;
  }
};

TEST_F(OwnRun, IsStoppedAndResumedToTheSameBitsWithItsReport) {
  const State whole = trained("whole", {});
  (void)trained("halves", {"--stop-after", "6"});
  EXPECT_FALSE(std::filesystem::exists(path("halves/report.html")));
  const State resumed = trained("halves", {"--resume"});
  EXPECT_TRUE(identical(whole.parameters, resumed.parameters));
  EXPECT_EQ(read_text(path("whole/media.jsonl")), read_text(path("halves/media.jsonl")));
  EXPECT_EQ(read_text(path("whole/model.safetensors")), read_text(path("halves/model.safetensors")));
  const std::string report = read_text(path("halves/report.html"));
  for (const char* part : {"What it made", "<audio", "epoch 1<", "epoch 4<", "epochs = 4"})
    EXPECT_NE(report.find(part), std::string::npos) << part;
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

TEST_F(OwnRun, ALoopOfOnesOwnIsStoppedAndResumedToTheSameBits) {
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
  EXPECT_EQ(report.find("learning rate"), std::string::npos);  // of which a loop says nothing
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

#pragma once
// Run: the services of `thalweg train` around a training, for any program: a folder, progress, metrics, checkpoints, an
// orderly stop at Ctrl-C and a resume, media over the epochs, a report with its verdict, and the model.
//
//   int main(int argc, char** argv) {
//     tw::Run run("runs/gan", argc, argv);
//     run.on_epoch([&] { run.pictures("samples", sample(gan.state())); });
//     run.fit(gan, images, {.epochs = 20});
//     return run.finish(gan);
//   }
//
// A loop of your own is saved and resumed as well:
//
//   for (run.restore(state); run.step() < 80; run.next(state)) run.log("length", play(state));
//   return run.finish(state);

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/error.hpp"
#include "thalweg/medium.hpp"
#include "thalweg/options.hpp"
#include "thalweg/path.hpp"
#include "thalweg/state.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// Unlike the rest of the library it prints. It handles SIGINT, SIGTERM and SIGHUP from the start of the run (see
/// below) until this object is destroyed. At the first signal, the present step is finished (or the next, if none is
/// running) and the run is saved; a second signal ends the process at once. A process can have one Run at a time, with
/// one fit or one loop.
class Run {
 public:
  /// The arguments may be --out FOLDER in place of `folder`, --resume to continue the newest unfinished run there,
  /// --stop-after N, --set KEY=VALUE, --quiet and --json; argv[0] is ignored. If the folder is taken, a new run gets a
  /// new one: `runs/gan-2`. The folder is made when the run begins, by the first call of a function below `read`.
  /// Throws UsageError for any other argument.
  explicit Run(const Path& folder, int argc = 0, const char* const* argv = nullptr);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// Reads the program's own options, which --set can change. They are saved in config.toml and shown in the report.
  /// Call it at most once, and before the run begins. Throws UsageError for a --set with an unknown key.
  void read(const Fields& fields);

  // Each of these functions begins the run. They throw UsageError if --resume finds no unfinished run, or if the
  // program's options differ from those with which the run began.

  [[nodiscard]] Path folder() const;
  /// Trainer::fit with `options(wanted)`. Call it at most once.
  History fit(Trainer& trainer, const Dataset& data, FitOptions wanted = {});
  /// The given options plus those that a run adds: checkpoints, resume, progress, metrics.jsonl, the stop, and a report
  /// if the training ends with a NumericError. For a program that calls Trainer::fit itself.
  [[nodiscard]] FitOptions options(FitOptions wanted = {});
  /// Sets a function that is called after each epoch of such a fit, or after each step of your own loop.
  void on_epoch(std::function<void()> then);

  /// Adds media to the series of this name. The report shows the first and the last of each series, and some evenly
  /// between.
  void pictures(std::string_view name, const Tensor& pixels, std::int64_t columns = 0);
  void sound(std::string_view name, const Tensor& samples, std::int64_t rate);
  void text(std::string_view name, std::string text);
  void table(std::string_view name, const std::vector<std::string>& head,
             const std::vector<std::vector<std::string>>& rows);

  /// In a resumed run, replaces the state by that of the newest checkpoint. In a new run it does nothing.
  void restore(State& state);
  /// The number of steps of the loop so far. After a stop, when `next` has saved the run, it is the largest integer, so
  /// that every loop ends.
  [[nodiscard]] std::int64_t step() const;
  /// Records a figure of the present step, for the progress, metrics.jsonl and the report.
  void log(std::string_view name, double value);
  /// Ends a step of the loop: writes the logged figures, and a checkpoint at every `checkpoint_every`-th step and at a
  /// stop. The loop must depend only on the state and the step: then a resumed run ends with the same bits as an
  /// uninterrupted run.
  void next(const State& state, std::int64_t checkpoint_every = 1);

  /// Saves the model and the report and prints the results, or, for a stopped run, how to resume it. Returns the exit
  /// code of the program: 0, or 128 plus the signal.
  [[nodiscard]] int finish(const Trainer& trainer);
  [[nodiscard]] int finish(const State& state);
  /// For a loop that ends with an error: prints the error, writes a report with the step at which it occurred, and
  /// returns the exit code.
  [[nodiscard]] int finish(const NumericError& error);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace thalweg

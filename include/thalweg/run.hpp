#pragma once
// Run: what `thalweg train` does around a training, for any program: a folder, progress, metrics, checkpoints, an
// orderly stop at Ctrl-C and a resume, media over the epochs, a report with its verdict, the model.
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

/// Unlike the rest of the library it prints. From when the run begins (see below) until this object is gone, SIGINT,
/// SIGTERM and SIGHUP are handled: at the first, the step under way ends, or the next where none is, and the run is
/// saved; the second ends the process at once. One at a time in a process; one fit or one loop.
class Run {
 public:
  /// The arguments may be --out FOLDER in place of this one, --resume to go on with the newest unfinished run there,
  /// --stop-after N, --set KEY=VALUE, --quiet and --json; argv[0] is passed over. A new run takes a new folder where
  /// this one is taken: `runs/gan-2`. The folder is made when the run begins, by the first of the calls below `read`.
  /// Throws UsageError for any other argument.
  explicit Run(const Path& folder, int argc = 0, const char* const* argv = nullptr);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// The program's own options, which --set can change: they are kept in config.toml and shown in the report. At most
  /// once, and before the run begins. Throws UsageError for a --set that names none of them.
  void read(const Fields& fields);

  // Any of these begins the run. They throw UsageError where --resume finds no unfinished run, and where the program's
  // options differ from those with which the run began.

  [[nodiscard]] Path folder() const;
  /// Trainer::fit with checkpoints, resume, progress, metrics.jsonl and the stop. Where it ends in a NumericError, the
  /// report says so, and the error is thrown on. At most once.
  History fit(Trainer& trainer, const Dataset& data, FitOptions wanted = {});
  /// The options of such a fit, for who calls Trainer::fit: what is given, and what a run adds to it.
  [[nodiscard]] FitOptions options(FitOptions wanted = {});
  /// Called after each epoch of such a fit, or each step of a loop of your own.
  void on_epoch(std::function<void()> then);

  /// Show media at this moment of the run, as series by name; the report has the first of each, the last and some
  /// evenly between.
  void pictures(std::string_view name, const Tensor& pixels, std::int64_t columns = 0);
  void sound(std::string_view name, const Tensor& samples, std::int64_t rate);
  void text(std::string_view name, std::string text);
  void table(std::string_view name, const std::vector<std::string>& head,
             const std::vector<std::vector<std::string>>& rows);

  /// In a resumed run, replaces the state by that of its newest checkpoint; otherwise does nothing.
  void restore(State& state);
  /// Steps of the loop so far. Once the run was asked to stop and `next` has saved it, the largest number there is, so
  /// that a loop up to any number ends.
  [[nodiscard]] std::int64_t step() const;
  /// A figure of the step under way: for the progress, metrics.jsonl and the report.
  void log(std::string_view name, double value);
  /// Ends a step of the loop: writes what was logged, and a checkpoint at every `checkpoint_every`-th step and at a
  /// stop. What the loop computes must follow from the state and the step alone: then a resumed run ends with the same
  /// bits as one that was left alone.
  void next(const State& state, std::int64_t checkpoint_every = 1);

  /// Saves the model and the report and prints how it went; of a run that was stopped, how to go on. Gives the exit
  /// code of the program: 0, or 128 and the signal.
  [[nodiscard]] int finish(const Trainer& trainer);
  [[nodiscard]] int finish(const State& state);
  /// Of a loop of one's own that ends in an error: prints it, writes a report that says at which step, and gives the
  /// exit code.
  [[nodiscard]] int finish(const NumericError& error);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace thalweg

// thalweg transcribe: writes down the text of spoken sounds.

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/checks.hpp"
#include "cli/command.hpp"
#include "cli/output.hpp"
#include "core/error.hpp"
#include "run/trained_system.hpp"

namespace thalweg::cli {

namespace {

struct TranscribeArguments {
  std::string run;
  std::vector<std::string> sounds;
  std::int64_t beam = 1;
};

int run(const TranscribeArguments& arguments, const Context& context) {
  const TrainedSystem trained = load_system(arguments.run, context.registry);
  if (!trained.system.transcribe)
    fail<UsageError>("[transcribe] {} is {}, which cannot read sounds. Wanted: a run of a speech recogniser",
                     arguments.run, trained.choice.kind);
  for (const std::string& name : arguments.sounds) {
    const Sound sound = read_sound(name);
    const std::string text = trained.system.transcribe(trained.state, sound, arguments.beam);
    if (context.json) {
      emit_line_of(nlohmann::ordered_json{{"file", as_utf8(name)}, {"seconds", sound.seconds()}, {"text", text}});
    } else if (arguments.sounds.size() == 1) {
      emit("{}\n", text);
    } else {
      emit("{}\t{}\n", shown(name), text);
    }
  }
  return 0;
}

constexpr const char* examples = R"(Examples:
  thalweg transcribe runs/speech a.wav            the text of the speech in it
  thalweg transcribe runs/speech *.flac           one line per file: its name, a tab, its text
  thalweg transcribe runs/speech a.ogg --beam 16  by a beam search instead of the likeliest path)";

void set_up(CLI::App& command, Context& context) {
  auto arguments = std::make_shared<TranscribeArguments>();
  command.footer(examples);
  command.add_option("run", arguments->run, "Run folder, or model.safetensors")->required()->type_name("RUN");
  command.add_option("sounds", arguments->sounds, "WAV, FLAC or Ogg files")->required()->type_name("FILE");
  command.add_option("--beam", arguments->beam, "Width of the beam search (1: the likeliest path)")
      ->check(in_range({.low = 1, .high = 10'000}));
  set_run(command, context, [arguments, &context] { return run(*arguments, context); });
}

}  // namespace

std::vector<CommandRow> transcribe_commands() {
  return {{"transcribe", "Transcribe the speech in sound files", CommandGroup::models, set_up}};
}

}  // namespace thalweg::cli

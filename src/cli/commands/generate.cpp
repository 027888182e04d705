// thalweg generate: writes text, token by token.

#include <nlohmann/json.hpp>

#include "cli/checks.hpp"
#include "cli/command.hpp"
#include "cli/output.hpp"
#include "cli/signals.hpp"
#include "thalweg/model.hpp"

namespace thalweg::cli {

namespace {

struct GenerateArguments {
  std::string run, prompt;
  GenerateOptions options;
};

int run(const GenerateArguments& arguments, const Context& context) {
  const Model model = Model::load(arguments.run, context.registry);
  const SignalWatch signals;
  if (!context.json) emit(arguments.prompt);
  const std::string text = model.generate(arguments.prompt, arguments.options, [&](std::string_view piece) {
    if (!context.json) {
      emit(piece);
      flush_output();
    }
    return signals.received() == 0;
  });
  if (context.json) {
    const nlohmann::ordered_json result{{"prompt", arguments.prompt}, {"text", text}};
    emit("{}\n", result.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  } else {
    emit("\n");
  }
  return signals.received() != 0 ? 128 + signals.received() : 0;
}

constexpr const char* examples = R"(Examples:
  thalweg generate runs/gpt --prompt "Call me Ishmael." --temperature 0.8
  thalweg generate runs/gpt --prompt "The whale" --top-k 40 --top-p 0.95 --seed 7

The same seed writes the same text.)";

void set_up(CLI::App& command, Context& context) {
  auto arguments = std::make_shared<GenerateArguments>();
  GenerateOptions& options = arguments->options;
  command.footer(examples);
  command.add_option("run", arguments->run, "Run folder, or model.safetensors")->required()->type_name("RUN");
  command.add_option("--prompt", arguments->prompt, "The text to go on from");
  command.add_option("--tokens", options.tokens, "How many to write (200)")->check(in_range(not_negative));
  command.add_option("--temperature", options.temperature, "Logits are divided by it; 0 takes the likeliest (1)")
      ->check(in_range(not_negative));
  command.add_option("--top-k", options.top_k, "Only of so many likeliest; 0 is all (0)")
      ->check(in_range(not_negative));
  command.add_option("--top-p", options.top_p, "Only of the likeliest that make up this probability (1)")
      ->check(in_range({.low = 0, .high = 1, .low_open = true}));
  command.add_option("--seed", options.seed, "Of the random numbers (1)");
  set_run(command, context, [arguments, &context] { return run(*arguments, context); });
}

}  // namespace

std::vector<CommandRow> generate_commands() {
  return {{"generate", "Write text with a model of text", CommandGroup::models, set_up}};
}

}  // namespace thalweg::cli

// thalweg generate: writes text token by token, or the products of a system, such as pictures.

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/checks.hpp"
#include "cli/command.hpp"
#include "cli/device.hpp"
#include "cli/output.hpp"
#include "cli/signals.hpp"
#include "cli/text_output.hpp"
#include "core/counted.hpp"
#include "core/error.hpp"
#include "core/workers.hpp"
#include "options/nearest_name.hpp"
#include "run/trained_system.hpp"
#include "store/atomic_file.hpp"
#include "thalweg/model.hpp"

namespace fs = std::filesystem;

namespace thalweg::cli {

namespace {

struct GenerateArguments {
  std::string run, prompt, label, out, device = "cpu";
  int threads = 0;
  GenerateOptions text;
  GenerateRequest request;
  std::vector<std::string> given = {};  ///< options only for models of text, and only for systems
};

constexpr std::string_view of_text[] = {"prompt", "tokens", "temperature", "top-k", "top-p"};
constexpr std::string_view of_systems[] = {"count", "class", "guidance", "steps", "text", "out", "threads"};

/// Throws UsageError for the first given option that is among `others`.
template <class Names>
void refuse_others(const GenerateArguments& arguments, const Names& others, std::string_view what) {
  for (const std::string& name : arguments.given) {
    if (std::ranges::find(others, name) != std::end(others))
      fail<UsageError>("[generate] --{}: {} is {}, which takes no such option", name, arguments.run, what);
  }
}

int write_text(const GenerateArguments& arguments, const Context& context) {
  const Model model = Model::load(arguments.run, context.registry);
  refuse_others(arguments, of_systems, "a model");
  refuse_device(arguments.device, "text is written token by token");
  const SignalWatch signals;
  TextOutput output;
  if (!context.json) output.add(arguments.prompt);
  const std::string text = model.generate(arguments.prompt, arguments.text, [&](std::string_view piece) {
    if (!context.json) {
      output.add(piece);
      flush_output();
    }
    return signals.received() == 0;
  });
  if (context.json) {
    const nlohmann::ordered_json result{{"prompt", arguments.prompt}, {"text", text}};
    emit("{}\n", result.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  } else {
    output.add("\n");
  }
  return signals.received() != 0 ? 128 + signals.received() : 0;
}

std::int64_t class_named(const std::string& name, const std::vector<std::string>& classes) {
  const auto found = std::ranges::find(classes, name);
  if (found != classes.end()) return found - classes.begin();
  fail<UsageError>("[generate] there is no class '{}'. Hint: {}", name, name_hint(name, classes));
}

/// The request of the user, if the row of the system takes all its options.
GenerateRequest request_of(const GenerateArguments& arguments, const TrainedSystem& trained, const SystemRow& row) {
  std::vector<std::string_view> takes = row.takes;
  if (std::ranges::find(takes, "text") == takes.end()) takes.push_back("count");  // a text gives one sound
  takes.push_back("out");
  takes.push_back("threads");
  for (const std::string& name : arguments.given) {
    if (std::ranges::find(of_systems, name) == std::end(of_systems) || std::ranges::find(takes, name) != takes.end())
      continue;
    fail<UsageError>("[generate] --{}: {} takes no such option. Hint: it takes --{}, --seed", name, row.name,
                     fmt::join(takes, ", --"));
  }
  GenerateRequest request = arguments.request;
  if (!arguments.label.empty()) request.label = class_named(arguments.label, trained.preprocessing.classes());
  return request;
}

/// The number of older files with higher numbers than the files just made.
std::int64_t files_from(const fs::path& folder, const Generated& made) {
  std::int64_t count = 0;
  const auto end = std::ssize(made.items);
  while (end > 0 && fs::exists(folder / fmt::format("{:05}{}", end + count, made.items[0].extension()))) ++count;
  return count;
}

/// Writes each product to a file, and one file with all of them next to their folder.
int make_files(const GenerateArguments& arguments, const Context& context) {
  refuse_others(arguments, of_text, "a system");
  const DeviceInUse device(arguments.device);
  const DefaultThreads threads(arguments.threads);
  const TrainedSystem trained = load_system(arguments.run, context.registry);
  const SystemRow& row = context.registry.system(trained.choice.kind);
  if (!trained.system.generate) fail<UsageError>("[generate] {} cannot generate anything", row.name);
  const Generated made = trained.system.generate(trained.state, request_of(arguments, trained, row));
  const fs::path run(arguments.run), beside = fs::is_directory(run) ? run : run.parent_path();
  const fs::path folder = arguments.out.empty() ? beside / "generated" : fs::path(arguments.out);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    fail<IoError>("[generate] {}: {}. Wanted: a folder that can be written. Hint: --out FOLDER.", folder.string(),
                  error.message());
  for (std::size_t i = 0; i < made.items.size(); ++i)
    write_atomically(folder / fmt::format("{:05}{}", i, made.items[i].extension()), made.items[i].bytes);
  if (const std::int64_t older = files_from(folder, made); older > 0 && !context.quiet)
    say("warning: {} holds {} more from an earlier call\n", shown(folder.string()), counted(older, "files"));
  nlohmann::ordered_json result{{"count", made.items.size()}, {"folder", as_utf8(folder.string())}};
  if (made.all) {
    const fs::path all = folder.string() + made.all->extension();
    write_atomically(all, made.all->bytes);
    result["all"] = as_utf8(all.string());
  }
  if (context.json) {
    emit_line_of(result);
  } else {
    emit("{} made: {}\n", with_commas(std::ssize(made.items)), shown(folder.string()));
    if (made.all) emit("at a glance: {}\n", shown(result["all"].get<std::string>()));
  }
  return 0;
}

int run(const GenerateArguments& arguments, const Context& context) {
  return holds_system(arguments.run) ? make_files(arguments, context) : write_text(arguments, context);
}

constexpr const char* examples = R"(Examples:
  thalweg generate runs/gpt --prompt "Call me Ishmael." --temperature 0.8
  thalweg generate runs/gpt --prompt "The whale" --top-k 40 --top-p 0.95 --seed 7
  thalweg generate runs/vae --count 64 --seed 1        PNG files in runs/vae/generated, and all in generated.png
  thalweg generate runs/voice --text "good morning"    a WAV file in runs/voice/generated

The same seed gives the same result.)";

void set_up(CLI::App& command, Context& context) {
  auto arguments = std::make_shared<GenerateArguments>();
  GenerateOptions& text = arguments->text;
  GenerateRequest& request = arguments->request;
  command.footer(examples);
  command.add_option("run", arguments->run, "Run folder, or model.safetensors")->required()->type_name("RUN");
  command.add_option("--seed", text.seed, "Seed of the random numbers (1)")->check(in_range(not_negative));
  command.add_option("--prompt", arguments->prompt, "The text to continue")->group("Text");
  command.add_option("--tokens", text.tokens, "Number of tokens to write (200)")
      ->check(in_range(not_negative))
      ->group("Text");
  command.add_option("--temperature", text.temperature, "Logits are divided by it; 0 takes the likeliest (1)")
      ->check(in_range(not_negative))
      ->group("Text");
  command.add_option("--top-k", text.top_k, "Draw only from this many likeliest tokens; 0 is all (0)")
      ->check(in_range(not_negative))
      ->group("Text");
  command
      .add_option("--top-p", text.top_p, "Draw only from the likeliest tokens that together have this probability (1)")
      ->check(in_range({.low = 0, .high = 1, .low_open = true}))
      ->group("Text");
  command.add_option("--count", request.count, "Number of products (64)")
      ->check(in_range({.low = 1, .high = 100'000}))
      ->group("Systems");
  command.add_option("--class", arguments->label, "Make only products of this class")
      ->type_name("NAME")
      ->group("Systems");
  command.add_option("--guidance", request.guidance, "How much to strengthen the class of a picture beyond the data")
      ->check(in_range({.low = 0, .high = 1000}))
      ->group("Systems");
  command.add_option("--steps", request.steps, "Steps of the sampler")
      ->check(in_range({.low = 1, .high = 10'000}))
      ->group("Systems");
  command.add_option("--text", request.text, "The text to speak")->group("Systems");
  command.add_option("--out", arguments->out, "Folder for the files (RUN/generated)")->group("Systems");
  add_device_option(command, arguments->device);
  add_threads_option(command, arguments->threads);
  for (const char* option : {"--device", "--threads"}) command.get_option(option)->group("Systems");
  set_run(command, context, [arguments, &context, &command] {
    for (const CLI::Option* option : command.get_options()) {
      if (option->count() > 0 && !option->get_lnames().empty())
        arguments->given.push_back(option->get_lnames().front());
    }
    arguments->request.seed = arguments->text.seed;
    return run(*arguments, context);
  });
}

}  // namespace

std::vector<CommandRow> generate_commands() {
  return {{"generate", "Write text with a model of text, or make what a system makes", CommandGroup::models, set_up}};
}

}  // namespace thalweg::cli

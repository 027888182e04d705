// thalweg neighbours

#include <nlohmann/json.hpp>

#include "cli/checks.hpp"
#include "cli/embeddings.hpp"
#include "cli/output.hpp"

namespace thalweg::cli {

namespace {

struct NeighbourArguments {
  std::string run, word;
  std::int64_t count = 10;
};

int run(const NeighbourArguments& arguments, const Context& context) {
  const auto neighbours = trained_words(arguments.run, context.registry).neighbours(arguments.word, arguments.count);
  for (const auto& [word, cosine] : neighbours) {
    if (context.json) {
      emit_line_of(nlohmann::ordered_json{{"word", word}, {"cosine", cosine}});
    } else {
      emit("{:.4f}  {}\n", cosine, word);
    }
  }
  return 0;
}

constexpr const char* examples = R"(Examples:
  thalweg neighbours runs/embeddings war
  thalweg neighbours runs/embeddings war --count 25 --json     one object per line

The words whose vectors have the largest cosine with that of the word, the largest first.)";

void set_up(CLI::App& command, Context& context) {
  auto arguments = std::make_shared<NeighbourArguments>();
  command.footer(examples);
  command.add_option("run", arguments->run, "Folder of a run of embeddings")->required()->type_name("RUN");
  command.add_option("word", arguments->word, "A word of the training text")->required()->type_name("WORD");
  command.add_option("--count", arguments->count, "Number of neighbours (10)")
      ->check(in_range({.low = 1, .high = 1'000'000}));
  set_run(command, context, [arguments, &context] { return run(*arguments, context); });
}

}  // namespace

std::vector<CommandRow> neighbours_commands() {
  return {{"neighbours", "The nearest words in a run of embeddings", CommandGroup::models, set_up}};
}

}  // namespace thalweg::cli

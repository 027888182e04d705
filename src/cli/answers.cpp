#include "cli/answers.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/output.hpp"
#include "core/error.hpp"
#include "core/hint.hpp"
#include "core/utf8.hpp"
#include "data/word_rows.hpp"
#include "run/trained_system.hpp"

namespace thalweg::cli {

namespace {

void emit_answers(const std::string& text, const Answers& answers, const Context& context) {
  if (!context.json) {
    emit("{}\n", shown(text, 2000));
    for (const auto& question : answers) {
      for (const auto& [answer, probability] : question) emit("  {:.4f}  {}\n", probability, shown(answer));
      if (answers.size() > 1) emit("\n");
    }
    return;
  }
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const auto& question : answers) {
    nlohmann::ordered_json own = nlohmann::ordered_json::array();
    for (const auto& [answer, probability] : question)
      own.push_back({{"answer", answer}, {"probability", probability}});
    all.push_back(std::move(own));
  }
  emit_line_of(nlohmann::ordered_json{{"text", text}, {"answers", all}});
}

/// Whether a line has words and the model knows none of them.
bool knows_no_word(const data::WordCoder& coder, const std::string& line) {
  const std::vector<std::int32_t> numbers = coder(line, true);
  const auto is_word = [](std::int32_t number) { return number > data::WordPreprocessing::end; };
  const auto is_known = [&](std::int32_t number) { return number >= coder.words().first_word(); };
  return std::ranges::any_of(numbers, is_word) && std::ranges::none_of(numbers, is_known);
}

}  // namespace

int answer_lines(const std::string& run, const std::string& path, std::int64_t count, const Context& context) {
  const TrainedSystem trained = load_system(run, context.registry);
  if (!trained.system.answer)
    fail<UsageError>("[predict] {} is {}, which has no predictions of texts or rows. Hint: thalweg evaluate {}", run,
                     trained.choice.kind, shell_quoted(run));
  if (std::filesystem::is_directory(path)) fail<UsageError>("[predict] {} is a folder. Wanted: a file", path);
  std::ifstream file(path);
  if (!path.empty() && !file) fail<UsageError>("[predict] there is no file {}", path);
  std::istream& lines = path.empty() ? std::cin : file;
  const std::string name = path.empty() ? "standard input" : path;
  const auto* words = trained.preprocessing.words();
  const auto coder = words ? std::make_unique<const data::WordCoder>(*words) : nullptr;
  std::string line;
  for (std::int64_t number = 1; std::getline(lines, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    if (!is_utf8(line)) fail<DataError>("[predict] {}, line {}: a text that is not UTF-8", name, number);
    if (coder && !context.quiet && knows_no_word(*coder, line))
      say("warning: {}, line {}: none of its words was in the training texts\n", shown(name), number);
    try {
      emit_answers(line, trained.system.answer(trained.state, line, count), context);
    } catch (const UsageError& error) {
      fail<DataError>("{}", with_note(error.what(), fmt::format("{}, line {}", name, number)));
    }
    flush_output();
  }
  if (lines.bad()) fail<IoError>("[predict] {} cannot be read to its end", name);
  return 0;
}

}  // namespace thalweg::cli

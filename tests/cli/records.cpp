// A run records the data that it read, and later changes of the data are reported.

#include <algorithm>
#include <filesystem>

#include "command.hpp"

namespace thalweg::testing {
namespace {

class DataRecords : public CommandTest {
 protected:
  void append(const std::string& name, const std::string& text) const { write(name, read_text(path(name)) + text); }
  void expect_refused(const Ran& ran, int code, std::initializer_list<const char*> words) const {
    EXPECT_EQ(ran.code, code) << ran.out << ran.err;
    for (const char* word : words) EXPECT_NE(ran.err.find(word), std::string::npos) << word << " in: " << ran.err;
    EXPECT_EQ(ran.err.find("Hint:"), ran.err.rfind("Hint:")) << "one hint: " << ran.err;
  }
  [[nodiscard]] nlohmann::json record(const std::string& run) const {
    return nlohmann::json::parse(read_text(path(run) / "data.json"));
  }
};

TEST_F(DataRecords, TheRecordNamesTheDataThatWasRead) {
  write_table("t.csv");
  write_table("u.csv", 30);
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet --test u.csv --out a").code, 0);
  const nlohmann::json data = record("a");
  EXPECT_EQ(data["rows"], 120);
  EXPECT_EQ(data["held_out"].size(), 12u);
  EXPECT_EQ(data["places"]["train"][0]["bytes"], std::filesystem::file_size(path("t.csv")));
  EXPECT_EQ(data["places"]["train"][0]["path"], (std::filesystem::canonical(path()) / "t.csv").string());
  EXPECT_TRUE(data["places"].contains("test"));
  EXPECT_FALSE(data["places"].contains("validation"));
  ASSERT_EQ(data["columns"].size(), 4u);
  EXPECT_EQ(data["columns"][2]["name"], "kind");
  EXPECT_EQ(data["columns"][2]["kind"], "category");
  EXPECT_EQ(data["columns"][2]["levels"], (nlohmann::json{"u", "v", "w"}));
  EXPECT_EQ(data["columns"][3]["kind"], "target");
}

TEST_F(DataRecords, EvaluateMeasuresTheRowsThatWereHeldOutAsTheRunDid) {
  write_table("t.csv");
  const Ran trained = run("train t.csv --target y --epochs 5 --quiet --out a --json");
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Ran evaluated = run("evaluate a --json");
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  EXPECT_EQ(evaluated.json()["rows"], 12);
  EXPECT_EQ(evaluated.json()["data"], "validation");
  // the best epoch is kept, and the log has the same metric for it
  const std::string log = read_text(path("a") / "metrics.jsonl"), key = "\"validation.rmse\":";
  std::vector<double> figures;
  for (std::size_t at = log.find(key); at != std::string::npos; at = log.find(key, at + 1))
    figures.push_back(std::stod(log.substr(at + key.size())));
  ASSERT_EQ(figures.size(), 5U) << log;
  EXPECT_NEAR(*std::ranges::min_element(figures), evaluated.json()["rmse"].get<double>(), 1e-6);
}

/// The number of threads is that of the option, whatever the environment and the run's configuration say.
TEST_F(DataRecords, TrainedModelsAreUsedWithTheThreadsThatAreAskedFor) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 2 --quiet --out a").code, 0);
  ASSERT_EQ(run("train t.csv --target y --epochs 2 --stop-after 3 --threads 2 --quiet --out b").code, 0);
  for (const std::string asked : {"evaluate a --json", "evaluate b --data t.csv --json"}) {
    const Ran one = run(asked + " --threads 1"), three = run(asked + " --threads 3");
    EXPECT_EQ(one.code, 0) << one.err;
    EXPECT_EQ(one.out, three.out);
    const std::string in = "THALWEG_THREADS=abc " + command() + " " + asked;
    EXPECT_EQ(shell(in).code, asked.starts_with("evaluate b") ? 0 : 2) << asked;  // b's configuration has a number
    EXPECT_EQ(shell(in + " --threads 2").code, 0);
    expect_refused(run(asked + " --threads -1"), 2, {"-1", "Wanted: "});
  }
}

TEST_F(DataRecords, ALongFileNameIsSeparatedFromItsNumbers) {
  write_table("t.csv");
  write_table("a-long-name.csv", 30);
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet --out a").code, 0);
  EXPECT_EQ(run("evaluate a --data a-long-name.csv").out.rfind("a-long-name.csv loss ", 0), 0u);
}

TEST_F(DataRecords, EvaluateSaysWhatHasChangedAndAsksForData) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet --out a").code, 0);
  const std::string before = read_text(path("t.csv"));
  append("t.csv", "1,2,z,3\n");
  expect_refused(run("evaluate a"), 3, {"t.csv has ", "121 rows, and there were 120", "--data FILE"});
  EXPECT_EQ(run("evaluate a --data t.csv --quiet").code, 0);
  std::string other = before;
  other[other.size() - 2] = other[other.size() - 2] == '7' ? '8' : '7';
  write("t.csv", other);
  expect_refused(run("evaluate a"), 3, {"t.csv has other content"});
  write("t.csv", "a,b,c" + before.substr(before.find(",y")));
  expect_refused(run("evaluate a"), 3, {"column 'c' is new", "column 'kind' is gone"});
  std::filesystem::remove(path("t.csv"));
  expect_refused(run("evaluate a"), 3, {"t.csv is no longer there", "--data FILE"});
  write("t.csv", before);
  EXPECT_EQ(run("evaluate a").code, 0) << "the same content is the same data";
}

TEST_F(DataRecords, EvaluateChecksOnlyTheTestDataIfThereIsSome) {
  write_table("t.csv");
  write_table("u.csv", 30);
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet --test u.csv --out a").code, 0);
  append("t.csv", "1,2,u,3\n");
  EXPECT_EQ(run("evaluate a --json").json()["data"], "test");
  append("u.csv", "1,2,u,3\n");
  expect_refused(run("evaluate a"), 3, {"u.csv has "});
}

TEST_F(DataRecords, ChangedDataThatCannotBeReadIsRefusedWithOneHint) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 3 --quiet --stop-after 4 --out a").code, 0);
  append("t.csv", "much,2,u,3\n");
  for (const char* command : {"train a --resume --quiet", "evaluate a", "report a"})
    expect_refused(run(command), 3, {"line 122", "'much' is not a finite number. Hint: correct it"});
}

/// A run that has ended needs its data only to measure it.
TEST_F(DataRecords, EvaluateSaysWhyChangedDataCannotBeRead) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet --out a").code, 0);
  append("t.csv", "much,2,u,3\n");
  expect_refused(run("evaluate a"), 3,
                 {"t.csv has ", "it can no longer be read as it was: ", "line 122", "Hint: --data FILE"});
}

TEST_F(DataRecords, ADamagedRecordIsRefused) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet --out a").code, 0);
  const std::string name = "a/data.json", before = read_text(path(name)), rows = "\"rows\": 120,";
  const std::size_t at = before.find(rows);
  ASSERT_NE(at, std::string::npos) << before;
  const auto with = [&](const std::string& text) { return before.substr(0, at) + text + before.substr(at); };
  write(name, with("\"rows\": 3, "));
  expect_refused(run("evaluate a"), 4, {"data.json is damaged: 'rows' is there twice"});
  write(name, with("\"deep\": " + std::string(100'000, '[') + std::string(100'000, ']') + ", "));
  expect_refused(run("evaluate a"), 4, {"data.json is damaged: values nested too deep"});
  write(name, before.substr(0, at));
  expect_refused(run("evaluate a"), 4, {"data.json is damaged: "});
  for (const std::string number : {"1e+111", "120.5"}) {
    write(name, before.substr(0, at) + "\"rows\": " + number + "," + before.substr(at + rows.size()));
    const std::string said = "\"rows\" is " + number + ". Wanted: a whole number";
    expect_refused(run("evaluate a"), 4, {"data.json is damaged: ", said.c_str()});
  }
}

TEST_F(DataRecords, ResumeOnChangedDataIsRefusedNamingTheChange) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 3 --quiet --stop-after 4 --out a").code, 0);
  const std::string before = read_text(path("t.csv"));
  append("t.csv", "1,2,u,3\n");
  expect_refused(run("train a --resume --quiet"), 3, {"[resume]", "121 rows, and there were 120"});
  write("t.csv", before);
  EXPECT_EQ(run("train a --resume --quiet").code, 0);
}

TEST_F(DataRecords, ResumeWithNothingToResumeSaysSoAndStops) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 3 --quiet --stop-after 4 --out a").code, 0);
  for (const auto& checkpoint : std::filesystem::directory_iterator(path("a") / "checkpoints")) {
    const std::filesystem::path state = checkpoint.path() / "state.safetensors";
    std::filesystem::resize_file(state, std::filesystem::file_size(state) - 1);
  }
  expect_refused(run("train a --resume --quiet"), 4, {"no checkpoint of", "is whole", "passed over"});
  std::filesystem::remove_all(path("a") / "checkpoints");
  std::filesystem::create_directory(path("a") / "checkpoints");
  expect_refused(run("train a --resume --quiet"), 2, {"before its first checkpoint"});
  EXPECT_FALSE(std::filesystem::exists(path("a") / "model.safetensors"));
}

}  // namespace
}  // namespace thalweg::testing

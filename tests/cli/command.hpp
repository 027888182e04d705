#pragma once
// A fixture for tests that run the real command in a shell, as a user does.

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "places.hpp"
#include "temporary_folder.hpp"

namespace thalweg::testing {

struct Ran {
  int code = 0;
  std::string out, err;
  /// The last line of the output, as JSON.
  [[nodiscard]] nlohmann::json json() const {
    const auto end = out.find_last_not_of('\n');
    const auto begin = out.rfind('\n', end);
    return nlohmann::json::parse(out.substr(begin == std::string::npos ? 0 : begin + 1));
  }
};

/// Runs commands in a temporary folder, which is removed at the end of the test.
class CommandTest : public TemporaryFolderTest {
 protected:
  /// Runs `thalweg ARGUMENTS` in a shell, in the folder.
  [[nodiscard]] Ran run(const std::string& arguments) const { return shell(command() + " " + arguments); }
  [[nodiscard]] Ran shell(const std::string& line) const {
    const std::string in_folder = "cd '" + path().string() + "' && { " + line + "; } >out.txt 2>err.txt";
    const int status = std::system(in_folder.c_str());
    Ran ran{WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_text(path("out.txt")),
            read_text(path("err.txt"))};
    return ran;
  }

  /// Writes a small table: y = 2 a - b plus a number that depends on a category.
  void write_table(const std::string& name, int rows = 120) const {
    std::string text = "a,b,kind,y\n";
    unsigned state = 12345;
    const auto number = [&] { return static_cast<int>((state = state * 1664525u + 1013904223u) >> 16) % 1000; };
    for (int i = 0; i < rows; ++i) {
      const int a = number(), b = number(), kind = number() % 3;
      text += std::to_string(a / 100.0) + "," + std::to_string(b / 100.0) + "," + "uvw"[kind] + "," +
              std::to_string(2 * a / 100.0 - b / 100.0 + kind) + "\n";
    }
    write(name, text);
  }
};

inline std::filesystem::path real_table(const std::string& name) {
  return std::filesystem::path(source_folder()) / "data" / name;
}

}  // namespace thalweg::testing

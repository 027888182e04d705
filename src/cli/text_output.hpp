#pragma once
// Text of models and files on standard output.

#include <string>
#include <string_view>

namespace thalweg::cli {

/// Writes text to standard output in pieces, which may end within a character. A pipe or a file gets the bytes as they
/// are. A terminal would obey the control characters among them: there, all but line ends and tabs are shown as `\xNN`,
/// as are bytes that are no characters.
class TextOutput {
 public:
  TextOutput();
  explicit TextOutput(bool terminal) : terminal_(terminal) {}

  /// Throws as emit does.
  void add(std::string_view piece);
  /// What is shown for a piece: on a terminal, the beginning of a character waits for its rest.
  [[nodiscard]] std::string shown_for(std::string_view piece);

 private:
  bool terminal_;
  std::string begun_ = {};  // the first bytes of a character
};

}  // namespace thalweg::cli

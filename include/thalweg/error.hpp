#pragma once
// Errors, one type per kind. Every message tells where it occurred, what was found, what was wanted, and a hint.

#include <stdexcept>
#include <string>

namespace thalweg {

/// The kinds of error; each value is the exit code of the command for that kind.
enum class ErrorKind {
  internal = 1,  ///< a defect of Thalweg itself
  usage = 2,     ///< a wrong call, option or configuration
  data = 3,      ///< input data that cannot be read as asked
  model = 4,     ///< a model or checkpoint file that is damaged or does not fit
  numbers = 5,   ///< a loss or gradient that is not finite
  io = 6,        ///< the file system refused
  memory = 7,    ///< the plan needs more memory than there is
  rank = 8,      ///< another rank is gone; used only by the command
  device = 9,    ///< a GPU was lost, or a call of its driver failed
};

/// Base of all errors thrown by the library.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(without_nul(message)), kind_(kind) {}
  [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }
  [[nodiscard]] int exit_code() const noexcept { return static_cast<int>(kind_); }

 private:
  /// what() is a C string: a NUL, such as one in the name of a column, would end the message.
  [[nodiscard]] static std::string without_nul(std::string text) {
    for (std::size_t at = 0; (at = text.find('\0', at)) != std::string::npos;) text.replace(at, 1, "\\x00");
    return text;
  }

  ErrorKind kind_;
};

/// An error of one kind, so that a caller can catch just that: `catch (const tw::DataError& e)`.
template <ErrorKind K>
class ErrorOf : public Error {
 public:
  explicit ErrorOf(const std::string& message) : Error(K, message) {}
};

using InternalError = ErrorOf<ErrorKind::internal>;
using UsageError = ErrorOf<ErrorKind::usage>;
using DataError = ErrorOf<ErrorKind::data>;
using ModelError = ErrorOf<ErrorKind::model>;
using NumericError = ErrorOf<ErrorKind::numbers>;
using IoError = ErrorOf<ErrorKind::io>;
using MemoryError = ErrorOf<ErrorKind::memory>;
using DeviceError = ErrorOf<ErrorKind::device>;

}  // namespace thalweg

#include "core/file_error.hpp"

#include "core/escape.hpp"

namespace thalweg {

namespace {

std::string_view hint_for(const std::error_code& code) {
  if (code == std::errc::permission_denied || code == std::errc::operation_not_permitted)
    return "ls -ld shows the rights of it and of the folders above it";
  if (code == std::errc::filename_too_long) return "a shorter name";
  if (code == std::errc::too_many_symbolic_link_levels) return "a link leads to itself; ls -l shows where";
  if (code == std::errc::no_such_file_or_directory) return "it was removed while it was read";
  if (code == std::errc::no_space_on_device) return "free some space";
  return "ls -ld shows what it is";
}

}  // namespace

std::string message_of(const std::filesystem::filesystem_error& error) {
  const std::string place = error.path1().empty() ? "the current folder" : "'" + shown(error.path1().string()) + "'";
  return fmt::format("[files] {}: {}. Wanted: a file or a folder that can be used. Hint: {}.", place,
                     error.code().message(), hint_for(error.code()));
}

}  // namespace thalweg

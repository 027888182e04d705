#pragma once
// The line of a user's program that errors and nodes name while a library function that consists of several ops runs.

#include "thalweg/var.hpp"

namespace thalweg {

/// While it lives, nodes and errors of this thread name this line; if several are alive, the first one decides.
class UsersLine {
 public:
  explicit UsersLine(Source line);
  ~UsersLine();
  UsersLine(const UsersLine&) = delete;
  UsersLine& operator=(const UsersLine&) = delete;

 private:
  Source outer_;
};

}  // namespace thalweg

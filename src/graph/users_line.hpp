#pragma once
// The line of a user's program that errors and nodes name while a function of ours that is made of ops is running.

#include "thalweg/var.hpp"

namespace thalweg {

/// While it lives, what this thread appends or refuses is at this line; the first of several that live counts.
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

#pragma once
// The command `thalweg` as a function: a program of two lines is the whole command, with additional rows.

#include "thalweg/registry.hpp"

namespace thalweg {

/// Runs the command with these arguments and returns its exit code (0, or the kind of the error: see error.hpp; 130 and
/// 143 after SIGINT and SIGTERM). Unlike the rest of the library it prints, and while it trains it handles signals.
///
///     int main(int argc, char** argv) { return tw::command(argc, argv, tw::registry().add_optimizer(my_lion)); }
int command(int argc, const char* const* argv, const Registry& registry = {});

}  // namespace thalweg

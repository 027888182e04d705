// The command `thalweg`; all of it is in the library.

#include "thalweg/command.hpp"

int main(int argc, char** argv) { return thalweg::command(argc, argv); }

// Only this file is compiled with the paths of this build, so the cached objects of all others are valid in every
// clone.
#include "places.hpp"

namespace thalweg {

std::string source_folder() { return THALWEG_SOURCE_DIR; }
std::string command() { return THALWEG_COMMAND; }

}  // namespace thalweg

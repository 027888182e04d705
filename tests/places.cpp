// The one file that is compiled with the paths of this build: the others compile alike in every clone.
#include "places.hpp"

namespace thalweg {

std::string source_folder() { return THALWEG_SOURCE_DIR; }
std::string command() { return THALWEG_COMMAND; }

}  // namespace thalweg

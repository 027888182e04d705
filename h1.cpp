#include <thalweg/thalweg.hpp>

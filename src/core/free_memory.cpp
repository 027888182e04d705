#include "core/free_memory.hpp"

#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace thalweg {

void return_free_memory() {
#ifdef __GLIBC__
  (void)malloc_trim(0);  // at the end of each heap and inside it
#endif
}

}  // namespace thalweg

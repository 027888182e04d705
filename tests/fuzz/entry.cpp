// The entry point that libFuzzer calls: it passes the input to the target's run().

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  thalweg::fuzz::run({reinterpret_cast<const char*>(data), size});
  return 0;
}

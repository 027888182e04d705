// Fuzz target: a safetensors file. Tensors that were read are the same after writing and reading them.

#include "store/safetensors.hpp"

#include "fuzz.hpp"

void thalweg::fuzz::run(std::string_view bytes) {
  may_refuse([&] {
    const MemoryFile file(bytes);
    const SafetensorsFile read = read_safetensors(file.path());
    write_safetensors(folder() / "again", read);
    const SafetensorsFile again = read_safetensors(folder() / "again");
    if (again.metadata != read.metadata || again.tensors.size() != read.tensors.size())
      broken("it reads back to something else", "");
  });
}

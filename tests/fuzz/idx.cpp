// Fuzz target: IDX files of images and labels. The input is both files; the second begins at half of its length.

#include "fuzz.hpp"
#include "thalweg/data.hpp"

void thalweg::fuzz::run(std::string_view bytes) {
  const MemoryFile whole(bytes), images(bytes.substr(0, bytes.size() / 2)), labels(bytes.substr(bytes.size() / 2));
  may_refuse([&] { (void)data::idx(whole.path()); });
  may_refuse([&] { (void)data::images(images.path(), labels.path()); });
}

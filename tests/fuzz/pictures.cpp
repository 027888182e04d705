// Fuzz target: a picture, PNG or JPEG, is read from a file and from a folder of classes.

#include "data/pictures.hpp"
#include "fuzz.hpp"

void thalweg::fuzz::run(std::string_view bytes) {
  const auto classes = folder() / "pictures";
  std::filesystem::create_directories(classes / "a");
  const std::string name = bytes.starts_with("\xff\xd8") ? "p.jpg" : "p.png";
  write(classes / "a" / name, bytes);
  may_refuse([&] {
    const Tensor picture = data::read_picture(classes / "a" / name);
    if (picture.shape() != data::picture_shape(classes / "a" / name)) broken("two shapes", picture.shape().str());
  });
  may_refuse([&] { (void)data::image_folder(classes, data::class_folders(classes)); });
  std::filesystem::remove(classes / "a" / name);
}

// The reader of pictures in folders, one for each class.

#include "data/pictures.hpp"
#include "run/image_rows.hpp"

namespace thalweg {

namespace {

struct FolderOptions : ImageOptions {
  std::string stream = "auto";  ///< whether files are read while they are used

  [[nodiscard]] Fields fields() {
    Fields all = ImageOptions::fields();
    all.insert(all.begin(),
               {.name = "stream",
                .place = &stream,
                .doc = "read the files while training, each batch ahead of its step, and keep none; auto: where they "
                       "would take a quarter of the memory",
                .choices = {"auto", "always", "never"}});
    return all;
  }
  [[nodiscard]] data::Keep keep() const {
    if (noise > 0 && stream == "always")
      fail<UsageError>("[data] stream = \"always\" with noise. Hint: what noise is added to is kept in memory.");
    if (stream == "always") return data::Keep::none;
    return stream == "never" || noise > 0 ? data::Keep::all : data::Keep::what_fits;
  }
};

Dataset images_at(const OptionValue& place, const FolderOptions& options, const std::vector<std::string>& classes) {
  return with_noise(data::image_folder(*place.get_if<std::string>(), classes, options.keep()).data, options);
}

std::unique_ptr<const TrainingData> read(const DataOptions& data, const FolderOptions& options) {
  const std::vector<std::string> classes = data::class_folders(*data.train.get_if<std::string>());
  return image_rows(images_at(data.train, options, classes), classes, options, data.held_out());
}

Dataset encode(const data::Preprocessing& preprocessing, const OptionValue& place, const FolderOptions& options,
               std::vector<std::string>&) {
  return images_at(place, options, preprocessing.classes());
}

}  // namespace

std::vector<ReaderRow> images_readers() {
  return {reader_row<FolderOptions>({.name = "images",
                                     .summary = "PNG and JPEG files of one size, in a folder for each class",
                                     .suits = suits_images},
                                    read, encode)};
}

}  // namespace thalweg

// The reader of pictures in folders, one for each class.

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "data/pictures.hpp"
#include "run/image_rows.hpp"

namespace thalweg {

namespace {

struct FolderOptions : ImageOptions {
  std::string stream = "auto";  ///< whether files are read when they are used

  [[nodiscard]] Fields fields() {
    Fields all = ImageOptions::fields();
    all.insert(all.begin(), {.name = "stream",
                             .place = &stream,
                             .doc = "read the files during training, each batch ahead of its step, and keep none in "
                                    "memory; auto: only if they would take a quarter of the memory",
                             .choices = {"auto", "always", "never"}});
    return all;
  }
  [[nodiscard]] data::Keep keep() const {
    if (noise > 0 && stream == "always")
      fail<UsageError>("[data] stream = \"always\" with noise. Hint: images with noise are kept in memory.");
    if (stream == "always") return data::Keep::none;
    return stream == "never" || noise > 0 ? data::Keep::all : data::Keep::what_fits;
  }
};

Images images_at(const OptionValue& place, const FolderOptions& options, const std::vector<std::string>& classes) {
  const std::filesystem::path folder(*place.get_if<std::string>());
  data::ImageFolder read = data::image_folder(folder, classes, options.keep());
  std::vector<std::uint64_t> names;
  for (const std::filesystem::path& file : read.files)
    names.push_back(content_of(file.lexically_relative(folder).generic_string()));
  Images images(std::move(read.data), options, std::move(names));
  images.warnings = std::move(read.warnings);
  return images;
}

std::unique_ptr<TrainingData> read(const DataOptions& data, const FolderOptions& options) {
  const std::vector<std::string> classes = data::class_folders(*data.train.get_if<std::string>());
  return image_rows(images_at(data.train, options, classes), classes, options, data.held_out());
}

Dataset encode(const Request& request, const FolderOptions& options, std::vector<std::string>& warnings) {
  Images images = images_at(request.place, options, request.preprocessing.classes());
  std::ranges::move(images.warnings, std::back_inserter(warnings));
  return images.rows(request.only);
}

}  // namespace

std::vector<ReaderRow> images_readers() {
  return {reader_row<FolderOptions>({.name = "images",
                                     .summary = "PNG and JPEG files of one size, in a folder for each class",
                                     .suits = suits_images},
                                    read, encode)};
}

}  // namespace thalweg

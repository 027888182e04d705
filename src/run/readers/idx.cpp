// The reader of IDX files: one file has the images, another their labels.

#include "run/image_rows.hpp"

namespace thalweg {

namespace {

constexpr std::string_view place_text = R"({ images = "path", labels = "path" })";

struct IdxOptions : ImageOptions {
  std::vector<std::string> classes = {};

  [[nodiscard]] Fields fields() {
    Fields all = ImageOptions::fields();
    all.insert(all.begin(), {"classes", &classes, "the names of the labels, in order from 0"});
    return all;
  }
};

std::string path_in(const OptionValue& place, const char* key) {
  const auto& map = *place.get_if<OptionMap>();
  for (const auto& [name, value] : map) {
    if (name != "images" && name != "labels") {
      fail<UsageError>("[data] unknown key '{}'. Wanted: {}", name, place_text);
    }
  }
  const auto found = map.find(key);
  const auto* path = found == map.end() ? nullptr : found->second.get_if<std::string>();
  if (!path) fail<UsageError>("[data] {} has no {}. Wanted: {}", place.str(), key, place_text);
  return *path;
}

Images images_at(const OptionValue& place, const IdxOptions& options, std::size_t classes) {
  return {data::images(path_in(place, "images"), path_in(place, "labels"), static_cast<std::int64_t>(classes)),
          options};
}

std::unique_ptr<TrainingData> read(const DataOptions& data, const IdxOptions& options) {
  return image_rows(images_at(data.train, options, options.classes.size()), options.classes, options, data.held_out());
}

Dataset encode(const Request& request, const IdxOptions& options, std::vector<std::string>&) {
  return images_at(request.place, options, request.preprocessing.classes().size()).rows(request.only);
}

/// A place with the key `made` belongs to the reader "real_or_made".
bool takes(const OptionValue& place) {
  const auto* map = place.get_if<OptionMap>();
  return map && !map->contains("made");
}

std::vector<std::string> paths(const OptionValue& place) {
  return {path_in(place, "images"), path_in(place, "labels")};
}

}  // namespace

std::vector<ReaderRow> idx_readers() {
  return {reader_row<IdxOptions>({.name = "idx",
                                  .summary = "images and labels as MNIST has them, plain or gzip",
                                  .place = place_text,
                                  .takes = takes,
                                  .paths = paths,
                                  .suits = suits_images},
                                 read, encode)};
}

}  // namespace thalweg

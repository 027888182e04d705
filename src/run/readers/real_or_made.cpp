// The reader of real images and of images that trained systems make. A classifier of the two is a detector.

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "data/pictures.hpp"
#include "data/split.hpp"
#include "run/image_rows.hpp"
#include "run/run.hpp"
#include "run/trained_part.hpp"
#include "run/trained_system.hpp"
#include "thalweg/registry.hpp"

namespace fs = std::filesystem;

namespace thalweg {

namespace {

constexpr std::string_view place_text = R"({ images = "path", made = "run" })";

struct DetectorOptions : ImageOptions {
  std::int64_t count = 0;

  [[nodiscard]] Fields fields() {
    return {{"count", &count, "number of real images, spread evenly over the file, and of generated ones; 0: all",
             not_negative},
            ImageOptions::fields().front()};
  }
};

const std::vector<std::string>& classes() {
  static const std::vector<std::string> names = {"real", "made"};
  return names;
}

/// The real images, and the runs whose systems make the others.
struct Place {
  std::string images;
  std::vector<std::string> runs;
};

[[noreturn]] void refuse_place(const OptionValue& place) {
  fail<UsageError>("[data] {}. Wanted: {}, or a list of runs", place.str(), place_text);
}

std::vector<std::string> runs_in(const OptionValue& made, const OptionValue& place) {
  if (is_path(made)) return one_path(made);
  const auto* list = made.get_if<OptionList>();
  if (!list || list->empty() || !std::ranges::all_of(*list, is_path)) refuse_place(place);
  std::vector<std::string> runs;
  for (const OptionValue& run : *list) runs.push_back(one_path(run).front());
  return runs;
}

/// A path alone is a run: its images are combined with the real images of the test data.
Place place_of(const OptionValue& place, const DataOptions& data) {
  const auto* map = place.get_if<OptionMap>();
  if (!map) {
    const auto* test = data.test.get_if<OptionMap>();
    if (!test)
      fail<UsageError>("[data] {}: the real images for it are not known, because [data] test = {}. Wanted: {}",
                       place.str(), data.test.str(), place_text);
    return {place_of(data.test, data).images, one_path(place)};
  }
  const auto images = map->find("images"), made = map->find("made");
  if (map->size() != 2 || images == map->end() || made == map->end() || !is_path(images->second)) refuse_place(place);
  return {one_path(images->second).front(), runs_in(made->second, place)};
}

/// A folder with pictures of the two classes is not a run.
bool takes(const OptionValue& place) {
  if (const auto* map = place.get_if<OptionMap>()) return map->contains("made");
  if (!is_path(place)) return false;
  const fs::path path = one_path(place).front();
  return std::ranges::none_of(classes(), [&](const std::string& name) { return fs::exists(path / name); });
}

std::vector<std::string> paths(const OptionValue& value) {
  const Place place = place_of(value, {});
  std::vector<std::string> files = {place.images};
  for (const std::string& run : place.runs) files.push_back(fs::is_directory(run) ? run + "/model.safetensors" : run);
  return files;
}

/// u8 (rows, height, width, channels): an IDX file of bytes, or a folder of pictures with folders in it.
Tensor real_images(const std::string& path, std::vector<std::string>& warnings) {
  if (fs::is_directory(path)) {
    data::ImageFolder read = data::image_folder(path, data::class_folders(path));
    std::ranges::move(read.warnings, std::back_inserter(warnings));
    return read.data["input"];
  }
  const Tensor images = data::idx(path);
  const Shape& shape = images.shape();
  if (images.dtype() != u8 || shape.rank() < 3 || shape.rank() > 4 || shape.size() == 0)
    fail<DataError>("[data] {} holds {} {}. Wanted: u8 (rows, height, width) or (rows, height, width, channels)", path,
                    images.dtype(), shape);
  return shape.rank() == 4 ? images : images.reshape({shape[0], shape[1], shape[2], 1});
}

[[noreturn]] void refuse_size(const std::string& run, const Shape& made, const Shape& real) {
  fail<UsageError>(
      "[data] made = \"{}\": images of {}, but the real images are {}. Wanted: a run on images of one size", run, made,
      real);
}

/// Writes `count` images of a run to `into`, the same images as `thalweg generate` makes.
void make_images(const std::string& run, std::int64_t count, std::uint64_t seed, const Shape& shape,
                 std::span<std::uint8_t> into) {
  expect_run("[data] made", run);
  const TrainedSystem trained = load_system(run, registry());
  const auto* tensor = trained.preprocessing.tensor();
  if (!trained.system.generate || trained.system.own_rows || !tensor || tensor->input.rank() != 3)
    fail<UsageError>("[data] made = \"{}\": a run of {}, which makes no images. Wanted: a run of a generator of images",
                     run, trained.choice.kind);
  if (tensor->input != shape) refuse_size(run, tensor->input, shape);
  const Generated made = trained.system.generate(trained.state, {.count = count, .seed = seed});
  auto place = into.begin();
  for (const Medium& item : made.items) {
    const Tensor picture = data::read_png(item.bytes);
    if (picture.shape() != shape) refuse_size(run, picture.shape(), shape);
    place = std::ranges::copy(picture.values<std::uint8_t>(), place).out;
  }
}

/// "input" u8 (rows, height, width, channels), "target" i32 (rows): the real images, then the same number of made
/// images. The content of the real images is the seed of the made ones, so that test data gets other made images than
/// training data.
Dataset rows_of(const Place& place, std::int64_t count, std::vector<std::string>& warnings) {
  Tensor real = real_images(place.images, warnings);
  if (count > 0) real = data::spread_rows(real, count);
  const std::int64_t each = real.shape()[0], runs = std::ssize(place.runs);
  if (each < runs) fail<UsageError>("[data] {} images of {} runs. Wanted: at least one image of each run", each, runs);
  const Shape image(real.shape().sizes().subspan(1));
  Shape all = real.shape();
  all.set(0, 2 * each);
  Tensor input(all, u8), target({2 * each}, i32);
  const auto pixels = input.mutable_values<std::uint8_t>();
  std::ranges::copy(real.values<std::uint8_t>(), pixels.begin());
  const std::uint64_t seed = content_of(std::span(real.raw(), real.bytes()));
  for (std::int64_t i = 0; i < runs; ++i) {
    const std::int64_t begin = i * each / runs, end = (i + 1) * each / runs;
    make_images(place.runs[static_cast<std::size_t>(i)], end - begin, seed, image,
                pixels.subspan(static_cast<std::size_t>((each + begin) * image.size()),
                               static_cast<std::size_t>((end - begin) * image.size())));
  }
  for (std::int64_t row = each; row < 2 * each; ++row) target.set(row, 1);
  Dataset rows;
  rows.set("input", input);
  rows.set("target", target);
  return rows;
}

/// Refuses training images as test images, because a model would recognise them.
void refuse_training_images(const DataOptions& data, const std::string& images) {
  for (const OptionValue* held_out : {&data.test, &data.validation}) {
    if (takes(*held_out) && place_of(*held_out, data).images == images)
      fail<UsageError>("[data] {}: the real images are the training images. Wanted: other images", held_out->str());
  }
}

std::unique_ptr<TrainingData> read(const DataOptions& data, const DetectorOptions& options) {
  if (!data.train.holds<OptionMap>()) refuse_place(data.train);
  const Place place = place_of(data.train, data);
  refuse_training_images(data, place.images);
  std::vector<std::string> warnings;
  Images images(rows_of(place, options.count, warnings), options);
  images.warnings = std::move(warnings);
  return image_rows(std::move(images), classes(), options, data.held_out());
}

Dataset encode(const Request& request, const DetectorOptions& options, std::vector<std::string>& warnings) {
  const Dataset rows = rows_of(place_of(request.place, request.data), options.count, warnings);
  const Shape image(rows["input"].shape().sizes().subspan(1));
  if (const Shape& wanted = request.preprocessing.tensor()->input; image != wanted)
    fail<UsageError>("[data] {}: images of {}. Wanted: {}, as in training", request.place.str(), image, wanted);
  return Images(rows, options).rows(request.only);
}

}  // namespace

std::vector<ReaderRow> real_or_made_readers() {
  return {reader_row<DetectorOptions>(
      {.name = "real_or_made",
       .summary =
           "real images and images from trained systems, to tell them apart: train = { images = path, made = run }",
       .place = place_text,
       .takes = takes,
       .paths = paths,
       .suits = suits_images},
      read, encode)};
}

}  // namespace thalweg

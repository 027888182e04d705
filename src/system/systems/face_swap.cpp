// One encoder and two decoders: converts pictures between two designs.

#include <algorithm>
#include <array>

#include "data/nearest.hpp"
#include "options/error.hpp"
#include "system/images.hpp"
#include "system/row.hpp"
#include "thalweg/augment.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/spatial.hpp"

namespace thalweg {

namespace {

struct FaceSwapOptions {
  std::int64_t code = 256, hidden = 512, shrink = 2, shift = 0;
  bool flip = true;
  double noise = 1, own = 0.3;
};

Fields fields(FaceSwapOptions& o) {
  return {{"code", &o.code, "numbers in the code of a picture", {.low = 1, .high = 65536}},
          {"hidden", &o.hidden, "units of the layer between the code and a picture", {.low = 1, .high = 65536}},
          {"shrink", &o.shrink, "factor by which the pictures are made smaller first", {.low = 1, .high = 64}},
          {"shift", &o.shift, "the largest random shift of a pair in training, in pixels", {.low = 0, .high = 1024}},
          {"flip", &o.flip, "in training, mirror half of the pairs"},
          {"noise", &o.noise, "in training, deviation of the noise on the encoder's input", not_negative},
          {"own", &o.own, "weight of the error of the same design; that of the other has 1", not_negative}};
}

constexpr int designs = 2;
constexpr const char* names[designs] = {"left", "right"};

/// A row is one picture with the same object in both designs, side by side.
class FaceSwap {
 public:
  FaceSwap(const SystemData& data, const FaceSwapOptions& o)
      : o_(o), image_{data.input[0] / o.shrink, data.input[1] / designs / o.shrink, data.input[2]} {}

  /// The pictures of one design from stored rows, made smaller and scaled to [0, 1].
  [[nodiscard]] Var seen(const Var& rows, int design) const {
    const std::int64_t wide = rows.dim(2) / designs;
    const Var x = images::unit_pixels(slice(rows, design * wide, (design + 1) * wide, 2));
    return o_.shrink == 1 ? x : avg_pool2d(x, {.window = o_.shrink});
  }

  [[nodiscard]] Var encode(const Scope& s, const Var& x) const {
    return nn::dense(s / "code", flatten(x * 2 - 1), o_.code, {.initializer = init::lecun_normal()});
  }

  [[nodiscard]] Var decode(const Scope& s, const Var& code) const {
    const Var h = relu(nn::dense(s / "hidden", code, o_.hidden));
    const Var x = nn::dense(s / "pixels", h, image_.size(), {.initializer = init::lecun_normal()});
    return reshape(sigmoid(x), {code.dim(0), image_[0], image_[1], image_[2]});
  }

  /// The loss of decoding each picture of a pair as both pictures.
  [[nodiscard]] Loss loss(const Scope& s, const Batch& b) const {
    const Var left = seen(b["input"], 0), right = seen(b["input"], 1);
    // as channels of one picture, so that both are moved in the same way
    const Var pair = augment(s / "augment", concat({left, right}, -1), {.flip = o_.flip, .crop = o_.shift});
    const std::array<Var, designs> truth = {slice(pair, 0, image_[2], -1), slice(pair, image_[2], 2 * image_[2], -1)};
    Var own, carried;
    for (int from = 0; from < designs; ++from) {
      const Var x = truth.at(static_cast<std::size_t>(from));
      const Var code = encode(s.share("encoder"), noisy(s, x, from));
      for (int to = 0; to < designs; ++to) {
        const Var back = decode(s.share("decoder_" + std::string(names[to])), code);
        Var& sum_of = from == to ? own : carried;
        const Var error = sum(square(back - truth.at(static_cast<std::size_t>(to))), {-3, -2, -1});
        sum_of = sum_of.defined() ? sum_of + error : error;
      }
    }
    s.report("carried", carried / (designs * image_.size()));
    s.report("given back", own / (designs * image_.size()));
    return Loss::of_samples(o_.own * own + carried);
  }

  [[nodiscard]] Var carried(const Scope& s, const Var& rows, int from) const {
    return decode(s / ("decoder_" + std::string(names[1 - from])), encode(s / "encoder", seen(rows, from)));
  }

 private:
  [[nodiscard]] Var noisy(const Scope& s, const Var& x, int design) const {
    if (s.mode() == Mode::evaluate) return x;
    return x + o_.noise * s.normal("noise_" + std::string(names[design]), x.shape());
  }

  FaceSwapOptions o_;
  Shape image_;
};

/// The converted pictures, and the true pictures of that design.
struct Carried {
  Tensor made, truth;

  [[nodiscard]] double error() const { return images::mean_square(made, truth); }
  /// The fraction of the made pictures whose nearest true picture is their own.
  [[nodiscard]] double retrieved() const {
    const std::vector<std::int64_t> nearest = data::nearest_rows(made, truth);
    std::int64_t right = 0;
    for (std::size_t i = 0; i < nearest.size(); ++i) right += nearest[i] == static_cast<std::int64_t>(i);
    return static_cast<double>(right) / static_cast<double>(made.shape()[0]);
  }
};

/// For each picture: finds the nearest training picture of the same design, and returns that pair's picture of the
/// other design.
Tensor by_nearest(const Tensor& given, const Tensor& trained, const Tensor& trained_other) {
  Tensor made(given.shape());
  const std::int64_t size = given.size() / given.shape()[0];
  auto to = made.mutable_values<float>().begin();
  for (const std::int64_t k : data::nearest_rows(given, trained)) {
    const auto from = trained_other.values<float>().subspan(static_cast<std::size_t>(k * size));
    to = std::ranges::copy(from.first(static_cast<std::size_t>(size)), to).out;
  }
  return made;
}

/// The mean of the pictures, repeated `count` times.
Tensor mean_of(const Tensor& pictures, std::int64_t count) {
  const std::int64_t rows = pictures.shape()[0], size = pictures.size() / rows;
  Shape shape = pictures.shape();
  shape.set(0, count);
  Tensor made(shape);
  for (std::int64_t j = 0; j < size; ++j) {
    double sum = 0;
    for (std::int64_t i = 0; i < rows; ++i) sum += pictures.at(i * size + j);
    for (std::int64_t i = 0; i < count; ++i) made.set(i * size + j, sum / static_cast<double>(rows));
  }
  return made;
}

struct Parts {
  std::array<Apply, designs> seen, carried;  // to each design, from each design

  Parts(const std::shared_ptr<const FaceSwap>& net, int threads)
      : seen{look(net, 0, threads), look(net, 1, threads)}, carried{carry(net, 0, threads), carry(net, 1, threads)} {}

 private:
  static Apply look(const std::shared_ptr<const FaceSwap>& net, int design, int threads) {
    return Apply([=](Scope, const Batch& b) { return net->seen(b["x"], design); }, threads);
  }
  static Apply carry(const std::shared_ptr<const FaceSwap>& net, int from, int threads) {
    return Apply([=](Scope s, const Batch& b) { return net->carried(s, b["x"], from); }, threads);
  }
};

/// Measures "left to right", on pairs outside the training data.
SystemFigures figures_of(const Parts& parts, const State& state, const SystemSets& sets) {
  const Tensor &test = sets.test["input"], &train = sets.train["input"];
  const auto look = [&](std::size_t design, const Tensor& rows) {
    return images::in_portions(parts.seen.at(design), state, rows);
  };
  SystemFigures figures;
  Metrics nearest_has, mean_has, chance_has;
  for (std::size_t from = 0; from < designs; ++from) {
    const std::size_t to = 1 - from;
    const std::string way = std::string(names[from]) + " to " + names[to];
    const std::string error = way + " error", right = way + " retrieved";
    const Tensor given = look(from, test), truth = look(to, test), other = look(to, train);
    const Carried own{images::in_portions(parts.carried.at(from), state, test), truth};
    const Carried near{by_nearest(given, look(from, train), other), truth};
    const Carried mean{mean_of(other, truth.shape()[0]), truth};
    figures.metrics.insert(figures.metrics.end(), {{error, own.error()}, {right, own.retrieved()}});
    nearest_has.insert(nearest_has.end(), {{error, near.error()}, {right, near.retrieved()}});
    mean_has.emplace_back(error, mean.error());
    chance_has.emplace_back(right, 1 / static_cast<double>(truth.shape()[0]));
    const auto first = [](const Tensor& t) { return images::first_of(t, 16); };
    figures.media.emplace_back(
        way + ": given, carried, true, by the nearest neighbour",
        Medium::pictures(images::stacked({first(given), first(own.made), first(truth), first(near.made)}), 16));
  }
  figures.baselines = {{"nearest neighbour", nearest_has}, {"mean picture", mean_has}, {"by chance", chance_has}};
  return figures;
}

NamedMedia shown(const Parts& parts, const State& state, const Dataset& rows) {
  const Tensor some = images::first_of(rows["input"], 16);
  NamedMedia all;
  for (std::size_t from = 0; from < designs; ++from)
    all.emplace_back(std::string(names[from]) + " to " + names[1 - from],
                     Medium::pictures(images::stacked({images::in_portions(parts.seen.at(from), state, some),
                                                       images::in_portions(parts.carried.at(from), state, some)}),
                                      16));
  return all;
}

System make_face_swap(const SystemData& data, const FaceSwapOptions& o) {
  images::expect(data, "face_swap", o.shrink);
  if (data.input[1] % (designs * o.shrink) != 0)
    fail<UsageError>("[face_swap] pictures {} wide. Wanted: two pictures side by side, so a multiple of {}",
                     data.input[1], designs * o.shrink);
  const auto net = std::make_shared<const FaceSwap>(data, o);
  const Parts parts(net, data.threads);
  return {.objectives = {{.loss = [net](Scope s, const Batch& b) { return net->loss(s, b); }}},
          .show = [=](const State& state, const Dataset& rows) { return shown(parts, state, rows); },
          .evaluate = [=](const State& state, const SystemSets& sets) { return figures_of(parts, state, sets); }};
}

}  // namespace

std::vector<SystemRow> face_swap_systems() {
  return {system_row<FaceSwapOptions>(
      {.name = "face_swap",
       .summary = "pictures of two designs, each carried to the other by one encoder and two decoders",
       .formula = "sum over designs d and e of w |x_e - decode_e(encode(x_d))|^2; w is own where d = e, otherwise 1",
       .when = "pictures that show the same thing in two designs, side by side in one file",
       .source =
           "an autoencoder with two decoders: Deepfakes 2017; theirs is of convolutions and trained without pairs",
       .defaults = images::adam_by_cosine(1e-3)},
      make_face_swap)};
}

}  // namespace thalweg

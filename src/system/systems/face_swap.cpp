// One encoder and two decoders: pictures of two designs, each carried to the other.

#include <algorithm>
#include <array>
#include <limits>

#include "core/error.hpp"
#include "system/images.hpp"
#include "system/row.hpp"
#include "thalweg/augment.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/spatial.hpp"

namespace thalweg {

namespace {

struct FaceSwapOptions {
  std::int64_t code = 64, width = 32, shrink = 2, shift = 2;
  double noise = 0.1, disguise = 1;
};

Fields fields(FaceSwapOptions& o) {
  return {{"code", &o.code, "numbers that a picture is encoded as", {.low = 1}},
          {"width",
           &o.width,
           "channels at half the size; twice and four times as many at a quarter and an eighth",
           {.low = 1}},
          {"shrink", &o.shrink, "how many times smaller the pictures are made before anything else", {.low = 1}},
          {"shift", &o.shift, "places that a picture is moved by at most while training", {.low = 0}},
          {"noise", &o.noise, "deviation of noise on what the encoder is given while training", not_negative},
          {"disguise", &o.disguise, "weight of how well a critic tells the designs apart by the codes", not_negative}};
}

constexpr int designs = 2;

class FaceSwap {
 public:
  FaceSwap(const SystemData& data, const FaceSwapOptions& o)
      : o_(o),
        image_{data.input[0] / o.shrink, data.input[1] / o.shrink, data.input[2]},
        height_(image_[0] / 8),
        width_(image_[1] / 8) {}

  /// Pixels as they are stored -> smaller ones in [0, 1].
  [[nodiscard]] Var seen(const Var& pixels) const {
    const Var x = images::unit_pixels(pixels);
    return o_.shrink == 1 ? x : avg_pool2d(x, {.window = o_.shrink});
  }

  [[nodiscard]] Var encode(const Scope& s, const Var& x) const {
    Var h = x * 2 - 1;
    for (std::int64_t level = 1; level <= 3; ++level)
      h = leaky_relu(nn::conv2d(s / ("smaller" + std::to_string(level)), h,
                                {.filters = o_.width << (level - 1), .kernel = 4, .stride = 2}),
                     0.2);
    return nn::dense(s / "code", flatten(h), o_.code, {.initializer = init::lecun_normal()});
  }

  [[nodiscard]] Var decode(const Scope& s, int design, const Var& code) const {
    const Scope place = s / ("decoder" + std::to_string(design));
    Var h = relu(nn::dense(place / "code", code, height_ * width_ * 4 * o_.width));
    h = reshape(h, {code.dim(0), height_, width_, 4 * o_.width});
    for (std::int64_t level = 1; level <= 2; ++level)
      h = relu(nn::conv_transpose2d(place / ("larger" + std::to_string(level)), h,
                                    {.filters = 4 * o_.width >> level, .kernel = 4}));
    return sigmoid(nn::conv_transpose2d(place / "larger3", h,
                                        {.filters = image_[2], .kernel = 4, .initializer = init::lecun_normal()}));
  }

  /// A logit (batch): above 0 where a code is taken for one of the second design.
  [[nodiscard]] Var critic(const Scope& s, const Var& code) const {
    const Var h = leaky_relu(nn::dense(s / "layer1", code, 128), 0.2);
    return reshape(nn::dense(s / "output", leaky_relu(nn::dense(s / "layer2", h, 128), 0.2), 1), {code.dim(0)});
  }

  /// What each is decoded as by the decoder of its own design, and how well its code hides which that is.
  [[nodiscard]] Loss loss(const Scope& s, const Batch& b) const {
    const Var x = augment(s / "augment", seen(b["input"]), {.crop = o_.shift});
    const Var code = noisy_code(s, x);
    const Var second = reshape(cast(b["target"], s.dtype()), {b.rows(), 1, 1, 1});
    const Var back = where(second, decode(s, 1, code), decode(s, 0, code));
    const Var error = sum(square(back - x), {-3, -2, -1});
    const Var told = critic(s / "critic", code);
    s.report("reconstruction mse", error / image_.size());
    return Loss::of_samples(error + o_.disguise * binary_cross_entropy_with_logits(told, 1 - flat(second)));
  }

  [[nodiscard]] Loss critic_loss(const Scope& s, const Batch& b) const {
    const Var x = augment(s / "augment", seen(b["input"]), {.crop = o_.shift});
    const Var told = critic(s / "critic", stop_gradient(noisy_code(s, x)));
    const Var second = cast(b["target"], s.dtype());
    s.report("told right", equal(cast(told > 0, s.dtype()), second));
    return Loss::of_samples(binary_cross_entropy_with_logits(told, second));
  }

  [[nodiscard]] Var carried(const Scope& s, const Var& pixels, int to) const {
    return decode(s, to, encode(s / "encoder", seen(pixels)));
  }

 private:
  [[nodiscard]] Var noisy_code(const Scope& s, const Var& x) const {
    return encode(s / "encoder", s.mode() == Mode::train ? x + o_.noise * s.normal("noise", x.shape()) : x);
  }
  [[nodiscard]] static Var flat(const Var& x) { return reshape(x, {x.dim(0)}); }

  FaceSwapOptions o_;
  Shape image_;
  std::int64_t height_, width_;
};

/// The pictures of each design, in the order of the rows.
std::array<Tensor, designs> by_design(const Dataset& rows) {
  std::array<std::vector<std::int64_t>, designs> places;
  for (std::int64_t i = 0; i < rows.rows(); ++i) places.at(static_cast<std::size_t>(rows["target"].at(i))).push_back(i);
  return {rows.take(places[0])["input"], rows.take(places[1])["input"]};
}

/// Throws UsageError where the pictures of the designs cannot be pairs.
std::array<Tensor, designs> pairs_in(const Dataset& rows, const char* which) {
  std::array<Tensor, designs> all = by_design(rows);
  if (all[0].shape()[0] == all[1].shape()[0] && all[0].shape()[0] > 0) return all;
  fail<UsageError>(
      "[face_swap] the {} rows have {} pictures of one design and {} of the other. Wanted: the same in both, under the "
      "same names",
      which, all[0].shape()[0], all[1].shape()[0]);
}

double squared_distance(const Tensor& a, std::int64_t i, const Tensor& b, std::int64_t k) {
  const std::int64_t size = a.size() / a.shape()[0];
  const float *x = a.values<float>().data() + i * size, *y = b.values<float>().data() + k * size;
  double sum = 0;
  for (std::int64_t j = 0; j < size; ++j) sum += static_cast<double>(x[j] - y[j]) * (x[j] - y[j]);
  return sum;
}

std::int64_t nearest(const Tensor& a, std::int64_t i, const Tensor& among) {
  std::int64_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (std::int64_t k = 0; k < among.shape()[0]; ++k) {
    const double distance = squared_distance(a, i, among, k);
    if (distance < least) best = k;
    least = std::min(least, distance);
  }
  return best;
}

/// What was carried, and what the true pictures of that design are.
struct Carried {
  Tensor made, truth;

  [[nodiscard]] double error() const { return images::mean_square(made, truth); }
  /// The part of those made that are nearest, of all true ones, to their own.
  [[nodiscard]] double retrieved() const {
    std::int64_t right = 0;
    for (std::int64_t i = 0; i < made.shape()[0]; ++i) right += nearest(made, i, truth) == i;
    return static_cast<double>(right) / static_cast<double>(made.shape()[0]);
  }
};

/// For each picture the nearest of its design among those trained on, in the other design.
Tensor by_nearest(const Tensor& given, const Tensor& trained, const Tensor& trained_other) {
  Tensor made(given.shape());
  const std::int64_t size = given.size() / given.shape()[0];
  const auto to = made.mutable_values<float>();
  for (std::int64_t i = 0; i < given.shape()[0]; ++i) {
    const std::int64_t k = nearest(given, i, trained);
    std::ranges::copy(
        trained_other.values<float>().subspan(static_cast<std::size_t>(k * size), static_cast<std::size_t>(size)),
        to.begin() + i * size);
  }
  return made;
}

/// So many times the mean of the pictures.
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
  Apply seen, to_first, to_second;

  Parts(const std::shared_ptr<const FaceSwap>& net, int threads)
      : seen([net](Scope, const Batch& b) { return net->seen(b["x"]); }, threads),
        to_first([net](Scope s, const Batch& b) { return net->carried(s, b["x"], 0); }, threads),
        to_second([net](Scope s, const Batch& b) { return net->carried(s, b["x"], 1); }, threads) {}

  [[nodiscard]] const Apply& to(int design) const { return design == 0 ? to_first : to_second; }
};

/// "google to twitter", on pictures of code points that no training picture is of.
SystemFigures figures_of(const Parts& parts, const std::vector<std::string>& names, const State& state,
                         const SystemSets& sets) {
  const auto test = pairs_in(sets.test, "test"), train = pairs_in(sets.train, "training");
  SystemFigures figures;
  Metrics nearest_has, mean_has, chance_has;
  for (int from = 0; from < designs; ++from) {
    const auto a = static_cast<std::size_t>(from), b = 1 - a;
    const std::string way = names[a] + " to " + names[b], error = way + " error", right = way + " retrieved";
    const auto small = [&](const Tensor& pictures) { return images::in_portions(parts.seen, state, pictures); };
    const Tensor given = small(test[a]), truth = small(test[b]), other = small(train[b]);
    const Carried own{images::in_portions(parts.to(1 - from), state, test[a]), truth};
    const Carried near{by_nearest(given, small(train[a]), other), truth};
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

NamedMedia shown(const Parts& parts, const std::vector<std::string>& names, const State& state, const Dataset& rows) {
  NamedMedia all;
  const auto pictures = by_design(rows);
  for (int from = 0; from < designs; ++from) {
    const auto a = static_cast<std::size_t>(from);
    if (pictures[a].shape()[0] == 0) continue;
    const Tensor some = images::first_of(pictures[a], 16);
    all.emplace_back(names[a] + " to " + names[1 - a],
                     Medium::pictures(images::stacked({images::in_portions(parts.seen, state, some),
                                                       images::in_portions(parts.to(1 - from), state, some)}),
                                      16));
  }
  return all;
}

System make_face_swap(const SystemData& data, const FaceSwapOptions& o) {
  images::expect(data, "face_swap", 8 * o.shrink);
  if (data.classes.size() != designs)
    fail<UsageError>("[face_swap] pictures of {} classes. Wanted: two designs, a folder each", data.classes.size());
  const auto net = std::make_shared<const FaceSwap>(data, o);
  const Parts parts(net, data.threads);
  return {
      .objectives = {{"swap",
                      [net](Scope s, const Batch& b) { return net->loss(s, b); },
                      {.trains = {"encoder/*", "decoder0/*", "decoder1/*"}}},
                     {"critic",
                      [net](Scope s, const Batch& b) { return net->critic_loss(s, b); },
                      {.trains = "critic/*"}}},
      .show = [=, names = data.classes](const State& state,
                                        const Dataset& rows) { return shown(parts, names, state, rows); },
      .evaluate = [=, names = data.classes](const State& state,
                                            const SystemSets& sets) { return figures_of(parts, names, state, sets); }};
}

}  // namespace

std::vector<SystemRow> face_swap_systems() {
  const OptionMap defaults = {{"optimizer", OptionMap{{"kind", "adam"}, {"lr", 1e-3}, {"beta1", 0.5}}},
                              {"schedule", OptionMap{{"kind", "cosine"}}}};
  return {system_row<FaceSwapOptions>(
      {.name = "face_swap",
       .summary = "pictures of two designs, each carried to the other by one encoder and two decoders",
       .formula =
           "swap: |x - decode_d(encode(x))|^2 - disguise log p(the other design | encode(x)), d the design of x; "
           "critic: -log p(d | encode(x))",
       .when = "two folders of pictures of the same things, where nobody says which belong together",
       .source = "the two decoders: Deepfakes 2017; the critic: Lample et al. 2017 (Fader networks)",
       .defaults = defaults},
      make_face_swap)};
}

}  // namespace thalweg

// Diffusion: makes images, or codes of images, from noise in many small steps, of a given class if wanted.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numbers>

#include "core/error.hpp"
#include "options/error.hpp"
#include "system/images.hpp"
#include "system/latent.hpp"
#include "system/onlooker.hpp"
#include "system/row.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

struct DiffusionOptions {
  std::int64_t width = 32;
  std::int64_t levels = 2;
  double class_dropout = 0.1;
  double average = 0.999;
  double guidance = 1;
  std::int64_t steps = 50;
  std::string latent = {}, latent_checksum = {};
};

Fields fields(DiffusionOptions& o) {
  return {{"width",
           &o.width,
           "channels of the first level; each level below doubles them; a multiple of 8",
           {.low = 8, .high = 1024}},
          {"levels", &o.levels, "how often the image is halved, and doubled again", {.low = 1, .high = 6}},
          {"class_dropout", &o.class_dropout,
           "fraction of the samples that are trained without their class: guidance needs both kinds", below_one},
          {"average", &o.average, "decay of the moving average of the parameters, with which pictures are generated",
           below_one},
          {"guidance", &o.guidance,
           "guidance of generated images: 0 ignores the class, 1 is the learned distribution, larger values strengthen "
           "the class",
           not_negative},
          {"steps", &o.steps, "steps of the sampler", {.low = 1, .high = 10'000}},
          {"latent", &o.latent,
           "the run folder of a VAE with levels: codes of this VAE are generated instead of pixels; empty: pixels"},
          {"latent_checksum", &o.latent_checksum, "checksum of the parameters of that VAE; set when the run begins"}};
}

constexpr std::int64_t frequencies = 16;
constexpr double least_angle = 0.02;  // the smallest angle in sampling, so that no step divides by 0

/// The space in which noise is added: pixels in [-1, 1], or the codes of a trained autoencoder.
class Space {
 public:
  Space(const SystemData& data, const DiffusionOptions& o) : shape_(data.input) {
    if (o.latent.empty()) return;
    latent_ = std::make_shared<const images::Latent>(o.latent, o.latent_checksum, data);
    shape_ = latent_->code();
  }

  [[nodiscard]] const Shape& shape() const { return shape_; }
  /// Converts from pixels in [0, 1].
  [[nodiscard]] Var of(const Scope& s, const Var& pixels) const {
    return latent_ ? latent_->encode(s, pixels) : pixels * 2 - 1;
  }
  /// Converts to pixels in [0, 1].
  [[nodiscard]] Tensor pixels(const Tensor& x) const { return latent_ ? latent_->decode(x) : images::from_signed(x); }
  /// Limits a clean value to its range.
  [[nodiscard]] Var bounded(const Var& x) const { return latent_ ? x : clamp(x, -1, 1); }

 private:
  Shape shape_;
  std::shared_ptr<const images::Latent> latent_ = {};
};

/// A U-Net with the time and the class as further inputs.
class Denoiser {
 public:
  Denoiser(const SystemData& data, const DiffusionOptions& o)
      : o_(o), space_(data, o), classes_(static_cast<std::int64_t>(data.classes.size())) {}

  /// x (batch, height, width, channels), t (batch) in [0, 1], told (batch, classes), one-hot or a row of zeros for no
  /// class -> the velocity, with the shape of x.
  [[nodiscard]] Var operator()(const Scope& s, const Var& x, const Var& t, const Var& told) const {
    const Var about = silu(embed(s / "about", t, told));
    std::vector<Var> seen;
    std::int64_t width = o_.width;
    Var h = nn::conv2d(s / "input", x, {.filters = width});
    for (std::int64_t level = 0; level < o_.levels; ++level, width *= 2) {
      h = block(s / ("down" + std::to_string(level)), h, about, width);
      seen.push_back(h);
      h = nn::conv2d(s / ("smaller" + std::to_string(level)), h, {.filters = 2 * width, .stride = 2});
    }
    h = block(s / "bottom", h, about, width);
    for (std::int64_t level = o_.levels; level-- > 0;) {
      width /= 2;
      const Var& beside = seen[static_cast<std::size_t>(level)];
      h = nn::conv2d(s / ("larger" + std::to_string(level)), twice(h, beside.shape()), {.filters = width});
      h = block(s / ("up" + std::to_string(level)), concat({beside, h}, -1), about, width);
    }
    h = silu(nn::group_norm(s / "norm", h, {.groups = 8}));
    return nn::conv2d(s / "output", h, {.filters = x.dim(-1), .initializer = init::zeros()});
  }

  [[nodiscard]] const Space& space() const { return space_; }
  [[nodiscard]] std::int64_t classes() const { return classes_; }

 private:
  /// Doubles the size, minus one row or column if the wanted size is odd.
  [[nodiscard]] static Var twice(const Var& x, const Shape& wanted) {
    Var large = upsample(x);
    for (const int axis : {1, 2}) {
      if (large.dim(axis) != wanted[axis]) large = slice(large, 0, wanted[axis], axis);
    }
    return large;
  }

  [[nodiscard]] Var embed(const Scope& s, const Var& t, const Var& told) const {
    Tensor rates({1, frequencies});
    for (std::int64_t i = 0; i < frequencies; ++i)
      rates.set(i, std::numbers::pi * std::pow(200, static_cast<double>(i) / (frequencies - 1)));
    const Var phase = reshape(t, {t.dim(0), 1}) * constant(rates);
    const std::int64_t units = 4 * o_.width;
    const Var time = nn::dense(s / "time", concat({sin(phase), cos(phase)}, -1), units);
    return nn::dense(s / "both", silu(time + nn::dense(s / "class", told, units, {.bias = false})), units);
  }

  /// A residual block of two convolutions, with the embedding of time and class added between them.
  [[nodiscard]] Var block(const Scope& s, const Var& x, const Var& about, std::int64_t width) const {
    Var h = nn::conv2d(s / "conv1", silu(nn::group_norm(s / "norm1", x, {.groups = 8})), {.filters = width});
    h = h + reshape(nn::dense(s / "about", about, width), {x.dim(0), 1, 1, width});
    h = nn::conv2d(s / "conv2", silu(nn::group_norm(s / "norm2", h, {.groups = 8})),
                   {.filters = width, .initializer = init::zeros()});
    return h + (x.dim(-1) == width ? x : nn::conv2d(s / "around", x, {.filters = width, .kernel = 1, .bias = false}));
  }

  DiffusionOptions o_;
  Space space_;
  std::int64_t classes_;
};

/// With angle a = pi t / 2: x_t = cos(a) x + sin(a) noise, and the velocity is cos(a) noise - sin(a) x.
Loss diffusion_loss(const Denoiser& denoiser, double class_dropout, const Scope& s, const Batch& b) {
  const Var x = denoiser.space().of(s, images::unit_pixels(b["input"]));
  const std::int64_t rows = x.dim(0);
  const Var t = s.uniform("t", {rows});
  const Var angle = reshape(t, {rows, 1, 1, 1}) * (std::numbers::pi / 2);
  const Var noise = s.normal("noise", x.shape());
  const Var told = where(s.uniform("told", {rows, 1}) >= class_dropout, one_hot(b["target"], denoiser.classes()), 0);
  const Var guess = denoiser(s / "unet", cos(angle) * x + sin(angle) * noise, t, told);
  return Loss::of_samples(square(guess - (cos(angle) * noise - sin(angle) * x)));
}

/// A step of the sampler: DDIM without added noise (Song, Meng and Ermon 2021). In terms of these angles it is a
/// rotation from one angle to the next, in the plane of x and the velocity, which are orthogonal. With guidance, the
/// velocity is v(no class) + guidance (v(class) - v(no class)).
Apply turn(const std::shared_ptr<const Denoiser>& denoiser, bool guided, int threads) {
  const auto function = [denoiser, guided](Scope s, const Batch& b) {
    const Var x = b["x"], told = b["told"], from = b["from"], to = b["to"];
    const Var t = broadcast_to(b["t"], {x.dim(0)});
    Var velocity = (*denoiser)(s.share("unet"), x, t, told);
    if (guided) {
      const Var plain = (*denoiser)(s.share("unet"), x, t, told * 0);
      velocity = plain + b["guidance"] * (velocity - plain);
    }
    // the clean part of x, and the remaining noise
    const Var clean = denoiser->space().bounded(cos(from) * x - sin(from) * velocity);
    const Var noise = (x - cos(from) * clean) / sin(from);
    return cos(to) * clean + sin(to) * noise;
  };
  return Apply(function, threads);
}

class Sampler {
 public:
  Sampler(const std::shared_ptr<const Denoiser>& denoiser, const SystemData& data, const DiffusionOptions& o)
      : o_(o),
        denoiser_(denoiser),
        plain_(turn(denoiser, false, data.threads)),
        guided_(turn(denoiser, true, data.threads)) {}

  /// f32 in [0, 1]. `see`, if given, is called with the images after every step. A request without a label uses all
  /// classes in turn.
  [[nodiscard]] Tensor operator()(const State& trained, const GenerateRequest& request,
                                  const std::function<void(const Tensor&)>& see = {}) const {
    const State state = trained.average("ema");
    Shape shape{request.count};
    for (const std::int64_t size : denoiser_->space().shape()) shape.push_back(size);
    const Tensor noise = random_normal(shape, request.seed);
    std::vector<Tensor> portions;
    constexpr std::int64_t portion = 250;
    for (std::int64_t begin = 0; begin < request.count; begin += portion) {
      const std::int64_t end = std::min(request.count, begin + portion);
      portions.push_back(sampled(state, noise.rows(begin, end), told(request, begin, end), request, see));
    }
    return images::stacked(portions);
  }

 private:
  [[nodiscard]] Tensor told(const GenerateRequest& request, std::int64_t begin, std::int64_t end) const {
    const std::int64_t classes = denoiser_->classes();
    Tensor told({end - begin, classes});
    for (std::int64_t i = begin; i < end; ++i) told.set((i - begin) * classes + request.label.value_or(i % classes), 1);
    return told;
  }

  [[nodiscard]] Tensor sampled(const State& state, Tensor x, const Tensor& told, const GenerateRequest& request,
                               const std::function<void(const Tensor&)>& see) const {
    const std::int64_t steps = request.steps.value_or(o_.steps);
    const double guidance = request.guidance.value_or(o_.guidance);
    const auto angle = [&](std::int64_t step) {
      const double part = 1 - static_cast<double>(step) / static_cast<double>(steps);
      return least_angle + part * (std::numbers::pi / 2 - least_angle);
    };
    for (std::int64_t step = 0; step < steps; ++step) {
      NamedTensors inputs = {{"x", x},
                             {"told", told},
                             {"t", full({}, angle(step) * 2 / std::numbers::pi)},
                             {"from", full({}, angle(step))},
                             {"to", full({}, step + 1 == steps ? 0 : angle(step + 1))}};
      if (guidance != 1) inputs.emplace_back("guidance", full({}, guidance));
      x = guidance == 1 ? plain_(state, inputs) : guided_(state, inputs);
      if (!std::ranges::all_of(x.values<float>(), [](float value) { return std::isfinite(value); }))
        fail<NumericError>("[diffusion] step {} of {}: a picture is not finite. Hint: less guidance", step + 1, steps);
      if (see) see(denoiser_->space().pixels(x));
    }
    return denoiser_->space().pixels(x);
  }

  DiffusionOptions o_;
  std::shared_ptr<const Denoiser> denoiser_;
  Apply plain_, guided_;
};

/// Eight pictures during the steps of the sampler.
Tensor strip(const Sampler& sampler, const State& state, std::int64_t steps) {
  constexpr std::int64_t pictures = 8, moments = 10;
  std::vector<Tensor> seen;
  (void)sampler(state, {.count = pictures, .steps = steps}, [&](const Tensor& x) { seen.push_back(x); });
  std::vector<Tensor> shown;
  for (std::int64_t i = 0; i < moments; ++i)
    shown.push_back(seen[static_cast<std::size_t>(i * (std::ssize(seen) - 1) / (moments - 1))]);
  return images::stacked(shown);
}

System make_diffusion(const SystemData& data, const DiffusionOptions& o) {
  images::expect(data, "diffusion", o.latent.empty() ? std::int64_t{1} << o.levels : 1);
  if (data.classes.empty()) fail<UsageError>("[diffusion] the classes have no names. Hint: data.classes");
  if (o.width % 8 != 0) fail_option("width", "[diffusion] width = {}. Wanted: a multiple of 8", o.width);
  const auto denoiser = std::make_shared<const Denoiser>(data, o);
  const Sampler sampler(denoiser, data, o);
  const auto loss = [=](Scope s, const Batch& b) { return diffusion_loss(*denoiser, o.class_dropout, s, b); };
  const MovingAverage average = {.name = "ema", .decay = o.average, .warm_up = true};
  return {.objectives = {{.loss = loss, .options = {.averages = {average}}}},
          .show = [=](const State& state, const Dataset&) -> NamedMedia {
            return {{"samples, a class a column", Medium::pictures(sampler(state, {.count = 40}), 10)}};
          },
          .evaluate =
              [=](const State& state, const SystemSets& sets) {
                SystemFigures figures = images::figures_of_samples(
                    data, sets, [&](const GenerateRequest& request) { return sampler(state, request); }, true);
                figures.media.emplace_back("out of noise, downwards",
                                           Medium::pictures(strip(sampler, state, o.steps), 8));
                return figures;
              },
          .generate = [=](const State& state,
                          const GenerateRequest& request) { return images::generated(sampler(state, request)); }};
}

/// Makes the path of the VAE's run absolute, and sets the checksum of its present parameters.
void settle_latent(DiffusionOptions& o) {
  if (o.latent.empty()) return;
  o.latent = place_of_run(o.latent);
  if (o.latent_checksum.empty()) o.latent_checksum = images::checksum_of_run(o.latent);
}

}  // namespace

std::vector<SystemRow> diffusion_systems() {
  const OptionMap defaults = {{"optimizer", OptionMap{{"kind", "adam"}, {"lr", 1e-3}}},
                              {"schedule", OptionMap{{"kind", "cosine"}, {"warmup", "2%"}}}};
  return {system_row<DiffusionOptions>(
      {.name = "diffusion",
       .summary = "images generated from noise by a U-Net, of a given class if wanted",
       .formula = "|v(x_t, t, class) - (cos(a) noise - sin(a) x)|^2, x_t = cos(a) x + sin(a) noise, a = pi t / 2",
       .when = "images of high quality; each needs many passes of the net, which are cheaper for codes (latent)",
       .source =
           "Ho, Jain and Abbeel 2020; the velocity: Salimans and Ho 2022; the sampler: Song, Meng and Ermon 2021; "
           "guidance: Ho and Salimans 2022; codes: Rombach et al. 2022",
       .takes = {"class", "guidance", "steps"},
       .defaults = defaults},
      make_diffusion, settle_latent)};
}

}  // namespace thalweg

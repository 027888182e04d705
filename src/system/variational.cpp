#include "system/variational.hpp"

#include "graph/graph.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/spatial.hpp"

namespace thalweg::images {

Fields VaeOptions::fields() {
  Fields all = {{"width",
                 &width,
                 "numbers in the code of an image; with levels, numbers at each place",
                 {.low = 1, .high = 65536}},
                {"levels",
                 &levels,
                 "how often convolutions halve the image, so that its code is a grid; 0: dense layers, and a vector",
                 {.low = 0, .high = 6}},
                {"channels",
                 &channels,
                 "channels of the first level's convolution; each level below doubles them",
                 {.low = 1, .high = 1024}}};
  const Fields more = coder.fields();
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

namespace {

/// The source of the weights of convolutions: a scope, which declares them, or a trained state.
class Weights {
 public:
  Weights(Scope s, std::string name, const State* trained)
      : scope_(trained ? std::move(s) : s / name), path_(std::move(name)), trained_(trained) {}

  [[nodiscard]] Weights operator/(const std::string& name) const {
    Weights below = *this;
    if (!trained_) below.scope_ = scope_ / name;
    below.path_ += "/" + name;
    return below;
  }
  [[nodiscard]] Var operator()(const std::string& name, const Shape& shape, const ParameterOptions& options) const {
    if (!trained_) return scope_.parameter(name, shape, options);
    return as_var(constant(trained_->parameter(path_ + "/" + name)), scope_.graph().number(0, scope_.dtype()));
  }

 private:
  Scope scope_;
  std::string path_;
  const State* trained_;
};

struct Convolution {
  std::int64_t filters, kernel = 4, stride = 2;
  Initializer initializer = init::he_normal();
};

Var convolved(const Weights& w, const Var& x, const Convolution& o) {
  const Var weight = w("weight", {o.kernel, o.kernel, x.dim(-1), o.filters}, {.initializer = o.initializer});
  return conv2d(x, weight, {.stride = o.stride, .padding = "same"}) + w("bias", {o.filters}, {.decay = false});
}

Vae::Distribution places_of(const Weights& w, const Var& pixels, const VaeOptions& o) {
  Var h = pixels * 2 - 1;
  for (std::int64_t level = 1; level <= o.levels; ++level)
    h = relu(convolved(w / ("smaller" + std::to_string(level)), h, {.filters = o.channels << (level - 1)}));
  const Convolution code = {.filters = o.width, .kernel = 3, .stride = 1, .initializer = init::lecun_normal()};
  return {convolved(w / "mean", h, code), convolved(w / "log_variance", h, code)};
}

Var pixels_of(const Scope& s, const Var& code, const Shape& image, const VaeOptions& o) {
  Var h = relu(nn::conv2d(s / "code", code, {.filters = o.channels << (o.levels - 1)}));
  for (std::int64_t level = o.levels - 1; level >= 1; --level)
    h = relu(nn::conv_transpose2d(s / ("larger" + std::to_string(level)), h,
                                  {.filters = o.channels << (level - 1), .kernel = 4}));
  return flatten(sigmoid(
      nn::conv_transpose2d(s / "output", h, {.filters = image[2], .kernel = 4, .initializer = init::lecun_normal()})));
}

Shape code_of(const Shape& image, const VaeOptions& o) {
  if (o.levels == 0) return {o.width};
  return {image[0] >> o.levels, image[1] >> o.levels, o.width};
}

}  // namespace

Vae::Vae(const Shape& image, const VaeOptions& options)
    : options_(options), image_(image), code_(code_of(image, options)), coder_(image, options.coder) {}

Var Vae::Distribution::drawn(const Var& noise) const { return mean + exp(log_variance / 2) * noise; }

Vae::Distribution Vae::encode(const Scope& s, const Var& pixels) const {
  if (options_.levels > 0) return places_of(Weights(s, "encoder", nullptr), pixels, options_);
  const Scope encoder = s / "encoder";
  const Var h = coder_.encode(encoder, pixels);
  const nn::DenseOptions code = {.initializer = init::lecun_normal()};
  const Var mean = nn::dense(encoder / "mean", h, options_.width, code);
  return {mean, nn::dense(encoder / "log_variance", h, options_.width, code)};
}

Vae::Distribution Vae::encode_as(const State& trained, const Scope& s, const Var& pixels) const {
  return places_of(Weights(s, "encoder", &trained), pixels, options_);
}

Var Vae::decode(const Scope& s, const Var& code) const {
  return options_.levels > 0 ? pixels_of(s / "decoder", code, image_, options_) : coder_.decode(s / "decoder", code);
}

Loss Vae::loss(const Scope& s, const Var& pixels) const {
  const Distribution code = encode(s, pixels);
  const Var z = code.drawn(s.normal("z", code.mean.shape()));
  const Var back = decode(s, z);
  const Var divergence = square(code.mean) + exp(code.log_variance) - 1 - code.log_variance;
  const Var kl = sum(flatten(divergence), -1) / 2;
  s.report("kl", kl);
  return Loss::of_samples(coder_.surprise(s, pixels, back) + kl);
}

}  // namespace thalweg::images

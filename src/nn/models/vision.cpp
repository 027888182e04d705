// Models for images.

#include "thalweg/vision.hpp"
#include "nn/check_options.hpp"

#include "core/error.hpp"
#include "graph/graph.hpp"
#include "nn/model_row.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

namespace {

std::string numbered(std::string_view name, std::size_t i) { return std::string(name) + std::to_string(i + 1); }

void expect_image(std::string_view model, Var x) {
  if (x.rank() == 4) return;
  fail<UsageError>("[{}] an input of shape {}. Hint: images are (batch, height, width, channels).", model, x.shape());
}

}  // namespace

Fields fields(ConvnetOptions& o) {
  return {{"filters", &o.filters, "number of filters of each convolution, first to last", {.low = 1}},
          {"kernel", &o.kernel, "height and width of the filters", {.low = 1}},
          {"pool", &o.pool, "size of the pooling window after each convolution; 1 is no pooling", {.low = 1}},
          {"batch_norm", &o.batch_norm, "whether a batch normalisation follows each convolution"},
          {"hidden", &o.hidden, "number of units of each dense layer after the convolutions", {.low = 1}},
          {"activation", &o.activation, "activation after each layer", any_number, activation_names()},
          {"dropout", &o.dropout, "dropout rate before each dense layer", below_one}};
}

ModelFunction convnet(std::int64_t outputs, const ConvnetOptions& o) {
  check_options(o, "convnet");
  const auto activate = activation(o.activation);
  return [=](Scope s, Var x) {
    expect_image("convnet", x);
    for (std::size_t i = 0; i < o.filters.size(); ++i) {
      const Scope here = s / numbered("layer", i);
      x = conv2d(here / "conv", x, {.filters = o.filters[i], .kernel = o.kernel, .bias = !o.batch_norm});
      if (o.batch_norm) x = batch_norm(here / "norm", x);
      x = activate(x);
      if (o.pool > 1) x = max_pool2d(x, {.window = o.pool});
    }
    x = flatten(x);
    for (std::size_t i = 0; i < o.hidden.size(); ++i) {
      const Scope here = s / numbered("dense", i);
      x = activate(dense(here, dropout(here / "dropout", x, o.dropout), o.hidden[i]));
    }
    return dense(s / "output", dropout(s / "dropout", x, o.dropout), outputs, {.initializer = init::lecun_normal()});
  };
}

Fields fields(ResnetOptions& o) {
  return {
      {"blocks", &o.blocks, "number of blocks in each stage; each stage after the first halves the image", {.low = 1}},
      {"width", &o.width, "number of channels of the first stage; each later stage doubles it", {.low = 1}},
      {"block",
       &o.block,
       "basic: two convolutions of 3 x 3; bottleneck: convolutions of 1 x 1, 3 x 3 and 1 x 1",
       any_number,
       {"basic", "bottleneck"}},
      {"stem",
       &o.stem,
       "small: a convolution of 3 x 3; large: a convolution of 7 x 7 and a pooling, which reduce height and width to a "
       "quarter",
       any_number,
       {"small", "large"}},
      {"stem_stride", &o.stem_stride, "stride of the convolution in the small stem", {.low = 1}},
      {"zero_init", &o.zero_init,
       "the last normalisation of each block starts with weight 0, so that the block starts as the identity"},
      {"dropout", &o.dropout, "dropout rate before the output layer", below_one}};
}

namespace {

/// A convolution without bias, followed by a normalisation.
Var normalised(const Scope& s, std::string_view number, Var x, std::int64_t filters, std::int64_t kernel,
               std::int64_t stride, bool from_zero = false) {
  const std::string name(number);
  x = conv2d(s / ("conv" + name), x, {.filters = filters, .kernel = kernel, .stride = stride, .bias = false});
  return batch_norm(s / ("norm" + name), x, {.weight = from_zero ? 0.0 : 1.0});
}

Var residual_block(const Scope& s, Var x, std::int64_t width, std::int64_t stride, const ResnetOptions& o) {
  const bool bottleneck = o.block == "bottleneck";
  const std::int64_t channels = bottleneck ? 4 * width : width;
  Var y = x;
  if (bottleneck) {
    y = relu(normalised(s, "1", y, width, 1, 1));
    y = relu(normalised(s, "2", y, width, 3, stride));
    y = normalised(s, "3", y, channels, 1, 1, o.zero_init);
  } else {
    y = relu(normalised(s, "1", y, width, 3, stride));
    y = normalised(s, "2", y, width, 3, 1, o.zero_init);
  }
  if (stride != 1 || x.dim(-1) != channels) x = normalised(s / "shortcut", "", x, channels, 1, stride);
  return relu(x + y);
}

}  // namespace

ModelFunction resnet(std::int64_t outputs, const ResnetOptions& o) {
  check_options(o, "resnet");
  return [=](Scope s, Var x) {
    expect_image("resnet", x);
    if (o.stem == "large") {
      x = relu(normalised(s / "stem", "", x, o.width, 7, 2));
      x = max_pool2d(x, {.window = 3, .stride = 2, .padding = 1});
    } else {
      x = relu(normalised(s / "stem", "", x, o.width, 3, o.stem_stride));
    }
    std::int64_t width = o.width;
    for (std::size_t stage = 0; stage < o.blocks.size(); ++stage, width *= 2) {
      for (std::int64_t block = 0; block < o.blocks[stage]; ++block) {
        const Scope here = s / numbered("stage", stage) / numbered("block", static_cast<std::size_t>(block));
        x = residual_block(here, x, width, stage > 0 && block == 0 ? 2 : 1, o);
      }
    }
    x = dropout(s / "dropout", global_avg_pool(x), o.dropout);
    return dense(s / "output", x, outputs, {.initializer = init::lecun_normal()});
  };
}

Fields fields(UnetOptions& o) {
  return {{"levels", &o.levels, "how many times the image is halved, and doubled again", {.low = 1, .high = 8}},
          {"width", &o.width, "number of channels of the first level; each level below doubles it", {.low = 1}},
          {"norm", &o.norm, "normalisation after each convolution", any_number, {"batch", "group", "none"}},
          {"activation", &o.activation, "activation after each convolution", any_number, activation_names()}};
}

namespace {

Var two_convolutions(const Scope& s, Var x, std::int64_t filters, const UnetOptions& o) {
  for (const char* number : {"1", "2"}) {
    x = conv2d(s / (std::string("conv") + number), x, {.filters = filters, .bias = o.norm == "none"});
    const Scope norm = s / (std::string("norm") + number);
    if (o.norm == "batch") x = batch_norm(norm, x);
    if (o.norm == "group") x = group_norm(norm, x, {.groups = filters % 8 == 0 ? 8 : 1});
    x = activation(o.activation)(x);
  }
  return x;
}

}  // namespace

ModelFunction unet(std::int64_t outputs, const UnetOptions& o) {
  check_options(o, "unet");
  return [=](Scope s, Var x) {
    expect_image("unet", x);
    const std::int64_t places = x.dim(1) * x.dim(2);
    if (outputs % places != 0) {
      fail<UsageError>("[unet] {} outputs for images of {} x {}. Hint: the target is an image of that size.", outputs,
                       x.dim(1), x.dim(2));
    }
    std::vector<Var> seen;
    std::int64_t width = o.width;
    for (std::int64_t level = 0; level < o.levels; ++level, width *= 2) {
      seen.push_back(two_convolutions(s / numbered("down", static_cast<std::size_t>(level)), x, width, o));
      x = max_pool2d(seen.back(), {.window = 2, .padding = "same"});
    }
    x = two_convolutions(s / "bottom", x, width, o);
    for (auto level = static_cast<std::size_t>(o.levels); level-- > 0;) {
      width /= 2;
      const Scope here = s / numbered("up", level);
      const Var other = seen[level];
      x = conv_transpose2d(here / "larger", x, {.filters = width});
      x = slice(slice(x, 0, other.dim(1), 1), 0, other.dim(2),
                2);  // an odd size was rounded up, so one row or column too many came back
      x = two_convolutions(here, concat({other, x}, -1), width, o);
    }
    return conv2d(s / "output", x, {.filters = outputs / places, .kernel = 1, .initializer = init::lecun_normal()});
  };
}

std::vector<ModelRow> vision_models() {
  return {
      model_row("convnet", "convolutions with pooling between them, then dense layers", convnet),
      model_row("resnet", "residual blocks of convolutions, then the mean over all places and a dense layer", resnet),
      model_row("unet",
                "image to image: convolutions that shrink the image and enlarge it again, with connections between "
                "equal sizes",
                unet),
  };
}

}  // namespace thalweg::nn

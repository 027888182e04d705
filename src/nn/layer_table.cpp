// The table of layers, and models that are lists of them.

#include "graph/graph.hpp"
#include "nn/blocks.hpp"
#include "nn/model_row.hpp"
#include "options/rows.hpp"
#include "thalweg/layers.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

namespace {

// What a configuration says of a layer. An Extent is a number or [height, width], a Padding these or a name.

std::int64_t whole_number(std::string_view key, const OptionValue& value) {
  if (const auto* i = value.get_if<std::int64_t>()) return *i;
  fail_option(key, "[layers] {} = {}. Wanted: a number, or [height, width]", key, value.str());
}

Extent extent_of(std::string_view key, const OptionValue& value) {
  const auto* list = value.get_if<OptionList>();
  if (!list) return whole_number(key, value);
  if (list->size() != 2) fail_option(key, "[layers] {} = {}. Wanted: a number, or [height, width]", key, value.str());
  return {whole_number(key, (*list)[0]), whole_number(key, (*list)[1])};
}

Padding padding_of(const OptionValue& value) {
  if (const auto* name = value.get_if<std::string>()) return *name;
  const Extent sides = extent_of("padding", value);
  return {sides, sides};
}

struct None {};
Fields fields(None&) { return {}; }

struct Dense {
  std::int64_t units = 128;
  bool bias = true;
  std::string initializer = "he_normal";
};
Fields fields(Dense& o) {
  return {{"units", &o.units, "numbers that come out", {.low = 1}},
          {"bias", &o.bias, "whether one is added"},
          {"initializer", &o.initializer, "how the weights start", any_number, initializer_names()}};
}
ModelFunction make_dense(const Dense& o) {
  return [=, start = init::named(o.initializer)](Scope s, Var x) {
    return dense(s, x, o.units, {.bias = o.bias, .initializer = start});
  };
}

struct Embedding {
  std::int64_t count = 256, width = 32;
};
Fields fields(Embedding& o) {
  return {{"count", &o.count, "rows of the table: one more than the largest index", {.low = 1}},
          {"width", &o.width, "numbers a row", {.low = 1}}};
}
ModelFunction make_embedding(const Embedding& o) {
  return [=](Scope s, Var x) { return embedding(s, cast(x, i32), {.count = o.count, .width = o.width}); };
}

struct Activation {
  std::string of = "relu";
};
Fields fields(Activation& o) { return {{"of", &o.of, "which", any_number, activation_names()}}; }
ModelFunction make_activation(const Activation& o) {
  return [activate = activation(o.of)](Scope, Var x) { return activate(x); };
}

struct Conv {
  std::int64_t filters = 32;
  OptionValue kernel = {std::int64_t{3}}, stride = {std::int64_t{1}}, padding = {"same"}, dilation = {std::int64_t{1}};
  std::int64_t groups = 1;
  bool bias = true;
  std::string initializer = "he_normal";
};
Fields fields(Conv& o) {
  return {{"filters", &o.filters, "channels that come out", {.low = 1}},
          {"kernel", &o.kernel, "size of the filters: a number, or [height, width]"},
          {"stride", &o.stride, "places from window to window"},
          {"padding", &o.padding, "zeros around: \"same\", \"valid\", a number, or [height, width]"},
          {"dilation", &o.dilation, "places from one element of a filter to the next"},
          {"groups",
           &o.groups,
           "groups of channels that do not see each other; as many as channels: depthwise",
           {.low = 1}},
          {"bias", &o.bias, "whether one is added"},
          {"initializer", &o.initializer, "how the filters start", any_number, initializer_names()}};
}
template <class Options>
Options conv_options(const Conv& o) {
  return {.filters = o.filters,
          .kernel = extent_of("kernel", o.kernel),
          .stride = extent_of("stride", o.stride),
          .padding = padding_of(o.padding),
          .dilation = extent_of("dilation", o.dilation),
          .groups = o.groups,
          .bias = o.bias,
          .initializer = init::named(o.initializer)};
}
ModelFunction make_conv2d(const Conv& o) {
  return [options = conv_options<ConvOptions>(o)](Scope s, Var x) { return conv2d(s, x, options); };
}
ModelFunction make_conv1d(const Conv& o) {
  return [options = conv_options<ConvOptions>(o)](Scope s, Var x) { return conv1d(s, x, options); };
}

struct ConvTranspose : Conv {
  ConvTranspose() { kernel = stride = {std::int64_t{2}}; }
  OptionValue output_padding = {std::int64_t{0}};
};
Fields fields(ConvTranspose& o) {
  Fields all = fields(static_cast<Conv&>(o));
  all.push_back({"output_padding", &o.output_padding, "rows and columns added at the end"});
  return all;
}
ModelFunction make_conv_transpose2d(const ConvTranspose& o) {
  auto options = conv_options<ConvTransposeOptions>(o);
  options.output_padding = extent_of("output_padding", o.output_padding);
  return [options](Scope s, Var x) { return conv_transpose2d(s, x, options); };
}

struct Pool {
  OptionValue window = {std::int64_t{2}}, stride = {std::int64_t{0}}, padding = {"valid"};
};
Fields fields(Pool& o) {
  return {{"window", &o.window, "its size: a number, or [height, width]"},
          {"stride", &o.stride, "places from window to window; 0 is the window's size"},
          {"padding", &o.padding, "places around: \"same\", \"valid\", a number, or [height, width]"}};
}
template <Var (*pool)(const Arg&, const PoolOptions&)>
ModelFunction make_pool(const Pool& o) {
  return [options = PoolOptions{extent_of("window", o.window), extent_of("stride", o.stride), padding_of(o.padding)}](
             Scope, Var x) { return pool(x, options); };
}

struct Upsample {
  OptionValue scale = {std::int64_t{2}};
  std::string mode = "nearest";
  bool align_corners = false;
};
Fields fields(Upsample& o) {
  return {{"scale", &o.scale, "how many times as large: a number, or [height, width]"},
          {"mode", &o.mode, "what lies between", any_number, {"nearest", "bilinear"}},
          {"align_corners", &o.align_corners, "bilinear: corners lie on corners"}};
}
ModelFunction make_upsample(const Upsample& o) {
  return [options = UpsampleOptions{extent_of("scale", o.scale), o.mode, o.align_corners}](Scope, Var x) {
    return upsample(x, options);
  };
}

constexpr std::string_view eps_doc = "added to the variance", affine_doc = "whether there are weight and bias";

template <class Options, Var (*layer)(Scope, const Arg&, const Options&)>
ModelFunction make_norm(const Options& o) {
  return [=](Scope s, Var x) { return layer(s, x, o); };
}

struct Dropout {
  double rate = 0.5;
};
Fields fields(Dropout& o) { return {{"rate", &o.rate, "the probability of zero", below_one}}; }
ModelFunction make_dropout(const Dropout& o) {
  return [=](Scope s, Var x) { return dropout(s, x, o.rate); };
}

// Of sequences, (batch, time, features).

struct Reshape {
  std::vector<std::int64_t> shape = {};
};
Fields fields(Reshape& o) { return {{"shape", &o.shape, "of one sample", {.low = 1}}}; }
ModelFunction make_reshape(const Reshape& o) {
  return [=](Scope, Var x) {
    Shape shape{x.dim(0)};
    for (const std::int64_t size : o.shape) shape.push_back(size);
    return reshape(x, shape);
  };
}

struct Positions {
  std::string of = "learned";
};
Fields fields(Positions& o) {
  return {{"of", &o.of, "a parameter for each place, or sines and cosines", any_number, {"learned", "sinusoidal"}}};
}
ModelFunction make_positions(const Positions& o) {
  return [=](Scope s, Var x) {
    if (x.shape().rank() < 3)
      fail<UsageError>("[positions] {} in '{}'. Wanted: (batch, time, features)", x.shape(), s.path());
    if (o.of == "learned") return x + s.parameter("table", {x.dim(-2), x.dim(-1)}, {.initializer = init::normal(0.02)});
    return x + sinusoidal_positions(places_up_to(x.graph(), x.dim(-2)), x.dim(-1), x.dtype());
  };
}

struct Attention {
  std::int64_t heads = 4;
  bool causal = false, bias = true, rotary = false;
  double dropout = 0;
};
Fields fields(Attention& o) {
  return {{"heads", &o.heads, "must divide the features", {.low = 1}},
          {"causal", &o.causal, "a place sees those before it and itself, no others"},
          {"bias", &o.bias, "whether the products have one"},
          {"rotary", &o.rotary, "queries and keys are turned by their positions"},
          {"dropout", &o.dropout, "of the result", below_one}};
}
ModelFunction make_attention(const Attention& o) {
  return [=](Scope s, Var x) {
    return multi_head_attention(
        s, x, {.heads = o.heads, .causal = o.causal, .bias = o.bias, .rotary = o.rotary, .dropout = o.dropout});
  };
}

struct FeedForward {
  std::int64_t hidden = 0;
  std::string of = "gelu";
  double dropout = 0;
};
Fields fields(FeedForward& o) {
  return {{"hidden", &o.hidden, "width inside; 0 is 4 times the features, or 8/3 times for swiglu", not_negative},
          {"of", &o.of, "gelu, or swiglu with its gate", any_number, {"gelu", "swiglu"}},
          {"dropout", &o.dropout, "of the result", below_one}};
}
ModelFunction make_feed_forward(const FeedForward& o) {
  return [=](Scope s, Var x) { return feed_forward(s, x, {.hidden = o.hidden, .kind = o.of, .dropout = o.dropout}); };
}

struct RecurrentLayer {
  std::int64_t units = 128;
  bool bias = true, last = false;
  std::int64_t truncate = 0;
};
Fields fields(RecurrentLayer& o) {
  return {{"units", &o.units, "numbers that come out at each step", {.low = 1}},
          {"bias", &o.bias, "whether the gates have one"},
          {"last", &o.last, "only what comes out at the last step: (batch, units)"},
          {"truncate", &o.truncate, "the gradient goes no further back than the last multiple of so many steps; 0: all",
           not_negative}};
}
template <Recurrent (*layer)(Scope, const Arg&, const RecurrentOptions&, const std::vector<Var>&)>
ModelFunction make_recurrent(const RecurrentLayer& o) {
  return [=](Scope s, Var x) {
    const Recurrent result = layer(s, x, {.units = o.units, .bias = o.bias, .truncate = o.truncate}, {});
    return o.last ? result.carry[0] : result.output;
  };
}

/// A list of layers as a configuration gives it.
class Sequence {
 public:
  explicit Sequence(const std::vector<OptionMap>& list) {
    for (OptionMap options : list) {
      const std::string place = fmt::format("layers[{}]", layers_.size());
      const auto kind = options.find("kind");
      const auto* name = kind == options.end() ? nullptr : kind->second.get_if<std::string>();
      if (!name) {
        fail_option(place, "[layers] {} has no kind. Hint: {{ kind = \"dense\", units = 10 }}.",
                    OptionValue{options}.str());
      }
      layers_.push_back(in_option(place, [&] {
        const LayerRow& row = layer_named(*name);
        options.erase(kind);
        return row.make(options).first;
      }));
    }
  }

  Var operator()(const Scope& s, Var x) const {
    for (std::size_t i = 0; i < layers_.size(); ++i) x = layers_[i](s / ("layer" + std::to_string(i + 1)), x);
    return x;
  }

 private:
  std::vector<ModelFunction> layers_;
};

struct Residual {
  std::vector<OptionMap> layers = {}, shortcut = {};
};
Fields fields(Residual& o) {
  return {{"layers", &o.layers, "the layers of f"},
          {"shortcut", &o.shortcut, "layers on the way around, where f changes the shape"}};
}
ModelFunction make_residual(const Residual& o) {
  return [f = Sequence(o.layers), around = Sequence(o.shortcut)](Scope s, Var x) {
    const Var y = f(s, x), direct = around(s / "shortcut", x);
    if (y.shape() == direct.shape()) return direct + y;
    fail<UsageError>("[residual] {} and {} in '{}'. Hint: layers in `shortcut` that change the shape as the others do.",
                     direct.shape(), y.shape(), s.path());
  };
}

template <class Options>
LayerRow row(std::string_view name, std::string_view summary, std::string_view formula,
             ModelFunction (*make)(const Options&)) {
  return {name, summary, formula, docs_of<Options>(), [=](const OptionMap& values) {
            const auto options = options_from<Options>(values, name);
            return std::pair(make(options), values_of(options));
          }};
}

template <Var (*f)(const Arg&)>
ModelFunction make_plain(const None&) {
  return [](Scope, Var x) { return f(x); };
}
Var flattened(const Arg& x) { return flatten(x); }

}  // namespace

Fields fields(BatchNormOptions& o) {
  return {{"eps", &o.eps, eps_doc, not_negative},
          {"momentum", &o.momentum, "how fast the running statistics move", unit_interval},
          {"affine", &o.affine, affine_doc},
          {"weight", &o.weight, "what the weight starts at"}};
}
Fields fields(LayerNormOptions& o) {
  return {{"eps", &o.eps, eps_doc, not_negative},
          {"affine", &o.affine, affine_doc},
          {"bias", &o.bias, "whether there is a bias, where there is a weight"}};
}
Fields fields(GroupNormOptions& o) {
  return {{"groups", &o.groups, "must divide the channels", {.low = 1}},
          {"eps", &o.eps, eps_doc, not_negative},
          {"affine", &o.affine, affine_doc}};
}
Fields fields(InstanceNormOptions& o) {
  return {{"eps", &o.eps, eps_doc, not_negative}, {"affine", &o.affine, affine_doc}};
}
Fields fields(RmsNormOptions& o) { return {{"eps", &o.eps, "added to the mean square", not_negative}}; }

const std::vector<LayerRow>& layers() {
  static const std::vector<LayerRow> rows = {
      row("dense", "every output from every input", "x W + b", make_dense),
      row("embedding", "rows of a table by index", "table[x]", make_embedding),
      row("flatten", "all axes but the first become one", "(batch, ...) -> (batch, numbers)", make_plain<flattened>),
      row("activation", "a function of each element", "f(x)", make_activation),
      row("conv2d", "filters that move over an image", "sum over u, v, c of x[i + u, j + v, c] f[u, v, c, o] + b[o]",
          make_conv2d),
      row("conv1d", "filters that move over a sequence", "sum over u, c of x[t + u, c] f[u, c, o] + b[o]", make_conv1d),
      row("conv_transpose2d", "the transpose of conv2d: images become larger",
          "y[i + u, j + v, o] = sum over i, j, c of x[i, j, c] f[u, v, o, c] + b[o]", make_conv_transpose2d),
      row("max_pool2d", "the largest in each window of an image", "max x", make_pool<max_pool2d>),
      row("avg_pool2d", "the mean of each window of an image", "mean x", make_pool<avg_pool2d>),
      row("max_pool1d", "the largest in each window of a sequence", "max x", make_pool<max_pool1d>),
      row("avg_pool1d", "the mean of each window of a sequence", "mean x", make_pool<avg_pool1d>),
      row("global_max_pool", "the largest over all places", "(batch, ..., channels) -> (batch, channels)",
          make_plain<global_max_pool>),
      row("global_avg_pool", "the mean over all places", "(batch, ..., channels) -> (batch, channels)",
          make_plain<global_avg_pool>),
      row("upsample", "an image made larger", "x[i / scale, j / scale]", make_upsample),
      row("batch_norm", "each channel normalised over the batch; running statistics in evaluation",
          "weight * (x - mean) / sqrt(variance + eps) + bias", make_norm<BatchNormOptions, batch_norm>),
      row("layer_norm", "normalised over the last axis", "weight * (x - mean) / sqrt(variance + eps) + bias",
          make_norm<LayerNormOptions, layer_norm>),
      row("group_norm", "normalised over places and groups of channels",
          "weight * (x - mean) / sqrt(variance + eps) + bias", make_norm<GroupNormOptions, group_norm>),
      row("instance_norm", "each channel of each sample normalised over its places",
          "weight * (x - mean) / sqrt(variance + eps) + bias", make_norm<InstanceNormOptions, instance_norm>),
      row("rms_norm", "divided by the root of the mean square over the last axis", "weight * x / sqrt(mean x^2 + eps)",
          make_norm<RmsNormOptions, rms_norm>),
      row("dropout", "in training, elements are zero at random", "x / (1 - rate) or 0", make_dropout),
      row("reshape", "the same numbers in another shape", "(batch, ...) -> (batch, shape)", make_reshape),
      row("positions", "what tells the places of a sequence apart, added to it", "x + p", make_positions),
      row("attention", "each place of a sequence looks at the others", "softmax(q k^T / sqrt(width)) v, by heads",
          make_attention),
      row("feed_forward", "two dense layers at each place", "gelu(x W + b) V + c, or (silu(x W) * (x V)) U",
          make_feed_forward),
      row("lstm", "long short-term memory along a sequence", "c = f c + i g, h = o tanh(c)", make_recurrent<lstm>),
      row("gru", "gated recurrent units along a sequence", "h = (1 - z) n + z h", make_recurrent<gru>),
      row("residual", "layers, and a way around them", "x + f(x)", make_residual),
  };
  return rows;
}

const LayerRow& layer_named(const std::string& kind) { return row_named(layers(), "layer", kind); }

Fields fields(LayersOptions& o) {
  return {{"layers", &o.layers, "each { kind = ..., ... }: see the table of layers"},
          {"head",
           &o.head,
           "dense: a dense layer to the outputs comes last; none: the last layer's result is the prediction",
           any_number,
           {"dense", "none"}}};
}

ModelFunction layers(std::int64_t outputs, const LayersOptions& options) {
  return [=, sequence = Sequence(options.layers), head = options.head == "dense"](Scope s, Var x) {
    x = sequence(s, x);
    return head ? dense(s / "output", flatten(x), outputs, {.initializer = init::lecun_normal()}) : x;
  };
}

ModelRow layers_row() { return model_row("layers", "a list of layers, one after the other", layers); }

}  // namespace thalweg::nn

// A vector-quantised autoencoder: it encodes images as a few whole numbers, which are places of vectors in a table.

#include "system/codes.hpp"
#include "system/row.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

struct VqVaeOptions : images::CodeOptions {
  std::int64_t width = 8;
  double commitment = 0.25, decay = 0.99;
};

Fields fields(VqVaeOptions& o) {
  return o.CodeOptions::fields(
      {{"width", &o.width, "numbers in the vector of a code", {.low = 1, .high = 1024}},
       {"commitment", &o.commitment, "weight of the distance between the encoder's output and its code vectors",
        not_negative},
       {"decay", &o.decay, "decay of the moving averages that form the table of vectors", below_one}});
}

constexpr double idle_share = 0.05;  // of an equal share: a code with less use is reset
constexpr double least_count = 1e-12;

/// The table of vectors: for each code, moving averages of the sum and the number of the vectors that were encoded as
/// it.
class Codebook {
 public:
  explicit Codebook(const VqVaeOptions& o) : o_(o) {}

  struct Entries {
    Scope scope;
    Var count, total, table;  // (codes), (codes, width), (codes, width)
  };
  [[nodiscard]] Entries entries(const Scope& s) const {
    const Scope place = s.share("codes");
    const Var count = place.statistic("count", {o_.codes}, 0);
    const Var total = place.statistic("total", {o_.codes, o_.width}, 0);
    return {place, count, total, total / reshape(maximum(count, least_count), {o_.codes, 1})};
  }

  /// The nearest vector of the table to each, (vectors, width) -> (vectors): |v - e|^2 is least where v e - |e|^2 / 2
  /// is largest.
  [[nodiscard]] static Var nearest(const Entries& e, const Var& vectors) {
    return argmax(matmul(vectors, e.table, false, true) - sum(square(e.table), -1) / 2);
  }

  /// Updates the table: each vector moves towards the mean of the vectors that were encoded as it (van den Oord et al.
  /// 2017, appendix A.1). Each image offers one of its vectors, at a random place, to a random code. An idle code is
  /// reset to the offered vector, with the weight of an equal share on average. All codes begin idle.
  void observe(const Entries& e, const Scope& s, const Var& vectors, const Var& codes) const {
    const std::int64_t rows = vectors.dim(0) / o_.places;
    Tensor first({rows}, i32);
    for (std::int64_t i = 0; i < rows; ++i) first.set(i, static_cast<double>(i * o_.places));
    const Var offered = gather(vectors, constant(first) + s.integers("offered", {rows}, 0, o_.places));
    const Var to = s.integers("to", {rows}, 0, o_.codes);
    const auto equal_share = static_cast<double>(o_.places) / static_cast<double>(o_.codes);
    const Var taken = gather((e.count < idle_share * equal_share) * (o_.places / (1 - o_.decay)), to);  // (rows)
    const Var ones = constant(full({vectors.dim(0)}, 1, s.dtype()));
    const Var count = scatter_add(ones, codes, o_.codes) + scatter_add(taken, to, o_.codes);
    const Var total =
        scatter_add(vectors, codes, o_.codes) + scatter_add(offered * reshape(taken, {rows, 1}), to, o_.codes);
    e.scope.observe("count", count / rows, 1 - o_.decay);
    e.scope.observe("total", total / rows, 1 - o_.decay);
  }

 private:
  VqVaeOptions o_;
};

class VqVae {
 public:
  VqVae(const SystemData& data, const VqVaeOptions& o) : o_(o), coder_(data.input, o.coder), book_(o) {}

  [[nodiscard]] Loss loss(const Scope& s, const Batch& b) const {
    const Var x = images::unit_pixels(b["input"]);
    const Var vectors = encoded(s, x);
    const Codebook::Entries entries = book_.entries(s);
    const Var codes = Codebook::nearest(entries, vectors);
    const Var given = stop_gradient(gather(entries.table, codes));
    book_.observe(entries, s, vectors, codes);
    const Var pixels = coder_.decode(s / "decoder", of_images(vectors + stop_gradient(given - vectors)));
    const Var distance = sum(of_images(square(vectors - given)), -1);
    s.report("distance to the codes", distance);
    return Loss::of_samples(coder_.surprise(s, x, pixels) + o_.commitment * distance);
  }

  /// Pixels (batch, height, width, channels) -> codes i32 (batch, places).
  [[nodiscard]] Var encode(const Scope& s, const Var& x) const {
    return reshape(Codebook::nearest(book_.entries(s), encoded(s, x)), {x.dim(0), o_.places});
  }
  [[nodiscard]] Var decode(const Scope& s, const Var& codes) const {
    return coder_.shaped(coder_.decode(s / "decoder", flatten(gather(book_.entries(s).table, codes))));
  }

 private:
  /// (batch * places, width).
  [[nodiscard]] Var encoded(const Scope& s, const Var& x) const {
    const Scope encoder = s / "encoder";
    const Var h = nn::dense(encoder / "vectors", coder_.encode(encoder, x), o_.places * o_.width,
                            {.initializer = init::lecun_normal()});
    return reshape(h, {x.dim(0) * o_.places, o_.width});
  }
  /// (batch, places * width).
  [[nodiscard]] Var of_images(const Var& vectors) const {
    return reshape(vectors, {vectors.dim(0) / o_.places, o_.places * o_.width});
  }

  VqVaeOptions o_;
  images::Coder coder_;
  Codebook book_;
};

System make_vq_vae(const SystemData& data, const VqVaeOptions& o) {
  images::expect(data, "vq_vae", 1);
  const auto net = std::make_shared<const VqVae>(data, o);
  return images::code_system(data, images::code_model(net, o.places, o.codes), o.prior);
}

}  // namespace

std::vector<SystemRow> vq_vae_systems() {
  return {system_row<VqVaeOptions>(
      {.name = "vq_vae",
       .summary = "images as codes, which are places in a table of vectors; a prior draws the codes of new images",
       .formula = "-log N(x; decode(z + sg(e - z)), deviation^2) + commitment |z - sg(e)|^2, e the nearest to z in the "
                  "table, whose vectors are moving averages of the z nearest to them; prior: -log p(code | codes "
                  "before it)",
       .when = "images as a few symbols, which a model of sequences can then be trained on",
       .source = "van den Oord, Vinyals and Kavukcuoglu 2017, with moving averages; codes that begin anew: Dhariwal et "
                 "al. 2020",
       .defaults = images::adam_by_cosine(1e-3)},
      make_vq_vae)};
}

}  // namespace thalweg

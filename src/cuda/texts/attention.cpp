// Texts of attention, its gradient, and rotary positions. A block has a tile of queries and loops over the keys tile by
// tile, with the largest score and the sum so far; the (time x time) matrix never exists. The gradient computes the
// scores again three times: for the sums of each row, by queries for the gradient of queries, and by keys for that of
// keys and values. So no two blocks add to the same element.

#include <fmt/format.h>

#include "cuda/texts/text.hpp"
#include "kernels/attention.hpp"

namespace thalweg::cuda::texts {

namespace {

using Part = AttentionShape::Part;

/// Queries and keys of a tile: multiples of 16, since the threads of a block are 16 x 16.
struct Tile {
  std::int64_t queries, keys;
};

constexpr std::int64_t pack_bytes = 16;

/// The first of the tiles whose shared values fit, by their bytes; none: nothing fits.
template <class Bytes>
std::optional<Tile> fitting(std::initializer_list<Tile> tiles, const Bytes& bytes) {
  for (const Tile tile : tiles) {
    if (bytes(tile) <= shared_bytes) return tile;
  }
  return {};
}

/// The sizes and names that all kernels of attention use.
class AttentionText {
 public:
  AttentionText(const KernelSite& site, std::size_t after)
      : site_(site),
        lengths_(site.inputs.size() - after - (site.ints[1] != 0 ? 1 : 0)),
        sizes_(AttentionShape::of(site.inputs.first(lengths_))) {}

  std::optional<EmittedKernel> forward() {
    const auto tile = forward_tile();
    if (!tile || sizes_.width == 0) return {};
    Text text = begun(*tile);
    return text.kernel("", blocks(sizes_.queries, tile->queries), std::string(over_keys) + std::string(give_values))
        .made();
  }

  std::optional<EmittedKernel> gradient() {
    const auto tile = forward_tile(), square = gradient_tile();
    if (!tile || !square || sizes_.width == 0) return {};
    const auto gives = [&](const Part& part) { return part.input == site_.ints[2]; };
    Text rows = begun(*tile), others = begun(*square);
    for (Text* text : {&rows, &others}) add_statistics(*text);
    EmittedKernel made =
        rows.kernel("", blocks(sizes_.queries, tile->queries), std::string(over_keys) + std::string(give_statistics))
            .made();
    if (gives(sizes_.q)) others.kernel("_queries", blocks(sizes_.queries, square->queries), by_queries());
    if (gives(sizes_.k) || gives(sizes_.v)) {
      others.let("gives_keys", gives(sizes_.k) ? 1 : 0).let("gives_values", gives(sizes_.v) ? 1 : 0);
      others.kernel("_keys", blocks(sizes_.keys, square->keys), by_keys());
    }
    const EmittedKernel second = others.made();
    made.text += second.text;
    made.launches.insert(made.launches.end(), second.launches.begin(), second.launches.end());
    return made;
  }

 private:
  [[nodiscard]] std::int64_t blocks(std::int64_t rows, std::int64_t tile) const {
    return sizes_.items() * parts_of(rows, tile);
  }
  /// Elements that are read from shared memory at once, and the number of such packs in a row of n elements: an odd
  /// number, so that threads that read one column of adjacent rows use different banks.
  [[nodiscard]] std::int64_t pack() const { return pack_bytes / bytes_of(site_.output.dtype); }
  [[nodiscard]] std::int64_t packs(std::int64_t n) const { return parts_of(n, pack()) | 1; }

  /// Tiles of queries and of keys or values, scores, and three numbers a row.
  [[nodiscard]] std::optional<Tile> forward_tile() const {
    return fitting({{64, 32}, {32, 32}, {16, 16}}, [&](Tile t) {
      return ((t.queries + t.keys) * packs(sizes_.width) + t.queries * packs(t.keys)) * pack_bytes +
             3 * t.queries * bytes_of(site_.output.dtype);
    });
  }
  /// Tiles of queries, cotangents, keys and values, and twice the scores.
  [[nodiscard]] std::optional<Tile> gradient_tile() const {
    return fitting({{32, 32}, {16, 16}}, [&](Tile t) {
      return 2 * ((t.queries + t.keys) * packs(sizes_.width) + t.queries * packs(t.keys)) * pack_bytes;
    });
  }

  [[nodiscard]] Text begun(Tile tile) const {
    Text text(site_);
    text.let("queries", sizes_.queries).let("keys", sizes_.keys).let("heads", sizes_.heads).let("width", sizes_.width);
    text.let("items", sizes_.items()).let("causal", site_.ints[0] != 0 ? 1 : 0);
    text.let("tile_queries", tile.queries).let("tile_keys", tile.keys);
    text.let("own_queries", tile.queries / 16).let("own_keys", tile.keys / 16);
    text.let("pack", pack()).let("columns", parts_of(sizes_.width, pack()) * pack());
    text.let("own_packs", parts_of(sizes_.width, 16 * pack()));
    text.let("row_packs", packs(sizes_.width)).let("score_packs", packs(tile.keys));
    text.let_number("scale", site_.number).head(numbers_of_block);
    text.head(fmt::format("  const auto length_of = [=](tw_index sample) {{ return (tw_index){}; }};\n",
                          site_.ints[1] != 0 ? fmt::format("get{}(sample)", lengths_) : "keys"));
    add_part(text, "q", sizes_.q);
    add_part(text, "k", sizes_.k);
    add_part(text, "v", sizes_.v);
    const std::int64_t row = sizes_.heads * sizes_.width;
    add_part(text, "g", {static_cast<int>(site_.inputs.size()) - 1, 0, row, sizes_.queries * row});
    return text.head(sight);
  }

  /// q_place, the place of an element, and q_at, which reads it.
  void add_part(Text& text, std::string_view name, const Part& part) const {
    text.head(fmt::format(
        "  [[maybe_unused]] const auto {0}_place = [=](tw_index sample, tw_index head, tw_index time, tw_index i) {{\n"
        "    return {1} + sample * {2} + time * {3} + head * width + i;\n  }};\n"
        "  [[maybe_unused]] const auto {0}_at = [=](tw_index sample, tw_index head, tw_index time, tw_index i) {{\n"
        "    return get{4}({0}_place(sample, head, time, i));\n  }};\n",
        name, part.offset, part.batch, part.time, part.input));
  }

  void add_statistics(Text& text) const {
    const std::int64_t rows = sizes_.items() * sizes_.queries;
    for (const std::string_view name : {"most_of", "share_of", "mean_of"}) text.array(name, "T", rows);
  }

  /// The threads of a block are 16 x 16. Thread (x, y) has the pairs of queries y, y + 16, ... and keys x, x + 16, ...,
  /// and of sums over pairs the rows y, y + 16, ... and the packs of columns x, x + 16, ...
  static constexpr std::string_view numbers_of_block = R"(
  struct alignas(16) Pack { T at[pack]; };
  [[maybe_unused]] const auto element = [](Pack* tile, tw_index packs, tw_index row, tw_index i) -> T& {
    return tile[row * packs + i / pack].at[i % pack];
  };
  // sums += the products of two packs, or a pack += a number times a pack
  [[maybe_unused]] const auto add_products = [](T& sum, const Pack& a, const Pack& b) {
    TW_UNROLL for (int e = 0; e < pack; ++e) sum = fma(a.at[e], b.at[e], sum);
  };
  [[maybe_unused]] const auto add_multiple = [](Pack& sum, T factor, const Pack& a) {
    TW_UNROLL for (int e = 0; e < pack; ++e) sum.at[e] = fma(factor, a.at[e], sum.at[e]);
  };
  [[maybe_unused]] const auto clear = [](Pack* packs, int count) {
    TW_UNROLL for (int i = 0; i < count; ++i) {
      TW_UNROLL for (int e = 0; e < pack; ++e) packs[i].at[e] = 0;
    }
  };
  const tw_index item = blockIdx.x % items, sample = item / heads, head = item % heads;
)";

  static constexpr std::string_view sight = R"(
  const tw_index said = length_of(sample), length = said < 0 ? 0 : said > keys ? keys : said;
  // how many keys a query sees, from the first on
  [[maybe_unused]] const auto visible = [=](tw_index query) {
    const tw_index seen = causal ? query + 1 + keys - queries : keys;
    return seen < 0 ? 0 : seen > length ? length : seen;
  };
  [[maybe_unused]] const auto element_of = [=](char part, tw_index time, tw_index d) {
    return part == 'q' ? (T)q_at(sample, head, time, d) : part == 'k' ? (T)k_at(sample, head, time, d)
         : part == 'v' ? (T)v_at(sample, head, time, d) : (T)g_at(sample, head, time, d);
  };
  // rows from `first` on into a tile, and zeros beside them
  [[maybe_unused]] const auto fill = [=](Pack* tile, int rows, int t, char part, tw_index first, tw_index end) {
    for (int i = t; i < rows * (int)columns; i += 256) {
      const int row = i / (int)columns, d = i % (int)columns;
      element(tile, row_packs, row, d) = first + row < end && d < width ? element_of(part, first + row, d) : (T)0;
    }
  };
)";

  /// Loops over all keys of a tile of queries: `out` gets the values weighted by e^(scale (score - most)), `total` the
  /// sum of the weights. The last tiles, which have the most keys, come first.
  static constexpr std::string_view over_keys = R"(
  TW_SHARED Pack q[tile_queries * row_packs];
  TW_SHARED Pack kv[tile_keys * row_packs];
  TW_SHARED Pack s[tile_queries * score_packs];
  TW_SHARED T most[tile_queries];
  TW_SHARED T total[tile_queries];
  TW_SHARED T factor[tile_queries];
  TW_OWN(T, score, own_queries * own_keys);
  TW_OWN(Pack, out, own_queries * own_packs);
  const tw_index first = ((queries - 1) / tile_queries - blockIdx.x / items) * tile_queries;
  const tw_index end = visible(first + tile_queries < queries ? first + tile_queries - 1 : queries - 1);
  TW_EACH(t, 256) {
    fill(q, tile_queries, t, 'q', first, queries);
    clear(TW_OF(out, t), own_queries * own_packs);
    if (t < tile_queries) {
      most[t] = -(T)tw_infinity();
      total[t] = 0;
    }
  }
  for (tw_index from = 0; from < end; from += tile_keys) {
    TW_EACH(t, 256) fill(kv, tile_keys, t, 'k', from, keys);
    TW_SYNC();
    TW_EACH(t, 256) {
      const int x = t % 16, y = t / 16;
      TW_UNROLL for (int i = 0; i < own_queries * own_keys; ++i) TW_OF(score, t)[i] = 0;
      for (int d = 0; d < columns / pack; ++d) {
        Pack of_q[own_queries];
        TW_UNROLL for (int a = 0; a < own_queries; ++a) of_q[a] = q[(y + 16 * a) * row_packs + d];
        TW_UNROLL for (int b = 0; b < own_keys; ++b) {
          const Pack of_k = kv[(x + 16 * b) * row_packs + d];
          TW_UNROLL for (int a = 0; a < own_queries; ++a) add_products(TW_OF(score, t)[a * own_keys + b], of_q[a], of_k);
        }
      }
      TW_UNROLL for (int a = 0; a < own_queries; ++a) {
        TW_UNROLL for (int b = 0; b < own_keys; ++b)
          element(s, score_packs, y + 16 * a, x + 16 * b) = TW_OF(score, t)[a * own_keys + b];
      }
    }
    TW_SYNC();
    TW_EACH(t, 256) {
      fill(kv, tile_keys, t, 'v', from, keys);
      if (t < tile_queries) {
        const tw_index seen = visible(first + t) - from;
        T m = most[t];
        for (int k = 0; k < tile_keys && k < seen; ++k) {
          const T score = element(s, score_packs, t, k);
          m = score > m ? score : m;
        }
        factor[t] = most[t] == m ? (T)1 : tw_exp((T)scale * (most[t] - m));
        most[t] = m;
      }
    }
    TW_SYNC();
    TW_EACH(t, 256) {
      const int x = t % 16, y = t / 16;
      TW_UNROLL for (int a = 0; a < own_queries; ++a) {
        const int row = y + 16 * a;
        const tw_index seen = visible(first + row) - from;
        TW_UNROLL for (int b = 0; b < own_keys; ++b) {
          const T e = tw_exp((T)scale * (TW_OF(score, t)[a * own_keys + b] - most[row]));
          element(s, score_packs, row, x + 16 * b) = x + 16 * b < seen ? e : (T)0;
        }
      }
    }
    TW_SYNC();
    TW_EACH(t, 256) {
      const int x = t % 16, y = t / 16;
      TW_UNROLL for (int a = 0; a < own_queries; ++a) {
        TW_UNROLL for (int c = 0; c < own_packs; ++c) {
          TW_UNROLL for (int e = 0; e < pack; ++e) TW_OF(out, t)[a * own_packs + c].at[e] *= factor[y + 16 * a];
        }
      }
      for (int k = 0; k < tile_keys; k += pack) {
        Pack weights[own_queries];
        TW_UNROLL for (int a = 0; a < own_queries; ++a) weights[a] = s[(y + 16 * a) * score_packs + k / pack];
        TW_UNROLL for (int c = 0; c < own_packs; ++c) {
          if ((x + 16 * c) * pack >= columns) continue;
          TW_UNROLL for (int e = 0; e < pack; ++e) {
            const Pack value = kv[(k + e) * row_packs + x + 16 * c];
            TW_UNROLL for (int a = 0; a < own_queries; ++a)
              add_multiple(TW_OF(out, t)[a * own_packs + c], weights[a].at[e], value);
          }
        }
      }
      if (t < tile_queries) {
        T sum = 0;
        for (int k = 0; k < tile_keys; ++k) sum += element(s, score_packs, t, k);
        total[t] = total[t] * factor[t] + sum;
      }
    }
    TW_SYNC();
  }
)";

  static constexpr std::string_view give_values = R"(
  TW_SYNC();
  TW_EACH(t, 256) {
    const int x = t % 16, y = t / 16;
    TW_UNROLL for (int a = 0; a < own_queries; ++a) {
      const tw_index query = first + y + 16 * a;
      const bool sees = visible(query) > 0;
      const T share = sees ? 1 / total[y + 16 * a] : (T)0;
      TW_UNROLL for (int i = 0; i < own_packs * pack; ++i) {
        const tw_index d = (x + 16 * (i / pack)) * pack + i % pack;
        const T value = sees ? TW_OF(out, t)[a * own_packs + i / pack].at[i % pack] * share : (T)0;
        if (query < queries && d < width) put0(((sample * queries + query) * heads + head) * width + d, value);
      }
    }
  }
)";

  /// For each row the largest score, 1 / the sum, and the mean of the cotangents of its values: sum P (G V^T) = G out.
  static constexpr std::string_view give_statistics = R"(
  TW_SYNC();
  TW_EACH(t, 256) {
    const int x = t % 16, y = t / 16;
    TW_UNROLL for (int a = 0; a < own_queries; ++a) {
      const tw_index query = first + y + 16 * a;
      T sum = 0;
      TW_UNROLL for (int i = 0; i < own_packs * pack; ++i) {
        const tw_index d = (x + 16 * (i / pack)) * pack + i % pack;
        if (query < queries && d < width)
          sum += TW_OF(out, t)[a * own_packs + i / pack].at[i % pack] * g_at(sample, head, query, d);
      }
      element(s, score_packs, y + 16 * a, x) = sum;
    }
  }
  TW_SYNC();
  TW_EACH(t, tile_queries) {
    const tw_index query = first + t;
    if (query < queries) {
      const bool sees = visible(query) > 0;
      const T share = sees ? 1 / total[t] : (T)0;
      T sum = 0;
      for (int k = 0; k < 16; ++k) sum += element(s, score_packs, t, k);
      most_of[item * queries + query] = most[t];
      share_of[item * queries + query] = share;
      mean_of[item * queries + query] = sees ? sum * share : (T)0;
    }
  }
)";

  /// For all pairs of the two tiles, which begin at the query and the key of these names, the cotangents of the scores,
  /// and with `by_key` the probabilities: then both lie with the keys as rows.
  static std::string pairs(std::string_view first_query, std::string_view first_key, bool by_key) {
    std::string text = R"(
    TW_SYNC();
    TW_EACH(t, 256) {
      const int x = t % 16, y = t / 16;
      T score[own_queries * own_keys], slope[own_queries * own_keys];
      TW_UNROLL for (int i = 0; i < own_queries * own_keys; ++i) score[i] = slope[i] = 0;
      for (int d = 0; d < columns / pack; ++d) {
        TW_UNROLL for (int a = 0; a < own_queries; ++a) {
          const Pack of_q = q[(y + 16 * a) * row_packs + d], of_g = g[(y + 16 * a) * row_packs + d];
          TW_UNROLL for (int b = 0; b < own_keys; ++b) {
            add_products(score[a * own_keys + b], of_q, k[(x + 16 * b) * row_packs + d]);
            add_products(slope[a * own_keys + b], of_g, v[(x + 16 * b) * row_packs + d]);
          }
        }
      }
      TW_UNROLL for (int a = 0; a < own_queries; ++a) {
        const int row = y + 16 * a;
        const tw_index query = FIRST_QUERY + row, place = item * queries + query;
        const bool inside = query < queries;
        const tw_index seen = inside ? visible(query) - FIRST_KEY : 0;
        const T largest = inside ? most_of[place] : (T)0, share = inside ? share_of[place] : (T)0;
        const T mean = inside ? mean_of[place] : (T)0;
        TW_UNROLL for (int b = 0; b < own_keys; ++b) {
          const int i = a * own_keys + b, column = x + 16 * b;
          const T chance = column < seen ? tw_exp((T)scale * (score[i] - largest)) * share : (T)0;
          const T change = column < seen ? (T)scale * chance * (slope[i] - mean) : (T)0;
          KEEP
        }
      }
    }
    TW_SYNC();
)";
    const auto fill = [&](std::string_view name, std::string_view value) {
      for (std::size_t i = 0; (i = text.find(name, i)) != std::string::npos;) text.replace(i, name.size(), value);
    };
    fill("FIRST_QUERY", first_query);
    fill("FIRST_KEY", first_key);
    fill("KEEP", by_key ? "element(chances, score_packs, column, row) = chance;\n"
                          "          element(changes, score_packs, column, row) = change;"
                        : "element(changes, score_packs, row, column) = change;");
    return text;
  }

  static std::string by_queries() {
    return R"(
  TW_SHARED Pack q[tile_queries * row_packs];
  TW_SHARED Pack g[tile_queries * row_packs];
  TW_SHARED Pack k[tile_keys * row_packs];
  TW_SHARED Pack v[tile_keys * row_packs];
  TW_SHARED Pack changes[tile_queries * score_packs];
  TW_OWN(Pack, out, own_queries * own_packs);
  const tw_index first = ((queries - 1) / tile_queries - blockIdx.x / items) * tile_queries;
  const tw_index end = visible(first + tile_queries < queries ? first + tile_queries - 1 : queries - 1);
  TW_EACH(t, 256) {
    fill(q, tile_queries, t, 'q', first, queries);
    fill(g, tile_queries, t, 'g', first, queries);
    clear(TW_OF(out, t), own_queries * own_packs);
  }
  for (tw_index from = 0; from < end; from += tile_keys) {
    TW_EACH(t, 256) {
      fill(k, tile_keys, t, 'k', from, keys);
      fill(v, tile_keys, t, 'v', from, keys);
    }
)" + pairs("first", "from", false) +
           R"(
    TW_EACH(t, 256) {
      const int x = t % 16, y = t / 16;
      for (int key = 0; key < tile_keys; key += pack) {
        Pack of_row[own_queries];
        TW_UNROLL for (int a = 0; a < own_queries; ++a) of_row[a] = changes[(y + 16 * a) * score_packs + key / pack];
        TW_UNROLL for (int c = 0; c < own_packs; ++c) {
          if ((x + 16 * c) * pack >= columns) continue;
          TW_UNROLL for (int e = 0; e < pack; ++e) {
            const Pack of_k = k[(key + e) * row_packs + x + 16 * c];
            TW_UNROLL for (int a = 0; a < own_queries; ++a)
              add_multiple(TW_OF(out, t)[a * own_packs + c], of_row[a].at[e], of_k);
          }
        }
      }
    }
    TW_SYNC();
  }
  TW_EACH(t, 256) {
    TW_UNROLL for (int a = 0; a < own_queries; ++a) {
      TW_UNROLL for (int i = 0; i < own_packs * pack; ++i) {
        const tw_index query = first + t / 16 + 16 * a, d = (t % 16 + 16 * (i / pack)) * pack + i % pack;
        if (query < queries && d < width)
          put0(q_place(sample, head, query, d), TW_OF(out, t)[a * own_packs + i / pack].at[i % pack]);
      }
    }
  }
)";
  }

  static std::string by_keys() {
    return R"(
  TW_SHARED Pack q[tile_queries * row_packs];
  TW_SHARED Pack g[tile_queries * row_packs];
  TW_SHARED Pack k[tile_keys * row_packs];
  TW_SHARED Pack v[tile_keys * row_packs];
  TW_SHARED Pack chances[tile_keys * score_packs];
  TW_SHARED Pack changes[tile_keys * score_packs];
  TW_OWN(Pack, dk, own_keys * own_packs);
  TW_OWN(Pack, dv, own_keys * own_packs);
  const tw_index first = blockIdx.x / items * tile_keys, end = first < length ? queries : 0;
  const tw_index earliest = causal ? first - keys + queries : 0;
  const tw_index begin = earliest > 0 ? earliest / tile_queries * tile_queries : 0;
  TW_EACH(t, 256) {
    fill(k, tile_keys, t, 'k', first, keys);
    fill(v, tile_keys, t, 'v', first, keys);
    clear(TW_OF(dk, t), own_keys * own_packs);
    clear(TW_OF(dv, t), own_keys * own_packs);
  }
  for (tw_index from = begin; from < end; from += tile_queries) {
    TW_EACH(t, 256) {
      fill(q, tile_queries, t, 'q', from, queries);
      fill(g, tile_queries, t, 'g', from, queries);
    }
)" + pairs("from", "first", true) +
           R"(
    TW_EACH(t, 256) {
      const int x = t % 16, y = t / 16;
      for (int row = 0; row < tile_queries; row += pack) {
        TW_UNROLL for (int b = 0; b < own_keys; ++b) {
          const Pack chance = chances[(y + 16 * b) * score_packs + row / pack];
          const Pack change = changes[(y + 16 * b) * score_packs + row / pack];
          TW_UNROLL for (int c = 0; c < own_packs; ++c) {
            if ((x + 16 * c) * pack >= columns) continue;
            TW_UNROLL for (int e = 0; e < pack; ++e) {
              const tw_index place = (row + e) * row_packs + x + 16 * c;
              if (gives_keys) add_multiple(TW_OF(dk, t)[b * own_packs + c], change.at[e], q[place]);
              if (gives_values) add_multiple(TW_OF(dv, t)[b * own_packs + c], chance.at[e], g[place]);
            }
          }
        }
      }
    }
    TW_SYNC();
  }
  TW_EACH(t, 256) {
    TW_UNROLL for (int b = 0; b < own_keys; ++b) {
      TW_UNROLL for (int i = 0; i < own_packs * pack; ++i) {
        const tw_index key = first + t / 16 + 16 * b, d = (t % 16 + 16 * (i / pack)) * pack + i % pack;
        const int own = b * own_packs + i / pack;
        if (key < keys && d < width) {
          if (gives_keys) put0(k_place(sample, head, key, d), TW_OF(dk, t)[own].at[i % pack]);
          if (gives_values) put0(v_place(sample, head, key, d), TW_OF(dv, t)[own].at[i % pack]);
        }
      }
    }
  }
)";
  }

  const KernelSite& site_;
  std::size_t lengths_;
  AttentionShape sizes_;
};

std::optional<EmittedKernel> attention(const KernelSite& site) { return AttentionText(site, 0).forward(); }
std::optional<EmittedKernel> attention_gradient(const KernelSite& site) { return AttentionText(site, 1).gradient(); }

/// Cosines and sines once for each place in time, then all heads.
std::optional<EmittedKernel> rotary(const KernelSite& site) {
  const Shape& shape = site.output.shape;
  const std::int64_t time = along(shape, 1), width = along(shape, 3), half = width / 2;
  Text text(site);
  text.let("time", time)
      .let("heads", along(shape, 2))
      .let("width", width)
      .let("half", half)
      .let("turned", site.ints[0]);
  text.let("direction", site.ints[1] != 0 ? -1 : 1).let_number("base", site.number).array("table", "T", time * width);
  text.each("", time * half, R"(
      const double power = -2.0 * (double)(i % half) / (double)width;
      const double angle = (double)direction * get1(i / half) * pow(base, power);
      table[i / half * width + i % half] = (T)cos(angle);
      table[i / half * width + half + i % half] = (T)sin(angle);
)");
  text.each("_turn", elements(shape), R"(
      const tw_index d = i % width, head = i / width % heads, at = i / (width * heads) % time * width + d % half;
      if (head >= turned) {
        put0(i, get0(i));
      } else {
        const T cosine = table[at], sine = table[at + half];
        put0(i, d < half ? get0(i) * cosine - get0(i + half) * sine : get0(i - half) * sine + get0(i) * cosine);
      }
)");
  return text.made();
}

}  // namespace

std::span<const TextRow> attention_texts() {
  static constexpr TextRow rows[] = {
      {"attention", attention}, {"attention_gradient", attention_gradient}, {"rotary", rotary}};
  return rows;
}

}  // namespace thalweg::cuda::texts

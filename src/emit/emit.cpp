#include "emit/emit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/error.hpp"
#include "core/index.hpp"

namespace thalweg {

namespace {

constexpr int block_threads = 256;
constexpr std::int64_t most_short = std::int64_t{1} << 30;

std::string_view type_of(DType dtype) {
  switch (dtype) {
    case f32: return "float";
    case f64: return "double";
    case i32: return "int";
    case u8: return "unsigned char";
  }
  defect("no such element type");
}

/// The type of elements in memory.
std::string_view stored_type(DType dtype, Stored stored) {
  return stored == Stored::bf16 ? "unsigned short" : type_of(dtype);
}

/// A number as an exact literal; infinities need an expression.
std::string literal(double value, DType dtype) {
  if (value == std::numeric_limits<double>::infinity()) return fmt::format("({})tw_infinity()", type_of(dtype));
  if (value == -std::numeric_limits<double>::infinity()) return fmt::format("(-({})tw_infinity())", type_of(dtype));
  return fmt::format("({}){:a}", type_of(dtype), value);
}

/// The place of the element `flat` of a view in its buffer, as an expression. Axes of the view are joined where
/// possible, so that most expressions have one term.
std::string place(const View& given, std::string_view flat) {
  const View view = given.collapse();
  std::string sum = fmt::format("{}", view.offset);
  std::int64_t below = view.shape.size();
  for (int axis = 0; axis < view.shape.rank(); ++axis) {
    const std::int64_t size = view.shape[axis], stride = at(view.strides, axis);
    const bool outermost = axis == 0;
    below /= std::max<std::int64_t>(1, size);
    if (stride == 0) continue;
    std::string index = below == 1 ? std::string(flat) : fmt::format("{} / {}", flat, below);
    if (!outermost) index = fmt::format("({}) % {}", index, size);
    sum += stride == 1 ? fmt::format(" + {}", index) : fmt::format(" + ({}) * {}", index, stride);
  }
  return sum;
}

/// Whether all places of a view fit into 32 bits, with room for additions. If this holds for all views of a kernel,
/// tw_index has 32 bits: in 64 bits, computing the row and the column of a place takes longer than reading it.
bool is_short(const View& view) {
  std::int64_t first = view.offset, last = view.offset;
  for (int axis = 0; axis < view.shape.rank(); ++axis)
    (at(view.strides, axis) < 0 ? first : last) +=
        std::max<std::int64_t>(0, view.shape[axis] - 1) * at(view.strides, axis);
  return first >= -most_short && last <= most_short;
}
constexpr std::string_view short_index = "  typedef int tw_index;\n";

// ---------------------------------------------------------------------------------------------------------------------
// Micro-ops

std::string_view bits_function(Operation operation) {
  switch (operation) {
    case Operation::bits_and: return "tw_and";
    case Operation::bits_or: return "tw_or";
    case Operation::bits_xor: return "tw_xor";
    default: defect("no operation on bits");
  }
}

std::string condition(const VectorInstruction& instruction) {
  const std::string a = fmt::format("v{}", instruction.in[0]), b = fmt::format("v{}", instruction.in[1]);
  using enum Comparison;
  for (const auto& [how, text] :
       {std::pair{equal, fmt::format("{} == {}", a, b)},
        std::pair{unordered, fmt::format("tw_unordered({}, {})", a, b)}, std::pair{less, fmt::format("{} < {}", a, b)},
        std::pair{less_equal, fmt::format("{} <= {}", a, b)}}) {
    if (instruction.comparison == how) return text;
    if (instruction.comparison == opposite(how)) return fmt::format("!({})", text);
  }
  defect("no such comparison");
}

std::string expression(const VectorInstruction& instruction, DType dtype) {
  const auto v = [&](int k) { return fmt::format("v{}", at(instruction.in, k)); };
  using enum Operation;
  switch (instruction.operation) {
    case constant:
      return dtype == f32 ? fmt::format("tw_float(0x{:08x}u)", instruction.constant.narrow)
                          : fmt::format("tw_double(0x{:016x}ull)", instruction.constant.wide);
    case copy: return v(0);
    case add: return fmt::format("{} + {}", v(0), v(1));
    case sub: return fmt::format("{} - {}", v(0), v(1));
    case mul: return fmt::format("{} * {}", v(0), v(1));
    case div: return fmt::format("{} / {}", v(0), v(1));
    case sqrt: return fmt::format("tw_root({})", v(0));
    case floor: return fmt::format("tw_floor_of({})", v(0));
    case ceil: return fmt::format("tw_ceil_of({})", v(0));
    case round: return fmt::format("tw_round_of({})", v(0));
    case bits_and:
    case bits_or:
    case bits_xor: return fmt::format("{}({}, {})", bits_function(instruction.operation), v(0), v(1));
    case select: return fmt::format("{} ? {} : {}", condition(instruction), v(2), v(3));
    case select_or_zero: return fmt::format("{} ? {} : ({})0", condition(instruction), v(2), type_of(dtype));
  }
  defect("no such operation");
}

/// tw_NAME for elements of one type.
std::string emit_micro_op(const MicroOp& op, DType dtype) {
  const VectorFormula& formula = op.formula();
  const std::string_view type = type_of(dtype);
  std::string parameters, body;
  for (int k = 0; k < op.arity; ++k) parameters += fmt::format("{}{} v{}", k == 0 ? "" : ", ", type, k);
  for (int k = 0; k < count(formula.instructions); ++k) {
    body += fmt::format("  const {} v{} = {};\n", type, op.arity + k, expression(at(formula.instructions, k), dtype));
  }
  return fmt::format("TW_FUNCTION {} tw_{}({}) {{\n{}  return v{};\n}}\n", type, op.name, parameters, body,
                     formula.result);
}

// ---------------------------------------------------------------------------------------------------------------------
// Kernels

/// Collects the text of one tile program.
class Emitter {
 public:
  Emitter(const TileProgram& program, const std::string& name) : program_(program), name_(name) {
    for (const TileProgram::Load& load : program.loads) out_.inputs = std::max(out_.inputs, load.input + 1);
    for (const TileProgram::Store& store : program.stores) out_.outputs = std::max(out_.outputs, store.output + 1);
    for (const auto& reduce : program.reductions) out_.outputs = std::max(out_.outputs, reduce.output + 1);
    const std::int64_t values = std::max(program.elements(), program.outer * program.inner);
    is_short_ = values * std::max<std::int64_t>(1, std::ssize(program.reductions)) <= most_short &&
                std::ranges::all_of(program.loads, [](const auto& load) { return is_short(load.view); });
  }

  EmittedKernel emit() {
    if (program_.elements() == 0 && program_.reductions.empty()) return std::move(out_);
    if (program_.reductions.empty()) {
      emit_elementwise();
    } else if (program_.inner == 1) {
      emit_rows();
    } else {
      emit_columns();
    }
    return std::move(out_);
  }

 private:
  [[nodiscard]] std::string_view type() const { return type_of(program_.dtype); }

  /// Names for the addresses of the call.
  [[nodiscard]] std::string addresses() const {
    std::string text;
    int next = 0;
    for (int k = 0; k < out_.inputs; ++k) {
      const auto reads = [k](const TileProgram::Load& load) { return load.input == k; };
      const auto load = std::ranges::find_if(program_.loads, reads);
      if (load != program_.loads.end())
        text += address(fmt::format("in{}", k), stored_type(load->dtype, load->stored), next);
      ++next;
    }
    for (int k = 0; k < out_.outputs; ++k) {
      const auto store = std::ranges::find(program_.stores, k, &TileProgram::Store::output);
      const Stored stored = store == program_.stores.end() ? Stored::plain : store->stored;
      text += address(fmt::format("out{}", k), stored_type(program_.dtype, stored), next++);
    }
    return program_.reductions.empty() ? text : text + address("scratch", type(), next);
  }
  [[nodiscard]] static std::string address(const std::string& name, std::string_view type, int index) {
    return fmt::format("  [[maybe_unused]] {0}* {1} = ({0}*)p[{2}];\n", type, name, index);
  }

  /// A kernel of no blocks, where there are no elements, is left out: a GPU refuses to launch it.
  void add_kernel(const std::string& name, std::int64_t blocks, int threads, const std::string& body) {
    if (blocks == 0) return;
    out_.text += fmt::format("TW_KERNEL({}) {}(TW_ADDRESSES({}) p) {{\n{}{}{}}}\n", threads, name,
                             out_.inputs + out_.outputs + 1, is_short_ ? short_index : "", addresses(), body);
    out_.launches.push_back({name, blocks, threads});
  }

  /// Loads, steps and stores of the element `i`: registers are named r0, r1, ...
  [[nodiscard]] std::string element(std::string_view indent) const {
    std::string text;
    for (int r = 0; r < count(program_.loads); ++r) {
      const TileProgram::Load& load = at(program_.loads, r);
      const std::string_view converted = load.stored == Stored::bf16 ? "tw_widen" : type();
      text += fmt::format("{}const {} r{} = ({})(in{}[{}]);\n", indent, type(), r, converted, load.input,
                          place(load.view, "i"));
    }
    for (int s = 0; s < count(program_.steps); ++s) {
      const TileProgram::Step& step = at(program_.steps, s);
      std::vector<std::string> operands;
      for (const int r : step.operands()) operands.push_back(fmt::format("r{}", r));
      text += fmt::format("{}const {} r{} = tw_{}({});\n", indent, type(), count(program_.loads) + s, step.op->name,
                          fmt::join(operands, ", "));
    }
    for (const TileProgram::Store& store : program_.stores) {
      const std::string_view converted = store.stored == Stored::bf16 ? "tw_narrow" : "";
      text += fmt::format("{}out{}[i] = {}(r{});\n", indent, store.output, converted, store.reg);
    }
    return text;
  }

  /// For each reduction k, a line made from it.
  template <class Line>
  [[nodiscard]] std::string each_reduction(const Line& line) const {
    std::string text;
    for (int k = 0; k < count(program_.reductions); ++k) text += line(k, at(program_.reductions, k));
    return text;
  }

  void emit_elementwise() {
    const std::int64_t n = program_.elements();
    add_kernel(name_, (n + block_threads - 1) / block_threads, block_threads,
               fmt::format("  TW_EACH(t, {0}) {{\n    const tw_index i = (tw_index)blockIdx.x * {0} + t;\n"
                           "    if (i < {1}) {{\n{2}    }}\n  }}\n",
                           block_threads, n, element("      ")));
  }

  /// A row, or a block of a long row, is reduced by one thread for each running value; the threads then join their
  /// values by halves. A block of threads reduces several rows.
  void emit_rows() {
    const std::int64_t short_length = program_.dtype == f32 ? short_row<float> : short_row<double>;
    const bool is_short = program_.reduced <= short_length;
    const auto lanes =
        is_short ? 16 : static_cast<int>(program_.dtype == f32 ? reduce_lanes<float> : reduce_lanes<double>);
    const int together = block_threads / lanes;
    const std::int64_t blocks = std::max<std::int64_t>(1, (program_.reduced + reduce_block - 1) / reduce_block);
    const std::int64_t units = program_.outer * blocks, length = is_short ? program_.reduced : reduce_block;
    std::string body = each_reduction(
        [&](int k, const auto&) { return fmt::format("  TW_SHARED {} lanes{}[{}];\n", type(), k, block_threads); });
    body += fmt::format("  TW_EACH(t, {0}) {{\n    const tw_index unit = (tw_index)blockIdx.x * {1} + t / {2};\n",
                        block_threads, together, lanes);
    body += each_reduction([&](int k, const auto& reduce) {
      return fmt::format("    {} sum{} = {};\n", type(), k, literal(reduce.reducer->identity, program_.dtype));
    });
    body += fmt::format(
        "    if (unit < {0}) {{\n      const tw_index row = unit / {1}, first = unit % {1} * {2};\n"
        "      const tw_index end = first + {2} < {3} ? first + {2} : {3};\n"
        "      for (tw_index j = first + t % {4}; j < end; j += {4}) {{\n        const tw_index i = row * {3} + "
        "j;\n{5}",
        units, blocks, length, program_.reduced, lanes, element("        "));
    body +=
        each_reduction([&](int k, const auto& reduce) { return "        " + joined(reduce, fmt::format("sum{}", k)); });
    body += "      }\n    }\n";
    body += each_reduction([&](int k, const auto&) { return fmt::format("    lanes{0}[t] = sum{0};\n", k); });
    body += "  }\n";
    for (int half = lanes / 2; half > 0; half /= 2) {
      body += fmt::format("  TW_SYNC();\n  TW_EACH(t, {}) {{\n    if (t % {} < {}) {{\n", block_threads, lanes, half);
      body += each_reduction([&](int k, const auto& reduce) {
        return fmt::format("      lanes{0}[t] = tw_{1}(lanes{0}[t], lanes{0}[t + {2}]);\n", k, reduce.reducer->join,
                           half);
      });
      body += "    }\n  }\n";
    }
    body += fmt::format(
        "  TW_SYNC();\n  TW_EACH(t, {}) {{\n    const tw_index unit = (tw_index)blockIdx.x * {} + t;\n"
        "    if (unit < {}) {{\n",
        together, together, units);
    body += each_reduction([&](int k, const auto& reduce) {
      const std::string to =
          blocks > 1 ? fmt::format("scratch[{} + unit]", k * units) : fmt::format("out{}[unit]", reduce.output);
      return fmt::format("      {} = lanes{}[t * {}];\n", to, k, lanes);
    });
    body += "    }\n  }\n";
    add_kernel(name_, (units + together - 1) / together, block_threads, body);
    if (blocks > 1) emit_joining(program_.outer, blocks, "unit * {blocks} + {b}");
  }

  /// Each thread reduces one column of a block of rows.
  void emit_columns() {
    const std::int64_t blocks =
        std::max<std::int64_t>(1, (program_.reduced + reduce_block_rows - 1) / reduce_block_rows);
    const std::int64_t columns = program_.outer * program_.inner, units = columns * blocks;
    std::string body = fmt::format(
        "  TW_EACH(t, {0}) {{\n    const tw_index unit = (tw_index)blockIdx.x * {0} + t;\n    if (unit < {1}) {{\n"
        "      const tw_index column = unit % {2}, block = unit / {2};\n"
        "      const tw_index first = block * {3}, end = first + {3} < {4} ? first + {3} : {4};\n",
        block_threads, units, columns, reduce_block_rows, program_.reduced);
    body += each_reduction([&](int k, const auto& reduce) {
      return fmt::format("      {} sum{} = {};\n", type(), k, literal(reduce.reducer->identity, program_.dtype));
    });
    body += fmt::format(
        "      for (tw_index j = first; j < end; ++j) {{\n"
        "        const tw_index i = (column / {0} * {1} + j) * {0} + column % {0};\n{2}",
        program_.inner, program_.reduced, element("        "));
    body +=
        each_reduction([&](int k, const auto& reduce) { return "        " + joined(reduce, fmt::format("sum{}", k)); });
    body += "      }\n";
    body += each_reduction(
        [&](int k, const auto&) { return fmt::format("      scratch[{} + unit] = sum{};\n", k * units, k); });
    body += "    }\n  }\n";
    add_kernel(name_, (units + block_threads - 1) / block_threads, block_threads, body);
    emit_joining(columns, blocks, "{b} * {results} + unit");
  }

  [[nodiscard]] static std::string joined(const TileProgram::Reduce& reduce, const std::string& sum) {
    const std::string term = reduce.reducer->name == "sum_of_squares" ? fmt::format("r{0} * r{0}", reduce.reg)
                                                                      : fmt::format("r{}", reduce.reg);
    return fmt::format("{0} = tw_{1}({0}, {2});\n", sum, reduce.reducer->join, term);
  }

  /// The blocks of each result, in order; those of sums are carried in f64 and rounded once. `where` is the place of
  /// block b of result `unit` in the scratch. Several are read before they are joined: else each would wait for its
  /// memory, and there may be thousands.
  void emit_joining(std::int64_t results, std::int64_t blocks, std::string_view where) {
    out_.scratch = static_cast<std::size_t>(results * blocks) * program_.reductions.size() * size_of(program_.dtype);
    constexpr std::int64_t at_once = 32;
    const auto block = [&](int k, std::string_view b) {
      const std::string place =
          fmt::format(fmt::runtime(where), fmt::arg("blocks", blocks), fmt::arg("results", results), fmt::arg("b", b));
      return fmt::format("scratch[{} + {}]", k * results * blocks, place);
    };
    std::string body = fmt::format(
        "  TW_EACH(t, {0}) {{\n    const tw_index unit = (tw_index)blockIdx.x * {0} + t;\n    if (unit < {1}) {{\n",
        block_threads, results);
    body += each_reduction([&](int k, const auto& reduce) {
      const bool adds = reduce.reducer->adds;
      const DType carried = adds ? f64 : program_.dtype;
      const auto with = [&](const std::string& next) {
        return adds ? fmt::format("total{} + (double){}", k, next)
                    : fmt::format("tw_{}(total{}, {})", reduce.reducer->join, k, next);
      };
      const std::string many = fmt::format(
          "      for (; b{0} + {1} <= {2}; b{0} += {1}) {{\n        {3} next[{1}];\n"
          "        TW_UNROLL for (int e = 0; e < {1}; ++e) next[e] = {4};\n"
          "        TW_UNROLL for (int e = 0; e < {1}; ++e) total{0} = {5};\n      }}\n",
          k, at_once, blocks, type(), block(k, fmt::format("(b{} + e)", k)), with("next[e]"));
      return fmt::format(
          "      {0} total{1} = {2};\n      tw_index b{1} = 0;\n{3}      for (; b{1} < {4}; ++b{1}) total{1} = {5};\n"
          "      out{6}[unit] = ({7})total{1};\n",
          type_of(carried), k, literal(reduce.reducer->identity, carried), blocks < at_once ? "" : many, blocks,
          with(block(k, fmt::format("b{}", k))), reduce.output, type());
    });
    body += "    }\n  }\n";
    add_kernel(name_ + "_join", (results + block_threads - 1) / block_threads, block_threads, body);
  }

  const TileProgram& program_;
  std::string name_;
  bool is_short_ = false;
  EmittedKernel out_;
};

// The macros with which the text is compiled. In C++ a block of threads is one thread that does the work of all, phase
// by phase. Values that a thread keeps from phase to phase (TW_OWN) are in registers on a GPU; in C++ they are arrays
// with a place for each of the 256 threads.
constexpr std::string_view shim = R"(
#ifdef __CUDACC__
typedef long long tw_index;
#define TW_FUNCTION static __device__ __forceinline__
template <int n>
struct tw_addresses {
  void* at[n];
  __device__ void* operator[](int k) const { return at[k]; }
};
#define TW_KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)
#define TW_ADDRESSES(n) const tw_addresses<n>
#define TW_SHARED __shared__
#define TW_SYNC() __syncthreads()
#define TW_EACH(t, n) for (int t = threadIdx.x; t < n; t += blockDim.x)
#define TW_OWN(type, name, n) type name[n]
#define TW_OF(name, t) name
#define TW_UNROLL _Pragma("unroll")
TW_FUNCTION unsigned tw_bits(float x) { return __float_as_uint(x); }
TW_FUNCTION unsigned long long tw_bits(double x) { return (unsigned long long)__double_as_longlong(x); }
TW_FUNCTION float tw_float(unsigned bits) { return __uint_as_float(bits); }
TW_FUNCTION double tw_double(unsigned long long bits) { return __longlong_as_double((long long)bits); }
#else
#include <math.h>
typedef long long tw_index;
#define TW_FUNCTION static inline
#define TW_KERNEL(threads) extern "C" void
#define TW_ADDRESSES(n) void* const*
#define TW_SHARED
#define TW_SYNC()
#define TW_EACH(t, n) for (int t = 0; t < n; ++t)
#define TW_OWN(type, name, n) type name[256][n]
#define TW_OF(name, t) name[t]
#define TW_UNROLL
struct tw_place { tw_index x; };
static thread_local tw_place blockIdx;
extern "C" void tw_block(tw_index x) { blockIdx.x = x; }
TW_FUNCTION unsigned tw_bits(float x) { return __builtin_bit_cast(unsigned, x); }
TW_FUNCTION unsigned long long tw_bits(double x) { return __builtin_bit_cast(unsigned long long, x); }
TW_FUNCTION float tw_float(unsigned bits) { return __builtin_bit_cast(float, bits); }
TW_FUNCTION double tw_double(unsigned long long bits) { return __builtin_bit_cast(double, bits); }
#endif
TW_FUNCTION double tw_infinity() { return tw_double(0x7ff0000000000000ull); }
TW_FUNCTION float tw_widen(unsigned short x) { return tw_float((unsigned)x << 16); }
TW_FUNCTION unsigned short tw_narrow(float x) {
  const unsigned bits = tw_bits(x), upper = bits >> 16;
  if (x != x) return (unsigned short)(upper | ((upper & 0x7fu) == 0 ? 0x40u : 0u));
  return (unsigned short)((bits + 0x7fffu + (upper & 1u)) >> 16);
}
TW_FUNCTION float tw_round_to_bf16(float x) { return tw_widen(tw_narrow(x)); }
TW_FUNCTION float tw_and(float a, float b) { return tw_float(tw_bits(a) & tw_bits(b)); }
TW_FUNCTION float tw_or(float a, float b) { return tw_float(tw_bits(a) | tw_bits(b)); }
TW_FUNCTION float tw_xor(float a, float b) { return tw_float(tw_bits(a) ^ tw_bits(b)); }
TW_FUNCTION double tw_and(double a, double b) { return tw_double(tw_bits(a) & tw_bits(b)); }
TW_FUNCTION double tw_or(double a, double b) { return tw_double(tw_bits(a) | tw_bits(b)); }
TW_FUNCTION double tw_xor(double a, double b) { return tw_double(tw_bits(a) ^ tw_bits(b)); }
)";

// Functions of the C library for both types: our name, and the library's name for doubles; floats use it with an f.
constexpr std::pair<std::string_view, std::string_view> library[] = {
    {"root", "sqrt"},   {"floor_of", "floor"}, {"ceil_of", "ceil"}, {"round_of", "rint"}, {"exp", "exp"},
    {"expm1", "expm1"}, {"log", "log"},        {"log1p", "log1p"},  {"tanh", "tanh"},     {"sin", "sin"},
    {"cos", "cos"},     {"tan", "tan"},        {"asin", "asin"},    {"acos", "acos"},     {"atan", "atan"},
    {"sinh", "sinh"},   {"cosh", "cosh"},      {"asinh", "asinh"},  {"acosh", "acosh"},   {"atanh", "atanh"},
    {"erf", "erf"},     {"exp2", "exp2"},      {"log2", "log2"},    {"log10", "log10"}};
constexpr std::pair<std::string_view, std::string_view> library_of_two[] = {{"pow", "pow"}, {"atan2", "atan2"}};

// Functions made of those of the library, as tiles/exponentials-inl.hpp makes them.
constexpr std::string_view composed = R"(
TW_FUNCTION bool tw_unordered(T a, T b) { return a != a || b != b; }
TW_FUNCTION T tw_sigmoid(T x) {
  const T e = tw_exp(x < 0 ? x : -x), q = 1 / (1 + e);
  return x < 0 ? e * q : q;
}
TW_FUNCTION T tw_softplus(T x) { return (x < 0 ? 0 : x) + tw_log1p(tw_exp(x < 0 ? x : -x)); }
TW_FUNCTION T tw_gelu_gate(T x) { return tw_sigmoid((T)1.59576912160573071 * (x * ((T)0.044715 * (x * x) + 1))); }
TW_FUNCTION T tw_gelu_tanh(T x) { return x * tw_gelu_gate(x); }
TW_FUNCTION T tw_gelu_tanh_slope(T x) {
  const T s = tw_gelu_gate(x), b = x > 30 ? 30 : x < -30 ? -30 : x;
  return s * (1 - s) * ((b * (T)1.59576912160573071) * ((T)0.134145 * (b * b) + 1)) + s;
}
)";

std::string with_type(std::string text, std::string_view type) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto is_word = [&](std::size_t k) {
      return k < text.size() && (std::isalnum(text[k]) != 0 || text[k] == '_');
    };
    if (text[i] == 'T' && !is_word(i + 1) && (i == 0 || !is_word(i - 1))) text.replace(i, 1, type);
  }
  return text;
}

}  // namespace

std::string emitted_prelude() {
  std::string text(shim);
  for (const auto& [name, called] : library) {
    text += fmt::format(
        "TW_FUNCTION float tw_{0}(float x) {{ return {1}f(x); }}\n"
        "TW_FUNCTION double tw_{0}(double x) {{ return {1}(x); }}\n",
        name, called);
  }
  for (const auto& [name, called] : library_of_two) {
    text += fmt::format(
        "TW_FUNCTION float tw_{0}(float x, float y) {{ return {1}f(x, y); }}\n"
        "TW_FUNCTION double tw_{0}(double x, double y) {{ return {1}(x, y); }}\n",
        name, called);
  }
  return text + with_type(std::string(composed), "float") + with_type(std::string(composed), "double");
}

std::string emitted_micro_ops(std::span<const MicroOp> ops) {
  std::string text;
  for (const MicroOp& op : ops) {
    if (!op.is_arithmetic()) continue;
    for (const DType dtype : {f32, f64}) text += emit_micro_op(op, dtype);
  }
  return text;
}

EmittedKernel emit_tiles(const TileProgram& program, const std::string& name) { return Emitter(program, name).emit(); }

EmittedKernel emit_copy(const View& view, DType dtype, const std::string& name) {
  View from = view;
  from.offset = 0;
  const std::int64_t n = from.shape.size();
  EmittedKernel out;
  out.inputs = out.outputs = 1;
  if (n == 0) return out;
  out.text = fmt::format(
      "TW_KERNEL({0}) {1}(TW_ADDRESSES(3) p) {{\n{5}  const {2}* in0 = (const {2}*)p[0];\n  {2}* out0 = ({2}*)p[1];\n"
      "  TW_EACH(t, {0}) {{\n    const tw_index i = (tw_index)blockIdx.x * {0} + t;\n"
      "    if (i < {3}) out0[i] = in0[{4}];\n  }}\n}}\n",
      block_threads, name, type_of(dtype), n, place(from, "i"), n <= most_short && is_short(from) ? short_index : "");
  out.launches.push_back({name, (n + block_threads - 1) / block_threads, block_threads});
  return out;
}

}  // namespace thalweg

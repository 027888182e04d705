#include "tiles/tile_code.hpp"

#include <algorithm>
#include <atomic>
#include <map>

#include "core/error.hpp"

#if defined(__x86_64__)
#include <xbyak/xbyak.h>
#endif

namespace thalweg {

#if defined(__x86_64__)

namespace {

enum class Isa { none, avx2, avx512 };

Isa isa() {
  static const Isa found = instruction_set().starts_with("AVX3") ? Isa::avx512
                           : instruction_set() == "AVX2"         ? Isa::avx2
                                                                 : Isa::none;
  return found;
}

constexpr int temporaries = 3;
/// Vector registers for values and numbers. The last one of AVX2 is the mask of the tail.
int value_registers() { return (isa() == Isa::avx512 ? 32 : 15) - temporaries; }
constexpr std::size_t address_registers = 11;

enum Constant { one, sign_bit, all_but_sign, constants };

/// Where each value of a loop is, from its first use to its last.
struct Allocation {
  std::vector<int> arrays;   // registers of the tile in memory: inputs, and results that are kept
  std::vector<int> numbers;  // inputs that are one number, in the order of their first use
  std::map<int, int> last_use;
  int most_alive = 0;

  explicit Allocation(const TileLoop& loop) {
    std::map<int, int> first_use;
    const int count = static_cast<int>(loop.steps.size());
    for (int s = 0; s < count; ++s) {
      const TileStep& step = loop.steps[static_cast<std::size_t>(s)];
      for (int i = 0; i < step.op->arity; ++i) {
        const int r = step.in[static_cast<std::size_t>(i)];
        if (is(loop.is_number, r)) {
          if (std::ranges::find(numbers, r) == numbers.end()) numbers.push_back(r);
          continue;
        }
        if (first_use.try_emplace(r, s).second) arrays.push_back(r);
        last_use[r] = s;
      }
      first_use.try_emplace(step.out, s);
      last_use.try_emplace(step.out, s);
      if (is(loop.is_kept, step.out)) arrays.push_back(step.out);
    }
    for (int s = 0; s < count; ++s) {
      int alive = 0;
      for (const auto& [r, first] : first_use) alive += first <= s && last_use[r] >= s;
      const TileStep& step = loop.steps[static_cast<std::size_t>(s)];
      // numbers that find no place of their own come and go
      for (int i = 0; i < step.op->arity; ++i) alive += is(loop.is_number, step.in[static_cast<std::size_t>(i)]);
      most_alive = std::max(most_alive, alive);
    }
  }
  static bool is(const std::vector<bool>& flags, int r) {
    return static_cast<std::size_t>(r) < flags.size() && flags[static_cast<std::size_t>(r)];
  }
};

using Vec = Xbyak::Xmm;  // of any width: the kind is in the value

class Assembler : public Xbyak::CodeGenerator {
 public:
  explicit Assembler(const TileLoop& loop)
      : CodeGenerator(4096 * (2 + loop.steps.size() / 8), Xbyak::DontSetProtectRWE),
        loop_(loop),
        where_(loop),
        wide_(loop.dtype == f64),
        avx512_(isa() == Isa::avx512) {
    begin();
    Xbyak::Label whole, tail, end;
    test(index, index);
    jz(tail, T_NEAR);
    align(32);
    L(whole);
    body(false);
    add(index, static_cast<int>(vector_bytes()));
    jnz(whole, T_NEAR);
    L(tail);
    test(rest, rest);
    jz(end, T_NEAR);
    make_mask();
    body(true);
    L(end);
    finish();
    setProtectModeRE();
  }

  [[nodiscard]] auto entry() const {
    return reinterpret_cast<void (*)(const void* const*, std::size_t)>(
        reinterpret_cast<std::uintptr_t>(getCode() + begin_));
  }

  using Emit = void (Assembler::*)(Vec, const std::array<Vec, 4>&);
  static const std::map<std::string_view, Emit>& table();

 private:
  const Xbyak::Reg64 registers = rdi, index = rsi, rest = r11, spare = rax;
  static constexpr std::size_t clobbered = 5;  // of the addresses, which a function may overwrite; the others it saves
  static constexpr int addresses[address_registers] = {Xbyak::Operand::RDX, Xbyak::Operand::RCX, Xbyak::Operand::R8,
                                                       Xbyak::Operand::R9,  Xbyak::Operand::R10, Xbyak::Operand::RBX,
                                                       Xbyak::Operand::RBP, Xbyak::Operand::R12, Xbyak::Operand::R13,
                                                       Xbyak::Operand::R14, Xbyak::Operand::R15};

  [[nodiscard]] std::size_t vector_bytes() const { return avx512_ ? 64 : 32; }
  [[nodiscard]] std::size_t element() const { return wide_ ? 8 : 4; }
  [[nodiscard]] Vec vec(int i) const { return avx512_ ? Vec(Xbyak::Zmm(i)) : Vec(Xbyak::Ymm(i)); }
  [[nodiscard]] Vec temporary(int i) const { return vec(value_registers() + i); }
  [[nodiscard]] Vec mask() const { return vec(15); }  // of AVX2; AVX-512 has k1

  /// Addresses of the arrays behind their whole vectors, minus that length in `index`, what is left in `rest`; numbers
  /// in vector registers as far as these go.
  void begin() {
    stagger();
    for (std::size_t a = clobbered; a < where_.arrays.size(); ++a) push(Xbyak::Reg64(addresses[a]));
    const int log_element = wide_ ? 3 : 2;
    mov(rest, rsi);
    and_(rest, static_cast<int>(vector_bytes() / element() - 1));
    sub(rsi, rest);
    shl(rsi, log_element);
    for (std::size_t a = 0; a < where_.arrays.size(); ++a) {
      const Xbyak::Reg64 address(addresses[a]);
      address_of_.emplace(where_.arrays[a], address);
      mov(address, ptr[registers + 8 * where_.arrays[a]]);
      add(address, rsi);
    }
    neg(rsi);
    const int places = value_registers() - where_.most_alive;
    for (int i = 0; i < value_registers(); ++i) free_.push_back(value_registers() - 1 - i);
    for (const int r : where_.numbers) {
      if (static_cast<int>(home_.size()) >= places) break;
      const int place = take();
      home_.emplace(r, place);
      mov(spare, ptr[registers + 8 * r]);
      spread(vec(place), ptr[spare]);
    }
  }

  /// Code in pages of its own would begin at the same place in each of them, and the lines of the instruction cache
  /// that serve that place would never be enough: every loop begins elsewhere.
  void stagger() {
    static std::atomic<unsigned> made = 0;
    constexpr unsigned line = 64, places = 4096 / line;
    begin_ = line * (9 * made++ % places);
    setSize(begin_);
  }

  void finish() {
    vzeroupper();
    for (std::size_t a = where_.arrays.size(); a > clobbered; --a) pop(Xbyak::Reg64(addresses[a - 1]));
    ret();
    align(64);
    L(mask_table_);
    for (int i = 0; i < 16; ++i) dd(i < 8 ? 0xffffffffU : 0);
    const std::uint64_t narrow[constants] = {0x3f800000, 0x80000000, 0x7fffffff};
    const std::uint64_t broad[constants] = {0x3ff0000000000000, 0x8000000000000000, 0x7fffffffffffffff};
    for (int c = 0; c < constants; ++c) {
      L(constant_[c]);
      dq(wide_ ? broad[c] : narrow[c]);
    }
  }

  void make_mask() {
    if (avx512_) {
      mov(eax, -1);
      bzhi(eax, eax, rest.cvt32());
      kmovw(k1, eax);
      return;
    }
    mov(spare, rest);
    neg(spare);
    shl(spare, wide_ ? 3 : 2);
    lea(rest, ptr[rip + mask_table_]);
    vmovups(mask(), ptr[rest + spare + 32]);
  }

  int take() {
    if (free_.empty()) defect("tile code without a free register");
    const int place = free_.back();
    free_.pop_back();
    return place;
  }

  void spread(Vec to, const Xbyak::Address& from) {
    // vbroadcastsd asks for the type of the wider registers
    const auto wide = to.isZMM() ? Xbyak::Ymm(Xbyak::Zmm(to.getIdx())) : Xbyak::Ymm(to.getIdx());
    wide_ ? vbroadcastsd(wide, from) : vbroadcastss(to, from);
  }
  void load(Vec to, const Xbyak::Address& from, bool masked) {
    if (!masked) return vmovups(to, from);
    if (avx512_) return wide_ ? vmovupd(to | k1 | T_z, from) : vmovups(to | k1 | T_z, from);
    wide_ ? vmaskmovpd(to, mask(), from) : vmaskmovps(to, mask(), from);
  }
  void store(const Xbyak::Address& to, Vec from, bool masked) {
    if (!masked) return vmovups(to, from);
    if (avx512_) return wide_ ? vmovupd(to | k1, from) : vmovups(to | k1, from);
    wide_ ? vmaskmovpd(to, mask(), from) : vmaskmovps(to, mask(), from);
  }

  /// Every step once, over one vector of each array.
  void body(bool masked) {
    // Bytes: what waits in the cache for all inputs together leaves it room for the rest. A sum of squares, whose tile
    // is reduced between two loops, has the memory busy meanwhile.
    const auto inputs = static_cast<int>(std::ranges::count(loop_.prefetched, true));
    const int ahead = 8192 / std::max(1, inputs) / 64 * 64;
    std::map<int, int> place = home_;
    std::vector<int> free = free_;
    const auto give_back = [&](int r, int s) {
      if (where_.last_use.contains(r) && where_.last_use[r] == s && place.contains(r)) {
        free_.push_back(place.at(r));
        place.erase(r);
      }
    };
    for (int s = 0; s < static_cast<int>(loop_.steps.size()); ++s) {
      const TileStep& step = loop_.steps[static_cast<std::size_t>(s)];
      std::array<Vec, 4> in = {vec(0), vec(0), vec(0), vec(0)};
      std::vector<int> passing;  // numbers without a home
      for (int i = 0; i < step.op->arity; ++i) {
        const int r = step.in[static_cast<std::size_t>(i)];
        if (!place.contains(r)) {
          place.emplace(r, take());
          if (Allocation::is(loop_.is_number, r)) {
            passing.push_back(r);
            mov(spare, ptr[registers + 8 * r]);
            spread(vec(place.at(r)), ptr[spare]);
          } else {
            load(vec(place.at(r)), ptr[address_of_.at(r) + index], masked);
            if (!masked && Allocation::is(loop_.prefetched, r)) prefetcht0(ptr[address_of_.at(r) + index + ahead]);
          }
        }
        in[static_cast<std::size_t>(i)] = vec(place.at(r));
      }
      for (int i = 0; i < step.op->arity; ++i) give_back(step.in[static_cast<std::size_t>(i)], s);
      const int out = take();
      (this->*table().at(step.op->name))(vec(out), in);
      for (const int r : passing) {
        free_.push_back(place.at(r));
        place.erase(r);
      }
      place.emplace(step.out, out);
      if (Allocation::is(loop_.is_kept, step.out)) store(ptr[address_of_.at(step.out) + index], vec(out), masked);
      give_back(step.out, s);
    }
    free_ = std::move(free);
  }

  // A micro-op writes its result in its last instruction, because the result may have the register of an operand.

  void add_(Vec d, Vec a, Vec b) { wide_ ? vaddpd(d, a, b) : vaddps(d, a, b); }
  void sub_(Vec d, Vec a, Vec b) { wide_ ? vsubpd(d, a, b) : vsubps(d, a, b); }
  void mul_(Vec d, Vec a, Vec b) { wide_ ? vmulpd(d, a, b) : vmulps(d, a, b); }
  void div_(Vec d, Vec a, Vec b) { wide_ ? vdivpd(d, a, b) : vdivps(d, a, b); }
  void sqrt_(Vec d, Vec a) { wide_ ? vsqrtpd(d, a) : vsqrtps(d, a); }
  void bits_and(Vec d, Vec a, Vec b) { vandps(d, a, b); }
  void bits_or(Vec d, Vec a, Vec b) { vorps(d, a, b); }
  void bits_xor(Vec d, Vec a, Vec b) { vxorps(d, a, b); }
  void round_(Vec d, Vec a, int how) {
    if (avx512_) return wide_ ? vrndscalepd(d, a, how) : vrndscaleps(d, a, how);
    wide_ ? vroundpd(d, a, how) : vroundps(d, a, how);
  }
  Vec constant(Constant c, int in) {
    spread(temporary(in), ptr[rip + constant_[c]]);
    return temporary(in);
  }
  Vec zero(int in) {
    bits_xor(temporary(in), temporary(in), temporary(in));
    return temporary(in);
  }

  enum Compare {
    equal = 0x00,
    unordered = 0x03,
    not_equal = 0x04,
    ordered_not_equal = 0x0c,
    less = 0x11,
    less_equal = 0x12
  };
  /// d = a ? b : x : y. The first temporary is its own.
  void select(Vec d, Vec a, Compare how, Vec b, Vec x, Vec y) {
    if (avx512_) {
      wide_ ? vcmppd(k2, a, b, how) : vcmpps(k2, a, b, how);
      return wide_ ? vblendmpd(d | k2, y, x) : vblendmps(d | k2, y, x);
    }
    const Vec m = temporary(0);
    wide_ ? vcmppd(m, a, b, how) : vcmpps(m, a, b, how);
    wide_ ? vblendvpd(d, y, x, m) : vblendvps(d, y, x, m);
  }
  void one_where(Vec d, Vec a, Compare how, Vec b) {
    const Vec unit = constant(one, 1);
    if (avx512_) {
      wide_ ? vcmppd(k2, a, b, how) : vcmpps(k2, a, b, how);
      return wide_ ? vmovapd(d | k2 | T_z, unit) : vmovaps(d | k2 | T_z, unit);
    }
    wide_ ? vcmppd(temporary(0), a, b, how) : vcmpps(temporary(0), a, b, how);
    bits_and(d, temporary(0), unit);
  }
  /// The smaller (or larger) of a and b; the first of them that is no number, where one is. Works in `through`.
  void extreme(Vec d, Vec a, Vec b, bool larger, Vec through) {
    larger ? select(through, a, less, b, b, a) : select(through, b, less, a, b, a);
    select(through, b, unordered, b, b, through);
    select(d, a, unordered, a, a, through);
  }

  using In = std::array<Vec, 4>;
  void emit_copy(Vec d, const In& in) { vmovaps(d, in[0]); }
  void emit_neg(Vec d, const In& in) { bits_xor(d, in[0], constant(sign_bit, 1)); }
  void emit_abs(Vec d, const In& in) { bits_and(d, in[0], constant(all_but_sign, 1)); }
  void emit_square(Vec d, const In& in) { mul_(d, in[0], in[0]); }
  void emit_sqrt(Vec d, const In& in) { sqrt_(d, in[0]); }
  void emit_rsqrt(Vec d, const In& in) {
    sqrt_(temporary(0), in[0]);
    div_(d, constant(one, 1), temporary(0));
  }
  void emit_reciprocal(Vec d, const In& in) { div_(d, constant(one, 1), in[0]); }
  void emit_floor(Vec d, const In& in) { round_(d, in[0], 0x09); }
  void emit_ceil(Vec d, const In& in) { round_(d, in[0], 0x0a); }
  void emit_round(Vec d, const In& in) { round_(d, in[0], 0x08); }
  void emit_relu(Vec d, const In& in) {
    const Vec none = zero(1);
    select(d, in[0], less, none, none, in[0]);
  }
  void emit_sign(Vec d, const In& in) {
    bits_and(temporary(1), in[0], constant(sign_bit, 1));
    bits_or(temporary(1), temporary(1), constant(one, 2));
    select(d, in[0], ordered_not_equal, zero(2), temporary(1), in[0]);
  }
  void emit_add(Vec d, const In& in) { add_(d, in[0], in[1]); }
  void emit_sub(Vec d, const In& in) { sub_(d, in[0], in[1]); }
  void emit_mul(Vec d, const In& in) { mul_(d, in[0], in[1]); }
  void emit_div(Vec d, const In& in) { div_(d, in[0], in[1]); }
  void emit_minimum(Vec d, const In& in) { extreme(d, in[0], in[1], false, temporary(1)); }
  void emit_maximum(Vec d, const In& in) { extreme(d, in[0], in[1], true, temporary(1)); }
  void emit_less(Vec d, const In& in) { one_where(d, in[0], less, in[1]); }
  void emit_less_equal(Vec d, const In& in) { one_where(d, in[0], less_equal, in[1]); }
  void emit_equal(Vec d, const In& in) { one_where(d, in[0], equal, in[1]); }
  void emit_not_equal(Vec d, const In& in) { one_where(d, in[0], not_equal, in[1]); }
  void emit_where(Vec d, const In& in) { select(d, in[0], equal, zero(1), in[2], in[1]); }
  void emit_clamp(Vec d, const In& in) {
    extreme(temporary(2), in[0], in[1], true, temporary(1));
    extreme(d, temporary(2), in[2], false, temporary(1));
  }
  void emit_mul_add(Vec d, const In& in) {
    mul_(temporary(0), in[0], in[1]);
    add_(d, temporary(0), in[2]);
  }
  void emit_mul_sub(Vec d, const In& in) {
    mul_(temporary(0), in[0], in[1]);
    sub_(d, temporary(0), in[2]);
  }
  void emit_sub_mul(Vec d, const In& in) {
    mul_(temporary(0), in[0], in[1]);
    sub_(d, in[2], temporary(0));
  }
  void emit_sqrt_add(Vec d, const In& in) {
    sqrt_(temporary(0), in[0]);
    add_(d, temporary(0), in[1]);
  }
  void emit_sqrt_mul_add(Vec d, const In& in) {
    sqrt_(temporary(0), in[0]);
    mul_(temporary(0), temporary(0), in[1]);
    add_(d, temporary(0), in[2]);
  }
  void emit_mul_div(Vec d, const In& in) {
    mul_(temporary(0), in[0], in[1]);
    div_(d, temporary(0), in[2]);
  }
  void emit_blend(Vec d, const In& in) {
    mul_(temporary(0), in[0], in[1]);
    mul_(temporary(1), in[2], in[3]);
    add_(d, temporary(0), temporary(1));
  }
  void emit_blend_square(Vec d, const In& in) {
    mul_(temporary(0), in[0], in[1]);
    mul_(temporary(1), in[3], in[3]);
    mul_(temporary(1), in[2], temporary(1));
    add_(d, temporary(0), temporary(1));
  }

  const TileLoop& loop_;
  Allocation where_;
  std::size_t begin_ = 0;
  bool wide_, avx512_;
  std::map<int, Xbyak::Reg64> address_of_;
  std::map<int, int> home_;  // numbers that stay in a vector register
  std::vector<int> free_;    // vector registers
  Xbyak::Label mask_table_, constant_[constants];
};

const std::map<std::string_view, Assembler::Emit>& Assembler::table() {
  static const std::map<std::string_view, Emit> rows = {
      {"copy", &Assembler::emit_copy},
      {"neg", &Assembler::emit_neg},
      {"abs", &Assembler::emit_abs},
      {"square", &Assembler::emit_square},
      {"sqrt", &Assembler::emit_sqrt},
      {"rsqrt", &Assembler::emit_rsqrt},
      {"reciprocal", &Assembler::emit_reciprocal},
      {"floor", &Assembler::emit_floor},
      {"ceil", &Assembler::emit_ceil},
      {"round", &Assembler::emit_round},
      {"relu", &Assembler::emit_relu},
      {"sign", &Assembler::emit_sign},
      {"add", &Assembler::emit_add},
      {"sub", &Assembler::emit_sub},
      {"mul", &Assembler::emit_mul},
      {"div", &Assembler::emit_div},
      {"minimum", &Assembler::emit_minimum},
      {"maximum", &Assembler::emit_maximum},
      {"less", &Assembler::emit_less},
      {"less_equal", &Assembler::emit_less_equal},
      {"equal", &Assembler::emit_equal},
      {"not_equal", &Assembler::emit_not_equal},
      {"where", &Assembler::emit_where},
      {"clamp", &Assembler::emit_clamp},
      {"mul_add", &Assembler::emit_mul_add},
      {"mul_sub", &Assembler::emit_mul_sub},
      {"sub_mul", &Assembler::emit_sub_mul},
      {"sqrt_add", &Assembler::emit_sqrt_add},
      {"sqrt_mul_add", &Assembler::emit_sqrt_mul_add},
      {"mul_div", &Assembler::emit_mul_div},
      {"blend", &Assembler::emit_blend},
      {"blend_square", &Assembler::emit_blend_square},
  };
  return rows;
}

}  // namespace

bool TileCode::is_available() {
  static const bool available = [] {
    if (isa() == Isa::none) return false;
    try {
      const TileStep step{find_micro_op("neg"), 1, {0, 0, 0, 0}};
      const TileCode probe(
          {.dtype = f32, .steps = {&step, 1}, .is_number = {}, .is_kept = {false, true}, .prefetched = {}});
      return true;
    } catch (const Xbyak::Error&) {  // memory that can be executed is not to be had
      return false;
    }
  }();
  return available;
}

bool TileCode::knows(const MicroOp& op) { return Assembler::table().contains(op.name); }

bool TileCode::fits(const TileLoop& loop) {
  const Allocation where(loop);
  return where.most_alive <= value_registers() && where.arrays.size() <= address_registers;
}

TileCode::TileCode(const TileLoop& loop) {
  try {
    const auto code = std::make_shared<Assembler>(loop);  // which is done with the loop when it is made
    run_ = code->entry();
    memory_ = code;
  } catch (const Xbyak::Error& error) {
    fail<MemoryError>("[memory] no pages for the code of an elementwise loop: {}", error.what());
  }
}

#else

bool TileCode::is_available() { return false; }
bool TileCode::knows(const MicroOp&) { return false; }
bool TileCode::fits(const TileLoop&) { return false; }
TileCode::TileCode(const TileLoop&) { defect("no machine code for this CPU"); }

#endif

}  // namespace thalweg

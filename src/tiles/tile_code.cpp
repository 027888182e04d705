#include "tiles/tile_code.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <string>

#include "core/error.hpp"
#include "core/index.hpp"
#include "core/shared_by_key.hpp"

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

/// Vector registers for values. AVX2 reserves two for masks: of the tail, and of a comparison.
int value_registers() { return isa() == Isa::avx512 ? 32 : 14; }
constexpr std::size_t address_registers = 11;

bool flag(const std::vector<bool>& flags, int r) { return r < count(flags) && at(flags, r); }

/// A value of a loop, and the range of instructions over which it needs a register.
struct LoopValue {
  enum class Source { computed, array, number, constant };
  Source source;
  // register of the tile: the address of an array or a number, and where a computed value is stored
  int reg = 0;
  bool is_kept = false;        // whether a computed value is stored to memory
  ConstantBits constant = {};  // its bits
  std::size_t first = 0, last = 0;

  /// Whether it can be read from memory at any time, so that it needs a register only while it is used.
  [[nodiscard]] bool is_reloaded() const { return source == Source::number || source == Source::constant; }
};

/// The steps of a loop as instructions, on values numbered in order of appearance.
class LoopInstructions {
 public:
  explicit LoopInstructions(const TileLoop& loop) {
    for (const TileStep& step : loop.steps) append(loop, step);
    for (std::size_t i = 0; i < instructions_.size(); ++i) {
      for (const int v : instructions_[i].operands()) value(v).last = i;
    }
  }

  /// Instruction i computes value result(i).
  [[nodiscard]] const std::vector<VectorInstruction>& instructions() const { return instructions_; }
  [[nodiscard]] int result(std::size_t i) const { return results_[i]; }
  [[nodiscard]] const std::vector<LoopValue>& values() const { return values_; }
  [[nodiscard]] const LoopValue& value(int v) const { return at(values_, v); }

  /// Tile registers that are in memory: inputs, and results that are stored.
  [[nodiscard]] std::vector<int> arrays() const {
    std::vector<int> all;
    for (const LoopValue& value : values_) {
      if (value.source == LoopValue::Source::array || value.is_kept) all.push_back(value.reg);
    }
    return all;
  }

  /// The largest number of vector registers needed at once, if each instruction reads its numbers and constants again.
  [[nodiscard]] int most_alive() const {
    std::vector<int> change(instructions_.size() + 1, 0);
    for (const LoopValue& value : values_) {
      if (value.is_reloaded()) continue;
      ++change[value.first];
      --change[value.last + 1];
    }
    int alive = 0, most = 0;
    for (std::size_t i = 0; i < instructions_.size(); ++i) {
      alive += change[i];
      int reloaded = 0;
      for (const int v : instructions_[i].operands()) reloaded += value(v).is_reloaded();
      most = std::max(most, alive + reloaded);
    }
    return most;
  }

 private:
  LoopValue& value(int v) { return at(values_, v); }

  int append(LoopValue value) {
    value.first = value.last = instructions_.size();
    values_.push_back(value);
    return count(values_) - 1;
  }
  int append(const VectorInstruction& instruction) {
    const int result = append(LoopValue{LoopValue::Source::computed});
    instructions_.push_back(instruction);
    results_.push_back(result);
    return result;
  }
  void append(const TileLoop& loop, const TileStep& step) {
    const VectorFormula& formula = step.op->formula();
    std::vector<int> values;  // values of the formula
    for (const int r : step.op->operands(step.in)) values.push_back(value_of_register(loop, r));
    for (VectorInstruction instruction : formula.instructions) {
      for (int& v : instruction.operands()) v = at(values, v);
      const bool constant = instruction.operation == Operation::constant;
      values.push_back(constant ? value_of_constant(instruction.constant) : append(instruction));
    }
    int result = at(values, formula.result);
    if (formula.result < formula.operands) result = append(VectorInstruction{Operation::copy, {result}});
    value(result).reg = step.out;
    value(result).is_kept = at(loop.is_kept, step.out);
    value_of_[step.out] = result;
  }

  int value_of_register(const TileLoop& loop, int r) {
    const auto [found, is_new] = value_of_.try_emplace(r, 0);
    if (is_new)
      found->second = append({flag(loop.is_number, r) ? LoopValue::Source::number : LoopValue::Source::array, r});
    return found->second;
  }
  int value_of_constant(const ConstantBits& constant) {
    const auto found = std::ranges::find_if(values_, [&](const LoopValue& value) {
      return value.source == LoopValue::Source::constant && value.constant == constant;
    });
    if (found != values_.end()) return static_cast<int>(found - values_.begin());
    return append(LoopValue{.source = LoopValue::Source::constant, .constant = constant});
  }

  std::vector<LoopValue> values_;
  std::vector<VectorInstruction> instructions_;
  std::vector<int> results_;
  std::map<int, int> value_of_;  // by register of the tile
};

using Vec = Xbyak::Xmm;  // of any width; the object itself knows its kind

class Assembler : public Xbyak::CodeGenerator {
 public:
  explicit Assembler(const TileLoop& loop)
      : CodeGenerator(4096 * (2 + loop.steps.size() / 8), Xbyak::DontSetProtectRWE),
        prefetched_(loop.prefetched),
        code_(loop),
        arrays_(code_.arrays()),
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
    return reinterpret_cast<void (*)(const void* const*, std::int64_t)>(
        reinterpret_cast<std::uintptr_t>(getCode() + begin_));
  }

 private:
  const Xbyak::Reg64 registers = rdi, index = rsi, rest = r11, spare = rax;
  // how many of the address registers a function may overwrite; the others must be saved
  static constexpr std::size_t clobbered = 5;
  static constexpr int addresses[address_registers] = {Xbyak::Operand::RDX, Xbyak::Operand::RCX, Xbyak::Operand::R8,
                                                       Xbyak::Operand::R9,  Xbyak::Operand::R10, Xbyak::Operand::RBX,
                                                       Xbyak::Operand::RBP, Xbyak::Operand::R12, Xbyak::Operand::R13,
                                                       Xbyak::Operand::R14, Xbyak::Operand::R15};

  [[nodiscard]] std::size_t vector_bytes() const { return avx512_ ? 64 : 32; }
  [[nodiscard]] std::size_t element() const { return wide_ ? 8 : 4; }
  [[nodiscard]] Vec vec(int i) const { return avx512_ ? Vec(Xbyak::Zmm(i)) : Vec(Xbyak::Ymm(i)); }
  // masks of AVX2; AVX-512 uses k1 and k2
  [[nodiscard]] Vec tail_mask() const { return vec(15); }
  [[nodiscard]] Vec comparison_mask() const { return vec(14); }

  /// Sets up the registers: the addresses of the arrays at the end of their whole vectors, minus that length in
  /// `index`, the remaining elements in `rest`, and numbers and constants in vector registers as long as there are any.
  void begin() {
    stagger();
    for (std::size_t a = clobbered; a < arrays_.size(); ++a) push(Xbyak::Reg64(addresses[a]));
    const int log_element = wide_ ? 3 : 2;
    mov(rest, rsi);
    and_(rest, static_cast<int>(vector_bytes() / element() - 1));
    sub(rsi, rest);
    shl(rsi, log_element);
    for (std::size_t a = 0; a < arrays_.size(); ++a) {
      const Xbyak::Reg64 address(addresses[a]);
      address_of_.emplace(arrays_[a], address);
      mov(address, ptr[registers + 8 * arrays_[a]]);
      add(address, rsi);
    }
    neg(rsi);
    for (int i = value_registers(); i-- > 0;) free_.push_back(i);
    int homes = value_registers() - code_.most_alive();
    for (int v = 0; v < count(code_.values()) && homes > 0; ++v) {
      if (!code_.value(v).is_reloaded()) continue;
      load(v, false);
      --homes;
    }
  }

  /// Shifts the start of the code. Code in its own pages would otherwise always start at the same offset, and all loops
  /// would compete for the few lines of the instruction cache that serve this offset.
  void stagger() {
    static std::atomic<unsigned> made = 0;
    constexpr unsigned line = 64, places = 4096 / line;
    begin_ = line * (9 * made++ % places);
    setSize(begin_);
  }

  void finish() {
    vzeroupper();
    for (std::size_t a = arrays_.size(); a > clobbered; --a) pop(Xbyak::Reg64(addresses[a - 1]));
    ret();
    align(64);
    L(mask_table_);
    for (int i = 0; i < 16; ++i) dd(i < 8 ? 0xffffffffU : 0);
    for (auto& [v, label] : constants_) {
      L(label);
      const ConstantBits& bits = code_.value(v).constant;
      dq(wide_ ? bits.wide : bits.narrow);
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
    vmovups(tail_mask(), ptr[rest + spare + 32]);
  }

  int take() {
    if (free_.empty()) defect("tile code without a free register");
    const int place = free_.back();
    free_.pop_back();
    return place;
  }

  void spread(Vec to, const Xbyak::Address& from) {
    // vbroadcastsd requires the type of the wider register
    const auto wide = to.isZMM() ? Xbyak::Ymm(Xbyak::Zmm(to.getIdx())) : Xbyak::Ymm(to.getIdx());
    wide_ ? vbroadcastsd(wide, from) : vbroadcastss(to, from);
  }
  void load(Vec to, const Xbyak::Address& from, bool masked) {
    if (!masked) return vmovups(to, from);
    if (avx512_) return wide_ ? vmovupd(to | k1 | T_z, from) : vmovups(to | k1 | T_z, from);
    wide_ ? vmaskmovpd(to, tail_mask(), from) : vmaskmovps(to, tail_mask(), from);
  }
  void store(const Xbyak::Address& to, Vec from, bool masked) {
    if (!masked) return vmovups(to, from);
    if (avx512_) return wide_ ? vmovupd(to | k1, from) : vmovups(to | k1, from);
    wide_ ? vmaskmovpd(to, tail_mask(), from) : vmaskmovps(to, tail_mask(), from);
  }

  /// Loads a value that is not computed into a register.
  void load(int v, bool masked) {
    const LoopValue& value = code_.value(v);
    const Vec to = vec(place_[v] = take());
    if (value.source == LoopValue::Source::array) {
      const Xbyak::Reg64 address = address_of_.at(value.reg);
      load(to, ptr[address + index], masked);
      if (!masked && flag(prefetched_, value.reg)) prefetcht0(ptr[address + index + ahead()]);
    } else if (value.source == LoopValue::Source::number) {
      mov(spare, ptr[registers + 8 * value.reg]);
      spread(to, ptr[spare]);
    } else if (value.constant == ConstantBits{}) {
      vxorps(to, to, to);
    } else {
      spread(to, ptr[rip + constants_[v]]);
    }
  }

  /// The distance in bytes at which an input is prefetched: short enough that what is prefetched for all inputs
  /// together leaves room in the cache, and long enough that the memory stays busy while a tile is reduced between two
  /// loops, as in a sum of squares.
  [[nodiscard]] int ahead() const {
    const auto inputs = static_cast<int>(std::ranges::count(prefetched_, true));
    return 8192 / std::max(1, inputs) / 64 * 64;
  }

  void give_back(int v) {
    free_.push_back(place_.at(v));
    place_.erase(v);
  }

  /// Emits every instruction once, over one vector of each array.
  void body(bool masked) {
    const std::vector<int> free = free_;
    const std::map<int, int> homes = place_;
    for (std::size_t i = 0; i < code_.instructions().size(); ++i) {
      const VectorInstruction& instruction = code_.instructions()[i];
      std::array<Vec, 4> in = {vec(0), vec(0), vec(0), vec(0)};
      for (std::size_t k = 0; k < instruction.operands().size(); ++k) {
        const int v = instruction.in[k];
        if (!place_.contains(v)) load(v, masked);
        in[k] = vec(place_.at(v));
      }
      for (const int v : instruction.operands()) {
        const bool used_up = code_.value(v).is_reloaded() ? !homes.contains(v) : code_.value(v).last == i;
        if (used_up && place_.contains(v)) give_back(v);
      }
      const int out = code_.result(i);
      const LoopValue& result = code_.value(out);
      place_[out] = take();
      emit(instruction, vec(place_[out]), in);
      if (result.is_kept) store(ptr[address_of_.at(result.reg) + index], vec(place_[out]), masked);
      if (result.last == i) give_back(out);
    }
    free_ = free;
    place_ = homes;
  }

  /// Writes to d only in its last instruction, because d may be the register of an operand.
  void emit(const VectorInstruction& instruction, Vec d, const std::array<Vec, 4>& in) {
    const auto [a, b, x, y] = in;
    switch (instruction.operation) {
      case Operation::constant: break;  // a value that is not computed
      case Operation::copy: return vmovaps(d, a);
      case Operation::add: return wide_ ? vaddpd(d, a, b) : vaddps(d, a, b);
      case Operation::sub: return wide_ ? vsubpd(d, a, b) : vsubps(d, a, b);
      case Operation::mul: return wide_ ? vmulpd(d, a, b) : vmulps(d, a, b);
      case Operation::div: return wide_ ? vdivpd(d, a, b) : vdivps(d, a, b);
      case Operation::sqrt: return wide_ ? vsqrtpd(d, a) : vsqrtps(d, a);
      case Operation::floor: return round(d, a, 0x09);
      case Operation::ceil: return round(d, a, 0x0a);
      case Operation::round: return round(d, a, 0x08);
      case Operation::bits_and: return vandps(d, a, b);
      case Operation::bits_or: return vorps(d, a, b);
      case Operation::bits_xor: return vxorps(d, a, b);
      case Operation::select: compare(instruction.comparison, a, b); return select(d, x, y);
      case Operation::select_or_zero: compare(instruction.comparison, a, b); return select_or_zero(d, x);
    }
    defect("an operation without machine code");
  }
  void round(Vec d, Vec a, int how) {
    if (avx512_) return wide_ ? vrndscalepd(d, a, how) : vrndscaleps(d, a, how);
    wide_ ? vroundpd(d, a, how) : vroundps(d, a, how);
  }
  void compare(Comparison how, Vec a, Vec b) {
    const auto code = static_cast<std::uint8_t>(how);
    if (avx512_) return wide_ ? vcmppd(k2, a, b, code) : vcmpps(k2, a, b, code);
    wide_ ? vcmppd(comparison_mask(), a, b, code) : vcmpps(comparison_mask(), a, b, code);
  }
  void select(Vec d, Vec yes, Vec no) {
    if (avx512_) return wide_ ? vblendmpd(d | k2, no, yes) : vblendmps(d | k2, no, yes);
    wide_ ? vblendvpd(d, no, yes, comparison_mask()) : vblendvps(d, no, yes, comparison_mask());
  }
  void select_or_zero(Vec d, Vec yes) {
    if (avx512_) return wide_ ? vmovapd(d | k2 | T_z, yes) : vmovaps(d | k2 | T_z, yes);
    vandps(d, comparison_mask(), yes);
  }

  const std::vector<bool> prefetched_;
  const LoopInstructions code_;
  const std::vector<int> arrays_;
  std::size_t begin_ = 0;
  bool wide_, avx512_;
  std::map<int, Xbyak::Reg64> address_of_;
  std::map<int, int> place_;  // the vector register of a value
  std::vector<int> free_;     // free vector registers
  Xbyak::Label mask_table_;
  std::map<int, Xbyak::Label> constants_;
};

}  // namespace

bool TileCode::is_available() {
  static const bool available = [] {
    if (isa() == Isa::none) return false;
    try {
      const TileStep step{find_micro_op("neg"), 1, {0, 0, 0, 0}};
      const Assembler probe(
          {.dtype = f32, .steps = {&step, 1}, .is_number = {}, .is_kept = {false, true}, .prefetched = {}});
      return true;
    } catch (const Xbyak::Error&) {  // the system grants no executable memory
      return false;
    }
  }();
  return available;
}

bool TileCode::fits(const TileLoop& loop) {
  const LoopInstructions code(loop);
  return code.most_alive() <= value_registers() && code.arrays().size() <= address_registers;
}

namespace {

/// Everything on which the code of a loop depends.
std::string key_of(const TileLoop& loop) {
  std::string key;
  add_to_key(key, loop.dtype);
  for (const TileStep& step : loop.steps) {
    add_to_key(key, step.op, step.out);
    for (const int r : step.op->operands(step.in)) add_to_key(key, r);
  }
  for (const std::vector<bool>* flags : {&loop.is_number, &loop.is_kept, &loop.prefetched}) {
    add_to_key(key, flags->size());
    for (const bool flag : *flags) add_to_key(key, flag);
  }
  return key;
}

}  // namespace

/// A long function repeats a few loops thousands of times, and the code of each would need its own pages.
TileCode::TileCode(const TileLoop& loop) {
  static SharedByKey<Assembler> known;
  try {
    // the constructor generates the code; the loop is not used afterwards
    const auto code = known.get(key_of(loop), [&] { return std::make_shared<const Assembler>(loop); });
    run_ = code->entry();
    memory_ = code;
  } catch (const Xbyak::Error& error) {
    fail<MemoryError>("[memory] no pages for the code of an elementwise loop: {}", error.what());
  }
}

#else

bool TileCode::is_available() { return false; }
bool TileCode::fits(const TileLoop&) { return false; }
TileCode::TileCode(const TileLoop&) { defect("no machine code for this CPU"); }

#endif

}  // namespace thalweg

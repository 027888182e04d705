// Connect Four: stones fall into seven columns of six squares, and four in a row win.

#include <array>
#include <cstdint>

#include "thalweg/environment.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t columns = 7, rows = 6, squares = columns * rows;
constexpr int column_bits = 7;  // six squares, from the bottom, and a border bit that is never set

/// Whether four of the stones are in a row: the stones and their copies shifted once, twice and three times overlap.
bool has_four(std::uint64_t stones) {
  for (const int direction : {1, column_bits - 1, column_bits, column_bits + 1}) {
    const std::uint64_t pairs = stones & (stones >> direction);
    if ((pairs & (pairs >> 2 * direction)) != 0) return true;
  }
  return false;
}

class ConnectFour final : public Environment {
 public:
  [[nodiscard]] std::string_view name() const override { return "connect_four"; }
  [[nodiscard]] Shape observation_shape() const override { return {rows, columns, 2}; }
  [[nodiscard]] std::int64_t actions() const override { return columns; }
  [[nodiscard]] int players() const override { return 2; }
  [[nodiscard]] std::string action_name(std::int64_t action) const override { return std::to_string(action + 1); }
  [[nodiscard]] std::unique_ptr<Environment> copy() const override { return std::make_unique<ConnectFour>(*this); }

  [[nodiscard]] std::vector<Symmetry> symmetries() const override {
    Symmetry mirror;
    for (std::int64_t at = 0; at < 2 * squares; ++at) {
      const std::int64_t row = at / (2 * columns), column = at / 2 % columns;
      mirror.from.push_back(2 * (row * columns + columns - 1 - column) + at % 2);
    }
    for (std::int64_t column = 0; column < columns; ++column) mirror.actions.push_back(columns - 1 - column);
    return {mirror};
  }

  [[nodiscard]] std::string drawing() const override {
    std::string text = " 1 2 3 4 5 6 7\n";
    for (std::int64_t row = rows - 1; row >= 0; --row) {
      for (std::int64_t column = 0; column < columns; ++column) {
        const std::uint64_t place = bit(column, row);
        text += ' ';
        text += (stones_[0] & place) != 0 ? 'X' : (stones_[1] & place) != 0 ? 'O' : '.';
      }
      text += '\n';
    }
    return text;
  }

 protected:
  void start(std::uint64_t) override {
    stones_ = {};
    heights_ = {};
  }
  [[nodiscard]] bool allows(std::int64_t action) const override {
    return heights_[static_cast<std::size_t>(action)] < rows;
  }

  Result act(std::int64_t action) override {
    std::uint64_t& own = stones_[static_cast<std::size_t>(player())];
    own |= bit(action, heights_[static_cast<std::size_t>(action)]++);
    if (has_four(own)) return {.reward = 1, .over = true};
    return {.over = steps() + 1 == squares};
  }

  /// (row from the bottom, column, 0): a stone of the player to move; (row, column, 1): of the opponent.
  void look(std::span<float> into) const override {
    const auto own = static_cast<std::size_t>(player());
    for (std::int64_t at = 0; at < squares; ++at) {
      const std::uint64_t place = bit(at % columns, at / columns);
      into[static_cast<std::size_t>(2 * at)] = (stones_[own] & place) != 0 ? 1.f : 0.f;
      into[static_cast<std::size_t>(2 * at + 1)] = (stones_[1 - own] & place) != 0 ? 1.f : 0.f;
    }
  }

 private:
  [[nodiscard]] static std::uint64_t bit(std::int64_t column, std::int64_t row) {
    return std::uint64_t{1} << (column * column_bits + row);
  }

  std::array<std::uint64_t, 2> stones_ = {};  // for each player, seven bits per column
  std::array<std::int8_t, columns> heights_ = {};
};

}  // namespace

std::vector<EnvironmentRow> connect_four_environments() {
  return {{.name = "connect_four",
           .summary = "two players in turn, whose stones fall into seven columns of six squares; four in a row win",
           .make = [] { return std::make_unique<ConnectFour>(); }}};
}

}  // namespace thalweg

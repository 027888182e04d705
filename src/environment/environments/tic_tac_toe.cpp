// Tic-tac-toe: three in a row on nine squares.

#include <array>

#include "thalweg/environment.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t side = 3, squares = side * side;
constexpr std::array<unsigned, 8> rows_of_three = {0b000000111, 0b000111000, 0b111000000, 0b001001001,
                                                   0b010010010, 0b100100100, 0b100010001, 0b001010100};

class TicTacToe final : public Environment {
 public:
  [[nodiscard]] std::string_view name() const override { return "tic_tac_toe"; }
  [[nodiscard]] Shape observation_shape() const override { return {side, side, 2}; }
  [[nodiscard]] std::int64_t actions() const override { return squares; }
  [[nodiscard]] int players() const override { return 2; }
  [[nodiscard]] std::string action_name(std::int64_t action) const override { return std::to_string(action + 1); }
  [[nodiscard]] std::unique_ptr<Environment> copy() const override { return std::make_unique<TicTacToe>(*this); }
  [[nodiscard]] std::vector<Symmetry> symmetries() const override;

  [[nodiscard]] std::string drawing() const override {
    std::string text;
    for (std::int64_t at = 0; at < squares; ++at) {
      text += std::string(" ") + mark(at) + (at % side < side - 1 ? " |" : "\n");
      if (at % side == side - 1 && at < squares - 1) text += "---+---+---\n";
    }
    return text;
  }

 protected:
  void start(std::uint64_t) override { stones_ = {}; }
  [[nodiscard]] bool allows(std::int64_t action) const override {
    return ((stones_[0] | stones_[1]) >> action & 1) == 0;
  }

  Result act(std::int64_t action) override {
    unsigned& own = stones_[static_cast<std::size_t>(player())];
    own |= 1u << action;
    for (const unsigned row : rows_of_three) {
      if ((own & row) == row) return {.reward = 1, .over = true};
    }
    return {.over = steps() + 1 == squares};
  }

  /// (square, 0): a stone of the player to move; (square, 1): of the opponent.
  void look(std::span<float> into) const override {
    const auto own = static_cast<std::size_t>(player());
    for (std::size_t at = 0; at < squares; ++at) {
      into[2 * at] = static_cast<float>(stones_[own] >> at & 1);
      into[2 * at + 1] = static_cast<float>(stones_[1 - own] >> at & 1);
    }
  }

 private:
  [[nodiscard]] char mark(std::int64_t at) const {
    return (stones_[0] >> at & 1) != 0 ? 'X' : (stones_[1] >> at & 1) != 0 ? 'O' : static_cast<char>('1' + at);
  }

  std::array<unsigned, 2> stones_ = {};  // for each player, one bit per square
};

/// The rotations and reflections of the board.
std::vector<Environment::Symmetry> TicTacToe::symmetries() const {
  std::vector<Symmetry> all;
  for (int turn = 1; turn < 8; ++turn) {
    Symmetry one;
    for (std::int64_t row = 0; row < side; ++row) {
      for (std::int64_t column = 0; column < side; ++column) {
        std::int64_t r = row, c = column;
        if ((turn & 4) != 0) std::swap(r, c);
        if ((turn & 2) != 0) r = side - 1 - r;
        if ((turn & 1) != 0) c = side - 1 - c;
        const std::int64_t from = r * side + c;
        one.actions.push_back(from);
        one.from.insert(one.from.end(), {2 * from, 2 * from + 1});
      }
    }
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace

std::vector<EnvironmentRow> tic_tac_toe_environments() {
  return {{.name = "tic_tac_toe", .summary = "two players in turn on nine squares; three in a row win", .make = [] {
             return std::make_unique<TicTacToe>();
           }}};
}

}  // namespace thalweg

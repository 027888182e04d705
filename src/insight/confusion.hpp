#pragma once
// The confusion matrix: how often each class was predicted for each true class.

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace thalweg {

/// Counts of rows (or sums of their weights) by true and predicted class. Memory grows with the pairs that occur, not
/// with the square of the classes.
class Confusion {
 public:
  /// True positives, false positives and false negatives of one class.
  struct Counts {
    double tp = 0, fp = 0, fn = 0;
    [[nodiscard]] double precision() const { return ratio(tp, tp + fp); }  ///< 0 where the class was never predicted
    [[nodiscard]] double recall() const { return ratio(tp, tp + fn); }     ///< 0 where no row has the class
    [[nodiscard]] double f1() const { return ratio(2 * tp, 2 * tp + fp + fn); }
    [[nodiscard]] bool occurs() const { return tp + fp + fn > 0; }

   private:
    static double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }
  };

  explicit Confusion(std::size_t classes) : counts_(classes) {}
  void add(std::size_t truth, std::size_t predicted, double weight = 1);

  [[nodiscard]] std::size_t size() const { return counts_.size(); }
  [[nodiscard]] const Counts& of(std::size_t c) const { return counts_[c]; }
  [[nodiscard]] double at(std::size_t truth, std::size_t predicted) const;
  /// At most this many classes, those with the most mistakes (false positives plus false negatives), in class order.
  [[nodiscard]] std::vector<std::size_t> most_confused(std::size_t most) const;

 private:
  [[nodiscard]] std::uint64_t cell(std::size_t truth, std::size_t predicted) const {
    return truth * size() + predicted;
  }

  std::vector<Counts> counts_;
  std::unordered_map<std::uint64_t, double> cells_;
};

}  // namespace thalweg

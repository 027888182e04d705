#include "insight/confusion.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

namespace thalweg {

void Confusion::add(std::size_t truth, std::size_t predicted, double weight) {
  cells_[cell(truth, predicted)] += weight;
  if (truth == predicted) {
    counts_[truth].tp += weight;
  } else {
    counts_[truth].fn += weight;
    counts_[predicted].fp += weight;
  }
}

double Confusion::at(std::size_t truth, std::size_t predicted) const {
  const auto found = cells_.find(cell(truth, predicted));
  return found == cells_.end() ? 0 : found->second;
}

std::vector<std::size_t> Confusion::most_confused(std::size_t most) const {
  std::vector<std::size_t> classes(size());
  std::iota(classes.begin(), classes.end(), 0);
  if (size() <= most) return classes;
  std::ranges::stable_sort(classes, std::greater{}, [&](std::size_t c) { return counts_[c].fp + counts_[c].fn; });
  classes.resize(most);
  std::ranges::sort(classes);
  return classes;
}

}  // namespace thalweg

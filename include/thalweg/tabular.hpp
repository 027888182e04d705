#pragma once
// A model for rows of numbers and categories, made of the parts that did best in published comparisons of networks on
// tables.

#include "thalweg/nn.hpp"

namespace thalweg::nn {

struct TabularOptions {
  std::vector<std::int64_t> hidden = {128, 128};
  std::string activation = "relu";
  double dropout = 0;                      ///< dropout rate after each hidden layer
  bool clip = false;                       ///< x / sqrt(1 + (x / 3)^2): outliers are compressed smoothly
  bool scale = false;                      ///< a factor for each input, with six times the learning rate of the rest
  std::int64_t frequencies = 8;            ///< frequencies of the periodic embedding of each input; 0: none
  double frequency_deviation = 0.1;        ///< standard deviation of the initial frequencies
  std::int64_t pieces = 16;                ///< pieces of the piecewise linear encoding of each input; 0: none
  std::vector<double> knots = {};          ///< pieces + 1 for each embedded input; empty: evenly from -2 to 2
  std::int64_t embedding = 3;              ///< numbers that the embedding adds for each input
  std::int64_t most_embedded = 100;        ///< if there are more numbers, none is embedded
  std::vector<std::int64_t> numbers = {};  ///< places of the inputs that are embedded; empty: all
  std::int64_t members = 4;                ///< members of an ensemble with shared weights; 1: no ensemble
  double member_deviation = 0.5;           ///< standard deviation of the members' initial factors, about 1
  std::vector<double> limits = {};         ///< lowest and highest output in evaluation; empty: none
};

/// A perceptron on periodic and piecewise linear embeddings of its inputs (Gorishniy, Rubachev and Babenko 2022),
/// optionally with a smooth clip and a scaling layer (Holzmuller, Grinsztajn and Steinwart 2024, RealMLP). Its members
/// share all weights except for one factor per input and unit, and the last layer (Wen, Tran and Ba 2020; Gorishniy et
/// al. 2025, TabM). In training the output is (rows, members, outputs), and each member has its own loss; evaluation
/// takes the mean of the members' outputs, between the limits: beyond the targets that it has seen a network can give
/// anything (RealMLP).
[[nodiscard]] ModelFunction tabular(std::int64_t outputs, const TabularOptions& options = {});

}  // namespace thalweg::nn

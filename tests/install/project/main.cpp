// A program that uses the installed library, built by tests/install/run.
#include <iostream>
#include <thalweg/tensor.hpp>

int main() {
  const auto x = thalweg::Tensor::of({1.0, 2.0, 3.0, 4.0}).reshape({2, 2});
  std::cout << x.str() << "\n";
  return x.rows(1, 2).at(0) == 3.0 ? 0 : 1;
}

#include "optim/total_norm.hpp"

#include <limits>

namespace thalweg::optim {

Var unit_of(Update& u, const Var& x) {
  const bool narrow = x.dtype() == f32;
  const double most = narrow ? std::numeric_limits<float>::max() : std::numeric_limits<double>::max();
  const double least = narrow ? -126 : -1022;  // exponents below it have fewer digits
  const Var size = u.total(abs(x));
  const Var usable = where(size > 0, minimum(size, most), 1);
  return exp2(maximum(floor(log2(usable)) - 1, least));
}

Var total_norm(Update& u, const Var& x) {
  const Var unit = unit_of(u, x);
  return sqrt(u.total(square(x / unit))) * unit;
}

}  // namespace thalweg::optim

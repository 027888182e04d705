// Arithmetic on vectors in a device's memory gives the same bits as the loops on the host.

#include "engine/vectors.hpp"

#include <gtest/gtest.h>

#include "far_cpu.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

/// A vector on the host, and a copy of it on the device that begins one element behind an aligned address.
struct Twice {
  Twice(DeviceMemory& device, std::int64_t size, DType dtype, std::uint64_t seed)
      : device_(device),
        here(random_normal({size}, seed).to(dtype)),
        memory_(here.bytes() + size_of(dtype), &device),
        there(memory_.data() + size_of(dtype), size, dtype) {
    device.write(there.data, here.raw(), here.bytes());
  }
  [[nodiscard]] bool is_same() {
    Tensor fetched(here.shape(), here.dtype());
    device_.fetch(fetched.mutable_raw(), there.data, fetched.bytes());
    return identical(fetched, here);
  }

  DeviceMemory& device_;
  Tensor here;
  Block memory_;
  Elements there;
};

TEST(Vectors, OnADeviceHaveTheBitsOfTheHost) {
  testing::FarCpu device;
  Workers workers(1);
  const Asks adaptive{.radius = 1, .adaptive = true, .floor = 0.03}, plain{.radius = 1};
  const std::int64_t more_than_a_piece = (std::int64_t{1} << 22) + 3;
  for (const auto& [size, dtype] : {std::pair{std::int64_t{7}, f32}, {13, f64}, {more_than_a_piece, f32}}) {
    Vectors here(nullptr, workers), there(&device, workers);
    Twice x(device, size, dtype, 1), y(device, size, dtype, 2), z(device, size, dtype, 3);
    const auto both = [&](const auto& f) {
      f(here, Elements(x.here), Elements(y.here), Elements(z.here));
      f(there, x.there, y.there, z.there);
      EXPECT_TRUE(x.is_same() && y.is_same() && z.is_same()) << size << " " << name(dtype);
    };
    using E = const Elements&;
    both([](Vectors& v, E a, E b, E) { v.copy(a, b); });
    both([](Vectors& v, E a, E, E) { v.scale(a, 0.7); });
    both([](Vectors& v, E a, E, E c) { v.set(a, -1.3, c); });
    both([](Vectors& v, E a, E b, E c) { v.move(a, 1.0 / 3, b, c); });
    both([](Vectors& v, E a, E b, E) { v.move(a, -1, b, b); });
    both([](Vectors& v, E a, E, E c) { v.add(c, 0.1, a); });
    both([](Vectors& v, E, E b, E c) { v.multiply(b, c); });
    both([&](Vectors& v, E a, E b, E) { v.climb(adaptive, a, 0.2, b); });
    both([&](Vectors& v, E, E b, E c) { v.climb(plain, b, 0.2, c); });
    const double sum = here.sum_abs(x.here), squares = here.climb_squares(adaptive, x.here, y.here),
                 plainly = here.climb_squares(plain, x.here, y.here);
    EXPECT_NEAR(there.sum_abs(x.there), sum, 1e-12 * sum);
    EXPECT_NEAR(there.climb_squares(adaptive, x.there, y.there), squares, 1e-12 * squares);
    EXPECT_NEAR(there.climb_squares(plain, x.there, y.there), plainly, 1e-12 * plainly);
  }
}

/// The host loops of Products and of tables of rows divide; a device must not multiply by the reciprocal instead.
TEST(Vectors, OnADeviceAreDividedToTheSameBits) {
  testing::FarCpu device;
  Workers workers(1);
  Vectors there(&device, workers);
  for (const DType dtype : {f32, f64}) {
    Twice x(device, 1000, dtype, 1), d(device, 1000, dtype, 2);
    there.add_quotient(x.there, d.there, 3, x.there);
    there.divide(d.there, 7, d.there);
    for (std::int64_t i = 0; i < x.here.size(); ++i) {
      x.here.set(i, x.here.at(i) + d.here.at(i) / 3);
      d.here.set(i, d.here.at(i) / 7);
    }
    EXPECT_TRUE(x.is_same()) << name(dtype);
    EXPECT_TRUE(d.is_same()) << name(dtype);
  }
}

}  // namespace
}  // namespace thalweg

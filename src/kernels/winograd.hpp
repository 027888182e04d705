#pragma once
// Convolutions of 3 x 3 in f32 by Winograd's method F(4 x 4, 3 x 3) (Lavin and Gray, Fast algorithms for convolutional
// neural networks, 2015): a tile of 4 x 4 results needs 36 multiplications for each pair of channels instead of 144.
//
// A window of 6 x 6 elements of x becomes 36 numbers, B^T d B; so does the filter, G f G^T. Their products, summed over
// the channels, are 36 matrix products; a result's tile is A^T m A. The derivative by x is the same with the filter
// turned around, and that by the filter the transpose of it: G^T (sum over tiles of (B^T d B)(A y A^T)) G.
//
// The polynomials behind the matrices are evaluated at 0, +-3/4, +-3/2 and infinity. With these points the largest
// error of a result is below 1e-5 of the results' root mean square for up to 256 channels (normal numbers, measured
// against f64): about twice that of oneDNN's direct sums, and a quarter of that with the paper's points 0, +-1, +-2. An
// element that is not finite makes all results of its tiles NaN, also those that do not depend on it.

#include "kernels/convolution.hpp"

namespace thalweg {

/// Whether the method serves this convolution and is faster: filters of 3 x 3 without gaps, enough channels that the
/// products outweigh the transforms, and enough tiles that they outweigh the transform of the filter. Depends on the
/// shape alone.
[[nodiscard]] bool winograd_pays(ConvolutionResult result, const ConvolutionShape& shape);

[[nodiscard]] Kernel winograd_kernel(ConvolutionResult result, const ConvolutionShape& shape);

}  // namespace thalweg

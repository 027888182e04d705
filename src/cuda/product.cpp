// Products of matrices by cuBLASLt. It counts columns first: a matrix of ours is, to it, its transpose, and since
// (A B)^T = B^T A^T it is given the right matrix first.

#include <array>
#include <limits>
#include <optional>

#include "cuda/blas_functions.hpp"
#include "cuda/operands.hpp"

namespace thalweg::cuda {

namespace {

struct ProductShape {
  bool transpose_a, transpose_b;
  std::int64_t batch, m, n, k;
};

ProductShape shape_of(const KernelSite& site) {
  const auto a = site.inputs[0].shape.sizes(), out = site.output.shape.sizes();
  const std::size_t rank = out.size();
  const bool ta = site.ints[0] != 0, tb = site.ints[1] != 0;
  return {ta, tb, rank == 3 ? out[0] : 1, out[rank - 2], out[rank - 1], a[ta ? rank - 2 : rank - 1]};
}

cudaDataType type_of(Element element) {
  return element == Element::f64 ? CUDA_R_64F : element == Element::f32 ? CUDA_R_32F : CUDA_R_16BF;
}

/// The most that an algorithm may take. It is fixed, so that the choice depends on the shape alone.
constexpr std::uint64_t most_workspace = 32U << 20;
/// Algorithms are asked for this many at once, the fastest first.
constexpr int most_candidates = 8;

template <class T>
using Owned = std::unique_ptr<T, cublasStatus_t (*)(T*)>;

/// What the library knows of one product: never changed once it is made, so that any thread may run it.
class Product {
 public:
  Product(std::shared_ptr<const Blas> blas, const ProductShape& shape, const Types& types, bool tf32)
      : blas_(std::move(blas)),
        f_(blas_->functions),
        is_f64_(types.inputs == Element::f64),
        operation_(operation(shape, tf32)),
        a_(matrix(types.inputs, shape.transpose_a ? shape.k : shape.m, shape.transpose_a ? shape.m : shape.k,
                  shape.batch)),
        b_(matrix(types.inputs, shape.transpose_b ? shape.n : shape.k, shape.transpose_b ? shape.k : shape.n,
                  shape.batch)),
        c_(matrix(types.output, shape.m, shape.n, shape.batch)),
        anywhere_(choose(bytes_of(types.inputs), bytes_of(types.output))),
        aligned_(choose(fast_alignment, fast_alignment)) {}

  /// Whether the library has an algorithm.
  [[nodiscard]] bool exists() const { return anywhere_.has_value(); }
  [[nodiscard]] std::size_t workspace() const {
    return std::max(anywhere_->workspaceSize, aligned_ ? aligned_->workspaceSize : 0);
  }

  void run(const Operands::Places& at, CUstream stream) const {
    static constexpr double one = 1, zero = 0;
    static constexpr float one_f32 = 1, zero_f32 = 0;
    const void *alpha = &one_f32, *beta = &zero_f32;
    if (is_f64_) alpha = &one, beta = &zero;
    const cublasLtMatmulHeuristicResult_t& chosen = aligned_ && is_aligned(at) ? *aligned_ : *anywhere_;
    THALWEG_BLAS(f_, cublasLtMatmul, blas_->handle(), operation_.get(), alpha, at.inputs[1], b_.get(), at.inputs[0],
                 a_.get(), beta, at.output, c_.get(), at.output, c_.get(), &chosen.algo, at.workspace,
                 chosen.workspaceSize, stream);
  }

 private:
  /// Values may begin at any element: in the middle of the vector of all parameters, for example. Most do not, and
  /// algorithms that read 16 bytes at once are there for them.
  static constexpr std::uint32_t fast_alignment = 16;

  static bool is_aligned(const Operands::Places& at) {
    const auto address = [](const std::byte* place) { return reinterpret_cast<std::uintptr_t>(place); };
    return (address(at.inputs[0]) | address(at.inputs[1]) | address(at.output)) % fast_alignment == 0;
  }

  Owned<cublasLtMatmulDescOpaque_t> operation(const ProductShape& shape, bool tf32) const {
    const cublasComputeType_t compute = is_f64_ ? CUBLAS_COMPUTE_64F
                                        : tf32  ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                : CUBLAS_COMPUTE_32F;
    cublasLtMatmulDesc_t made = nullptr;
    THALWEG_BLAS(f_, cublasLtMatmulDescCreate, &made, compute, is_f64_ ? CUDA_R_64F : CUDA_R_32F);
    Owned<cublasLtMatmulDescOpaque_t> owned(made, f_.cublasLtMatmulDescDestroy);
    const auto set = [&](cublasLtMatmulDescAttributes_t attribute, bool transposed) {
      const std::int32_t value = transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
      THALWEG_BLAS(f_, cublasLtMatmulDescSetAttribute, made, attribute, &value, sizeof value);
    };
    set(CUBLASLT_MATMUL_DESC_TRANSA, shape.transpose_b);
    set(CUBLASLT_MATMUL_DESC_TRANSB, shape.transpose_a);
    return owned;
  }

  /// Matrices of ours, one after another.
  [[nodiscard]] Owned<cublasLtMatrixLayoutOpaque_t> matrix(Element element, std::int64_t rows, std::int64_t columns,
                                                           std::int64_t batch) const {
    cublasLtMatrixLayout_t made = nullptr;
    THALWEG_BLAS(f_, cublasLtMatrixLayoutCreate, &made, type_of(element), static_cast<std::uint64_t>(columns),
                 static_cast<std::uint64_t>(rows), columns);
    Owned<cublasLtMatrixLayoutOpaque_t> owned(made, f_.cublasLtMatrixLayoutDestroy);
    const auto count = static_cast<std::int32_t>(batch);
    const std::int64_t stride = rows * columns;
    THALWEG_BLAS(f_, cublasLtMatrixLayoutSetAttribute, made, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count);
    THALWEG_BLAS(f_, cublasLtMatrixLayoutSetAttribute, made, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride,
                 sizeof stride);
    return owned;
  }

  /// The first of the candidates that the library can run. Sums in parts are joined in a second step and in the type
  /// that they are computed in: never in the place of the result, where their order would depend on who comes first.
  [[nodiscard]] std::optional<cublasLtMatmulHeuristicResult_t> choose(std::size_t inputs, std::size_t output) const {
    cublasLtMatmulPreference_t made = nullptr;
    THALWEG_BLAS(f_, cublasLtMatmulPreferenceCreate, &made);
    const Owned<cublasLtMatmulPreferenceOpaque_t> wishes(made, f_.cublasLtMatmulPreferenceDestroy);
    const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
      THALWEG_BLAS(f_, cublasLtMatmulPreferenceSetAttribute, made, attribute, &value, sizeof value);
    };
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, most_workspace);
    set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, std::uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
    for (const auto attribute :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES})
      set(attribute, static_cast<std::uint32_t>(inputs));
    for (const auto attribute :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
      set(attribute, static_cast<std::uint32_t>(output));
    std::array<cublasLtMatmulHeuristicResult_t, most_candidates> found{};
    int count = 0;
    const cublasStatus_t status =
        f_.cublasLtMatmulAlgoGetHeuristic(blas_->handle(), operation_.get(), b_.get(), a_.get(), c_.get(), c_.get(),
                                          made, most_candidates, found.data(), &count);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE) return std::nullopt;
    f_.check(status, "cublasLtMatmulAlgoGetHeuristic");
    for (int i = 0; i < count; ++i) {
      const auto& candidate = found[static_cast<std::size_t>(i)];
      if (candidate.state == CUBLAS_STATUS_SUCCESS && candidate.workspaceSize <= most_workspace) return candidate;
    }
    return std::nullopt;
  }

  std::shared_ptr<const Blas> blas_;
  const BlasFunctions& f_;
  bool is_f64_;
  Owned<cublasLtMatmulDescOpaque_t> operation_;
  Owned<cublasLtMatrixLayoutOpaque_t> a_, b_, c_;
  std::optional<cublasLtMatmulHeuristicResult_t> anywhere_, aligned_;
};

/// The product in one of the ways of the site.
Kernel make_in(Stream& stream, const KernelSite& site, const ProductShape& shape, const Types& types) {
  const bool tf32 = types.inputs == Element::f32 && (types.exact_in_tf32 || stream.options().tf32);
  const auto product = std::make_shared<const Product>(stream.blas, shape, types, tf32);
  if (!product->exists()) return {};
  const auto operands =
      std::make_shared<const Operands>(stream, std::array{input_of(site, 0, types), input_of(site, 1, types)},
                                       output_of(site, types), product->workspace());
  return {[&stream, product, operands](const KernelCall& call) {
            stream.enter();
            const Operands::Places at = operands->bring(call);
            product->run(at, stream.stream());
            operands->take(call, at);
          },
          operands->scratch()};
}

}  // namespace

Kernel make_product(Stream& stream, const KernelSite& site) {
  const ProductShape shape = shape_of(site);
  if (shape.batch * shape.m * shape.n * shape.k == 0) return make_zeros(stream, site);
  if (shape.batch > std::numeric_limits<std::int32_t>::max()) return {};
  stream.enter();
  if (!stream.blas) stream.blas = std::make_shared<Blas>();
  for (const Types& types : ways_of(site, true)) {
    Kernel kernel = make_in(stream, site, shape, types);
    if (kernel.run) return kernel;
  }
  return {};
}

}  // namespace thalweg::cuda

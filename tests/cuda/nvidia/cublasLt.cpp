// The stand-in for libcublasLt.so.13. It offers four algorithms: one that no device supports, one that accumulates in
// the result, one that needs operands aligned to 16 bytes, and one for all addresses. It refuses calls that NVIDIA's
// manual does not allow.

#include <cublasLt.h>

#include <atomic>
#include <cstring>

#include "elements.hpp"
#include "stand_in.hpp"

namespace {

using thalweg::nvidia::Type;

enum class Algorithm : std::uint64_t { never_runs = 11, in_place, wide, plain };
constexpr std::uint64_t workspace_of_wide = 1 << 20;

std::atomic<int> times_asked = 0;

struct Layout {
  cudaDataType type;
  std::uint64_t rows, columns;
  std::int64_t leading;
  std::int32_t batch;
  std::int64_t stride;
};

struct Operation {
  cublasComputeType_t compute;
  cudaDataType scale;
  std::int32_t transpose_a, transpose_b;
};

struct Wishes {
  std::uint64_t workspace;
  std::uint32_t reductions, a, b, c, d;
};

/// The stand-in's own structure, which is stored in the opaque words of one of NVIDIA's descriptors.
template <class T, class Opaque>
T& in(Opaque* descriptor) {
  static_assert(sizeof(T) <= sizeof(Opaque));
  return *reinterpret_cast<T*>(descriptor);
}
template <class T, class Opaque>
cublasStatus_t create(Opaque** descriptor, const T& value) {
  if (descriptor == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *descriptor = new Opaque{};
  in<T>(*descriptor) = value;
  return CUBLAS_STATUS_SUCCESS;
}
template <class Opaque>
cublasStatus_t destroy(Opaque* descriptor) {
  delete descriptor;
  return CUBLAS_STATUS_SUCCESS;
}
/// Sets an attribute; the size of the value must be that of the attribute.
template <class T>
cublasStatus_t set(T& attribute, const void* value, std::size_t bytes) {
  if (value == nullptr || bytes != sizeof(T)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&attribute, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

bool is_f64(const Operation& operation) { return operation.compute == CUBLAS_COMPUTE_64F; }

bool is_type(cudaDataType type) { return type == CUDA_R_32F || type == CUDA_R_64F || type == CUDA_R_16BF; }

Type type_of(cudaDataType type) { return type == CUDA_R_64F ? Type::f64 : type == CUDA_R_32F ? Type::f32 : Type::bf16; }

std::uint64_t bytes_of(const Layout& layout) { return thalweg::nvidia::bytes_of(type_of(layout.type)); }

/// Whether the manual's table has this combination of types.
bool goes_together(const Operation& operation, const Layout& a, const Layout& b, const Layout& d) {
  if (!is_type(a.type) || a.type != b.type) return false;
  if (is_f64(operation)) return operation.scale == CUDA_R_64F && a.type == CUDA_R_64F && d.type == CUDA_R_64F;
  const bool tf32 = operation.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
  if (operation.scale != CUDA_R_32F || (operation.compute != CUBLAS_COMPUTE_32F && !tf32)) return false;
  if (a.type == CUDA_R_16BF) return !tf32 && (d.type == CUDA_R_16BF || d.type == CUDA_R_32F);
  return a.type == CUDA_R_32F && d.type == CUDA_R_32F;
}

bool fits(const Operation& operation, const Layout& a, const Layout& b, const Layout& d) {
  const bool ta = operation.transpose_a == CUBLAS_OP_T, tb = operation.transpose_b == CUBLAS_OP_T;
  const std::uint64_t m = ta ? a.columns : a.rows, k = ta ? a.rows : a.columns, k2 = tb ? b.columns : b.rows,
                      n = tb ? b.rows : b.columns;
  for (const Layout& x : {a, b, d}) {
    if (x.rows == 0 || x.columns == 0 || x.batch < 1 || x.batch != d.batch) return false;
    if (x.leading < static_cast<std::int64_t>(x.rows)) return false;
    if (x.batch > 1 && x.stride < x.leading * static_cast<std::int64_t>(x.columns)) return false;
  }
  return k == k2 && d.rows == m && d.columns == n;
}

bool is_large(const Layout& x) { return x.rows > 0x7fffffff || x.columns > 0x7fffffff; }

cublasLtMatmulHeuristicResult_t result(Algorithm algorithm, std::size_t workspace, cublasStatus_t state) {
  cublasLtMatmulHeuristicResult_t made{};
  made.algo.data[0] = static_cast<std::uint64_t>(algorithm);
  made.algo.data[1] = workspace;
  made.workspaceSize = workspace;
  made.state = state;
  return made;
}

bool is_aligned(const void* address, std::uint64_t bytes) {
  return reinterpret_cast<std::uintptr_t>(address) % bytes == 0;
}

/// A sum as an algorithm of the library adds it: in the type of the sum, in several parts.
template <class T, class Term>
double sum_in_parts(std::int64_t k, std::int64_t parts, const Term& term) {
  T total = 0;
  for (std::int64_t part = 0; part < parts; ++part) {
    T sum = 0;
    for (std::int64_t p = part; p < k; p += parts) sum += static_cast<T>(term(p));
    total += sum;
  }
  return static_cast<double>(total);
}

/// d = alpha op(a) op(b) for column-major matrices. The order of the sum depends on sizes and transposition, because
/// the library chooses its algorithm by them.
void multiply(const Operation& operation, const Layout& a, const Layout& b, const Layout& d, double alpha,
              const std::byte* from_a, const std::byte* from_b, std::byte* to) {
  const bool ta = operation.transpose_a == CUBLAS_OP_T, tb = operation.transpose_b == CUBLAS_OP_T;
  const bool tf32 = operation.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
  const auto element = [&](const std::byte* from, const Layout& x, std::int64_t batch, std::int64_t i, std::int64_t j) {
    const double value = thalweg::nvidia::read(from, type_of(x.type), batch * x.stride + j * x.leading + i);
    return tf32 ? thalweg::nvidia::to_tf32(value) : value;
  };
  const auto k = static_cast<std::int64_t>(ta ? a.rows : a.columns);
  const auto parts = static_cast<std::int64_t>(1 + (d.rows + d.columns + (ta ? 1 : 0) + (tb ? 2 : 0)) % 4);
  for (std::int64_t q = 0; q < d.batch; ++q) {
    for (std::int64_t j = 0; j < static_cast<std::int64_t>(d.columns); ++j) {
      for (std::int64_t i = 0; i < static_cast<std::int64_t>(d.rows); ++i) {
        const auto term = [&](std::int64_t p) {
          return (ta ? element(from_a, a, q, p, i) : element(from_a, a, q, i, p)) *
                 (tb ? element(from_b, b, q, j, p) : element(from_b, b, q, p, j));
        };
        const double total =
            is_f64(operation) ? sum_in_parts<double>(k, parts, term) : sum_in_parts<float>(k, parts, term);
        thalweg::nvidia::write(to, type_of(d.type), q * d.stride + j * d.leading + i, alpha * total);
      }
    }
  }
}

}  // namespace

extern "C" {

/// The number of requests for algorithms so far.
int thalweg_stand_in_products_asked() { return times_asked; }

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = reinterpret_cast<cublasLtHandle_t>(new int(0));
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete reinterpret_cast<int*>(handle);
  return CUBLAS_STATUS_SUCCESS;
}

size_t cublasLtGetVersion() { return 130100; }

const char* cublasLtGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_INVALID_VALUE ? "an unsupported value or parameter was passed to the function"
                                               : "the stand-in's error";
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* made, cublasComputeType_t compute, cudaDataType_t scale) {
  return create(made, Operation{compute, scale, CUBLAS_OP_N, CUBLAS_OP_N});
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t made) { return destroy(made); }
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t of, cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  auto& operation = in<Operation>(of);
  if (attribute == CUBLASLT_MATMUL_DESC_TRANSA) return set(operation.transpose_a, value, bytes);
  if (attribute == CUBLASLT_MATMUL_DESC_TRANSB) return set(operation.transpose_b, value, bytes);
  return CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* made, cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t leading) {
  return create(made, Layout{type, rows, columns, leading, 1, 0});
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t made) { return destroy(made); }
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t of, cublasLtMatrixLayoutAttribute_t attribute,
                                                const void* value, size_t bytes) {
  auto& layout = in<Layout>(of);
  if (attribute == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT) return set(layout.batch, value, bytes);
  if (attribute == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET) return set(layout.stride, value, bytes);
  return CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* made) {
  return create(made, Wishes{0, CUBLASLT_REDUCTION_SCHEME_MASK, 256, 256, 256, 256});
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t made) { return destroy(made); }
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t of,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void* value,
                                                    size_t bytes) {
  auto& wishes = in<Wishes>(of);
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES: return set(wishes.workspace, value, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK: return set(wishes.reductions, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES: return set(wishes.a, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES: return set(wishes.b, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES: return set(wishes.c, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES: return set(wishes.d, value, bytes);
    default: return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int room,
                                              cublasLtMatmulHeuristicResult_t results[], int* count) {
  ++times_asked;
  *count = 0;
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  const auto& of = in<Operation>(operation);
  const auto &x = in<Layout>(a), &y = in<Layout>(b), &z = in<Layout>(d);
  if (room < 1 || !fits(of, x, y, z) || !fits(of, x, y, in<Layout>(c))) return CUBLAS_STATUS_INVALID_VALUE;
  if (!goes_together(of, x, y, z) || is_large(x) || is_large(y) || is_large(z)) return CUBLAS_STATUS_NOT_SUPPORTED;
  const auto& wishes = in<Wishes>(preference);
  const auto add = [&](Algorithm algorithm, std::size_t workspace, cublasStatus_t state = CUBLAS_STATUS_SUCCESS) {
    if (*count < room) results[(*count)++] = result(algorithm, workspace, state);
  };
  add(Algorithm::never_runs, 0, CUBLAS_STATUS_NOT_SUPPORTED);
  if ((wishes.reductions & CUBLASLT_REDUCTION_SCHEME_INPLACE) != 0) add(Algorithm::in_place, 0);
  const bool wide = wishes.a % 16 == 0 && wishes.b % 16 == 0 && wishes.c % 16 == 0 && wishes.d % 16 == 0;
  if (wide && wishes.workspace >= workspace_of_wide) add(Algorithm::wide, workspace_of_wide);
  const bool plain = wishes.a % bytes_of(x) == 0 && wishes.b % bytes_of(y) == 0 && wishes.d % bytes_of(z) == 0;
  if (plain) add(Algorithm::plain, 0);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t layout_a, const void* b, cublasLtMatrixLayout_t layout_b,
                              const void* beta, const void* c, cublasLtMatrixLayout_t layout_c, void* d,
                              cublasLtMatrixLayout_t layout_d, const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  const auto of = in<Operation>(operation);
  const auto x = in<Layout>(layout_a), y = in<Layout>(layout_b), z = in<Layout>(layout_d);
  if (!fits(of, x, y, z) || !fits(of, x, y, in<Layout>(layout_c)) || c != d || algorithm == nullptr)
    return CUBLAS_STATUS_INVALID_VALUE;
  if (!goes_together(of, x, y, z)) return CUBLAS_STATUS_NOT_SUPPORTED;
  const auto chosen = static_cast<Algorithm>(algorithm->data[0]);
  if (chosen != Algorithm::wide && chosen != Algorithm::plain) return CUBLAS_STATUS_NOT_SUPPORTED;
  const std::uint64_t wanted = algorithm->data[1];
  if (workspace_bytes < wanted || (wanted > 0 && (workspace == nullptr || !is_aligned(workspace, 256))))
    return CUBLAS_STATUS_INVALID_VALUE;
  const std::uint64_t alignment = chosen == Algorithm::wide ? 16 : 1;
  if (!is_aligned(a, std::max(alignment, bytes_of(x))) || !is_aligned(b, std::max(alignment, bytes_of(y))) ||
      !is_aligned(d, std::max(alignment, bytes_of(z))))
    return CUBLAS_STATUS_INVALID_VALUE;
  const auto number = [&](const void* at) {
    return is_f64(of) ? *static_cast<const double*>(at) : static_cast<double>(*static_cast<const float*>(at));
  };
  if (number(beta) != 0) return CUBLAS_STATUS_NOT_SUPPORTED;
  thalweg::nvidia::enqueue(stream, [=, scale = number(alpha)] {
    if (wanted > 0)
      std::memset(thalweg::nvidia::near(workspace), 0xff, wanted);  // the algorithm may overwrite its workspace
    multiply(of, x, y, z, scale, thalweg::nvidia::near(a), thalweg::nvidia::near(b), thalweg::nvidia::near(d));
  });
  return CUBLAS_STATUS_SUCCESS;
}
}

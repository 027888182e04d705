// Routes a peer's BLAS products to oneDNN. Debian's OpenBLAS takes recent CPUs for old ones, and a comparison with that
// would flatter us: g++ -O2 -shared -fPIC blas_shim.cpp -o libblas_shim.so -ldnnl, then LD_PRELOAD.

#include <dnnl.h>

extern "C" void sgemm_(const char* transpose_a, const char* transpose_b, const int* m, const int* n, const int* k,
                       const float* alpha, const float* a, const int* lda, const float* b, const int* ldb,
                       const float* beta, float* c, const int* ldc) {
  // BLAS is column-major: what it calls C is the transpose of a row-major product with the factors exchanged
  dnnl_sgemm(*transpose_b, *transpose_a, *n, *m, *k, *alpha, b, *ldb, a, *lda, *beta, c, *ldc);
}

// Makes a peer's BLAS products calls of oneDNN. Debian's OpenBLAS does not recognise recent CPUs and uses slow kernels
// on them, which would make the comparison unfair to the peer. To use it: g++ -O2 -shared -fPIC blas_shim.cpp -o
// libblas_shim.so -ldnnl, then LD_PRELOAD.

#include <dnnl.h>

extern "C" void sgemm_(const char* transpose_a, const char* transpose_b, const int* m, const int* n, const int* k,
                       const float* alpha, const float* a, const int* lda, const float* b, const int* ldb,
                       const float* beta, float* c, const int* ldc) {
  // BLAS is column-major, oneDNN row-major. So both compute the transpose, whose factors are exchanged.
  dnnl_sgemm(*transpose_b, *transpose_a, *n, *m, *k, *alpha, b, *ldb, a, *lda, *beta, c, *ldc);
}

#include "kernels/onednn.hpp"

#include <dnnl.h>
#include <omp.h>

#include "core/error.hpp"

namespace thalweg {

namespace {
/// One OpenMP thread for this thread, while it lives.
class OneOmpThread {
 public:
  OneOmpThread() : before_(omp_get_max_threads()) {
    if (before_ != 1) omp_set_num_threads(1);
  }
  ~OneOmpThread() {
    if (before_ != 1) omp_set_num_threads(before_);
  }
  OneOmpThread(const OneOmpThread&) = delete;
  OneOmpThread& operator=(const OneOmpThread&) = delete;

 private:
  int before_;
};
}  // namespace

void onednn_product(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
                    std::int64_t lda, const float* b, std::int64_t ldb, float* c, std::int64_t ldc, bool add) {
  const OneOmpThread one;
  const dnnl_status_t status = dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1.0F, a, lda, b,
                                          ldb, add ? 1.0F : 0.0F, c, ldc);
  if (status != dnnl_success) defect("oneDNN's sgemm gave status {}", static_cast<int>(status));
}

}  // namespace thalweg

// A product through nvcuda::wmma: f16, and bf16 with the other layouts.
#include <cuda_bf16.h>
#include <mma.h>
using namespace nvcuda;
extern "C" __global__ void wmma_f16(const half *a, const half *b, float *c) {
  wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> x;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::col_major> y;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> z;
  wmma::fill_fragment(z, 0.5f);
  for (int k = 0; k < 32; k += 16) {
    wmma::load_matrix_sync(x, a + k, 32);
    wmma::load_matrix_sync(y, b + k, 32);
    wmma::mma_sync(z, x, y, z);
  }
  for (int e = 0; e < z.num_elements; ++e)
    z.x[e] *= 2;
  wmma::store_matrix_sync(c, z, 16, wmma::mem_row_major);
}
extern "C" __global__ void wmma_bf16(const __nv_bfloat16 *a, const __nv_bfloat16 *b, float *c) {
  wmma::fragment<wmma::matrix_a, 32, 8, 16, __nv_bfloat16, wmma::col_major> x;
  wmma::fragment<wmma::matrix_b, 32, 8, 16, __nv_bfloat16, wmma::row_major> y;
  wmma::fragment<wmma::accumulator, 32, 8, 16, float> z;
  wmma::fill_fragment(z, 0.0f);
  wmma::load_matrix_sync(x, a, 32);
  wmma::load_matrix_sync(y, b, 8);
  wmma::mma_sync(z, x, y, z);
  wmma::store_matrix_sync(c, z, 32, wmma::mem_col_major);
}

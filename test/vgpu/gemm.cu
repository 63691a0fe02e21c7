// C[64][32] = A[64][128] * B[32][128]^T in bf16: two stages of cp.async, ldmatrix, mma.sync. Shared rows are padded so that
// ldmatrix has no bank conflicts.
#include <cuda_bf16.h>
#include <stdint.h>
constexpr int M = 64, N = 32, K = 128, STEP = 32, PITCH = STEP + 8;

__device__ void copy16(void *to, const void *from) {
  uint32_t address = (uint32_t)__cvta_generic_to_shared(to);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(from));
}
__device__ void load4(uint32_t (&r)[4], const void *from) {
  uint32_t address = (uint32_t)__cvta_generic_to_shared(from);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address));
}
__device__ void load2(uint32_t (&r)[2], const void *from) {
  uint32_t address = (uint32_t)__cvta_generic_to_shared(from);
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];" : "=r"(r[0]), "=r"(r[1]) : "r"(address));
}

extern "C" __global__ void __launch_bounds__(128) gemm(const __nv_bfloat16 *a, const __nv_bfloat16 *b, float *c) {
  __shared__ __align__(16) __nv_bfloat16 sa[2][M][PITCH], sb[2][N][PITCH];
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  auto fetch = [&](int stage, int k) {
    int row = threadIdx.x / 4, column = threadIdx.x % 4 * 8;
    copy16(&sa[stage][row][column], a + row * K + k + column);
    copy16(&sa[stage][row + 32][column], a + (row + 32) * K + k + column);
    copy16(&sb[stage][row][column], b + row * K + k + column);
    asm volatile("cp.async.commit_group;");
  };
  float sum[N / 8][4] = {};
  fetch(0, 0);
#pragma unroll 1
  for (int k = 0; k < K; k += STEP) {
    int stage = k / STEP % 2;
    if (k + STEP < K) {
      fetch(stage ^ 1, k + STEP);
      asm volatile("cp.async.wait_group 1;");
    } else {
      asm volatile("cp.async.wait_group 0;");
    }
    __syncthreads();
    for (int inner = 0; inner < STEP; inner += 16) {
      uint32_t x[4], y[2];
      load4(x, &sa[stage][warp * 16 + lane % 16][inner + lane / 16 * 8]);
      for (int n = 0; n < N / 8; ++n) {
        load2(y, &sb[stage][n * 8 + lane % 8][inner + lane / 8 % 2 * 8]);
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+f"(sum[n][0]), "+f"(sum[n][1]), "+f"(sum[n][2]), "+f"(sum[n][3])
                     : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]));
      }
    }
    __syncthreads();
  }
  for (int n = 0; n < N / 8; ++n)
    for (int e = 0; e < 4; ++e)
      c[(warp * 16 + lane / 4 + e / 2 * 8) * N + n * 8 + lane % 4 * 2 + e % 2] = sum[n][e];
}

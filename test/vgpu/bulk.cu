// A block loads 1 KB with one bulk copy, adds, and stores it with another: cuda::barrier and cuda::ptx of the toolkit.
#include <cuda/barrier>
#include <cuda/ptx>
namespace ptx = cuda::ptx;
using barrier = cuda::barrier<cuda::thread_scope_block>;

extern "C" __global__ void bulk(int *data, int rounds) {
  __shared__ alignas(128) int tile[256];
#pragma nv_diag_suppress static_var_with_dynamic_init
  __shared__ barrier ready;
  if (threadIdx.x == 0) {
    init(&ready, blockDim.x);
    ptx::fence_proxy_async(ptx::space_shared);
  }
  __syncthreads();
  for (int round = 0; round < rounds; ++round) {
    int *mine = data + (blockIdx.x * rounds + round) * 256;
    barrier::arrival_token token;
    if (threadIdx.x == 0) {
      cuda::device::memcpy_async_tx(tile, mine, cuda::aligned_size_t<16>(sizeof(tile)), ready);
      token = cuda::device::barrier_arrive_tx(ready, 1, sizeof(tile));
    } else {
      token = ready.arrive();
    }
    ready.wait(std::move(token));
    tile[threadIdx.x] += threadIdx.x;
    ptx::fence_proxy_async(ptx::space_shared);
    __syncthreads();
    if (threadIdx.x == 0) {
      ptx::cp_async_bulk(ptx::space_global, ptx::space_shared, mine, tile, sizeof(tile));
      ptx::cp_async_bulk_commit_group();
      ptx::cp_async_bulk_wait_group_read(ptx::n32_t<0>());
    }
    __syncthreads();
  }
}

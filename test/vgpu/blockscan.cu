// The prefix sum of the toolkit's CUB: shared memory, barriers, shuffles, early-out branches.
#include <cub/block/block_scan.cuh>
extern "C" __global__ void blockscan(const int *in, int *out) {
  using Scan = cub::BlockScan<int, 256>;
  __shared__ typename Scan::TempStorage storage;
  int value = in[threadIdx.x], total;
  Scan(storage).InclusiveSum(value, value, total);
  out[threadIdx.x] = value;
  if (threadIdx.x == 0)
    out[256] = total;
}
extern "C" __global__ void blockmax(const float *in, float *out) {
  using Scan = cub::BlockScan<float, 128, cub::BLOCK_SCAN_RAKING>;
  __shared__ typename Scan::TempStorage storage;
  float value[2] = {in[2 * threadIdx.x], in[2 * threadIdx.x + 1]};
  Scan(storage).InclusiveScan(value, value, [](float a, float b) { return a > b ? a : b; });
  out[2 * threadIdx.x] = value[0];
  out[2 * threadIdx.x + 1] = value[1];
}

// Warp primitives, in code whose meaning the CUDA manual gives.
extern "C" __global__ void shuffles(int *out) {
  int lane = threadIdx.x & 31, value = lane * 3 + 1;
  int sum = value;
  for (int d = 16; d; d /= 2)
    sum += __shfl_xor_sync(0xffffffffu, sum, d);
  int scan = value;
  for (int d = 1; d < 32; d *= 2) {
    int other = __shfl_up_sync(0xffffffffu, scan, d);
    if (lane >= d)
      scan += other;
  }
  int down = __shfl_down_sync(0xffffffffu, value, 3, 8);
  int from = __shfl_sync(0xffffffffu, value, lane / 2);
  unsigned even = __ballot_sync(0xffffffffu, lane % 2 == 0);
  unsigned same = __match_any_sync(0xffffffffu, lane / 5);
  int any = __any_sync(0xffffffffu, lane == 7), all = __all_sync(0xffffffffu, lane < 31);
  int biggest = __reduce_max_sync(0xffffffffu, (lane * 7) % 32);
  int *to = out + threadIdx.x * 9;
  to[0] = sum, to[1] = scan, to[2] = down, to[3] = from, to[4] = even, to[5] = same, to[6] = any, to[7] = all;
  to[8] = biggest;
}

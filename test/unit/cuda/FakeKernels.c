//===- FakeKernels.c - the model of FakeModel.c for a GPU ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The same arithmetic in the same order, so that results are the same bits. Compiled to PTX by clang.
//
//===----------------------------------------------------------------------===//

enum { VOCABULARY = 32, WIDTH = 8, CONV = 12, SSM = 8, SLOT = 2 };

#define KERNEL __attribute__((device_kernel)) void

static int thread(void) {
  return __nvvm_read_ptx_sreg_ctaid_x() * __nvvm_read_ptx_sreg_ntid_x() + __nvvm_read_ptx_sreg_tid_x();
}

// Sizes of a step: tokens, sequences, rows, longest segment.

KERNEL sequences(const int *tokens, const long long *segments, const long long *positions, float *const *states,
                 const int *sizes, float *sums, long long ssmOffset, long long keyOffset, float eighth, int dims) {
  int s = thread();
  if (s >= sizes[1])
    return;
  float *state = states[s];
  float *ssm = (float *)((char *)state + ssmOffset), *key = (float *)((char *)state + keyOffset);
  for (long long t = segments[s]; t < segments[s + 1]; ++t) {
    for (int i = 0; i + dims < CONV; ++i)
      state[i] = state[i + dims];
    float sum = 0;
    for (int i = 0; i < dims; ++i)
      state[CONV - dims + i] = (float)(tokens[t] + i);
    for (int i = 0; i < SSM; ++i)
      sum += ssm[i] = 0.5f * ssm[i] + (float)tokens[t] * 0.25f + (float)i;
    long long position = positions[s] + t - segments[s];
    float *slot = key + position % 2 * SLOT;
    const float *other = key + (position + 1) % 2 * SLOT;
    if (other[0] != (float)position || slot[0] != (float)(position > 0 ? position - 1 : 0))
      sum = __builtin_nanf("");
    slot[0] = (float)(position + 1);
    slot[1] = (float)tokens[t];
    sums[t] = sum + eighth * slot[0];
  }
}

KERNEL embed(const float *weights, const int *tokens, const int *sizes, float *hidden) {
  int i = thread();
  if (i < sizes[0] * WIDTH)
    hidden[i] = weights[tokens[i / WIDTH] * WIDTH + i % WIDTH];
}

KERNEL add(float *hidden, const float *sums, const int *sizes) {
  int i = thread();
  if (i < sizes[0] * WIDTH)
    hidden[i] += sums[i / WIDTH];
}

KERNEL norm(const float *hidden, const long long *rows, const int *sizes, float *normed) {
  int i = thread();
  if (i < sizes[2] * WIDTH)
    normed[i] = hidden[rows[i / WIDTH] * WIDTH + i % WIDTH] * 0.0625f;
}

// One block for each row; the last one to write a row's logits is not known, so one thread looks for the largest.
KERNEL head(const float *weights, const float *normed, float *logits, int *argmax) {
  int r = __nvvm_read_ptx_sreg_ctaid_x(), v = __nvvm_read_ptx_sreg_tid_x();
  float sum = 0;
  for (int j = 0; j < WIDTH; ++j)
    sum += normed[r * WIDTH + j] * weights[v * WIDTH + j];
  logits[r * VOCABULARY + v] = sum;
  __syncthreads();
  if (v > 0)
    return;
  int best = -1;
  for (int i = 0; i < VOCABULARY; ++i) {
    float logit = logits[r * VOCABULARY + i];
    if (logit == logit && (best < 0 || logit > logits[r * VOCABULARY + best]))
      best = i;
  }
  argmax[r] = best;
}

// What goes wrong, for the tests of errors.

KERNEL stray(float *arena, long long index) { arena[index] = 1; }

KERNEL endless(float *arena) {
  volatile float *p = arena;
  p[0] = 1;
  while (p[0] != 0)
    p[0] = 1;
}

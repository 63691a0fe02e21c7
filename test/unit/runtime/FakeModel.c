//===- FakeModel.c - a model for the tests of the runtime ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A hand-written entry point with cheap and easily predicted results, in the shape of generated code: parallel loops of
// claimed chunks with barriers between them. FakeArtefact.cpp describes it and predicts it.
//
// State of a sequence, f32: "layers.0.conv" [3, 4] the last tokens, "layers.0.ssm" [2, 4] a decaying sum of them,
// "layers.1.key" [1, 2, 2] a ring: the token at position p sets slot p mod 2 to p + 1 and itself.
//
//===----------------------------------------------------------------------===//

#include "samba/abi.h"
#include <math.h>

#ifndef VOCABULARY
#define VOCABULARY 32
#endif
enum { WIDTH = 8, CONV = 12, SSM = 8, KEY = 24 };

#ifndef FAKE_BIAS
#define FAKE_BIAS 0
#endif

static uint32_t first(uint64_t range) { return (uint32_t)range; }
static uint32_t end(uint64_t range) { return (uint32_t)(range >> 32); }

#define PARALLEL(variable, total)                                                                                      \
  for (uint64_t range = team->claim(team, (uint64_t)(total)); first(range) != end(range);                              \
       range = team->claim(team, (uint64_t)(total)))                                                                   \
    for (int64_t variable = first(range); variable < end(range); ++variable)

static void probe(const samba_call *call, samba_team *team, int32_t index, const float *data, int64_t rows) {
  if (!call->probe)
    return;
  if (team->thread == 0)
    call->probe(call->probe_user, index, data, rows, WIDTH);
  team->barrier(team);
}

void samba_step(const samba_call *call, samba_team *team) {
  const int32_t *tokens = call->inputs[0].data;
  const int64_t *segments = call->inputs[1].data;
  const int64_t *positions = call->inputs[2].data;
  const int64_t *rows = call->inputs[3].data;
  int64_t tokenCount = call->inputs[0].rows, sequences = call->inputs[2].rows, rowCount = call->inputs[3].rows;
  const float *weights = call->weights; // [VOCABULARY, WIDTH]
  float *logits = call->outputs[0].data;
  float *hidden = call->arena;                     // [T, WIDTH]
  float *sums = hidden + call->arena_rows * WIDTH; // [T]
  float *normed = sums + call->arena_rows;         // [R, WIDTH]

  PARALLEL(s, sequences) {
    float *state = call->states[s];
    for (int64_t t = segments[s]; t < segments[s + 1]; ++t) {
      for (int i = 0; i + 4 < CONV; ++i)
        state[i] = state[i + 4];
      float sum = 0;
      for (int i = 0; i < 4; ++i)
        state[CONV - 4 + i] = (float)(tokens[t] + i);
      for (int i = 0; i < SSM; ++i)
        sum += state[16 + i] = 0.5f * state[16 + i] + (float)tokens[t] * 0.25f + (float)i;
      // A wrong position or a state that is not this sequence's own shows as NaN.
      int64_t position = positions[s] + t - segments[s];
      float *slot = state + KEY + position % 2 * 2;
      const float *other = state + KEY + (position + 1) % 2 * 2;
      if (other[0] != (float)position || slot[0] != (float)(position > 0 ? position - 1 : 0))
        sum = NAN;
      slot[0] = (float)(position + 1);
      slot[1] = (float)tokens[t];
      sums[t] = sum + 0.125f * slot[0] + FAKE_BIAS;
    }
  }
  team->barrier(team);
  PARALLEL(t, tokenCount) {
    for (int i = 0; i < WIDTH; ++i)
      hidden[t * WIDTH + i] = weights[tokens[t] * WIDTH + i];
  }
  team->barrier(team);
  probe(call, team, 0, hidden, tokenCount);
  PARALLEL(t, tokenCount) {
    for (int i = 0; i < WIDTH; ++i)
      hidden[t * WIDTH + i] += sums[t];
  }
  team->barrier(team);
  probe(call, team, 1, hidden, tokenCount);
  PARALLEL(r, rowCount) {
    for (int i = 0; i < WIDTH; ++i)
      normed[r * WIDTH + i] = hidden[rows[r] * WIDTH + i] * 0.0625f;
  }
  team->barrier(team);
  probe(call, team, 2, normed, rowCount);
  PARALLEL(i, rowCount * VOCABULARY) {
    int64_t r = i / VOCABULARY, v = i % VOCABULARY;
    float sum = 0;
    for (int j = 0; j < WIDTH; ++j)
      sum += normed[r * WIDTH + j] * weights[v * WIDTH + j];
    logits[i] = sum;
  }
  team->barrier(team);
}

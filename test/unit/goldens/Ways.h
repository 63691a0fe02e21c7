//===- Ways.h - feeding a model in pieces of every kind ---------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a sequence sees must not depend on how its tokens are fed or on who shares the step: each function feeds the
// same tokens to a fresh sequence in its own way and returns the logits of all of them.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_GOLDENS_WAYS_H
#define TEST_UNIT_GOLDENS_WAYS_H

#include "test/unit/goldens/Model.h"

namespace samba::reference::test {

using Rows = Tensor<double>;
using Tokens = std::vector<int64_t>;

inline Rows rowsOf(const Rows &x, int64_t begin, int64_t end) {
  int64_t width = x.shape[1];
  return Rows({end - begin, width}, std::vector<double>(x.data.begin() + begin * width, x.data.begin() + end * width));
}

inline void append(Rows &x, const Rows &more) {
  x.shape = {x.shape[0] + more.shape[0], more.shape[1]};
  x.data.insert(x.data.end(), more.data.begin(), more.data.end());
}

inline Tokens slice(const Tokens &tokens, int64_t begin, int64_t end) {
  return Tokens(tokens.begin() + begin, tokens.begin() + end);
}

/// Norm of the deviation relative to the golden norm; NaN if something is.
inline double relativeNorm(const Rows &actual, const Rows &golden) {
  double deviation = 0, norm = 0;
  for (size_t i = 0; i < golden.data.size(); ++i) {
    deviation += (actual.data[i] - golden.data[i]) * (actual.data[i] - golden.data[i]);
    norm += golden.data[i] * golden.data[i];
  }
  return std::sqrt(deviation / norm);
}

inline Rows logitsAtOnce(Model &model, const Tokens &tokens) {
  model.start(1);
  return model.step({tokens});
}

inline Rows logitsByStep(Model &model, const Tokens &tokens) {
  model.start(1);
  Rows logits({0, 0}, {});
  for (int64_t token : tokens)
    append(logits, model.step({{token}}));
  return logits;
}

/// Chunks shorter and longer than the convolution and the windows, and an empty one.
inline Rows logitsInChunks(Model &model, const Tokens &tokens) {
  model.start(1);
  Rows logits({0, 0}, {});
  int64_t begin = 0, total = tokens.size();
  for (int64_t size : {1, 2, 0, 17, 3, 1, 1000}) {
    int64_t end = std::min(total, begin + size);
    append(logits, model.step({slice(tokens, begin, end)}));
    begin = end;
  }
  return logits;
}

/// The sequence is the second of four, at another pace than the others; one of them never gets a token.
constexpr size_t kRaggedSequence = 1;
inline Rows logitsInARaggedBatch(Model &model, const Tokens &tokens) {
  model.start(4);
  Tokens reversed(tokens.rbegin(), tokens.rend());
  Rows logits({0, 0}, {});
  int64_t begin = 0, total = tokens.size();
  for (int64_t size : {5, 1, 19, 0, 1000}) {
    int64_t end = std::min(total, begin + size), others = std::min<int64_t>(4, size + 1);
    Tokens other(reversed.begin(), reversed.begin() + others);
    Rows all = model.step({other, slice(tokens, begin, end), {}, size == 1 ? Tokens() : other});
    append(logits, rowsOf(all, others, others + end - begin));
    begin = end;
  }
  return logits;
}

} // namespace samba::reference::test

#endif // TEST_UNIT_GOLDENS_WAYS_H

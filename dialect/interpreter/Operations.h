//===- Operations.h - one function per operation ----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each function is the formula of the operation of the same name in SambaOps.td, usable without IR. Arguments are as
// there: `T` tokens, `S` sequences, weights `[out, in]`. Optional operands are pointers, null if absent. Whatever the
// description requires of values and shapes is checked; what does not hold is an error that says what was expected and
// what was found.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECT_INTERPRETER_OPERATIONS_H
#define DIALECT_INTERPRETER_OPERATIONS_H

#include "dialect/interpreter/Tensor.h"
#include <optional>

namespace samba::reference {

/// silu(v) = v / (1 + exp(-v)).
template <class F> F silu(F v);
/// softplus(v) = max(v, 0) + log(1 + exp(-|v|)).
template <class F> F softplus(F v);
/// Rounded to bf16.
template <class F> F toBf16(F v);

/// tokens [T], table [V, D] -> [T, D].
template <class F> llvm::Expected<Tensor<F>> embedding(const IntTensor &tokens, const Tensor<F> &table);

/// x [T, D], rows [R] -> [R, D].
template <class F> llvm::Expected<Tensor<F>> gatherRows(const Tensor<F> &x, const IntTensor &rows);

/// x [T, D], weight [D] or null -> [T, D].
template <class F> llvm::Expected<Tensor<F>> rmsNorm(const Tensor<F> &x, const Tensor<F> *weight, F eps);

/// x [T, D], weight [D], bias [D] or null -> [T, D].
template <class F>
llvm::Expected<Tensor<F>> layerNorm(const Tensor<F> &x, const Tensor<F> &weight, const Tensor<F> *bias, F eps);

/// x [T, H V], lambda [4 P], weight [V] -> [T, H/2 V].
template <class F>
llvm::Expected<Tensor<F>> differentialNorm(const Tensor<F> &x, const Tensor<F> &lambda, const Tensor<F> &weight,
                                           int64_t depth, int64_t pairs, F eps);

/// x [T, K], weight [N, K], bias [N] -> [T, N].
template <class F>
llvm::Expected<Tensor<F>> linear(const Tensor<F> &x, const Tensor<F> &weight, const Tensor<F> *bias = nullptr);

/// gate and up [T, F] -> [T, F].
template <class F> llvm::Expected<Tensor<F>> swiglu(const Tensor<F> &gate, const Tensor<F> &up);

/// quantize_rows: `x` is [T, K]; groups of `group` neighbours share a scale.
template <class F> llvm::Expected<Tensor<F>> quantizeRows(const Tensor<F> &x, int64_t group);

/// segments [S+1], positions [S] -> [T, headDim]; T is the last segment.
template <class F>
llvm::Expected<Tensor<F>> rotaryTable(const IntTensor &segments, const IntTensor &positions, int64_t headDim,
                                      double theta, bool narrowAngles = false);

/// x [T, H P], table [T, P] -> [T, H P].
template <class F>
llvm::Expected<Tensor<F>> rotary(const Tensor<F> &x, const Tensor<F> &table, bool roundProducts = false);

/// An operation's rows and the states after it.
template <class F> struct Stepped {
  Tensor<F> result;
  StateBatch<F> state;
};

/// x [T, D], weight [D, K], bias [D], segments [S+1], state [K-1, D] -> [T, D]; the new state.
template <class F>
llvm::Expected<Stepped<F>> causalConv1d(const Tensor<F> &x, const Tensor<F> &weight, const Tensor<F> *bias,
                                        const IntTensor &segments, const StateBatch<F> &state, bool silu);

template <class F> struct ScanInputs {
  const Tensor<F> &u;         // [T, E]
  const Tensor<F> &delta;     // [T, E]
  const Tensor<F> &A;         // [E, N]
  const Tensor<F> &B;         // [T, N]
  const Tensor<F> &C;         // [T, N]
  const Tensor<F> *D;         // [E] or null
  const Tensor<F> *z;         // [T, E] or null
  const Tensor<F> *deltaBias; // [E] or null
  bool deltaSoftplus;
  bool plainLog = false;    // softplus as log(1 + exp(v)), the sum in f32
  bool roundOutput = false; // to bf16: what C multiplies, and all that follows
};

/// segments [S+1], state [N, E] -> [T, E]; the new state.
template <class F>
llvm::Expected<Stepped<F>> selectiveScan(const ScanInputs<F> &inputs, const IntTensor &segments,
                                         const StateBatch<F> &state);

template <class F> struct AttentionOutputs {
  Tensor<F> result; // [T, H V]
  StateBatch<F> keys;
  StateBatch<F> values;
};

/// The sizes of key and value states: [G, W, P] and [Gv, W, V] with Gv V = G P.
struct RingShape {
  int64_t kvHeads, slots, headDim, valueHeads;

  /// `valueHeads` is Gv; 0: as many as key heads.
  static llvm::Expected<RingShape> of(llvm::ArrayRef<int64_t> keys, int64_t valueHeads = 0);
  int64_t valueDim() const { return headDim * (kvHeads / valueHeads); }
};

/// q [T, H P], k and v [T, G P], segments [S+1], positions [S], keys and values rings. With `windowed` the window is W;
/// without it W is the capacity and a position beyond it an error. `roundWeights`: those of the softmax, to bf16.
template <class F>
llvm::Expected<AttentionOutputs<F>>
slidingWindowAttention(const Tensor<F> &q, const Tensor<F> &k, const Tensor<F> &v, const IntTensor &segments,
                       const IntTensor &positions, const StateBatch<F> &keys, const StateBatch<F> &values,
                       const RingShape &ring, bool windowed, bool roundWeights = false);

/// q [R, H P], rows [R], segments [S+1], positions [S], keys and values that are in the rings -> [R, H V].
template <class F>
llvm::Expected<Tensor<F>> crossAttention(const Tensor<F> &q, const IntTensor &rows, const IntTensor &segments,
                                         const IntTensor &positions, const StateBatch<F> &keys,
                                         const StateBatch<F> &values, const RingShape &ring, bool roundWeights = false);

} // namespace samba::reference

#endif // DIALECT_INTERPRETER_OPERATIONS_H

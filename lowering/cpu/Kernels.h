//===- Kernels.h - vector code of each operation -----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per operation of the dialect: it emits the parallel loops that compute the operation from buffers into
// buffers. What an operation means stands in dialect/SambaOps.td; here stands how it is computed.
//
// Buffers are memrefs. Rows are `[T, D]` with a static width and unit stride along it (a slice of columns has a row
// stride wider than D). Results never overlap operands. Weights have the shape of their packed layout.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_CPU_KERNELS_H
#define LOWERING_CPU_KERNELS_H

#include "dialect/Samba.h"
#include "lowering/cpu/Emitter.h"
#include "passes/Epilogues.h"
#include <functional>

namespace samba {

/// The states of one state argument: sequence `s` has its slice at `pointers[s] + offset`.
struct StateBuffer {
  mlir::Value pointers; // !llvm.ptr to an array of pointers, one per sequence
  mlir::Value offset;   // index, bytes
  StateType type;

  /// The slice of one sequence, as a memref of the state's shape.
  mlir::Value slice(Emitter &e, mlir::Value sequence) const;
};

/// Rows.cpp
void emitEmbedding(Emitter &e, mlir::Value tokens, mlir::Value table, mlir::Attribute encoding, mlir::Value result);
void emitGatherRows(Emitter &e, mlir::Value x, mlir::Value rows, mlir::Value result);
void emitCopy(Emitter &e, mlir::Value x, mlir::Value result);
void emitSwiglu(Emitter &e, mlir::Value gate, mlir::Value up, mlir::Value result);
void emitAdd(Emitter &e, mlir::Value x, mlir::Value y, mlir::Value result);

/// Norms.cpp: computes the row number `row` of a norm into that of `result`.
using EmitNormOfRow = std::function<void(mlir::Value row, mlir::Value result)>;
/// The weight of samba.rms_norm and the bias of samba.layer_norm may be null.
EmitNormOfRow rmsNorm(Emitter &e, mlir::Value x, mlir::Value weight, double eps, bool roundNormalised);
EmitNormOfRow layerNorm(Emitter &e, mlir::Value x, mlir::Value weight, mlir::Value bias, double eps);
EmitNormOfRow differentialNorm(Emitter &e, mlir::Value x, mlir::Value lambda, mlir::Value weight, mlir::Value depth,
                               int64_t pairs, double eps);
void emitNorm(Emitter &e, mlir::Value rows, const EmitNormOfRow &emitRow, mlir::Value result);
/// The same into `result` of many rows, or, of at most kPrologueRows, into memory of each thread. Returns what is read.
mlir::Value emitNormPrologue(Emitter &e, mlir::Value rows, const EmitNormOfRow &emitRow, mlir::Value result);

/// Panels of a weight whose product with the rows is wanted.
struct LinearPart {
  mlir::Value weight, bias; // `bias` may be null
  int64_t firstColumn = 0;  // of the product: the first that is wanted, at the start of a panel
};

/// What a linear does with a finished piece of its result (Linear.cpp).
struct LinearEpilogue {
  mlir::Value residual, result; // `residual` may be null

  /// Takes the first `lanes` lanes of the sums of each part: one, or those of gate and up.
  void emit(Emitter &e, llvm::ArrayRef<LinearPart> parts, mlir::Value row, mlir::Value column, mlir::ValueRange sums,
            int64_t lanes) const;
};

/// Linear.cpp: result = x weight^T + bias + residual of one part, silu(gate) * up + residual of two. A weight is
/// `[N/W, K, W]` in panels of f32, or `[N/W, K/2, 2 W]` in panels of bf16 pairs; `x` is f32 or bf16.
void emitLinear(Emitter &e, mlir::Value x, llvm::ArrayRef<LinearPart> parts, LayoutAttr layout,
                const LinearEpilogue &epilogue);

/// LinearQuant.cpp: the same for weights of `#samba.quant` panels, `[N/W, groups, block bytes]`, and quantised rows,
/// `[T, row bytes]` (both i8; see the attribute for what is in them).
void emitQuantizeRows(Emitter &e, mlir::Value x, QuantAttr quant, mlir::Value result);
/// One whole group of a row.
void emitQuantizeGroup(Emitter &e, mlir::Value x, mlir::Value row, mlir::Value group, QuantAttr quant,
                       mlir::Value result);
/// Where the scales of a quantised row of `columns` elements begin, in bytes.
int64_t scalesOf(QuantAttr quant, int64_t columns);
void emitQuantLinear(Emitter &e, mlir::Value x, llvm::ArrayRef<LinearPart> parts, QuantAttr quant,
                     const LinearEpilogue &epilogue);

/// Rotary.cpp
void emitRotaryTable(Emitter &e, mlir::Value segments, mlir::Value positions, double theta, bool narrowAngles,
                     mlir::Value result);
/// Heads of rows that are rotated, rounded, or first one and then the other.
struct RotaryPart {
  mlir::Value x, rotated, rounded; // `rotated` or `rounded` may be null
  QuantAttr quant;                 // of `rounded`; null if that is bf16
};
/// `roundProducts`: to bf16, and their sums.
void emitRotary(Emitter &e, llvm::ArrayRef<RotaryPart> parts, mlir::Value table, bool roundProducts);

/// Convolution.cpp: `weight` is `[K, D]`.
void emitCausalConv1d(Emitter &e, mlir::Value x, mlir::Value weight, mlir::Value bias, mlir::Value segments,
                      const StateBuffer &state, Activation activation, mlir::Value result);

/// Scan.cpp: `A` is `[N, E]`; D, z and deltaBias may be null.
struct ScanBuffers {
  mlir::Value u, delta, A, B, C, segments, D, z, deltaBias, result;
  bool softplus = false;
  bool plainLog = false;    // softplus(v) = log(1 + exp(v)), the sum in f32
  bool roundState = false;  // to bf16, when it is stored
  bool roundOutput = false; // to bf16: what C multiplies, and all that follows
};
void emitSelectiveScan(Emitter &e, const ScanBuffers &buffers, const StateBuffer &state);

/// Attention.cpp: k and v are in the type of the states. In bytes (i8), a row of the rings is its integers and their
/// scale, and a row of k and v is quantised.
struct AttentionBuffers {
  mlir::Value q, k, v, segments, positions, result;
  bool windowed = true;
  bool roundWeights = false; // of the softmax, to bf16
};
void emitAttention(Emitter &e, const AttentionBuffers &buffers, const StateBuffer &keys, const StateBuffer &values);

struct CrossAttentionBuffers {
  mlir::Value q, rows, segments, positions, result;
  bool roundWeights = false;
};
void emitCrossAttention(Emitter &e, const CrossAttentionBuffers &buffers, const StateBuffer &keys,
                        const StateBuffer &values);

/// The sequence that owns a row: the first `s` with `segments[s + 1] > row` (Rows.cpp).
mlir::Value findSegment(Emitter &e, mlir::Value segments, mlir::Value row);

} // namespace samba

#endif // LOWERING_CPU_KERNELS_H

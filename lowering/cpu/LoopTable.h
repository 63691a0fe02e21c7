//===- LoopTable.h - what the parallel loops of a step compute --*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A step passes the same barriers in the same order every time. So a profiler that counts barriers knows which loop it
// is in, if it knows their order: that is the loop table, which goes into the manifest. It costs the code nothing.
//
// The table has an entry for each function: its loops and calls in order. A loop is
//   {name, op, flops, exps, weight_bytes[, flops_per_key][, epilogue_flops][, copied_bytes, copied]
//    [, rows_above][, tokens_above]}
// with flops and exponentials per row, the bytes of weights that one pass reads, for attention the flops per row and
// visible key, for products the flops of what else their loop computes, and for loops that move values without
// computing any the bytes of a row and why. A call is {call, layer}.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_CPU_LOOPTABLE_H
#define LOWERING_CPU_LOOPTABLE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "passes/Epilogues.h"

namespace samba {

/// The description of an operation's loops; `name` is that of its kernel.
mlir::DictionaryAttr describeLoops(mlir::Operation *op, llvm::StringRef name);

/// The description of the one loop of a SwiGLU and the products that it is computed from.
mlir::DictionaryAttr describeGate(const FusedGate &fused, SwigluOp swiglu, llvm::StringRef name);

/// The same description, of a loop that moves `bytes` of each row and computes nothing.
mlir::DictionaryAttr describeCopy(mlir::DictionaryAttr description, int64_t bytes, llvm::StringRef why);

/// The same description, of a loop that only steps with more than `count` of "rows" or "tokens" pass.
mlir::DictionaryAttr describeCondition(mlir::DictionaryAttr description, llvm::StringRef what, int64_t count);

/// Collects the `samba.loop` attributes of lowered functions into the module's attribute `samba.loops`.
void recordLoopTable(mlir::ModuleOp module);

} // namespace samba

#endif // LOWERING_CPU_LOOPTABLE_H

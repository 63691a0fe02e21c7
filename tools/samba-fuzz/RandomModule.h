//===- RandomModule.h - random models in samba IR ---------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_FUZZ_RANDOMMODULE_H
#define TOOLS_SAMBA_FUZZ_RANDOMMODULE_H

#include "dialect/interpreter/Seeded.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace samba {

/// A module of the kind that the importer makes, and every lowering accepts: a public function `step` that embeds
/// tokens, calls private blocks, each with weights and states of its own, and computes logits. The blocks hold random
/// operations of all kinds, on odd sizes: one head, windows of one slot, two taps, one state. The same generator state
/// gives the same module. A `wide` one has rows of at least 64 elements, which matrices need to be quantised.
mlir::OwningOpRef<mlir::ModuleOp> randomModule(mlir::MLIRContext &context, reference::Random &random,
                                               bool wide = false);

} // namespace samba

#endif // TOOLS_SAMBA_FUZZ_RANDOMMODULE_H

//===- Samba.h - the samba dialect -------------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Dialect, types, attributes and operations. The documentation of each stands in SambaOps.td.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECT_SAMBA_H
#define DIALECT_SAMBA_H

#include "dialect/Cost.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/RegionKindInterface.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/SambaDialect.h.inc"
#include "dialect/SambaEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/SambaAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialect/SambaTypes.h.inc"

namespace samba {

/// What a tensor of the checkpoint gives to a weight: all of it, or the rows from `firstRow` on.
struct WeightPart {
  llvm::StringRef source;
  llvm::SmallVector<int64_t> shape;
  std::optional<int64_t> firstRow;

  /// Where the part starts in a tensor of `actual` shape; none if it is not in such a tensor. Unit sizes do not count.
  std::optional<int64_t> firstElementIn(llvm::ArrayRef<int64_t> actual) const;
};

/// The type in which `rows` of keys or values enter a ring: f32, bf16, or integers with a scale for each head. Null if
/// the ring is of integers and its heads cannot be groups.
mlir::RankedTensorType heldRows(mlir::RankedTensorType rows, StateType ring);

} // namespace samba

#define GET_OP_CLASSES
#include "dialect/SambaOps.h.inc"

#endif // DIALECT_SAMBA_H

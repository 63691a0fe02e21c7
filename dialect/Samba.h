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

#define GET_OP_CLASSES
#include "dialect/SambaOps.h.inc"

#endif // DIALECT_SAMBA_H

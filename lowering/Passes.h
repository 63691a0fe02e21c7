//===- Passes.h - lowering passes --------------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each pass is documented in Passes.td and lives in the file of its name under cpu/ or gpu/.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_PASSES_H
#define LOWERING_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace samba {

#define GEN_PASS_DECL
#include "lowering/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "lowering/Passes.h.inc"

} // namespace samba

#endif // LOWERING_PASSES_H

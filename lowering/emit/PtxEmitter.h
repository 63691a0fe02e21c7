//===- PtxEmitter.h - NVVM to PTX and machine code ---------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_EMIT_PTXEMITTER_H
#define LOWERING_EMIT_PTXEMITTER_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"

namespace samba {

/// What `--target=cuda[:sm_80,...]` asks for: PTX of one architecture, which newer ones accept, and machine code for
/// some.
struct CudaTarget {
  /// "cuda", or "cuda:" and a list of names of architectures.
  static llvm::Expected<CudaTarget> get(llvm::StringRef name);

  int64_t ptxArch = 80;
  llvm::SmallVector<int64_t> cubinArchs; // empty: all that the device code is made for, if there is an assembler
  bool listed = false;                   // the architectures were named, so the assembler must be there
};

/// The architectures that machine code is made for unless others are named.
llvm::ArrayRef<int64_t> usualArchitectures();

/// The kernels of a module in the NVVM dialect, optimised (O3), as PTX text.
llvm::Expected<std::string> emitPtx(mlir::ModuleOp module, int64_t arch);

/// The path of ptxas: $SAMBA_PTXAS, or in the PATH, or where CUDA is usually installed. Empty: there is none.
std::string findPtxas();

/// Machine code from PTX. Warnings are errors.
llvm::Expected<std::string> assemblePtx(llvm::StringRef ptxas, llvm::StringRef ptx, int64_t arch);

} // namespace samba

#endif // LOWERING_EMIT_PTXEMITTER_H

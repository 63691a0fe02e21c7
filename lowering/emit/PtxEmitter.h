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

/// A generation of GPUs.
struct CudaArch {
  int64_t number;     // compute capability times 10
  bool exact = false; // with what no other generation has: sm_90a

  std::string name() const { return "sm_" + std::to_string(number) + (exact ? "a" : ""); }
  bool operator==(const CudaArch &other) const { return number == other.number && exact == other.exact; }
};

/// What `--target=cuda[:sm_80,...]` asks for: PTX of one architecture, which newer ones accept, and machine code for
/// some.
struct CudaTarget {
  /// "cuda", or "cuda:" and a list of names of architectures.
  static llvm::Expected<CudaTarget> get(llvm::StringRef name);

  CudaArch ptxArch = {80};
  llvm::SmallVector<CudaArch> cubinArchs; // empty: all that the device code is made for, if there is an assembler
  bool listed = false;                    // the architectures were named, so the assembler must be there

  /// Kernels of sm_90a are wanted, for models that have a use for them.
  bool hopper() const;
  /// What is asked for is code for sm_90a alone.
  bool onlyHopper() const { return cubinArchs.size() == 1 && hopper(); }
};

/// The architectures that machine code is made for unless others are named.
llvm::ArrayRef<CudaArch> usualArchitectures();

/// Whether a module has kernels that only sm_90a can run, beside those for all devices.
bool hasHopperKernels(mlir::ModuleOp module);

/// The kernels of a module in the NVVM dialect, optimised (O3), as PTX text: for an exact architecture those that are
/// made for it, if there are any.
llvm::Expected<std::string> emitPtx(mlir::ModuleOp module, CudaArch arch);

/// The path of ptxas: $SAMBA_PTXAS, or in the PATH, or where CUDA is usually installed. Empty: there is none.
std::string findPtxas();

/// Machine code from PTX. Warnings are errors.
llvm::Expected<std::string> assemblePtx(llvm::StringRef ptxas, llvm::StringRef ptx, CudaArch arch);

} // namespace samba

#endif // LOWERING_EMIT_PTXEMITTER_H

//===- ObjectEmitter.h - LLVM dialect to machine code ------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_EMIT_OBJECTEMITTER_H
#define LOWERING_EMIT_OBJECTEMITTER_H

#include "lowering/cpu/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "samba/abi.h"
#include "llvm/ADT/SmallVector.h"
#include <memory>

namespace llvm {
class LLVMContext;
class Module;
class TargetMachine;
} // namespace llvm

namespace samba {

/// A module of the LLVM dialect, translated to LLVM IR and optimised (O3) for one CPU.
///
/// Private functions become internal and are never inlined, so that code does not grow with the number of their calls;
/// `always_inline` on a function overrides that. Floating-point operations are contracted or reassociated only where
/// their own flags say so.
class ObjectEmitter {
public:
  /// Fails on anything but the LLVM dialect (declarations of `samba.weight` are skipped), naming the first offender.
  /// The entry point gets the name `entry`.
  static llvm::Expected<ObjectEmitter> create(mlir::ModuleOp module, const CpuTarget &target,
                                              llvm::StringRef entry = SAMBA_ENTRY_SYMBOL);
  ObjectEmitter(ObjectEmitter &&);
  ~ObjectEmitter();

  /// Textual LLVM IR.
  std::string llvmIr() const;
  /// A relocatable ELF object of position-independent code.
  llvm::Expected<llvm::SmallVector<char, 0>> object() const;
  /// The same as assembly.
  llvm::Expected<std::string> assembly() const;

private:
  ObjectEmitter();
  llvm::Error optimise();

  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
  std::unique_ptr<llvm::TargetMachine> machine;
};

} // namespace samba

#endif // LOWERING_EMIT_OBJECTEMITTER_H

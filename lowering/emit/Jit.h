//===- Jit.h - runs lowered modules in this process --------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_EMIT_JIT_H
#define LOWERING_EMIT_JIT_H

#include "lowering/cpu/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "samba/abi.h"
#include <memory>

namespace llvm::orc {
class LLJIT;
} // namespace llvm::orc

namespace samba {

/// A module of the LLVM dialect as code in this process, made in the same way as an artefact's.
class Jit {
public:
  static llvm::Expected<Jit> create(mlir::ModuleOp module, const CpuTarget &target);
  Jit(Jit &&);
  ~Jit();

  /// A public function of the module. The caller knows its signature. Valid as long as this Jit.
  llvm::Expected<void *> lookup(llvm::StringRef name) const;
  /// A public function of an entry point's signature.
  llvm::Expected<samba_entry> entry(llvm::StringRef name) const;

private:
  Jit();
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

/// A team of one thread. It hands out each loop in chunks of at most `chunk` iterations, whole by default.
class SoloTeam {
public:
  explicit SoloTeam(uint64_t chunk = UINT32_MAX);
  SoloTeam(const SoloTeam &) = delete;

  samba_team *get() { return &team; }
  /// Barriers passed since construction.
  uint64_t barriers() const { return passed; }

private:
  samba_team team;
  uint64_t chunk;
  uint64_t next = 0; // first iteration of the loop that is not handed out
  uint64_t passed = 0;
};

} // namespace samba

#endif // LOWERING_EMIT_JIT_H

//===- Phases.h - the phases of compilation ----------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_COMPILE_PHASES_H
#define TOOLS_SAMBA_COMPILE_PHASES_H

#include "lowering/cpu/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "passes/Fusions.h"
#include "tools/StageFile.h"
#include "tools/check/PassChecker.h"
#include <string>

namespace samba {

/// In the order in which they run. After each, the module is complete: it can be printed, and compilation can go on
/// from what was printed.
enum class Phase {
  Import,   // checkpoint -> samba IR
  Optimise, // precision of the weights
  Fuse,     // operations -> kernels
  Schedule, // layout and places of weights and states, for one CPU or for GPUs
  Lower,    // kernels -> the LLVM dialect, or the NVVM dialect and a table of launches
  Emit      // machine code and files
};

/// "import", "optimise", "fuse", "schedule", "lower" or "emit".
llvm::StringRef phaseName(Phase phase);

struct PhaseOptions {
  std::string precision = "f32"; // f32, bf16, int8 or int4
  std::string kv;                // of keys and values: f32, bf16 or int8; empty: usualKv
  std::string cpu = "native";    // names for CpuTarget::getAll; phase Lower takes one at a time
  bool cuda = false;             // for GPUs, not for a CPU
  bool hopper = false;           // with kernels of sm_90a
  FusionOptions fusion;
  bool fusionGiven = false;       // `fusion` was asked for; else each target has its own default
  StageFile stages;               // passes of phases that are not to run what they usually do
  PassChecker *checker = nullptr; // executes the module after each pass, if there is one
};

/// The type in which keys and values are kept if nobody says: that of the matrices where it costs nothing that can be
/// measured (docs/accuracy.md), which is bf16 with any narrow precision. GPUs know only f32.
llvm::StringRef usualKv(llvm::StringRef precision, bool cuda);

/// Runs one of the phases Optimise to Lower on what the phase before it has made. An error is one line that names the
/// layer where it can.
llvm::Error runPhase(Phase phase, mlir::ModuleOp module, const PhaseOptions &options);

/// Applies a script of the transform dialect.
llvm::Error applySchedule(mlir::ModuleOp module, llvm::StringRef file, const PhaseOptions &options);

/// The first half of Lower: parallel loops of vector code, or kernels of the gpu dialect.
llvm::Error lowerToKernels(mlir::ModuleOp module, const PhaseOptions &options);

/// The CPUs for which a module was scheduled, as names for CpuTarget::getAll; empty if it was not. Fails if it was for
/// one that only another machine can name.
llvm::Expected<std::string> scheduledCpu(mlir::ModuleOp module);

/// Whether a module was scheduled for GPUs.
bool isScheduledForCuda(mlir::ModuleOp module);

} // namespace samba

#endif // TOOLS_SAMBA_COMPILE_PHASES_H

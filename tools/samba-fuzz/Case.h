//===- Case.h - one random model and its pipelines --------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_FUZZ_CASE_H
#define TOOLS_SAMBA_FUZZ_CASE_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "tools/check/Execution.h"
#include "tools/check/Steps.h"
#include <string>
#include <vector>

namespace samba {

/// How far a case goes beyond the interpreter, with what its last pipeline leaves.
enum class Depth {
  Interpret, // samba IR only
  Lower,     // to loops, which must verify
  Compile    // to machine code, which is executed
};

/// What a seed stands for.
struct Case {
  mlir::OwningOpRef<mlir::ModuleOp> module; // weights and activations in the types of `precision`
  std::string precision;                    // "f32", "bf16", "bf16 rounded", "int8" or "int4"
  std::string kv;                           // of keys and values: "f32", "bf16" or "int8"
  ExecutionOptions execution;
  std::vector<std::string> pipelines; // "builtin.module(...)"

  int64_t functions() const;
};

/// The same seed gives the same module and batch, and the same pipelines, of which there may be more.
llvm::Expected<Case> makeCase(mlir::MLIRContext &context, uint64_t seed, int64_t pipelines);

/// The interpreter must compute the same after each pipeline, to 1e-9 in f64, and compiled code nearly the same. The
/// error names the pass, or what else is wrong.
/// `visit` sees the module, and what the pipelines made of it.
llvm::Error runCase(const Case &test, Depth depth, llvm::function_ref<void(mlir::ModuleOp)> visit);

} // namespace samba

#endif // TOOLS_SAMBA_FUZZ_CASE_H

//===- CompiledModule.h - samba IR, compiled and run in process --*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The counterpart of the reference interpreter: the same functions on the same values, but through the whole CPU
// lowering. Tests compare the two.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_EMIT_COMPILEDMODULE_H
#define LOWERING_EMIT_COMPILEDMODULE_H

#include "dialect/WeightSource.h"
#include "dialect/interpreter/Tensor.h"
#include "lowering/emit/Jit.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "passes/Fusions.h"
#include "llvm/Support/Alignment.h"
#include <functional>

namespace samba {

/// Zeroed bytes at a 64-byte aligned address.
class AlignedBytes {
public:
  explicit AlignedBytes(size_t size = 0) : bytes(size + 64) {}
  uint8_t *data() { return reinterpret_cast<uint8_t *>(llvm::alignAddr(bytes.data(), llvm::Align(64))); }

private:
  std::vector<uint8_t> bytes;
};

class CompiledModule {
public:
  using Value = reference::Value<float>;
  using Probe = std::function<void(llvm::StringRef name, int32_t index, const reference::Tensor<float> &x)>;

  struct Options {
    std::string target = "native"; // for CpuTarget::get
    std::string precision = "f32"; // of weight matrices
    std::string kv = "f32";        // of keys and values in states
    FusionOptions fusion;
    uint64_t chunk = UINT32_MAX; // items of a parallel loop handed out at once
  };

  /// Compiles a copy of `module`: model-level samba IR, with kernels or without. `weights` may be null if the module
  /// declares none. Diagnostics of the passes become the error.
  static llvm::Expected<CompiledModule> create(mlir::ModuleOp module, const WeightSource *weights,
                                               const Options &options);
  static llvm::Expected<CompiledModule> create(mlir::ModuleOp module, const WeightSource *weights) {
    return create(module, weights, Options());
  }

  /// From both ends of a lowering that has been done already: `planned` is samba IR after samba-plan-memory, `lowered`
  /// the LLVM dialect. Of the options only target and chunk are looked at.
  static llvm::Expected<CompiledModule> fromLowered(mlir::OwningOpRef<mlir::ModuleOp> planned, mlir::ModuleOp lowered,
                                                    const WeightSource *weights, const Options &options);

  /// Calls a public function, as reference::Interpreter::run does: dense tensors as Tensor or IntTensor, states as
  /// StateBatch, whose updated values are among the results.
  llvm::Expected<std::vector<Value>> run(llvm::StringRef function, std::vector<Value> arguments);

  void onProbe(Probe hook) { probe = std::move(hook); }

private:
  struct Call;

  CompiledModule(Jit jit) : jit(std::move(jit)) {}

  mlir::OwningOpRef<mlir::ModuleOp> planned; // after samba-plan-memory: signatures and offsets
  Jit jit;
  AlignedBytes weights;
  int64_t arenaBytesPerToken = 0, stateBytes = 0;
  uint64_t chunk = 0;
  std::vector<std::string> probeNames;
  Probe probe;
};

} // namespace samba

#endif // LOWERING_EMIT_COMPILEDMODULE_H

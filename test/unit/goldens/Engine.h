//===- Engine.h - ways to run samba IR --------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The golden results hold for everything that runs samba IR: the interpreter in both scalars, and compiled code. Values
// are doubles here, whatever the engine computes with.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_GOLDENS_ENGINE_H
#define TEST_UNIT_GOLDENS_ENGINE_H

#include "dialect/WeightSource.h"
#include "dialect/interpreter/Interpreter.h"
#include <memory>
#include <ostream>

namespace samba::reference::test {

class Engine {
public:
  using Values = std::vector<Value<double>>;
  using Probe = Interpreter<double>::Probe;

  virtual ~Engine() = default;
  /// As Interpreter::run. Tensor arguments of static shape are weights: a function gets the same ones at each call.
  virtual llvm::Expected<Values> run(llvm::StringRef function, Values arguments) = 0;
  virtual void onProbe(Probe hook) = 0;
};

struct EngineKind {
  const char *name;
  double opTolerance;    // largest deviation, relative to the largest golden value
  double modelTolerance; // norm of the deviation, relative to the golden norm
  bool isCompiled;
  bool isEmulated; // takes long
  /// `module` and `weights` (may be null) outlive the engine.
  std::unique_ptr<Engine> (*create)(mlir::ModuleOp module, const WeightSource *weights);
};

inline void PrintTo(const EngineKind &kind, std::ostream *os) { *os << kind.name; }

/// Golden results are rounded to f32 (6e-8), as is the eps of a norm.
extern const EngineKind exact;    // the interpreter in double
extern const EngineKind single;   // the interpreter in float
extern const EngineKind native;   // compiled for this machine; each parallel loop in one piece
extern const EngineKind baseline; // compiled for x86-64-v3 or its like; the items of parallel loops one by one
extern const EngineKind nativeInBf16, baselineInBf16; // the same with matrices in bf16
extern const EngineKind nativeInInt8, baselineInInt8, nativeInInt4, baselineInInt4;
extern const EngineKind nativeKvInBf16, baselineKvInBf16; // the same with keys and values in bf16, matrices in f32
extern const EngineKind nativeKvInInt8, baselineKvInInt8;
extern const EngineKind device;                     // compiled for a GPU, run on the virtual device with all its checks
extern const EngineKind deviceInBf16, hopperInBf16; // the same with matrices in bf16
extern const EngineKind deviceInInt8, deviceInInt4;

} // namespace samba::reference::test

#endif // TEST_UNIT_GOLDENS_ENGINE_H

//===- VirtualEngine.h - a model on the virtual device ----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_GOLDENS_VIRTUALENGINE_H
#define TEST_UNIT_GOLDENS_VIRTUALENGINE_H

#include "test/unit/goldens/Engine.h"

namespace samba::reference::test {

struct VirtualOptions {
  std::string precision = "f32";
  std::string fusion = "all";
  uint64_t seed = 0;   // of the order in which warps run
  bool hopper = false; // sm_90a with its own kernels, or sm_80
};

/// Runs the whole lowering to the GPU and then the PTX of it, with all checks. The only function is @samba_step.
std::unique_ptr<Engine> createVirtualEngine(mlir::ModuleOp module, const WeightSource *weights,
                                            const VirtualOptions &options);

} // namespace samba::reference::test

#endif // TEST_UNIT_GOLDENS_VIRTUALENGINE_H

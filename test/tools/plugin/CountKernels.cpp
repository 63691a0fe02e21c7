//===- CountKernels.cpp - a pass in a plugin of samba-opt -----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The smallest plugin that needs the samba dialect, which it finds in the program that loads it: it links MLIR's
// shared library and nothing of the project.
//
//===----------------------------------------------------------------------===//

#include "dialect/Samba.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

using namespace mlir;

namespace {

struct CountKernels : public PassWrapper<CountKernels, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CountKernels)

  StringRef getArgument() const override { return "test-count-kernels"; }
  StringRef getDescription() const override { return "writes the number of a function's kernels into an attribute"; }

  void runOnOperation() override {
    int64_t kernels = 0;
    getOperation().walk([&](samba::KernelOp) { ++kernels; });
    getOperation()->setAttr("test.kernels", Builder(&getContext()).getI64IntegerAttr(kernels));
  }
};

} // namespace

extern "C" LLVM_ATTRIBUTE_WEAK PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "CountKernels", LLVM_VERSION_STRING, [] { PassRegistration<CountKernels>(); }};
}

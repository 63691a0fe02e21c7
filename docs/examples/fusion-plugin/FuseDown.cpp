//===- FuseDown.cpp - a fusion pass of one's own --------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Keeps the hidden rows of an MLP inside: the gate joins the down projection that reads it. docs/tutorial-fusion.md
// builds this file from nothing.
//
//===----------------------------------------------------------------------===//

#include "mlir/Pass/Pass.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "passes/KernelFusion.h"

using namespace mlir;
using namespace samba;

namespace {

struct FuseDown : public PassWrapper<FuseDown, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(FuseDown)

  FuseDown() = default;
  FuseDown(const FuseDown &other) : PassWrapper(other) {}

  StringRef getArgument() const override { return "my-fuse-down"; }
  StringRef getDescription() const override { return "the gate joins the down projection"; }

  void runOnOperation() override {
    FusionPolicy policy;
    policy.force = force;
    policy.workload.tokens = tokens;
    KernelFuser fuser(getOperation(), getArgument(), policy);
    fuser.fuse([](const FusionEdge &edge) {
      auto linear = dyn_cast<LinearOp>(edge.use->getOwner());
      return isa<SwigluOp>(edge.producer) && linear && edge.use == &linear.getXMutable();
    });
  }

  Option<bool> force{*this, "force", llvm::cl::desc("fuse even if it does not pay"), llvm::cl::init(false)};
  Option<int64_t> tokens{*this, "tokens", llvm::cl::desc("tokens of the step it is to pay for"), llvm::cl::init(1)};
};

} // namespace

extern "C" LLVM_ATTRIBUTE_WEAK PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "FuseDown", LLVM_VERSION_STRING, [] { PassRegistration<FuseDown>(); }};
}

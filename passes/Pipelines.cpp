//===- Pipelines.cpp - the target-independent phases ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Pipelines.h"

#include "mlir/Pass/PassRegistry.h"
#include "passes/Passes.h"

using namespace mlir;
using namespace samba;

void samba::buildOptimisePipeline(OpPassManager &pm, llvm::StringRef precision, bool roundActivations,
                                  llvm::StringRef kv, bool quantiseRows) {
  pm.addPass(createSambaApplyNumerics());
  // Where rows stay as they are, a longer group saves nothing; the kernels of GPUs take groups of 64.
  constexpr int64_t kGroupOfPlainRows = 64;
  int64_t group = quantiseRows ? 0 : kGroupOfPlainRows; // 0: by the matrix
  pm.addPass(createSambaSetPrecision({precision.str(), group, roundActivations, quantiseRows}));
  pm.addPass(createSambaQuantizeKv({kv.str()}));
}

/// Options of a fusion pass. All fusion passes have these fields.
template <class PassOptions> static PassOptions passOptions(const FusionOptions &options) {
  PassOptions pass;
  pass.force = options.force;
  pass.tokens = options.tokens;
  return pass;
}

void samba::buildFusePipeline(OpPassManager &pm, const FusionOptions &options) {
  if (options.contains("projections"))
    pm.addPass(createSambaFuseProjections(passOptions<SambaFuseProjectionsOptions>(options)));
  OpPassManager &functions = pm.nest<func::FuncOp>();
  functions.addPass(createSambaFormKernels());
  if (options.contains("norm"))
    functions.addPass(createSambaFuseNorm(passOptions<SambaFuseNormOptions>(options)));
  if (options.contains("swiglu"))
    functions.addPass(createSambaFuseSwiglu(passOptions<SambaFuseSwigluOptions>(options)));
  if (options.contains("conv"))
    functions.addPass(createSambaFuseConv(passOptions<SambaFuseConvOptions>(options)));
  if (options.contains("scan"))
    functions.addPass(createSambaFuseScan(passOptions<SambaFuseScanOptions>(options)));
  if (options.contains("rotary"))
    functions.addPass(createSambaFuseRotary(passOptions<SambaFuseRotaryOptions>(options)));
  if (options.contains("attention"))
    functions.addPass(createSambaFuseAttention(passOptions<SambaFuseAttentionOptions>(options)));
  if (options.contains("residual"))
    functions.addPass(createSambaFuseResidual(passOptions<SambaFuseResidualOptions>(options)));
  if (options.contains("head"))
    functions.addPass(createSambaFuseHead(passOptions<SambaFuseHeadOptions>(options)));
  if (options.contains("block"))
    functions.addPass(createSambaFuseBlock(passOptions<SambaFuseBlockOptions>(options)));
}

namespace {

struct FusePipelineOptions : public PassPipelineOptions<FusePipelineOptions> {
  Option<std::string> fusions{*this, "fusions", llvm::cl::desc("default, none, all, or a list of names, +name, -name"),
                              llvm::cl::init("default")};
  Option<bool> force{*this, "force", llvm::cl::desc("fuse whatever may be fused, whether it pays or not"),
                     llvm::cl::init(false)};
  Option<int64_t> tokens{*this, "tokens", llvm::cl::desc("tokens of the step that fusion is to pay for"),
                         llvm::cl::init(1)};
};

} // namespace

void samba::registerSambaPipelines() {
  PassPipelineRegistration<FusePipelineOptions>("samba-fuse", "Forms kernels and makes the fusions that are asked for.",
                                                [](OpPassManager &pm, const FusePipelineOptions &options) {
                                                  llvm::Expected<FusionOptions> fusions =
                                                      FusionOptions::parse(options.fusions);
                                                  if (!fusions)
                                                    llvm::reportFatalUsageError(fusions.takeError());
                                                  fusions->force = options.force;
                                                  fusions->tokens = options.tokens;
                                                  buildFusePipeline(pm, *fusions);
                                                });
}

void samba::buildSchedulePipeline(OpPassManager &pm, int64_t panelWidth) {
  pm.addPass(createSambaPackWeights({panelWidth}));
  pm.addPass(createSambaPlanMemory());
}

//===- Pipelines.h - the target-independent phases ---------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per phase of a compile: import -> optimise -> fuse -> schedule -> lower -> emit. Each adds its passes.
// Lowering pipelines stand with their targets (lowering/cpu/Pipeline.h).
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_PIPELINES_H
#define PASSES_PIPELINES_H

#include "mlir/Pass/PassManager.h"
#include "passes/Fusions.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>

namespace samba {

/// Model-level rewriting. `precision` is the element type of weight matrices, "f32", "bf16", "int8" or "int4";
/// `roundActivations` rounds what is multiplied with them as well, which pays on machines that multiply such pairs, and
/// `quantiseRows` does with quantised matrices what such machines do with integers. `kv` is the type in which keys and
/// values are kept, "f32", "bf16" or "int8".
void buildOptimisePipeline(mlir::OpPassManager &pm, llvm::StringRef precision, bool roundActivations,
                           llvm::StringRef kv = "f32", bool quantiseRows = true);

/// Forms kernels and makes the fusions that are asked for.
void buildFusePipeline(mlir::OpPassManager &pm, const FusionOptions &options = {});

/// Layouts of weights, in panels of `panelWidth` outputs, and places of weights and states.
void buildSchedulePipeline(mlir::OpPassManager &pm, int64_t panelWidth);

/// Registers the pipeline `samba-fuse`, which is buildFusePipeline.
void registerSambaPipelines();

} // namespace samba

#endif // PASSES_PIPELINES_H

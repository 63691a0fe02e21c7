//===- Synthesize.h - writes a checkpoint of random weights -----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_SYNTHESIZE_SYNTHESIZE_H
#define TOOLS_SAMBA_SYNTHESIZE_SYNTHESIZE_H

#include "dialect/WeightSource.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace samba {

struct SynthesizeOptions {
  DType dtype = DType::BF16;
  uint64_t seed = 0;
  int64_t shards = 1;
};

/// Called after each block of data with bytes written and bytes in all. False stops the work.
using Progress = llvm::function_ref<bool(uint64_t done, uint64_t total)>;

/// Writes config.json and the weights of the model that `config` describes into the new directory `directory` (which
/// may exist if it is empty). Everything is written beside it first and renamed when complete; after an error nothing
/// is left. Memory is bounded, whatever the model. `configName` names the configuration in messages.
llvm::Error synthesize(llvm::json::Object config, llvm::StringRef configName, llvm::StringRef directory,
                       const SynthesizeOptions &options, Progress progress);

} // namespace samba

#endif // TOOLS_SAMBA_SYNTHESIZE_SYNTHESIZE_H

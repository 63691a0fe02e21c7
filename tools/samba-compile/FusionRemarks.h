//===- FusionRemarks.h - collects what fusion passes say ---------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_COMPILE_FUSIONREMARKS_H
#define TOOLS_SAMBA_COMPILE_FUSIONREMARKS_H

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>
#include <vector>

namespace samba {

/// One remark of a fusion pass.
struct FusionDecision {
  std::string outcome; // "Passed", "Missed" (does not pay) or "Failure" (may not be)
  std::string pass, function, layer;
  std::vector<std::pair<std::string, std::string>> values; // "Producer", "Consumer", "BytesSaved", "Reason", ...

  /// Empty if there is none.
  llvm::StringRef value(llvm::StringRef key) const;
};

using FusionDecisions = std::vector<FusionDecision>;

/// Collects the remarks of the context's fusion passes from now on. Those of passes whose name does not match the
/// regular expression `filter` are dropped.
std::shared_ptr<FusionDecisions> collectFusionRemarks(mlir::MLIRContext &context, llvm::StringRef filter);

/// One line for each: "mlp: samba-fuse-swiglu: 'a' and 'b' fused: it saves 4096 bytes".
std::string fusionRemarksAsText(llvm::ArrayRef<FusionDecision> decisions);

/// The YAML of LLVM's optimisation remarks.
std::string fusionRemarksAsYaml(llvm::ArrayRef<FusionDecision> decisions);

} // namespace samba

#endif // TOOLS_SAMBA_COMPILE_FUSIONREMARKS_H

//===- ApplySchedule.cpp - applies a transform script ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Transform/IR/TransformDialect.h"
#include "mlir/Dialect/Transform/Transforms/TransformInterpreterUtils.h"
#include "passes/Passes.h"
#include "llvm/Support/FileSystem.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAAPPLYSCHEDULE
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;

namespace {

struct ApplySchedule : public samba::impl::SambaApplyScheduleBase<ApplySchedule> {
  using SambaApplyScheduleBase::SambaApplyScheduleBase;

  // The script is parsed before passes run, because passes may not load dialects.
  LogicalResult initialize(MLIRContext *context) override {
    if (llvm::sys::fs::is_directory(file) || !llvm::sys::fs::exists(file))
      return emitError(UnknownLoc::get(context))
             << "samba-apply-schedule: expected a file, found none at '" << file << "'";
    OwningOpRef<ModuleOp> parsed;
    if (failed(transform::detail::parseTransformModuleFromFile(context, file, parsed)) || !parsed)
      return emitError(UnknownLoc::get(context)) << "samba-apply-schedule: '" << file << "' is not a transform script";
    script = std::make_shared<OwningOpRef<ModuleOp>>(std::move(parsed));
    return success();
  }

  void runOnOperation() override {
    auto sequence = dyn_cast_or_null<transform::TransformOpInterface>((*script)->lookupSymbol(entry));
    if (!sequence) {
      emitError(UnknownLoc::get(&getContext()))
          << "samba-apply-schedule: '" << file << "' has no sequence '@" << entry << "'";
      return signalPassFailure();
    }
    if (failed(transform::applyTransformNamedSequence(getOperation(), sequence, **script,
                                                      transform::TransformOptions().enableExpensiveChecks())))
      signalPassFailure();
  }

private:
  std::shared_ptr<OwningOpRef<ModuleOp>> script; // shared by copies of the pass
};

} // namespace

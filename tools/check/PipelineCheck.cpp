//===- PipelineCheck.cpp - does a pipeline keep the results? --------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/check/PipelineCheck.h"

#include "dialect/Samba.h"

using namespace mlir;
using namespace samba;

/// Relative to the largest value; the same as in the PassChecker, for many passes at once.
static double toleranceOf(ModuleOp planned, bool compiled, bool f64) {
  bool narrow = false;
  planned->walk([&](WeightOp weight) {
    RankedTensorType type = weight.getTensorType();
    narrow |= !type.getElementType().isF32() || isa_and_present<QuantAttr>(type.getEncoding());
  });
  return narrow ? 0.1 : compiled ? 2e-4 : f64 ? 1e-9 : 2e-5;
}

llvm::Expected<PipelineVerdict> samba::checkPipeline(const Execution &execution, llvm::ArrayRef<FunctionRun> reference,
                                                     ModuleOp module, llvm::ArrayRef<PassStep> steps,
                                                     llvm::function_ref<llvm::Error(ModuleOp, const PassStep &)> run) {
  OwningOpRef<ModuleOp> copy = module.clone(), planned = module.clone();
  for (auto [i, step] : llvm::enumerate(steps)) {
    if (llvm::Error error = run(*copy, step))
      return llvm::createStringError("after " + llvm::Twine(i) + " passes: " + toString(std::move(error)));
    if (formOf(*copy) == ModuleForm::Samba)
      planned = copy->clone();
  }
  auto runs = execution.run(*copy, *planned);
  if (!runs)
    return PipelineVerdict{Verdict::NotExecutable,
                           "the module cannot be executed any more: " + toString(runs.takeError())};
  double tolerance = toleranceOf(*planned, formOf(*copy) != ModuleForm::Samba, execution.getOptions().f64);
  std::string where = firstExceeding(reference, *runs, tolerance);
  if (where.empty())
    return PipelineVerdict{Verdict::Same, "the results are the same within the tolerance"};
  return PipelineVerdict{Verdict::Differs, "the results differ, first at '" + where + "'"};
}

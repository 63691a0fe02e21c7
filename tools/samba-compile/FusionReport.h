//===- FusionReport.h - a page about kernels and fusions ---------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_COMPILE_FUSIONREPORT_H
#define TOOLS_SAMBA_COMPILE_FUSIONREPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "tools/samba-compile/FusionRemarks.h"

namespace samba {

/// A self-contained HTML page: predicted costs of a decode step and of a prefill step, with every operation in a kernel
/// of its own (`unfused`) and after fusion (`fused`); the kernels of each function; the decisions and their reasons; a
/// roofline.
std::string fusionReport(mlir::ModuleOp unfused, mlir::ModuleOp fused, llvm::ArrayRef<FusionDecision> decisions);

} // namespace samba

#endif // TOOLS_SAMBA_COMPILE_FUSIONREPORT_H

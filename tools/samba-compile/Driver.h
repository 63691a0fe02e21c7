//===- Driver.h - compiles one model -----------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_COMPILE_DRIVER_H
#define TOOLS_SAMBA_COMPILE_DRIVER_H

#include "tools/samba-compile/Options.h"
#include "tools/samba-compile/Report.h"

namespace samba {

/// Does what the options ask for. The output appears only if everything went well. An error is one line.
llvm::Error compile(const CompileOptions &options, Report &report);

} // namespace samba

#endif // TOOLS_SAMBA_COMPILE_DRIVER_H

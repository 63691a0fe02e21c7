//===- DiagnosticCapture.h - MLIR diagnostics as one-line errors -*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_EMIT_DIAGNOSTICCAPTURE_H
#define LOWERING_EMIT_DIAGNOSTICCAPTURE_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/Error.h"
#include <string>

namespace samba {

/// "layers.3.mixer" for a location that carries a model's name, "file:line:column" for one that does not, "" for an
/// unknown one.
std::string describeLocation(mlir::Location location);

/// Swallows the context's diagnostics while it lives and remembers the first error, so that users see one line that
/// names the layer, and never a printed module.
class DiagnosticCapture {
public:
  explicit DiagnosticCapture(mlir::MLIRContext *context);

  /// The first error as "layers.3.mixer: message", or `fallback` if none was emitted.
  llvm::Error takeError(llvm::StringRef fallback);

private:
  std::string first;
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace samba

#endif // LOWERING_EMIT_DIAGNOSTICCAPTURE_H

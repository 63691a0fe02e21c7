//===- DiagnosticCapture.cpp - MLIR diagnostics as one-line errors --------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/emit/DiagnosticCapture.h"

#include "mlir/IR/Location.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace samba;

std::string samba::describeLocation(Location location) {
  return llvm::TypeSwitch<LocationAttr, std::string>(location)
      .Case([](NameLoc name) { return name.getName().str(); })
      .Case([](FileLineColLoc file) {
        return llvm::formatv("{0}:{1}:{2}", file.getFilename().getValue(), file.getLine(), file.getColumn()).str();
      })
      .Case([](CallSiteLoc call) {
        std::string callee = describeLocation(call.getCallee());
        return callee.empty() ? describeLocation(call.getCaller()) : callee;
      })
      .Case([](FusedLoc fused) {
        for (Location part : fused.getLocations())
          if (std::string text = describeLocation(part); !text.empty())
            return text;
        return std::string();
      })
      .Default([](LocationAttr) { return std::string(); });
}

DiagnosticCapture::DiagnosticCapture(MLIRContext *context)
    : handler(context, [this](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() != DiagnosticSeverity::Error || !first.empty())
          return;
        // A verifier may append the operation; only the first line is for users.
        std::string message = diagnostic.str();
        llvm::StringRef line = llvm::StringRef(message).take_until([](char c) { return c == '\n'; });
        std::string where = describeLocation(diagnostic.getLocation());
        first = where.empty() ? line.str() : where + ": " + line.str();
      }) {}

llvm::Error DiagnosticCapture::takeError(llvm::StringRef fallback) {
  return llvm::createStringError(first.empty() ? fallback : llvm::StringRef(first));
}

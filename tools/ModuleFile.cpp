//===- ModuleFile.cpp - reading a module from a file ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/ModuleFile.h"

#include "lowering/emit/DiagnosticCapture.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;
using namespace samba;

llvm::Expected<OwningOpRef<ModuleOp>> samba::readModuleFile(MLIRContext &context, llvm::StringRef path) {
  DiagnosticCapture diagnostics(&context);
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return llvm::createStringError("cannot read '" + path + "': " + buffer.getError().message());
  auto module = parseSourceString<ModuleOp>((*buffer)->getBuffer(), ParserConfig(&context), path);
  if (!module)
    return diagnostics.takeError(("'" + path + "' is not a module").str());
  return std::move(module);
}

//===- Inspect.h - what a checkpoint or a compiled model is -----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_INSPECT_INSPECT_H
#define TOOLS_SAMBA_INSPECT_INSPECT_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"
#include <string>

namespace samba::inspect {

struct Options {
  std::string weightsFile, config; // as for samba-compile
  std::string cpu = "native";
  double bandwidth = 20; // GB/s that the machine reads from memory
  int64_t context = 0;   // of full attention; 0: what the model says
  bool tensors = false;  // list them
};

/// The report as JSON. Keys "path" and "kind" ("checkpoint" or "artefact"); the others are described where they are
/// made. An error is why the model would be refused.
llvm::Expected<llvm::json::Object> inspectCheckpoint(llvm::StringRef path, const Options &options);
llvm::Expected<llvm::json::Object> inspectArtefact(llvm::StringRef path, const Options &options);

/// Does the file end like a compiled model?
bool isArtefact(llvm::StringRef path);

/// The report as text.
void print(const llvm::json::Object &report, llvm::raw_ostream &os);
/// The families of models that can be read, as a table in Markdown.
void printFamilies(llvm::raw_ostream &os);

} // namespace samba::inspect

#endif // TOOLS_SAMBA_INSPECT_INSPECT_H

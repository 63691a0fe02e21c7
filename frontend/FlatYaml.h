//===- FlatYaml.h - the scalars at the top of a YAML file -------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_FLATYAML_H
#define FRONTEND_FLATYAML_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace samba {

/// Reads the lines `key: scalar` of a file as a JSON object. That is all of YAML that configurations of lit-gpt use: a
/// nested mapping or list of theirs (indented lines) becomes null. Messages start with the file and give the line.
llvm::Expected<llvm::json::Object> readFlatYaml(llvm::StringRef path);
llvm::Expected<llvm::json::Object> parseFlatYaml(llvm::StringRef text, llvm::StringRef file);

} // namespace samba

#endif // FRONTEND_FLATYAML_H

//===- Json.h - a strict JSON reader ----------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM's parser keeps one of two equal keys and recurses as deep as its input says. Files of untrusted origin need
// neither, so this reader builds LLVM's values itself.
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_JSON_H
#define FRONTEND_JSON_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <string>

namespace samba {

/// Longest JSON text that is read, in bytes: enough for the header of 100 000 tensors.
constexpr uint64_t kMaxJsonBytes = 16 << 20;

/// Parses JSON (RFC 8259). Fails on duplicate keys, on nesting deeper than 64 and on numbers that no double holds;
/// messages start with `file` and give line and column.
llvm::Expected<llvm::json::Value> parseJson(llvm::StringRef text, llvm::StringRef file);

/// Reads a file whose text is one JSON object.
llvm::Expected<llvm::json::Object> readJsonObject(llvm::StringRef path);

/// A value for a message: its JSON on one line, shortened; "nothing" for a null pointer.
std::string describe(const llvm::json::Value *value);

} // namespace samba

#endif // FRONTEND_JSON_H

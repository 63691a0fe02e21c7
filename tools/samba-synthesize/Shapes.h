//===- Shapes.h - the published sizes of samba models -----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_SYNTHESIZE_SHAPES_H
#define TOOLS_SAMBA_SYNTHESIZE_SHAPES_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <string>

namespace samba {

/// The config.json of a published shape by its name ("Samba_421M"), or the contents of the file `shape`.
llvm::Expected<llvm::json::Object> configOfShape(llvm::StringRef shape);

/// A line for each published shape.
std::string listShapes();

/// The same model with all windows replaced by full attention.
llvm::Expected<llvm::json::Object> withFullAttention(llvm::json::Object config, llvm::StringRef path);

} // namespace samba

#endif // TOOLS_SAMBA_SYNTHESIZE_SHAPES_H

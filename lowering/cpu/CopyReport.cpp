//===- CopyReport.cpp - what a step moves without computing ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/CopyReport.h"

#include "samba/abi.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace samba;

// Lowering has refused functions on the way to themselves.
static void expand(DictionaryAttr table, StringRef function, std::vector<CopyLoop> &copies) {
  auto entries = table.getAs<ArrayAttr>(function);
  if (!entries)
    return;
  for (auto entry : entries.getAsRange<DictionaryAttr>()) {
    if (auto callee = entry.getAs<StringAttr>("call")) {
      expand(table, callee.getValue(), copies);
      continue;
    }
    auto bytes = entry.getAs<IntegerAttr>("copied_bytes");
    if (!bytes)
      continue;
    CopyLoop copy{entry.getAs<StringAttr>("name").str(), entry.getAs<StringAttr>("copied").str(),
                  entry.getAs<StringAttr>("op") == "gather_rows", bytes.getInt(), 1};
    auto known = llvm::find_if(copies, [&](const CopyLoop &other) {
      return other.kernel == copy.kernel && other.why == copy.why && other.bytes == copy.bytes;
    });
    if (known == copies.end())
      copies.push_back(std::move(copy));
    else
      ++known->count;
  }
}

std::vector<CopyLoop> samba::copiesOf(ModuleOp lowered) {
  std::vector<CopyLoop> copies;
  if (auto table = lowered->getAttrOfType<DictionaryAttr>("samba.loops"))
    expand(table, SAMBA_ENTRY_SYMBOL, copies);
  return copies;
}

std::string samba::copyReport(ModuleOp lowered) {
  std::string text =
      llvm::formatv("{0,5} {1,10}  {2,-13} {3,-28} {4}\n", "count", "bytes", "for each", "kernel", "why");
  int64_t perToken = 0, perRow = 0;
  for (const CopyLoop &copy : copiesOf(lowered)) {
    text += llvm::formatv("{0,5} {1,10}  {2,-13} {3,-28} {4}\n", copy.count, copy.bytes,
                          copy.perRow ? "row of logits" : "token", copy.kernel, copy.why);
    (copy.perRow ? perRow : perToken) += copy.count * copy.bytes;
  }
  text += llvm::formatv("copied in all: {0} bytes for each token, {1} for each row of logits\n", perToken, perRow);
  return text;
}

//===- Error.cpp - errors about what was read from disk -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

llvm::Error samba::makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

std::string samba::quoted(llvm::StringRef name) {
  constexpr size_t kLongest = 160;
  bool utf8 = llvm::json::isUTF8(name);
  std::string text = "'";
  llvm::raw_string_ostream os(text);
  for (unsigned char c : name.take_front(kLongest)) {
    if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8))
      os << "\\x" << llvm::hexdigit(c >> 4) << llvm::hexdigit(c & 15);
    else
      os << c;
  }
  os << (name.size() > kLongest ? "...'" : "'");
  return text;
}

std::string samba::shapeText(llvm::ArrayRef<int64_t> shape) {
  std::string text = "[";
  llvm::raw_string_ostream os(text);
  llvm::interleaveComma(shape, os);
  os << "]";
  return text;
}

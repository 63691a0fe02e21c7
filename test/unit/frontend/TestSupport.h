//===- TestSupport.h - what the tests of the frontend share -----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_FRONTEND_TESTSUPPORT_H
#define TEST_UNIT_FRONTEND_TESTSUPPORT_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"
#include <string>

namespace samba::test {

/// A file of the source tree.
inline std::string source(llvm::StringRef path) { return (SAMBA_SOURCE_DIR "/" + path).str(); }

/// The error's text, "" for success.
inline std::string errorOf(llvm::Error error) { return llvm::toString(std::move(error)); }
template <typename T> std::string errorOf(llvm::Expected<T> result) { return llvm::toString(result.takeError()); }

/// The value of a result that must be one.
template <typename T> T valueOf(llvm::Expected<T> result) {
  if (!result) {
    ADD_FAILURE() << llvm::toString(result.takeError());
    std::abort();
  }
  return std::move(*result);
}

/// A test with a temporary directory of its own.
class TempDirTest : public testing::Test {
protected:
  void SetUp() override {
    llvm::SmallString<128> path;
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("samba-frontend-test", path));
    dir = path.str().str();
  }
  void TearDown() override { llvm::sys::fs::remove_directories(dir); }

  std::string path(llvm::StringRef name) const { return (dir + "/" + name).str(); }
  std::string write(llvm::StringRef name, llvm::StringRef contents) const {
    std::error_code code;
    llvm::raw_fd_ostream os(path(name), code);
    EXPECT_FALSE(code) << code.message();
    os << contents;
    return path(name);
  }
  /// A safetensors file of this header and `dataSize` bytes.
  std::string writeTensors(llvm::StringRef name, llvm::StringRef header, size_t dataSize) const {
    char length[8];
    llvm::support::endian::write64le(length, header.size());
    return write(name, std::string(length, 8) + header.str() + std::string(dataSize, '\0'));
  }

  std::string dir;
};

} // namespace samba::test

#endif // TEST_UNIT_FRONTEND_TESTSUPPORT_H

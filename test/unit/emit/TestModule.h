//===- TestModule.h - what the tests of emission share ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_EMIT_TESTMODULE_H
#define TEST_UNIT_EMIT_TESTMODULE_H

#include "dialect/WeightSource.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/SmallString.h"
#include <atomic>
#include <map>
#include <string>
#include <vector>

namespace samba::test {

/// A context with the dialects that the tests use.
struct TestContext {
  TestContext();
  /// Fails the test and gives an empty module if the text is not one.
  mlir::OwningOpRef<mlir::ModuleOp> parse(llvm::StringRef text);

  mlir::MLIRContext context;
};

/// Weights in memory.
class MemorySource : public WeightSource {
public:
  struct Tensor {
    DType dtype;
    llvm::SmallVector<int64_t, 4> shape;
    std::vector<uint8_t> bytes;
  };

  /// Values of all magnitudes and both signs, infinities and NaN among them, the same for every seed.
  void addRandom(llvm::StringRef name, DType dtype, llvm::ArrayRef<int64_t> shape, unsigned seed);
  void addFloats(llvm::StringRef name, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<float> values);
  const Tensor &tensor(llvm::StringRef name) const { return tensors.at(name.str()); }

  llvm::Expected<TensorView> lookup(llvm::StringRef name) const override;
  void release(llvm::ArrayRef<uint8_t> bytes) const override { released += bytes.size(); }

  mutable std::atomic<uint64_t> released{0}; // bytes

private:
  std::map<std::string, Tensor> tensors;
};

/// An empty folder that is removed with all its files.
class TemporaryFolder {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  std::string file(llvm::StringRef name) const;
  /// Names of all files, sorted.
  std::vector<std::string> list() const;
  void write(llvm::StringRef name, llvm::StringRef bytes) const;
  std::string read(llvm::StringRef name) const;

private:
  llvm::SmallString<128> path;
};

} // namespace samba::test

#endif // TEST_UNIT_EMIT_TESTMODULE_H

//===- TestModule.cpp - what the tests of emission share ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestModule.h"

#include "dialect/Samba.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <csignal>
#include <cstring>
#include <gtest/gtest.h>
#include <random>

using namespace samba;
using namespace samba::test;
namespace fs = llvm::sys::fs;

// A shell ignores some signals for what it runs in the background. Tests send them, to themselves and to programs.
[[maybe_unused]] static const bool heedsSignals = [] {
  for (int signal : {SIGHUP, SIGINT})
    std::signal(signal, SIG_DFL);
  return true;
}();

TestContext::TestContext() {
  context.loadDialect<SambaDialect, mlir::arith::ArithDialect, mlir::func::FuncDialect, mlir::LLVM::LLVMDialect,
                      mlir::tensor::TensorDialect>();
}

mlir::OwningOpRef<mlir::ModuleOp> TestContext::parse(llvm::StringRef text) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, mlir::ParserConfig(&context));
  EXPECT_TRUE(module);
  return module ? std::move(module) : mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
}

void MemorySource::addRandom(llvm::StringRef name, DType dtype, llvm::ArrayRef<int64_t> shape, unsigned seed) {
  Tensor tensor{dtype, {shape.begin(), shape.end()}, {}};
  int64_t elements = 1;
  for (int64_t size : shape)
    elements *= size;
  tensor.bytes.resize(elements * dtypeSize(dtype));
  std::mt19937 random(seed); // any bits are a number
  for (uint8_t &byte : tensor.bytes)
    byte = uint8_t(random());
  tensors[name.str()] = std::move(tensor);
}

void MemorySource::addFloats(llvm::StringRef name, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<float> values) {
  Tensor tensor{DType::F32, {shape.begin(), shape.end()}, std::vector<uint8_t>(values.size() * 4)};
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  tensors[name.str()] = std::move(tensor);
}

llvm::Expected<TensorView> MemorySource::lookup(llvm::StringRef name) const {
  auto found = tensors.find(name.str());
  if (found == tensors.end())
    return llvm::createStringError("tensor '" + name + "' is missing");
  return TensorView{found->second.dtype, found->second.shape, found->second.bytes};
}

TemporaryFolder::TemporaryFolder() { EXPECT_FALSE(fs::createUniqueDirectory("samba-emit-tests", path)); }

TemporaryFolder::~TemporaryFolder() { fs::remove_directories(path); }

std::string TemporaryFolder::file(llvm::StringRef name) const {
  llvm::SmallString<128> result(path);
  llvm::sys::path::append(result, name);
  return std::string(result);
}

std::vector<std::string> TemporaryFolder::list() const {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; entry != end && !error; entry.increment(error))
    names.push_back(llvm::sys::path::filename(entry->path()).str());
  std::sort(names.begin(), names.end());
  return names;
}

void TemporaryFolder::write(llvm::StringRef name, llvm::StringRef bytes) const {
  std::error_code error;
  llvm::raw_fd_ostream stream(file(name), error);
  ASSERT_FALSE(error);
  stream << bytes;
}

std::string TemporaryFolder::read(llvm::StringRef name) const {
  auto buffer = llvm::MemoryBuffer::getFile(file(name), /*IsText=*/false, /*RequiresNullTerminator=*/false);
  EXPECT_TRUE(bool(buffer)) << name.str();
  return buffer ? (*buffer)->getBuffer().str() : std::string();
}

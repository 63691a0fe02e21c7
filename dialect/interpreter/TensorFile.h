//===- TensorFile.h - small safetensors files for tests and tools ----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Inputs, outputs and weights of interpreted functions. Everything read is checked; a broken file is an error that
// names it and the tensor.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECT_INTERPRETER_TENSORFILE_H
#define DIALECT_INTERPRETER_TENSORFILE_H

#include "dialect/WeightSource.h"
#include "dialect/interpreter/Tensor.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include <map>
#include <memory>

namespace samba::reference {

/// A file opened for reading. As a WeightSource it offers its F32, BF16 and F16 tensors.
class TensorFile : public WeightSource {
public:
  static llvm::Expected<TensorFile> open(llvm::StringRef path);

  /// Names of all tensors, sorted.
  std::vector<llvm::StringRef> names() const;
  bool contains(llvm::StringRef name) const { return tensors.count(name.str()); }
  /// The strings of `__metadata__`.
  const std::map<std::string, std::string> &metadata() const { return strings; }

  /// A tensor of F32, F64, BF16 or F16, as `F`.
  template <class F> llvm::Expected<Tensor<F>> floats(llvm::StringRef name) const;
  /// A tensor of I32 or I64.
  llvm::Expected<IntTensor> integers(llvm::StringRef name) const;

  llvm::Expected<TensorView> lookup(llvm::StringRef name) const override;

private:
  struct Entry {
    std::string dtype;
    Shape shape;
    llvm::ArrayRef<uint8_t> bytes;
  };

  llvm::Error parse();
  llvm::Error parseTensor(llvm::StringRef name, const llvm::json::Value &value, llvm::ArrayRef<uint8_t> data);
  llvm::Expected<const Entry *> find(llvm::StringRef name) const;

  std::string path;
  std::unique_ptr<llvm::MemoryBuffer> buffer;
  std::map<std::string, Entry> tensors;
  std::map<std::string, std::string> strings;
};

/// Collects tensors and writes them in the order in which they came.
class TensorFileWriter {
public:
  void add(llvm::StringRef name, const Tensor<float> &tensor) { add(name, "F32", tensor.shape, bytesOf(tensor.data)); }
  void add(llvm::StringRef name, const Tensor<double> &tensor) { add(name, "F64", tensor.shape, bytesOf(tensor.data)); }
  void add(llvm::StringRef name, const IntTensor &tensor) { add(name, "I64", tensor.shape, bytesOf(tensor.data)); }
  void addI32(llvm::StringRef name, const IntTensor &tensor) {
    add(name, "I32", tensor.shape, bytesOf(std::vector<int32_t>(tensor.data.begin(), tensor.data.end())));
  }

  /// Replaces the file at `path`.
  llvm::Error write(llvm::StringRef path) const;

private:
  template <class T> static llvm::StringRef bytesOf(const std::vector<T> &data) {
    return llvm::StringRef(reinterpret_cast<const char *>(data.data()), data.size() * sizeof(T));
  }
  void add(llvm::StringRef name, llvm::StringRef dtype, llvm::ArrayRef<int64_t> shape, llvm::StringRef bytes);

  llvm::json::Object header;
  std::string data;
};

} // namespace samba::reference

#endif // DIALECT_INTERPRETER_TENSORFILE_H

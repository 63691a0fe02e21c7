//===- SafeTensors.h - one safetensors file ---------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Format: the header's length (u64, little-endian), the header (JSON: tensor name -> dtype, shape, data_offsets), then
// the data, which the tensors cover without gaps or overlaps.
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_SAFETENSORS_H
#define FRONTEND_SAFETENSORS_H

#include "dialect/WeightSource.h"
#include "frontend/MappedFile.h"
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace samba {

struct TensorInfo {
  std::string name;
  llvm::StringRef dtypeName;  // as in the file; any dtype of the format
  std::optional<DType> dtype; // set if weights may have it
  llvm::SmallVector<int64_t, 4> shape;
  uint64_t begin = 0, end = 0; // bytes, from the start of the data
};

/// A mapped file whose header has been checked in full. Immutable, so safe to use from several threads.
class SafeTensors {
public:
  /// Errors are of the form "FILE: tensor 'NAME': expected ..., found ...".
  static llvm::Expected<std::unique_ptr<SafeTensors>> open(llvm::StringRef path);

  const MappedFile &file() const { return mapping; }
  /// Sorted by name.
  llvm::ArrayRef<TensorInfo> tensors() const { return infos; }
  const std::map<std::string, std::string> &metadata() const { return meta; }

  /// Null if there is none of that name.
  const TensorInfo *find(llvm::StringRef name) const;
  llvm::ArrayRef<uint8_t> bytes(const TensorInfo &tensor) const;
  /// Fails if the tensor's dtype is none that weights may have.
  llvm::Expected<TensorView> view(const TensorInfo &tensor) const;

private:
  explicit SafeTensors(MappedFile file) : mapping(std::move(file)) {}
  llvm::Error readHeader();
  llvm::Error checkLayout() const;

  MappedFile mapping;
  llvm::ArrayRef<uint8_t> data;
  std::vector<TensorInfo> infos;
  std::map<std::string, std::string> meta;
};

} // namespace samba

#endif // FRONTEND_SAFETENSORS_H

//===- WeightFile.h - one file of weights -----------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_WEIGHTFILE_H
#define FRONTEND_WEIGHTFILE_H

#include "dialect/WeightSource.h"
#include "frontend/MappedFile.h"
#include <memory>
#include <optional>
#include <vector>

namespace samba {

struct TensorInfo {
  std::string name;
  llvm::StringRef dtypeName;  // as safetensors spells it; any element type
  std::optional<DType> dtype; // set if weights may have it
  llvm::SmallVector<int64_t, 4> shape;
  uint64_t begin = 0, end = 0; // bytes, from the start of the data
};

/// A mapped file of tensors whose description has been checked in full: of safetensors (SafeTensors.h) or of PyTorch
/// (TorchFile.h). Immutable, so safe to use from several threads.
class WeightFile {
public:
  virtual ~WeightFile() = default;
  /// A file of either kind, told apart by its first bytes.
  static llvm::Expected<std::unique_ptr<WeightFile>> open(llvm::StringRef path);

  const MappedFile &file() const { return mapping; }
  /// Sorted by name.
  llvm::ArrayRef<TensorInfo> tensors() const { return infos; }

  /// Null if there is none of that name.
  const TensorInfo *find(llvm::StringRef name) const;
  llvm::ArrayRef<uint8_t> bytes(const TensorInfo &tensor) const;
  /// Fails if the tensor's dtype is none that weights may have.
  llvm::Expected<TensorView> view(const TensorInfo &tensor) const;
  /// Of the model, if the file says so; else empty.
  const std::string &modelName() const { return model; }

protected:
  explicit WeightFile(MappedFile file) : mapping(std::move(file)) {}

  MappedFile mapping;
  llvm::ArrayRef<uint8_t> data; // of which a tensor's bytes are counted
  std::vector<TensorInfo> infos;
  std::string model;
};

} // namespace samba

#endif // FRONTEND_WEIGHTFILE_H

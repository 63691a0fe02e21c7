//===- Checkpoint.h - the weights of a model directory ----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_CHECKPOINT_H
#define FRONTEND_CHECKPOINT_H

#include "dialect/WeightSource.h"
#include "frontend/WeightFile.h"
#include "llvm/ADT/StringMap.h"
#include <memory>
#include <string>
#include <vector>

namespace samba {

/// The files of a model's weights as one source: safetensors or files of torch.save, one or several shards. Immutable,
/// so safe to use from several threads.
class Checkpoint : public WeightSource {
public:
  struct Tensor {
    const WeightFile *file;
    const TensorInfo *info;
  };

  /// `path` is a file of weights, an index of shards (if it ends with ".json"), or a directory. There the weights are
  /// `weightsFile`, if it is given, or the first there is of `model.safetensors`, `model.safetensors.index.json`,
  /// `pytorch_model.bin`, `pytorch_model.bin.index.json`, or the only other file with weights (.safetensors, .pth, .pt,
  /// .bin, .ckpt). Fails if a file is missing or invalid, if a tensor of the index is not in its shard or the other way
  /// round, and if the index names a shard outside the directory.
  static llvm::Expected<std::unique_ptr<Checkpoint>> open(llvm::StringRef path, llvm::StringRef weightsFile = "");

  /// The directory, also if a file of it was opened.
  const std::string &directory() const { return path; }
  /// Sorted by path. Paths and sizes (file().path(), file().bytes().size()) are for the manifest.
  llvm::ArrayRef<std::unique_ptr<WeightFile>> files() const { return shards; }
  /// Sorted.
  llvm::ArrayRef<std::string> tensorNames() const { return names; }
  const Tensor *find(llvm::StringRef name) const;

  /// Are they of the same type and shape, and of the same bytes? Releases what it reads.
  bool isSame(const Tensor &left, const Tensor &right) const;

  llvm::Expected<TensorView> lookup(llvm::StringRef name) const override;
  void release(llvm::ArrayRef<uint8_t> bytes) const override;

private:
  explicit Checkpoint(llvm::StringRef directory) : path(directory) {}
  llvm::Error readIndex(llvm::StringRef indexPath);
  llvm::Error addShard(llvm::StringRef shardPath);
  void listTensors();

  std::string path;
  std::vector<std::unique_ptr<WeightFile>> shards;
  llvm::StringMap<Tensor> tensors;
  std::vector<std::string> names;
};

} // namespace samba

#endif // FRONTEND_CHECKPOINT_H

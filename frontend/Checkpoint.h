//===- Checkpoint.h - the weights of a model directory ----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_CHECKPOINT_H
#define FRONTEND_CHECKPOINT_H

#include "dialect/WeightSource.h"
#include "frontend/SafeTensors.h"
#include "llvm/ADT/StringMap.h"
#include <memory>
#include <string>
#include <vector>

namespace samba {

/// All safetensors files of a directory as one source of weights: `model.safetensors`, or the shards that
/// `model.safetensors.index.json` names. Immutable, so safe to use from several threads.
class Checkpoint : public WeightSource {
public:
  struct Tensor {
    const SafeTensors *file;
    const TensorInfo *info;
  };

  /// `weightsFile` names another file of the directory to read, safetensors or (if it ends with ".json") an index.
  /// Fails if a file is missing or invalid, if a tensor of the index is not in its shard or the other way round, and
  /// if the index names a shard outside the directory.
  static llvm::Expected<std::unique_ptr<Checkpoint>> open(llvm::StringRef directory, llvm::StringRef weightsFile = "");

  const std::string &directory() const { return path; }
  /// Sorted by path. Paths and sizes (file().path(), file().bytes().size()) are for the manifest.
  llvm::ArrayRef<std::unique_ptr<SafeTensors>> files() const { return shards; }
  /// Sorted.
  llvm::ArrayRef<std::string> tensorNames() const { return names; }
  const Tensor *find(llvm::StringRef name) const;

  llvm::Expected<TensorView> lookup(llvm::StringRef name) const override;
  void release(llvm::ArrayRef<uint8_t> bytes) const override;

private:
  explicit Checkpoint(llvm::StringRef directory) : path(directory) {}
  llvm::Error readIndex(llvm::StringRef indexPath);
  llvm::Error addShard(llvm::StringRef shardPath);
  void listTensors();

  std::string path;
  std::vector<std::unique_ptr<SafeTensors>> shards;
  llvm::StringMap<Tensor> tensors;
  std::vector<std::string> names;
};

} // namespace samba

#endif // FRONTEND_CHECKPOINT_H

//===- Safetensors.h - writing safetensors files ---------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_SAFETENSORS_H
#define TOOLS_SAMBA_RUN_SAFETENSORS_H

#include "runtime/OutputFile.h"

#include <cstdint>
#include <string>
#include <vector>

namespace samba::run {

struct TensorInfo {
  std::string name;
  std::string dtype; // as safetensors spells it: "F32", "BF16", "F16"
  std::vector<int64_t> shape;
};

/// Writes a safetensors file whose tensors are known beforehand and whose values come in any order, without holding
/// them in memory. The file appears under its name, whole, by commit(); without it nothing is left behind.
class SafetensorsWriter {
public:
  /// Throws std::runtime_error, as do the others.
  SafetensorsWriter(const std::string &path, const std::vector<TensorInfo> &tensors);

  /// Writes part of a tensor, `offset` bytes from its start.
  void write(size_t tensor, uint64_t offset, const void *data, uint64_t bytes);
  void commit() { file.commit(); }

private:
  std::string path;
  runtime::OutputFile file;
  struct Extent {
    uint64_t begin, bytes;
  };
  std::vector<Extent> extents; // of the tensors in the file
};

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_SAFETENSORS_H

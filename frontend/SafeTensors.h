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

#include "frontend/WeightFile.h"
#include <map>

namespace samba {

/// A mapped file whose header has been checked in full. Immutable, so safe to use from several threads.
class SafeTensors : public WeightFile {
public:
  /// Errors are of the form "FILE: tensor 'NAME': expected ..., found ...".
  static llvm::Expected<std::unique_ptr<SafeTensors>> open(llvm::StringRef path);
  static llvm::Expected<std::unique_ptr<SafeTensors>> read(MappedFile file);

  const std::map<std::string, std::string> &metadata() const { return meta; }

private:
  using WeightFile::WeightFile;
  llvm::Error readHeader();
  llvm::Error checkLayout() const;

  std::map<std::string, std::string> meta;
};

} // namespace samba

#endif // FRONTEND_SAFETENSORS_H

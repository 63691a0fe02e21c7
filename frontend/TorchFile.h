//===- TorchFile.h - one file of torch.save ---------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Format: a ZIP file with `NAME/data.pkl`, a pickle of the saved object, and for each storage that it names an entry
// `NAME/data/KEY` with the elements as they are in memory. Tensors are views of storages.
//
// Only tensors of the state dict are of interest: the saved object itself, or what it has under 'model' or
// 'state_dict'. Other storages, such as an optimizer's, are not touched.
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_TORCHFILE_H
#define FRONTEND_TORCHFILE_H

#include "frontend/WeightFile.h"

namespace samba {

class TorchFile : public WeightFile {
public:
  /// Of the format above, or of the one before PyTorch 1.6, which is refused.
  static bool isTorchFile(const MappedFile &file);

  /// Errors are of the form "FILE: tensor 'NAME': expected ..., found ...".
  static llvm::Expected<std::unique_ptr<TorchFile>> read(MappedFile file);

private:
  using WeightFile::WeightFile;
  llvm::Error readContents();
};

} // namespace samba

#endif // FRONTEND_TORCHFILE_H

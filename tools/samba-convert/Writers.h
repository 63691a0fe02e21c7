//===- Writers.h - files of tensors -----------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_CONVERT_WRITERS_H
#define TOOLS_SAMBA_CONVERT_WRITERS_H

#include "tools/samba-convert/Conversion.h"
#include <functional>

namespace samba::convert {

/// Is told how many bytes are written; false interrupts.
using Progress = std::function<bool(uint64_t bytes)>;

/// The checkpoint's pages are released as they are written.
llvm::Error writeSafeTensors(llvm::StringRef path, llvm::ArrayRef<OutputTensor> tensors, const Checkpoint &checkpoint,
                             const Progress &progress);

/// As torch.save writes {'model': OrderedDict(tensors)}. Tensors of the same bytes share a storage.
llvm::Error writeTorchFile(llvm::StringRef path, llvm::ArrayRef<OutputTensor> tensors, const Checkpoint &checkpoint,
                           const Progress &progress);

} // namespace samba::convert

#endif // TOOLS_SAMBA_CONVERT_WRITERS_H

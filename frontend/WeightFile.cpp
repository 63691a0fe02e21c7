//===- WeightFile.cpp - one file of weights -------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/WeightFile.h"

#include "frontend/Error.h"
#include "frontend/SafeTensors.h"
#include "frontend/TorchFile.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace samba;

Expected<std::unique_ptr<WeightFile>> WeightFile::open(StringRef path) {
  Expected<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.takeError();
  if (TorchFile::isTorchFile(*file))
    return TorchFile::read(std::move(*file));
  return SafeTensors::read(std::move(*file));
}

const TensorInfo *WeightFile::find(StringRef name) const {
  auto it = llvm::lower_bound(infos, name, [](const TensorInfo &tensor, StringRef name) { return tensor.name < name; });
  return it != infos.end() && it->name == name ? &*it : nullptr;
}

ArrayRef<uint8_t> WeightFile::bytes(const TensorInfo &tensor) const {
  return data.slice(tensor.begin, tensor.end - tensor.begin);
}

Expected<TensorView> WeightFile::view(const TensorInfo &tensor) const {
  if (!tensor.dtype)
    return makeError(mapping.path() + ": tensor " + quoted(tensor.name) + ": expected F32, BF16 or F16, found " +
                     tensor.dtypeName);
  return TensorView{*tensor.dtype, tensor.shape, bytes(tensor)};
}

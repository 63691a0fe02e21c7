//===- SafeTensorsWriter.cpp - a file of safetensors ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Error.h"
#include "tools/samba-convert/Stream.h"
#include "tools/samba-convert/Writers.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;
using namespace samba;
using namespace samba::convert;

/// Padded to a multiple of 8 bytes, so that tensors are aligned.
static std::string headerOf(ArrayRef<OutputTensor> tensors) {
  std::string header;
  raw_string_ostream text(header);
  json::OStream out(text);
  int64_t offset = 0;
  out.objectBegin();
  out.attributeObject("__metadata__", [&] { out.attribute("format", "pt"); });
  for (const OutputTensor &tensor : tensors) {
    int64_t begin = offset;
    offset += int64_t(tensor.size());
    out.attribute(tensor.name, json::Object{{"dtype", tensor.dtypeName},
                                            {"shape", json::Array(tensor.shape)},
                                            {"data_offsets", json::Array{begin, offset}}});
  }
  out.objectEnd();
  header.resize(alignTo(header.size(), 8), ' ');
  return header;
}

Error samba::convert::writeSafeTensors(StringRef path, ArrayRef<OutputTensor> tensors, const Checkpoint &checkpoint,
                                       const Progress &progress) {
  Stream out(path, checkpoint, progress);
  std::string header = headerOf(tensors);
  char length[8];
  support::endian::write64le(length, header.size());
  out.write(StringRef(length, 8));
  out.write(header);
  for (const OutputTensor &tensor : tensors)
    out.write(tensor);
  return out.close();
}

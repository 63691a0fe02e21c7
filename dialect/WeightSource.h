//===- WeightSource.h - where the values of weights come from ----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Weights are not in the IR. Whoever needs their values (the packer, the interpreter) asks a WeightSource for the
// tensor that a `samba.weight` names as its source.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECT_WEIGHTSOURCE_H
#define DIALECT_WEIGHTSOURCE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>

namespace samba {

enum class DType { F32, BF16, F16 };

/// "F32", "BF16" or "F16", as safetensors spells them.
llvm::StringRef dtypeName(DType dtype);
/// Bytes of one element.
int64_t dtypeSize(DType dtype);
/// The value of one element, widened exactly.
float loadElement(const uint8_t *data, DType dtype, int64_t index);

/// One tensor of a checkpoint: dense, row-major, little-endian, at any alignment.
struct TensorView {
  DType dtype = DType::F32;
  llvm::SmallVector<int64_t, 4> shape;
  llvm::ArrayRef<uint8_t> bytes; // exactly the elements; valid as long as the source

  int64_t numElements() const {
    int64_t elements = 1;
    for (int64_t size : shape)
      elements *= size;
    return elements;
  }
};

class WeightSource {
public:
  virtual ~WeightSource() = default;
  /// The tensor of that name, or an error that names it. Safe to call from several threads.
  virtual llvm::Expected<TensorView> lookup(llvm::StringRef name) const = 0;
  /// A hint: these bytes of a view will not be read again soon, so their pages may be dropped.
  virtual void release(llvm::ArrayRef<uint8_t> bytes) const {}
};

} // namespace samba

#endif // DIALECT_WEIGHTSOURCE_H

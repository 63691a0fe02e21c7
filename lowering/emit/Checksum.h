//===- Checksum.h - XXH3-64 --------------------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_EMIT_CHECKSUM_H
#define LOWERING_EMIT_CHECKSUM_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <memory>

namespace samba {

/// XXH3-64 with seed 0 of a stream of bytes.
class Checksum {
public:
  Checksum();
  ~Checksum();
  void update(llvm::ArrayRef<uint8_t> bytes);
  void updateZeros(uint64_t count);
  uint64_t value() const;

private:
  struct State;
  std::unique_ptr<State> state;
};

/// Of one piece of memory.
uint64_t checksum(llvm::ArrayRef<uint8_t> bytes);
uint64_t checksum(llvm::StringRef bytes);

} // namespace samba

#endif // LOWERING_EMIT_CHECKSUM_H

//===- Checksum.cpp - XXH3-64 ---------------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/emit/Checksum.h"

#define XXH_INLINE_ALL
#include <algorithm>
#include <xxhash.h>

using namespace samba;

struct Checksum::State {
  XXH3_state_t xxh;
};

Checksum::Checksum() : state(std::make_unique<State>()) { XXH3_64bits_reset(&state->xxh); }
Checksum::~Checksum() = default;

void Checksum::update(llvm::ArrayRef<uint8_t> bytes) { XXH3_64bits_update(&state->xxh, bytes.data(), bytes.size()); }

void Checksum::updateZeros(uint64_t count) {
  static const uint8_t zeros[4096] = {};
  for (; count > 0; count -= std::min<uint64_t>(count, sizeof(zeros)))
    update({zeros, size_t(std::min<uint64_t>(count, sizeof(zeros)))});
}

uint64_t Checksum::value() const { return XXH3_64bits_digest(&state->xxh); }

uint64_t samba::checksum(llvm::ArrayRef<uint8_t> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }
uint64_t samba::checksum(llvm::StringRef bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

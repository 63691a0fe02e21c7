//===- HostState.cpp - the state of a sequence on the CPU ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/HostState.h"

#include <cstring>

using namespace samba::runtime;

namespace {

struct SavedBytes : SavedParts {
  std::vector<char> bytes;
};

} // namespace

std::unique_ptr<SequenceState> HostState::fork() {
  if (image && exposed) {
    StateMemory frozen(*image, bytes);
    if (std::memcmp(frozen.data(), memory.data(), bytes) != 0)
      image.reset();
  }
  if (!image)
    image = std::make_shared<StateImage>(memory.data(), bytes);
  return std::unique_ptr<HostState>(new HostState(image, bytes));
}

void HostState::assign(const void *from) {
  image.reset();
  if (!from)
    memory.clear();
  else
    copyChangedPages(memory.data(), from, bytes);
}

char *HostState::overwrite() {
  image.reset();
  return memory.data();
}

char *HostState::expose() {
  exposed = true;
  return memory.data();
}

std::unique_ptr<SavedParts> HostState::save(const StateParts &parts) {
  auto saved = std::make_unique<SavedBytes>();
  size_t total = 0;
  for (const StatePieces &pieces : parts)
    total += pieces.total();
  saved->bytes.reserve(total);
  for (const StatePieces &pieces : parts)
    for (uint64_t i = 0; i < pieces.count; ++i) {
      const char *from = memory.data() + pieces.offset + i * pieces.pitch;
      saved->bytes.insert(saved->bytes.end(), from, from + pieces.bytes);
    }
  return saved;
}

void HostState::restore(const StateParts &parts, const SavedParts &saved) {
  image.reset();
  const char *from = static_cast<const SavedBytes &>(saved).bytes.data();
  for (const StatePieces &pieces : parts)
    for (uint64_t i = 0; i < pieces.count; ++i, from += pieces.bytes)
      std::memcpy(memory.data() + pieces.offset + i * pieces.pitch, from, pieces.bytes);
}

//===- Jit.cpp - runs lowered modules in this process ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/emit/Jit.h"

#include "lowering/emit/ObjectEmitter.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MemoryBuffer.h"
#include <algorithm>

using namespace samba;

Jit::Jit() = default;
Jit::Jit(Jit &&) = default;
Jit::~Jit() = default;

llvm::Expected<Jit> Jit::create(mlir::ModuleOp module, const CpuTarget &target) {
  llvm::Expected<ObjectEmitter> emitter = ObjectEmitter::create(module, target);
  if (!emitter)
    return emitter.takeError();
  llvm::Expected<llvm::SmallVector<char, 0>> object = emitter->object();
  if (!object)
    return object.takeError();

  Jit result;
  auto jit = llvm::orc::LLJITBuilder().create();
  if (!jit)
    return jit.takeError();
  result.jit = std::move(*jit);
  // Generated code may call memcpy and its kin.
  auto process =
      llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(result.jit->getDataLayout().getGlobalPrefix());
  if (!process)
    return process.takeError();
  result.jit->getMainJITDylib().addGenerator(std::move(*process));
  if (llvm::Error error = result.jit->addObjectFile(
          llvm::MemoryBuffer::getMemBufferCopy(llvm::StringRef(object->data(), object->size()), "object")))
    return error;
  return result;
}

llvm::Expected<void *> Jit::lookup(llvm::StringRef name) const {
  llvm::Expected<llvm::orc::ExecutorAddr> address = jit->lookup(name);
  if (!address)
    return address.takeError();
  return address->toPtr<void *>();
}

llvm::Expected<samba_entry> Jit::entry(llvm::StringRef name) const {
  llvm::Expected<void *> address = lookup(name);
  if (!address)
    return address.takeError();
  return reinterpret_cast<samba_entry>(*address);
}

SoloTeam::SoloTeam(uint64_t chunk) : chunk(chunk) {
  team.claim = [](samba_team *team, uint64_t total) {
    auto *solo = static_cast<SoloTeam *>(team->shared);
    uint64_t begin = std::min(solo->next, total);
    solo->next = std::min(begin + solo->chunk, total);
    return begin | solo->next << 32;
  };
  team.barrier = [](samba_team *team) {
    auto *solo = static_cast<SoloTeam *>(team->shared);
    solo->next = 0;
    ++solo->passed;
  };
  team.thread = 0;
  team.threads = 1;
  team.shared = this;
}

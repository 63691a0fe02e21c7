//===- GraphCache.h - steps recorded as CUDA graphs ------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_CUDA_GRAPHCACHE_H
#define RUNTIME_CUDA_GRAPHCACHE_H

#include "runtime/GpuProgram.h"
#include "runtime/cuda/Context.h"

#include <array>
#include <functional>
#include <map>

namespace samba::runtime::cuda {

/// The work of steps, by program and sizes, recorded when the same step comes for the second time. Keeps those that
/// were used last.
class GraphCache {
public:
  static constexpr size_t capacity = 64;

  explicit GraphCache(std::shared_ptr<const Context> context) : context(std::move(context)) {}
  GraphCache(const GraphCache &) = delete;
  ~GraphCache();

  /// Gives the stream the work of a step: `enqueue` does, directly or into a graph.
  void run(size_t program, const StepSizes &sizes, const std::function<void()> &enqueue);

private:
  struct Entry {
    GraphExecHandle executable = nullptr;
    uint64_t lastUse = 0;
  };
  GraphExecHandle record(const std::function<void()> &enqueue);
  void forgetOldest();

  std::shared_ptr<const Context> context;
  std::map<std::array<int64_t, 5>, Entry> entries;
  uint64_t uses = 0;
};

} // namespace samba::runtime::cuda

#endif // RUNTIME_CUDA_GRAPHCACHE_H

//===- WeightPacker.h - checkpoint to weights section ------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_EMIT_WEIGHTPACKER_H
#define LOWERING_EMIT_WEIGHTPACKER_H

#include "lowering/emit/PackLoops.h"
#include "mlir/IR/BuiltinOps.h"
#include <functional>
#include <vector>

namespace samba {

/// Streams the weights of a module that `samba-plan-memory` has prepared from their source into the artefact's weights
/// section: element type, transform and layout as the `samba.weight` declarations say, zeros between.
class WeightPacker {
public:
  /// Takes a piece of the section at that offset. Called from several threads, in no particular order.
  using Sink = std::function<llvm::Error(uint64_t offset, llvm::ArrayRef<uint8_t> bytes)>;

  struct Options {
    unsigned threads = 0; // 0: one for each processor
    std::function<void(uint64_t done, uint64_t total)>
        progress; // in bytes of the section; called by one thread at a time
  };

  /// Fails, naming the weight, if its tensor is missing or has another shape (unit sizes apart), if weights are
  /// unplanned, misaligned or overlap, or if their layout or element type is unknown. `source` must outlive the packer.
  static llvm::Expected<WeightPacker> create(mlir::ModuleOp module, const WeightSource &source);

  /// Of the whole section.
  uint64_t sizeInBytes() const { return bytes; }

  /// Packs everything and returns the XXH3-64 checksum of the section. Holds one buffer of about 4 MiB per thread, and
  /// releases what it has read of the source. The sink gets no zeros between weights, so what it writes to must be
  /// zero. Stops at the first error of the sink.
  llvm::Expected<uint64_t> pack(const Sink &sink, const Options &options) const;

  /// Packs into `section`, of at least sizeInBytes() zero bytes.
  llvm::Expected<uint64_t> packToMemory(llvm::MutableArrayRef<uint8_t> section, const Options &options) const;

private:
  struct Weight {
    std::string name;
    PanelPacking packing;
    uint64_t offset; // in the section
    uint64_t size;   // bytes
  };
  // A piece of a weight that one thread packs at a time.
  struct Job {
    const Weight *weight;
    int64_t begin, end; // groups
  };
  class Run;

  explicit WeightPacker(const WeightSource &source) : source(&source) {}
  std::vector<Job> makeJobs() const;
  void release(const Job &job) const;

  const WeightSource *source;
  std::vector<Weight> weights; // by offset
  uint64_t bytes = 0;
};

} // namespace samba

#endif // LOWERING_EMIT_WEIGHTPACKER_H

//===- StepTable.h - what a step of a model has to do -----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The manifest lists the parallel loops of each function of a model (key "loops"). Expanded along the calls they are
// the loops of a step, one for each barrier, in order. Here they get numbers for a given step, and from those and the
// limits of the machine the least time that the step can take.
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_BENCH_STEPTABLE_H
#define TOOLS_SAMBA_BENCH_STEPTABLE_H

#include "tools/samba-bench/Limits.h"

#include <cstdint>
#include <string>
#include <vector>

namespace samba::bench {

/// A step of the model: the tokens of some sequences.
struct Step {
  int64_t sequences = 1;
  int64_t context = 0; // tokens that each sequence has seen before
  int64_t tokens = 1;  // of each sequence
  int64_t rows = 1;    // whose logits are wanted, in all
};

struct Work {
  double linearFlops = 0;    // of products with weight matrices
  double attentionFlops = 0; // of products with keys and values
  double otherFlops = 0;
  double exps = 0;
  double weightBytes = 0; // read
  double stateBytes = 0;  // of carried state, read and written

  double flops() const { return linearFlops + attentionFlops + otherFlops; }
  double bytes() const { return weightBytes + stateBytes; }
  Work &operator+=(const Work &other);
};

/// The least time for some work, in seconds: the longer one of what computing and what moving bytes takes.
struct Bound {
  double compute = 0, memory = 0;

  double seconds() const { return compute > memory ? compute : memory; }
  const char *binding() const { return compute > memory ? "compute" : "memory"; }
};

/// One parallel loop, and the barrier behind it.
struct Loop {
  std::string kernel, op;
  std::string layer;    // "layers.3.mixer"; empty outside of layers
  bool starts = true;   // the first loop of its kernel
  bool repeats = false; // a further loop of the operation before it, whose work is counted there
  bool perRow = false;  // computes the rows whose logits are wanted, not all tokens
  double flops = 0, exps = 0, flopsPerKey = 0;
  double rowsAbove = 0, tokensAbove = 0; // only steps with more rows, and with more tokens of a sequence, pass it
  double epilogueFlops = 0; // of what is no product in the loop of one
  double weightBytes = 0;
  double statePerSequence = 0;     // bytes that are read and written
  double slots = 0, slotBytes = 0; // of keys and values of one sequence
};

class StepTable {
public:
  /// Of a manifest; `path` is for messages. Throws std::runtime_error naming the key if it is malformed.
  /// `cpu` names the code in use, where there is code for several CPUs.
  StepTable(const std::string &path, std::string_view manifest, std::string_view cpu = {});

  /// False if the manifest says nothing about loops (the compiler was an older one).
  bool known() const { return !table.empty(); }
  const std::vector<Loop> &loops() const { return table; }
  /// Those of a step: small steps leave some out.
  std::vector<Loop> loops(const Step &step) const;
  const std::string &precision() const { return precisionName; }
  const std::string &cpu() const { return cpuName; }
  double weightsFileBytes() const { return weightsBytes; }

  Work workOf(const Loop &loop, const Step &step) const;
  Work workOf(const Step &step) const;

  /// The name of the limit for products with weight matrices of the model's precision: "f32", "bf16" or "int8".
  const char *linearLimit(const Limits &limits) const;
  /// Of a whole step: products of matrices, and the bytes of weights and state.
  Bound boundOf(const Step &step, const Limits &limits) const;
  /// Of one loop: all of its arithmetic.
  Bound boundOf(const Loop &loop, const Step &step, const Limits &limits) const;

private:
  /// The limit for one product: some matrices of a quantised model are kept in bf16.
  double linearPeak(const Loop &loop, const Limits &limits) const;

  std::vector<Loop> table;
  std::string precisionName, cpuName;
  bool bf16Dot = false, int8Dot = false; // the code may use these instructions
  double weightsBytes = 0;
};

} // namespace samba::bench

#endif // TOOLS_SAMBA_BENCH_STEPTABLE_H

//===- Sampler.h - choosing the next token ---------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_SAMPLER_H
#define RUNTIME_SAMPLER_H

#include "samba/samba.h"

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

namespace samba::runtime {

/// xoshiro256** seeded by splitmix64 (Blackman, Vigna): the same numbers on every machine.
class Random {
public:
  explicit Random(uint64_t seed);
  uint64_t next();
  /// Uniform in [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

private:
  uint64_t state[4];
};

/// The sampling of samba.h.
class Sampler {
public:
  /// Throws SAMBA_ERROR_ARGUMENT for parameters out of range.
  explicit Sampler(const samba_sampling &sampling);

  void accept(int32_t token);
  void setBias(int32_t token, float bias);
  /// Throws SAMBA_ERROR_NUMERIC if all logits are NaN, as do the next two.
  int32_t sample(const float *logits, size_t vocabSize);
  void probabilities(const float *logits, size_t vocabSize, float *result);
  int32_t choose(const float *logits, size_t vocabSize, int32_t proposed, const float *proposal);

private:
  struct Candidate {
    double weight; // first the logit, then the probability times a common factor
    int32_t token;
  };

  bool remembers() const;
  const float *adjust(const float *logits, size_t vocabSize);
  int32_t greedy(const float *logits, size_t vocabSize);
  double distribution(const float *logits, size_t vocabSize);
  int32_t draw(double total);
  void gather(const float *logits, size_t vocabSize);
  void keepTopK();
  void softmax();
  void keepMinP();
  void keepTopP();

  samba_sampling sampling;
  Random random;
  std::deque<int32_t> recent;
  std::unordered_map<int32_t, int32_t> recentCount;
  std::unordered_map<int32_t, float> bias;
  std::vector<float> adjusted;
  std::vector<Candidate> candidates;
};

} // namespace samba::runtime

#endif // RUNTIME_SAMPLER_H

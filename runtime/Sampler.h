//===- Sampler.h - choosing the next token ---------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_SAMPLER_H
#define RUNTIME_SAMPLER_H

#include "samba/samba.h"

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
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

  /// Where it is in its numbers; not all zero.
  using State = std::array<uint64_t, 4>;
  const State &save() const { return state; }
  void restore(const State &saved) { state = saved; }

private:
  State state;
};

/// The sampling of samba.h.
class Sampler {
public:
  /// Throws SAMBA_ERROR_ARGUMENT for parameters out of range.
  explicit Sampler(const samba_sampling &sampling);

  void accept(int32_t token);
  void setBias(int32_t token, float bias);
  void reseed(uint64_t seed) { random = Random(seed); }
  /// Its random numbers and the recent tokens, as bytes.
  std::string save() const;
  /// Throws SAMBA_ERROR_FORMAT if `bytes` are not what save() gives.
  void restore(std::string_view bytes);
  /// Throws SAMBA_ERROR_NUMERIC if all logits are NaN, as do the next two.
  int32_t sample(const float *logits, size_t vocabSize);
  void probabilities(const float *logits, size_t vocabSize, float *result);
  int32_t choose(const float *logits, size_t vocabSize, int32_t proposed, const float *proposal);

private:
  struct Candidate {
    double weight; // first the logit, then the probability times a common factor
    int32_t token;
  };

  bool penalises() const;
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

//===- Initialiser.cpp - random weights as training starts with them ------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-synthesize/Initialiser.h"

#include "llvm/Support/xxhash.h"
#include <cmath>

using namespace llvm;
using namespace samba;

namespace {

/// A bijective scrambler of 64 bits (the finaliser of SplitMix64): a counter goes in, noise comes out.
uint64_t scramble(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// Uniform in [-1, 1).
float uniform(uint64_t noise) { return float(int64_t(noise) >> 40) * 0x1p-23f; }

/// Close to a standard normal: the sum of four uniform numbers, scaled to variance one.
float normal(uint64_t noise) {
  int32_t sum =
      int32_t(noise & 0xffff) + int32_t(noise >> 16 & 0xffff) + int32_t(noise >> 32 & 0xffff) + int32_t(noise >> 48);
  return float(sum - 2 * 65535) * (1.7320508f / 65536);
}

} // namespace

Initialiser::Initialiser(const SambaConfig &config, const TensorSpec &tensor, uint64_t seed)
    : kind(Kind::Normal), scale(config.initializerRange), key(scramble(seed) ^ xxh3_64bits(tensor.name)) {
  StringRef name = tensor.name;
  auto set = [&](Kind newKind, double newScale) {
    kind = newKind;
    scale = newScale;
  };
  if (name.ends_with("norm.weight") || name.ends_with("norm_f.weight") || name.ends_with(".D")) {
    set(Kind::Constant, 1);
  } else if (name.ends_with(".A_log")) {
    set(Kind::LogIndex, 1);
    period = config.stateSize;
  } else if (name.contains(".conv1d.")) {
    set(Kind::Uniform, 1 / std::sqrt(double(config.convKernel)));
  } else if (name.ends_with(".dt_proj.weight")) {
    set(Kind::Uniform, config.timeStepScale / std::sqrt(double(config.dtRank)));
  } else if (name.ends_with(".dt_proj.bias")) {
    set(Kind::InverseSoftplus, 1);
    logLow = std::log(config.timeStepMin);
    logHigh = std::log(config.timeStepMax);
    floor = config.timeStepFloor;
  } else if (name.ends_with(".bias")) {
    set(Kind::Constant, 0);
  }
}

void Initialiser::fill(int64_t first, MutableArrayRef<float> values) const {
  // Weyl sequence: consecutive counters lie far apart before they are scrambled.
  auto noise = [&](size_t i) { return scramble(key + uint64_t(first + int64_t(i)) * 0x9e3779b97f4a7c15u); };
  float factor = float(scale);
  switch (kind) {
  case Kind::Constant:
    std::fill(values.begin(), values.end(), factor);
    return;
  case Kind::Normal:
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = factor * normal(noise(i));
    return;
  case Kind::Uniform:
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = factor * uniform(noise(i));
    return;
  case Kind::LogIndex:
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = std::log(float((first + int64_t(i)) % period + 1));
    return;
  case Kind::InverseSoftplus:
    for (size_t i = 0; i < values.size(); ++i) {
      double position = 0.5 + 0.5 * double(uniform(noise(i)));
      double step = std::max(std::exp(logLow + position * (logHigh - logLow)), floor);
      values[i] = float(step + std::log(-std::expm1(-step)));
    }
    return;
  }
}

//===- Initialiser.h - random weights as training starts with them *- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_SYNTHESIZE_INITIALISER_H
#define TOOLS_SAMBA_SYNTHESIZE_INITIALISER_H

#include "frontend/families/Samba.h"
#include "llvm/ADT/ArrayRef.h"
#include <cstdint>

namespace samba {

/// The values of one tensor. Each depends on seed, name and index alone, so any part can be made by any thread.
///
/// Linears and embeddings are normal with deviation initializer_range (bounded at 3.5 deviations), dt_proj uniform in
/// +-rank^-1/2 with a bias that makes the steps log-uniform between time_step_min and time_step_max, convolutions
/// uniform in +-taps^-1/2, A = -1 .. -N, norms and D one, other biases zero: activations stay of order one.
class Initialiser {
public:
  Initialiser(const SambaConfig &config, const TensorSpec &tensor, uint64_t seed);

  /// The elements `first .. first + values.size() - 1`.
  void fill(int64_t first, llvm::MutableArrayRef<float> values) const;

private:
  enum class Kind { Constant, Normal, Uniform, LogIndex, InverseSoftplus };

  Kind kind;
  double scale = 0; // the constant, the deviation, half the width of the interval
  int64_t period = 1;
  double logLow = 0, logHigh = 0, floor = 0;
  uint64_t key;
};

} // namespace samba

#endif // TOOLS_SAMBA_SYNTHESIZE_INITIALISER_H

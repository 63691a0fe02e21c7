//===- Guessing.h - guesses as far as they pay -----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_GUESSING_H
#define TOOLS_SAMBA_RUN_GUESSING_H

#include "tools/samba-run/Draft.h"
#include "tools/samba-run/Payoff.h"

#include <memory>

namespace samba::run {

/// A draft, held back to the guesses that are worth their time. It learns from each token whether the draft would have
/// known it, also from those of plain passes and, if that costs nothing, of the prompt.
class Guessing {
public:
  /// `promptSeconds`: see Payoff.
  Guessing(std::unique_ptr<Draft> draft, const std::vector<int32_t> &prompt, double promptSeconds);

  /// Guesses after the sequence, at most `room`, for a pass that has `pending` rows without them.
  std::vector<int32_t> next(const std::vector<int32_t> &sequence, size_t pending, size_t room);
  /// See Draft, of the i-th guess of next().
  const std::vector<float> *drawnFrom(size_t i) const { return draft->drawnFrom(i); }
  /// What came after next(): the tokens, the rows of the pass with the `guesses` that next() gave, and the time that
  /// the pass and next() took.
  void came(const std::vector<int32_t> &tokens, size_t rows, size_t guesses, double seconds, double draftSeconds);

  bool isFree() const { return draft->isFree(); }
  /// Whether came() wants to know the time of a pass without guesses.
  bool wantsTime() const { return payoff.wantsTime(); }
  double plainSeconds() const { return payoff.plainSeconds(); }
  double totalSeconds() const { return payoff.totalSeconds(); }

private:
  std::unique_ptr<Draft> draft;
  Payoff payoff;
  std::vector<int32_t> known; // what the draft says, more than next() has given
  size_t confidence = 0;
};

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_GUESSING_H

//===- Payoff.h - how many guesses are worth their time --------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_PAYOFF_H
#define TOOLS_SAMBA_RUN_PAYOFF_H

#include <array>
#include <cstddef>
#include <vector>

namespace samba::run {

/// Weighs what guesses may save against what a pass with them takes. It knows how often guesses were right, by how sure
/// their draft was of them, and what passes took, by their number of rows; what was not tried yet is estimated. And it
/// keeps accounts: guessing that has lost one or two percent of the time so far is over until plain passes have made up
/// for it, so that no text is much slower than without.
///
/// Knows no clock: the same calls lead to the same decisions.
class Payoff {
public:
  /// Guesses of one kind are right about equally often. Kind 0 is a draft's that cannot tell; kind n of more is that of
  /// a guess by the last n tokens, and the last kind of as many or more.
  static constexpr size_t kinds = 9;
  static size_t kindOf(size_t confidence, size_t guess) {
    return confidence == 0 ? 0 : confidence + guess < kinds ? confidence + guess : kinds - 1;
  }

  /// `promptSeconds`: time per token of the prompt, for a first estimate of what rows cost; 0: not known.
  explicit Payoff(double promptSeconds) : promptSeconds(promptSeconds) {}

  /// A guess was right or wrong, evaluated or not.
  void guessed(size_t kind, bool right);
  /// Whether the time of the next plain pass matters. To ask for the time is a call of the system, and an occasion for
  /// it to run something else.
  bool wantsTime() const;
  /// A pass took some time and made some tokens; before it, a draft took some for `guesses`. A plain pass whose time
  /// was not wanted took `unknown`.
  static constexpr double unknown = -1;
  void passed(size_t rows, size_t tokens, double seconds, size_t guesses, double draftSeconds);

  /// The number of guesses, at most `room`, for a pass that has `pending` rows without them. `confidence` is the
  /// draft's in the first of them, see kindOf.
  size_t worth(size_t pending, size_t confidence, size_t room) const;

  /// Probability that a guess is right.
  double accuracy(size_t kind) const;
  /// Seconds of a pass.
  double cost(size_t rows) const;
  /// Of one row; 0 if there was none yet.
  double totalSeconds() const { return total; }
  double plainSeconds() const { return costs.empty() ? 0 : costs[0]; }

private:
  bool mayGuess() const;

  struct Count {
    double right = 0, all = 0;
  };
  double promptSeconds;
  std::array<Count, kinds> counts;
  std::vector<double> costs; // of rows + 1; 0: not known
  size_t plainPasses = 0;
  size_t untimed = 0;             // plain passes since one of a known time
  size_t sincePlain = 0;          // passes since the last one of one row
  double draftSeconds = -1;       // for a guess; -1: not known
  double perToken = 0;            // seconds, of late
  double total = 0;               // seconds
  double tokens = 0, balance = 0; // tokens so far, and seconds saved by guessing
};

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_PAYOFF_H

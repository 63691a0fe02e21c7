//===- Guessing.cpp - guesses as far as they pay -------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Guessing.h"

#include <algorithm>

using namespace samba::run;

Guessing::Guessing(std::unique_ptr<Draft> draft, const std::vector<int32_t> &prompt, double promptSeconds)
    : draft(std::move(draft)), payoff(promptSeconds) {
  this->draft->learn(prompt,
                     [&](size_t confidence, bool right) { payoff.guessed(Payoff::kindOf(confidence, 0), right); });
}

std::vector<int32_t> Guessing::next(const std::vector<int32_t> &sequence, size_t pending, size_t room) {
  if (!draft->isFree()) // it works only for guesses that are evaluated
    room = payoff.worth(pending, 0, room);
  known = room > 0 || draft->isFree() ? draft->propose(sequence, std::max<size_t>(room, 1)) : std::vector<int32_t>();
  confidence = draft->confidence();
  size_t count = std::min(known.size(), room);
  if (draft->isFree())
    count = payoff.worth(pending, confidence, count);
  return {known.begin(), known.begin() + static_cast<ptrdiff_t>(count)};
}

void Guessing::came(const std::vector<int32_t> &tokens, size_t rows, size_t guesses, double seconds,
                    double draftSeconds) {
  for (size_t i = 0; i < std::min(tokens.size(), known.size()); ++i) {
    payoff.guessed(Payoff::kindOf(confidence, i), tokens[i] == known[i]);
    if (tokens[i] != known[i])
      break;
  }
  known.clear();
  payoff.passed(rows, tokens.size(), seconds, guesses, draftSeconds);
}

//===- Payoff.cpp - how many guesses are worth their time ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Payoff.h"

#include <algorithm>

using namespace samba::run;

// Plain passes before the first guess, so that there is something to compare with.
static constexpr size_t firstPlain = 3;
// Passes after which there must be a plain one, for the same reason: sooner where little is won.
static constexpr size_t mostWithoutPlain = 64, mostWhereItIsClose = 8;
// Plain passes of which one is timed.
static constexpr size_t mostUntimed = 8;
// Older observations count less and less: about the last thirty of a kind matter.
static constexpr double memory = 0.97;
// What may be lost before it stops, as a part of the time so far.
static constexpr double lossRate = 0.015;
// And what may be saved up for losses, in plain passes.
static constexpr double mostSaved = 4;
// What must be won, in plain passes, to take the risk.
static constexpr double margin = 0.1;
// An unknown number of rows: each further one costs what a prompt's token does, within these parts of a plain pass.
static constexpr double cheapestRow = 0.1, dearestRow = 0.35;

void Payoff::guessed(size_t kind, bool right) {
  counts[kind].right = counts[kind].right * memory + right;
  counts[kind].all = counts[kind].all * memory + 1;
}

double Payoff::accuracy(size_t kind) const {
  // A longer context is taken to be as good as a shorter one until it is known better.
  double prior = kind == 0 ? 0.5 : kind <= 2 ? 0.25 : accuracy(kind - 1);
  constexpr double weight = 2;
  return (counts[kind].right + weight * prior) / (counts[kind].all + weight);
}

double Payoff::cost(size_t rows) const {
  if (rows <= costs.size() && costs[rows - 1] > 0)
    return costs[rows - 1];
  double plain = plainSeconds();
  // Between two numbers that are known, or beyond the last one.
  size_t below = std::min(rows, costs.size());
  while (below > 1 && costs[below - 1] == 0)
    --below;
  double row = below > 1 ? std::max(cheapestRow * plain, (costs[below - 1] - plain) / static_cast<double>(below - 1))
                         : std::clamp(promptSeconds, cheapestRow * plain, dearestRow * plain);
  double guess = below > 0 ? costs[below - 1] + row * static_cast<double>(rows - below) : 0;
  for (size_t above = rows; above < costs.size(); ++above)
    if (costs[above] > 0)
      return std::min(guess, std::max(costs[above], costs[below - 1]));
  return guess;
}

bool Payoff::wantsTime() const { return plainPasses < firstPlain || untimed >= mostUntimed; }

void Payoff::passed(size_t rows, size_t made, double seconds, size_t guesses, double forDraft) {
  if (costs.size() < rows)
    costs.resize(rows, 0);
  // The system may have run something else meanwhile, which only makes it longer.
  double expected = cost(rows);
  double &known = costs[rows - 1];
  bool timed = seconds != unknown;
  double spent = !timed ? expected : expected > 0 ? std::min(seconds, (known > 0 ? 1.3 : 2) * expected) : seconds;
  if (rows == 1)
    untimed = timed ? 0 : untimed + 1;
  if (!timed)
    ; // nothing to learn
  else if (known == 0)
    known = spent;
  else if (rows == 1 && plainPasses < firstPlain)
    known = std::min(known, seconds); // there is nothing yet to tell that one was interrupted
  else
    known += 0.2 * (spent - known);
  if (guesses > 0) {
    double each = forDraft / static_cast<double>(guesses);
    draftSeconds = draftSeconds < 0 ? each : draftSeconds + 0.2 * (std::min(each, 4 * draftSeconds) - draftSeconds);
    spent += draftSeconds * static_cast<double>(guesses);
  }
  tokens += static_cast<double>(made);
  double plain = plainSeconds();
  if (rows == 1) {
    ++plainPasses;
    sincePlain = 0;
    // What has not been tried for long may have changed.
    for (size_t other = 1; other < costs.size(); ++other)
      if (costs[other] > 0)
        costs[other] += 0.01 * (plain + dearestRow * plain * static_cast<double>(other) - costs[other]);
  } else if (plain > 0) {
    ++sincePlain;
    balance = std::min(balance + plain * static_cast<double>(made) - spent, mostSaved * plain);
  }
  total += spent;
  double each = spent / static_cast<double>(std::max<size_t>(1, made));
  perToken = perToken == 0 ? each : perToken + 0.1 * (each - perToken);
}

bool Payoff::mayGuess() const {
  bool close = perToken > 0.7 * plainSeconds();
  return plainPasses >= firstPlain && sincePlain < (close ? mostWhereItIsClose : mostWithoutPlain) &&
         balance >= -lossRate * tokens * plainSeconds();
}

size_t Payoff::worth(size_t pending, size_t confidence, size_t room) const {
  if (!mayGuess())
    return 0;
  double plain = plainSeconds(), each = draftSeconds < 0 ? 0 : draftSeconds;
  // What a token is worth: the time that it takes in another way.
  double value = std::clamp(perToken, 0.2 * plain, plain);
  // Not many more rows than were tried before.
  room = std::min(room, std::max(2 * costs.size(), pending + 1) - pending);
  double best = value - cost(pending) + margin * plain;
  size_t bestCount = 0;
  double reached = 1, made = 1, again = 0; // probability that all guesses so far are right; tokens; work done twice
  for (size_t count = 1; count <= room; ++count) {
    double right = reached * accuracy(kindOf(confidence, count - 1));
    // After a wrong guess, the next pass begins with the tokens of this one.
    again += (reached - right) * (cost(pending + count) - plain);
    reached = right;
    made += reached;
    double surplus = made * value - cost(pending + count) - each * static_cast<double>(count) - again;
    if (surplus > best) {
      best = surplus;
      bestCount = count;
    }
  }
  return bestCount;
}

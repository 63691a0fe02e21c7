//===- Speculation.cpp - several tokens in one pass ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Speculation.h"

#include <algorithm>
#include <chrono>

using namespace samba;
using namespace samba::run;
using nlohmann::ordered_json;

Speculation::Speculation(const Model &model, Session &session, Continuation &continuation, std::unique_ptr<Draft> draft,
                         size_t rows)
    : model(model), session(session), continuation(continuation), draft(std::move(draft)), rows(rows),
      logits(rows * static_cast<size_t>(model.vocabSize())) {}

/// Guesses for the next pass; none while it does not pay, or if there is no room.
std::vector<int32_t> Speculation::proposal() {
  if (pause > 0)
    return {};
  int64_t room = static_cast<int64_t>(rows - pending.size());
  room = std::min(room, continuation.left() - 1);
  if (model.maxContext() >= 0)
    room = std::min(room, model.maxContext() - session.position() - static_cast<int64_t>(pending.size()));
  return room > 0 ? draft->propose(sequence, static_cast<size_t>(room)) : std::vector<int32_t>();
}

/// Evaluates the pending tokens and the guesses, and chooses tokens as long as the guesses are right, and one more.
/// Returns how many that were.
size_t Speculation::pass(const std::vector<int32_t> &drafts, const std::function<void(const std::string &)> &show) {
  std::vector<int32_t> fed = pending;
  fed.insert(fed.end(), drafts.begin(), drafts.end());
  if (!drafts.empty())
    session.mark();
  model.evaluate({{session.get(), fed.data(), fed.size()}}, {drafts.size() + 1}, logits);
  size_t vocabSize = static_cast<size_t>(model.vocabSize()), right = 0;
  std::vector<int32_t> fresh;
  while (!continuation.ended()) {
    size_t i = fresh.size();
    const float *row = &logits[i * vocabSize];
    const std::vector<float> *drawn = i < drafts.size() ? draft->drawnFrom(i) : nullptr;
    int32_t token =
        drawn ? continuation.choice().choose(row, *drawn, drafts[i]) : continuation.choice().sample(row, vocabSize);
    show(continuation.add(token, row));
    fresh.push_back(token);
    if (i == drafts.size() || token != drafts[i])
      break;
    ++right;
  }
  sequence.insert(sequence.end(), fresh.begin(), fresh.end());
  if (right == drafts.size() && fresh.size() > right) {
    pending.assign(1, fresh.back());
  } else {
    session.rollback(static_cast<int64_t>(fed.size()));
    pending.insert(pending.end(), fresh.begin(), fresh.end());
  }
  ++passes;
  chosen += static_cast<int64_t>(fresh.size());
  drafted += static_cast<int64_t>(drafts.size());
  accepted += static_cast<int64_t>(right);
  return fresh.size();
}

/// Counts a pass; stops guessing for a while when 16 passes were no faster than plain ones.
void Speculation::judge(bool speculative, double seconds, size_t tokens) {
  totalSeconds += seconds;
  if (!speculative) {
    plainSeconds = plainPasses == 0 ? seconds : 0.9 * plainSeconds + 0.1 * seconds;
    ++plainPasses;
    pause -= pause > 0;
    return;
  }
  windowSeconds += seconds;
  windowTokens += tokens;
  if (++windowPasses < 16)
    return;
  if (plainPasses > 0 && windowSeconds >= plainSeconds * static_cast<double>(windowTokens)) {
    pause = nextPause;
    nextPause = std::min<size_t>(2 * nextPause, 1024);
  } else {
    nextPause = 64;
  }
  windowSeconds = 0;
  windowPasses = windowTokens = 0;
}

void Speculation::run(const std::vector<int32_t> &prompt, const float *first, const std::function<bool()> &mayGoOn,
                      const std::function<void(const std::string &)> &show) {
  sequence = prompt;
  show(continuation.step(first));
  ++chosen;
  sequence.push_back(continuation.tokens().back());
  pending.assign(1, sequence.back());
  while (!continuation.ended() && mayGoOn()) {
    auto start = std::chrono::steady_clock::now();
    std::vector<int32_t> drafts = proposal();
    bool speculative = !drafts.empty() || pending.size() > 1;
    size_t tokens = pass(drafts, show);
    judge(speculative, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), tokens);
  }
}

void Speculation::settle() {
  samba_session_forget_marks(session.get());
  if (pending.size() > 1)
    session.evaluate(pending.data(), pending.size() - 1, SAMBA_ROWS_NONE, nullptr, 0);
  pending.erase(pending.begin(), pending.end() - (pending.empty() ? 0 : 1));
}

ordered_json Speculation::statistics() const {
  auto ratio = [](double a, double b) { return b > 0 ? ordered_json(a / b) : ordered_json(nullptr); };
  double ownTokens = static_cast<double>(chosen - 1); // the first one is the prompt's
  return {{"passes", passes},
          {"tokens_per_pass", ratio(ownTokens, static_cast<double>(passes))},
          {"drafted", drafted},
          {"accepted", accepted},
          {"speed_up", plainPasses > 0 ? ratio(plainSeconds * ownTokens, totalSeconds) : ordered_json(nullptr)}};
}

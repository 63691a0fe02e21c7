//===- Speculation.cpp - several tokens in one pass ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Speculation.h"

#include <algorithm>
#include <string>
#include <time.h>

using namespace samba;
using namespace samba::run;
using nlohmann::ordered_json;

Speculation::Speculation(const Model &model, Session &session, Continuation &continuation, std::unique_ptr<Draft> draft,
                         const std::vector<int32_t> &prompt, double promptSeconds, size_t rows)
    : model(model), session(session), continuation(continuation),
      guessing(std::move(draft), prompt, promptSeconds / static_cast<double>(std::max<size_t>(1, prompt.size()))),
      rows(rows), sequence(prompt) {
  // A wrong guess must not be out of reach.
  if (int64_t reach = samba_max_rollback(model.get()); reach >= 0)
    this->rows = std::min(rows, static_cast<size_t>(std::max<int64_t>(1, reach)));
  logits.resize(this->rows * static_cast<size_t>(model.vocabSize()));
  best.resize(this->rows);
  passesByRows.resize(this->rows);
}

/// How many guesses the next pass can have.
size_t Speculation::room() const {
  int64_t room = static_cast<int64_t>(rows) - static_cast<int64_t>(pending.size());
  room = std::min(room, continuation.left() - 1);
  if (model.maxContext() >= 0)
    room = std::min(room, model.maxContext() - session.position() - static_cast<int64_t>(pending.size()));
  return static_cast<size_t>(std::max<int64_t>(0, room));
}

/// Evaluates the pending tokens and the guesses, and chooses tokens as long as the guesses are right, and one more.
/// Returns them.
std::vector<int32_t> Speculation::pass(const std::vector<int32_t> &drafts,
                                       const std::function<void(const std::string &)> &show) {
  std::vector<int32_t> fed = pending;
  fed.insert(fed.end(), drafts.begin(), drafts.end());
  samba_session_forget_marks(session.get());
  if (!drafts.empty())
    session.mark();
  bool greedy = continuation.isGreedy();
  if (greedy)
    model.evaluateGreedy({{session.get(), fed.data(), fed.size()}}, {drafts.size() + 1}, best);
  else
    model.evaluate({{session.get(), fed.data(), fed.size()}}, {drafts.size() + 1}, logits);
  size_t vocabSize = static_cast<size_t>(model.vocabSize()), right = 0;
  std::vector<int32_t> fresh;
  while (!continuation.ended()) {
    size_t i = fresh.size();
    const float *row = &logits[i * vocabSize];
    const std::vector<float> *drawn = i < drafts.size() ? guessing.drawnFrom(i) : nullptr;
    int32_t token = greedy  ? greedyToken(best[i])
                    : drawn ? continuation.choice().choose(row, *drawn, drafts[i])
                            : continuation.choice().sample(row, vocabSize);
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
  ++passesByRows[fed.size() - 1];
  chosen += static_cast<int64_t>(fresh.size());
  drafted += static_cast<int64_t>(drafts.size());
  accepted += static_cast<int64_t>(right);
  return fresh;
}

void Speculation::run(const float *first, const std::function<bool()> &mayGoOn,
                      const std::function<void(const std::string &)> &show) {
  // On the CPU, what this thread works: what others take from it on a busy machine says nothing about guesses.
  clockid_t clock = std::string(samba_device(model.get())) == "cpu" ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  auto now = [&] {
    timespec time = {};
    ::clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  };
  show(continuation.step(first));
  ++chosen;
  sequence.push_back(continuation.tokens().back());
  pending.assign(1, sequence.back());
  while (!continuation.ended() && mayGoOn()) {
    double start = guessing.isFree() ? 0 : now();
    std::vector<int32_t> drafts = guessing.next(sequence, pending.size(), room());
    size_t fed = pending.size() + drafts.size();
    bool timed = fed > 1 || guessing.wantsTime();
    double drafted = timed ? now() : 0;
    std::vector<int32_t> fresh = pass(drafts, show);
    guessing.came(fresh, fed, drafts.size(), timed ? now() - drafted : Payoff::unknown,
                  guessing.isFree() ? 0 : drafted - start);
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
  double plain = guessing.plainSeconds();
  return {{"passes", passes},
          {"passes_by_rows", passesByRows},
          {"tokens_per_pass", ratio(ownTokens, static_cast<double>(passes))},
          {"drafted", drafted},
          {"accepted", accepted},
          {"speed_up", plain > 0 ? ratio(plain * ownTokens, guessing.totalSeconds()) : ordered_json(nullptr)}};
}

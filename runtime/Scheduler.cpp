//===- Scheduler.cpp - many sequences in one step ------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Scheduler.h"
#include "runtime/Error.h"

#include <algorithm>

using namespace samba::runtime;

Scheduler::Scheduler(std::shared_ptr<Model> owner, int64_t wanted) : model(std::move(owner)) {
  if (wanted < 0 || wanted > model->chunk())
    throw Error(SAMBA_ERROR_ARGUMENT, "budget is " + std::to_string(wanted) + ", expected 0 to the chunk of " +
                                          std::to_string(model->chunk()));
  budget = static_cast<size_t>(wanted == 0 ? model->chunk() : wanted);
}

void Scheduler::feed(Session &session, const int32_t *tokens, size_t count) {
  if (&session.owner() != model.get())
    throw Error(SAMBA_ERROR_ARGUMENT, "the session belongs to another model");
  for (size_t i = 0; i < count; ++i)
    if (tokens[i] < 0 || tokens[i] >= model->manifest().vocabSize)
      throw Error(SAMBA_ERROR_ARGUMENT, "token id " + std::to_string(tokens[i]) + " at index " + std::to_string(i) +
                                            " is outside the vocabulary of " +
                                            std::to_string(model->manifest().vocabSize));
  auto queue =
      std::find_if(queues.begin(), queues.end(), [&](const Queue &queue) { return queue.session == &session; });
  model->checkContext(session.position(), count + (queue == queues.end() ? 0 : queue->left()));
  if (count == 0)
    return;
  if (queue == queues.end())
    queues.push_back({&session, {tokens, tokens + count}, 0});
  else
    queue->tokens.insert(queue->tokens.end(), tokens, tokens + count);
}

void Scheduler::remove(const Session &session) {
  queues.erase(
      std::remove_if(queues.begin(), queues.end(), [&](const Queue &queue) { return queue.session == &session; }),
      queues.end());
}

/// The tokens of this step for each queue: what it needs, or an equal part of what those that need less leave over. If
/// there are more queues than tokens, one each for as many as there are, from `turn` on.
std::vector<size_t> Scheduler::share() const {
  std::vector<size_t> chosen;
  for (size_t i = 0; i < std::min(budget, queues.size()); ++i)
    chosen.push_back((turn + i) % queues.size());
  std::sort(chosen.begin(), chosen.end(), [&](size_t a, size_t b) {
    return queues[a].left() != queues[b].left() ? queues[a].left() < queues[b].left() : a < b;
  });
  std::vector<size_t> counts(queues.size());
  size_t left = budget;
  for (size_t i = 0; i < chosen.size(); ++i) {
    counts[chosen[i]] = std::min(queues[chosen[i]].left(), left / (chosen.size() - i));
    left -= counts[chosen[i]];
  }
  return counts;
}

std::vector<Scheduler::Ready> Scheduler::step(Wanted wanted) {
  std::vector<Ready> ready;
  if (queues.empty())
    return ready;
  std::vector<size_t> counts = share();
  std::vector<Model::Segment> segments;
  for (size_t i = 0; i < queues.size(); ++i) {
    const Queue &queue = queues[i];
    if (counts[i] == 0)
      continue;
    bool last = counts[i] == queue.left();
    segments.push_back({queue.session, queue.tokens.data() + queue.done, counts[i], last});
    if (last)
      ready.push_back({queue.session, nullptr, -1});
  }
  size_t vocabSize = static_cast<size_t>(model->manifest().vocabSize);
  if (wanted == Wanted::Tokens) {
    chosen.resize(std::max(chosen.size(), ready.size()));
    model->evaluateGreedy(segments, chosen.data(), chosen.size());
  } else {
    logits.resize(std::max(logits.size(), ready.size() * vocabSize));
    model->evaluate(segments, logits.data(), logits.size());
  }
  for (size_t i = 0; i < ready.size(); ++i)
    if (wanted == Wanted::Tokens)
      ready[i].token = chosen[i];
    else
      ready[i].logits = &logits[i * vocabSize];
  turn = (turn + segments.size()) % queues.size();
  for (size_t i = 0; i < queues.size(); ++i)
    queues[i].done += counts[i];
  queues.erase(std::remove_if(queues.begin(), queues.end(), [](const Queue &queue) { return queue.left() == 0; }),
               queues.end());
  return ready;
}

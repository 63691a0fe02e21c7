//===- Draft.cpp - guesses of the next tokens ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Draft.h"
#include "tools/samba-run/Continuation.h"

#include <algorithm>

using namespace samba;
using namespace samba::run;

/// Of the last `count` tokens before `end`.
static uint64_t hashBefore(const std::vector<int32_t> &sequence, size_t end, size_t count) {
  uint64_t hash = count;
  for (size_t i = end - count; i < end; ++i)
    hash = (hash ^ static_cast<uint32_t>(sequence[i])) * 0x9e3779b97f4a7c15u;
  return hash;
}

/// The index behind the last place before `end` that is like what comes before `end`; 0 if there is none. Sets
/// `matched`.
size_t LookupDraft::find(const std::vector<int32_t> &sequence, size_t end) {
  // The end itself is not looked up: it must be found where something comes after it.
  for (size_t place = indexed + 1; place < end; ++place) {
    for (size_t length : {2, 3})
      if (place >= length)
        after[length - 2][hashBefore(sequence, place, length)] = place;
    indexed = place;
  }
  for (size_t length : {3, 2}) {
    auto found = end < length ? after[0].end() : after[length - 2].find(hashBefore(sequence, end, length));
    if (end < length || found == after[length - 2].end())
      continue;
    size_t place = found->second;
    for (matched = 0; matched < std::min<size_t>(place, 8); ++matched)
      if (sequence[place - 1 - matched] != sequence[end - 1 - matched])
        break;
    if (matched >= length)
      return place;
  }
  matched = 0;
  return 0;
}

std::vector<int32_t> LookupDraft::propose(const std::vector<int32_t> &sequence, size_t count) {
  std::vector<int32_t> guesses;
  if (size_t place = find(sequence, sequence.size()); place > 0)
    for (size_t i = place; guesses.size() < count; ++i) // beyond the end, the guesses themselves are repeated
      guesses.push_back(i < sequence.size() ? sequence[i] : guesses[i - sequence.size()]);
  return guesses;
}

void LookupDraft::learn(const std::vector<int32_t> &text, const Guess &guess) {
  for (size_t end = 2; end < text.size(); ++end)
    if (size_t place = find(text, end); place > 0)
      guess(matched, text[place] == text[end]);
}

/// Without the penalties: they would depend on guesses, and any distribution of guesses will do.
static samba_sampling withoutPenalties(samba_sampling sampling) {
  sampling.repeat_window = 0;
  sampling.seed ^= 0x5851f42d4c957f2du; // numbers of its own
  return sampling;
}

ModelDraft::ModelDraft(const std::string &path, const samba_options &options, const Model &target,
                       const samba_sampling &sampling)
    : model(path, options), session(model), sampler(withoutPenalties(sampling)), greedy(sampling.temperature == 0),
      logits(static_cast<size_t>(model.vocabSize())) {
  if (model.vocabSize() != target.vocabSize())
    throw std::runtime_error("'" + path + "' has a vocabulary of " + std::to_string(model.vocabSize()) +
                             ", expected that of '" + std::string(target.name()) + "', " +
                             std::to_string(target.vocabSize()));
}

std::vector<int32_t> ModelDraft::propose(const std::vector<int32_t> &sequence, size_t count) {
  int64_t limit = model.maxContext();
  if (limit >= 0)
    count = std::min(count, static_cast<size_t>(std::max<int64_t>(0, limit - static_cast<int64_t>(sequence.size()))));
  if (int64_t reach = samba_max_rollback(model.get()); reach >= 0) // it goes back over all guesses but the first
    count = std::min(count, static_cast<size_t>(reach) + 1);
  std::vector<int32_t> tokens;
  probabilities.clear();
  if (count == 0)
    return tokens;
  size_t seen = static_cast<size_t>(session.position());
  int32_t best = -1;
  auto feed = [&](const int32_t *ids, size_t size) {
    if (greedy)
      best = session.evaluateGreedy(ids, size);
    else
      session.evaluate(ids, size, SAMBA_ROWS_LAST, logits.data(), logits.size());
  };
  feed(&sequence[seen], sequence.size() - seen);
  samba_session_forget_marks(session.get());
  session.mark();
  while (true) {
    if (!greedy)
      probabilities.push_back(sampler.probabilities(logits.data(), logits.size()));
    tokens.push_back(greedy ? greedyToken(best) : sampler.sample(logits.data(), logits.size()));
    if (tokens.size() == count)
      break;
    feed(&tokens.back(), 1);
  }
  session.rollback(static_cast<int64_t>(tokens.size()) - 1);
  return tokens;
}

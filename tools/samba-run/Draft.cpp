//===- Draft.cpp - guesses of the next tokens ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Draft.h"

#include <algorithm>

using namespace samba;
using namespace samba::run;

/// Of the last `count` tokens before `end`. Another sequence with the same hash only makes a bad guess.
static uint64_t hashBefore(const std::vector<int32_t> &sequence, size_t end, size_t count) {
  uint64_t hash = count;
  for (size_t i = end - count; i < end; ++i)
    hash = (hash ^ static_cast<uint32_t>(sequence[i])) * 0x9e3779b97f4a7c15u;
  return hash;
}

std::vector<int32_t> LookupDraft::propose(const std::vector<int32_t> &sequence, size_t count) {
  // The end of the sequence itself is not looked up: it must be found where something comes after it.
  for (size_t end = indexed + 1; end < sequence.size(); ++end) {
    for (size_t length : {2, 3})
      if (end >= length)
        after[length - 2][hashBefore(sequence, end, length)] = end;
    indexed = end;
  }
  for (size_t length : {3, 2}) {
    if (sequence.size() < length)
      continue;
    auto found = after[length - 2].find(hashBefore(sequence, sequence.size(), length));
    if (found == after[length - 2].end())
      continue;
    size_t begin = found->second, end = std::min(sequence.size(), begin + count);
    return {sequence.begin() + static_cast<ptrdiff_t>(begin), sequence.begin() + static_cast<ptrdiff_t>(end)};
  }
  return {};
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
  std::vector<int32_t> tokens;
  probabilities.clear();
  if (count == 0)
    return tokens;
  size_t seen = static_cast<size_t>(session.position());
  session.evaluate(&sequence[seen], sequence.size() - seen, SAMBA_ROWS_LAST, logits.data(), logits.size());
  session.mark();
  while (true) {
    if (!greedy)
      probabilities.push_back(sampler.probabilities(logits.data(), logits.size()));
    tokens.push_back(sampler.sample(logits.data(), logits.size()));
    if (tokens.size() == count)
      break;
    session.evaluate(&tokens.back(), 1, SAMBA_ROWS_LAST, logits.data(), logits.size());
  }
  session.rollback(static_cast<int64_t>(tokens.size()) - 1);
  return tokens;
}

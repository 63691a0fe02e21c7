//===- Sampler.cpp - choosing the next token -----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Sampler.h"
#include "runtime/Error.h"
#include "runtime/Executor.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

using namespace samba::runtime;

static uint64_t rotateLeft(uint64_t value, int bits) { return value << bits | value >> (64 - bits); }

Random::Random(uint64_t seed) {
  for (uint64_t &word : state) {
    seed += 0x9e3779b97f4a7c15u;
    uint64_t mixed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    word = mixed ^ mixed >> 31;
  }
}

uint64_t Random::next() {
  uint64_t result = rotateLeft(state[1] * 5, 7) * 9;
  uint64_t shifted = state[1] << 17;
  state[2] ^= state[0];
  state[3] ^= state[1];
  state[1] ^= state[2];
  state[0] ^= state[3];
  state[2] ^= shifted;
  state[3] = rotateLeft(state[3], 45);
  return result;
}

static void require(bool condition, const char *what) {
  if (!condition)
    throw Error(SAMBA_ERROR_ARGUMENT, std::string("sampling: ") + what);
}

Sampler::Sampler(const samba_sampling &sampling) : sampling(sampling), random(sampling.seed) {
  // Written so that NaN fails.
  require(sampling.temperature >= 0 && sampling.temperature <= 1e6f, "temperature must be from 0 to 1e6");
  require(sampling.top_k >= 0, "top_k must be at least 0");
  require(sampling.top_p > 0 && sampling.top_p <= 1, "top_p must be above 0 and at most 1");
  require(sampling.min_p >= 0 && sampling.min_p <= 1, "min_p must be from 0 to 1");
  require(sampling.repeat_penalty > 0 && std::isfinite(sampling.repeat_penalty), "repeat_penalty must be above 0");
  require(sampling.repeat_window >= 0 && sampling.repeat_window <= 65536, "repeat_window must be from 0 to 65536");
  require(std::isfinite(sampling.presence_penalty), "presence_penalty must be a number");
  require(std::isfinite(sampling.frequency_penalty), "frequency_penalty must be a number");
}

void Sampler::setBias(int32_t token, float value) {
  require(token >= 0, "the token of a bias must not be negative");
  require(value < std::numeric_limits<float>::infinity(), "a bias must be a number or minus infinity");
  bias[token] = value;
}

bool Sampler::penalises() const {
  return sampling.repeat_penalty != 1 || sampling.presence_penalty != 0 || sampling.frequency_penalty != 0;
}

/// Tokens are remembered also where no penalty is on: one may be, in the run that goes on from a saved state.
void Sampler::accept(int32_t token) {
  if (sampling.repeat_window == 0)
    return;
  recent.push_back(token);
  try {
    ++recentCount[token];
  } catch (...) {
    recent.pop_back();
    throw;
  }
  if (recent.size() <= static_cast<size_t>(sampling.repeat_window))
    return;
  auto oldest = recentCount.find(recent.front());
  if (--oldest->second == 0)
    recentCount.erase(oldest);
  recent.pop_front();
}

/// The logits with bias and penalties.
const float *Sampler::adjust(const float *logits, size_t vocabSize) {
  bool penalise = penalises() && !recentCount.empty();
  if (bias.empty() && !penalise)
    return logits;
  adjusted.assign(logits, logits + vocabSize);
  for (const auto &[token, value] : bias)
    if (static_cast<size_t>(token) < vocabSize)
      adjusted[static_cast<size_t>(token)] += value;
  if (!penalise)
    return adjusted.data();
  for (const auto &[token, count] : recentCount) {
    if (token < 0 || static_cast<size_t>(token) >= vocabSize)
      continue;
    float &logit = adjusted[static_cast<size_t>(token)];
    if (sampling.repeat_penalty != 1)
      logit = logit > 0 ? logit / sampling.repeat_penalty : logit * sampling.repeat_penalty;
    logit -= sampling.presence_penalty + sampling.frequency_penalty * static_cast<float>(count);
  }
  return adjusted.data();
}

namespace {
/// What a sampler is saved as: this, and `count` tokens of four bytes, the oldest first. Little-endian.
struct SavedSampler {
  uint32_t magic;
  uint32_t count;
  Random::State random;
};
constexpr uint32_t samplerMagic = 0x31504d53; // "SMP1", the 1 being the version
} // namespace

std::string Sampler::save() const {
  SavedSampler head = {samplerMagic, static_cast<uint32_t>(recent.size()), random.save()};
  std::string bytes(reinterpret_cast<const char *>(&head), sizeof(head));
  for (int32_t token : recent)
    bytes.append(reinterpret_cast<const char *>(&token), sizeof(token));
  return bytes;
}

void Sampler::restore(std::string_view bytes) {
  SavedSampler head;
  if (bytes.size() >= sizeof(head))
    std::memcpy(&head, bytes.data(), sizeof(head));
  if (bytes.size() < sizeof(head) || head.magic != samplerMagic ||
      bytes.size() != sizeof(head) + head.count * sizeof(int32_t) || head.random == Random::State{})
    throw Error(SAMBA_ERROR_FORMAT, "not a saved sampler");
  Sampler restored(sampling);
  for (size_t i = 0; i < head.count; ++i) {
    int32_t token;
    std::memcpy(&token, bytes.data() + sizeof(head) + i * sizeof(token), sizeof(token));
    restored.accept(token);
  }
  random.restore(head.random);
  recent.swap(restored.recent);
  recentCount.swap(restored.recentCount);
}

int32_t Sampler::sample(const float *logits, size_t vocabSize) {
  if (sampling.temperature == 0)
    return greedy(logits, vocabSize);
  return draw(distribution(logits, vocabSize));
}

/// Fills the candidates; returns the sum of their weights.
double Sampler::distribution(const float *logits, size_t vocabSize) {
  gather(logits, vocabSize);
  keepTopK();
  softmax();
  keepMinP();
  keepTopP();
  double total = 0;
  for (const Candidate &candidate : candidates)
    total += candidate.weight;
  return total;
}

int32_t Sampler::draw(double total) {
  double threshold = random.uniform() * total;
  for (const Candidate &candidate : candidates) {
    threshold -= candidate.weight;
    if (threshold < 0)
      return candidate.token;
  }
  // Rounding may leave a remainder: it belongs to the last one that can be drawn.
  for (auto last = candidates.rbegin(); last != candidates.rend(); ++last)
    if (last->weight > 0)
      return last->token;
  throw Error(SAMBA_ERROR_INTERNAL, "sampling: no candidate has a probability");
}

void Sampler::probabilities(const float *logits, size_t vocabSize, float *result) {
  if (sampling.temperature == 0) {
    int32_t best = greedy(logits, vocabSize);
    std::fill_n(result, vocabSize, 0.0f);
    result[best] = 1;
    return;
  }
  double total = distribution(logits, vocabSize);
  std::fill_n(result, vocabSize, 0.0f);
  for (const Candidate &candidate : candidates)
    result[candidate.token] = static_cast<float>(candidate.weight / total);
}

/// Rejection: the proposal x is taken with probability min(1, p(x) / q(x)), else the token is drawn from what p has
/// more than q. Together that is p.
int32_t Sampler::choose(const float *logits, size_t vocabSize, int32_t proposed, const float *proposal) {
  if (sampling.temperature == 0)
    return greedy(logits, vocabSize);
  double total = distribution(logits, vocabSize), probability = 0;
  for (const Candidate &candidate : candidates)
    if (candidate.token == proposed)
      probability = candidate.weight / total;
  if (random.uniform() * static_cast<double>(proposal[proposed]) < probability)
    return proposed;
  double left = 0;
  for (Candidate &candidate : candidates) {
    candidate.weight =
        std::max(0.0, candidate.weight / total - static_cast<double>(proposal[static_cast<size_t>(candidate.token)]));
    left += candidate.weight;
  }
  return left > 0 ? draw(left) : proposed; // only rounding can reject from equal distributions
}

int32_t Sampler::greedy(const float *logits, size_t vocabSize) {
  const float *values = adjust(logits, vocabSize);
  int32_t best = greatest(values, vocabSize);
  if (best < 0)
    throw Error(SAMBA_ERROR_NUMERIC, "sampling: every logit is NaN");
  return best;
}

void Sampler::gather(const float *logits, size_t vocabSize) {
  const float *values = adjust(logits, vocabSize);
  candidates.clear();
  for (size_t i = 0; i < vocabSize; ++i)
    if (!std::isnan(values[i]))
      candidates.push_back({values[i], static_cast<int32_t>(i)});
  if (candidates.empty())
    throw Error(SAMBA_ERROR_NUMERIC, "sampling: every logit is NaN");
}

/// Best first; the lower id of equals, so that the order is total and the result does not depend on the sort.
template <typename Candidate> static bool better(const Candidate &a, const Candidate &b) {
  return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
}

void Sampler::keepTopK() {
  size_t kept = static_cast<size_t>(sampling.top_k);
  if (kept == 0 || kept >= candidates.size())
    return;
  std::nth_element(candidates.begin(), candidates.begin() + static_cast<ptrdiff_t>(kept), candidates.end(),
                   better<Candidate>);
  candidates.resize(kept);
  std::sort(candidates.begin(), candidates.end(), better<Candidate>);
}

/// Leaves the best weight at 1. Infinite logits: of several +inf each is as good as the other.
void Sampler::softmax() {
  double best = candidates.front().weight;
  for (const Candidate &candidate : candidates)
    best = std::max(best, candidate.weight);
  for (Candidate &candidate : candidates)
    candidate.weight = candidate.weight == best
                           ? 1.0
                           : std::exp((candidate.weight - best) / static_cast<double>(sampling.temperature));
}

void Sampler::keepMinP() {
  if (sampling.min_p == 0)
    return;
  double least = static_cast<double>(sampling.min_p);
  candidates.erase(std::remove_if(candidates.begin(), candidates.end(),
                                  [&](const Candidate &candidate) { return candidate.weight < least; }),
                   candidates.end());
}

void Sampler::keepTopP() {
  if (sampling.top_p == 1)
    return;
  std::sort(candidates.begin(), candidates.end(), better<Candidate>);
  double total = 0;
  for (const Candidate &candidate : candidates)
    total += candidate.weight;
  double needed = static_cast<double>(sampling.top_p) * total, sum = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    sum += candidates[i].weight;
    if (sum >= needed) {
      candidates.resize(i + 1);
      return;
    }
  }
}

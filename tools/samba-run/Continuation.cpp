//===- Continuation.cpp - the text that a model adds to a prompt ---------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Continuation.h"
#include "tools/samba-run/Score.h"

#include <algorithm>
#include <numeric>

using namespace samba;
using namespace samba::run;
using nlohmann::ordered_json;

Continuation::Continuation(const Model &model, const Wish &wish)
    : model(model), wish(wish), sampler(wish.sampling), stops(wish.stops) {
  for (const auto &[token, bias] : wish.bias) {
    if (token >= model.vocabSize())
      throw std::runtime_error("logit bias: expected a token from 0 to " + std::to_string(model.vocabSize() - 1) +
                               ", found " + std::to_string(token));
    sampler.bias(token, bias);
  }
  if (model.hasTokenizer())
    detokenizer.emplace(model);
  else if (!wish.stops.empty())
    throw std::runtime_error("model '" + std::string(model.name()) + "' has no tokenizer, which stop strings need");
  if (wish.tokens == 0)
    stop = "length";
}

void Continuation::see(const std::vector<int32_t> &prompt, size_t known) {
  for (size_t i = 0; i < prompt.size(); ++i) {
    if (i >= known)
      sampler.accept(prompt[i]);
    if (detokenizer)
      detokenizer->push(prompt[i]);
  }
}

std::string Continuation::show(const std::string &more) {
  std::string ready = stops.push(more);
  text += ready;
  return ready;
}

bool Continuation::isGreedy() const {
  const samba_sampling &sampling = wish.sampling;
  return sampling.temperature == 0 && sampling.repeat_penalty == 1 && sampling.presence_penalty == 0 &&
         sampling.frequency_penalty == 0 && wish.bias.empty() && !wish.logprobs;
}

void Continuation::feed(Session &session, float *logits) {
  if (isGreedy())
    found = session.evaluateGreedy(&ids.back(), 1);
  else
    session.evaluate(&ids.back(), 1, SAMBA_ROWS_LAST, logits, static_cast<size_t>(model.vocabSize()));
}

int32_t samba::run::greedyToken(int32_t token) {
  if (token < 0)
    throw Exception(SAMBA_ERROR_NUMERIC, "sampling: every logit is NaN");
  return token;
}

std::string Continuation::takeGreedy(int32_t token) { return add(greedyToken(token), nullptr); }

std::string Continuation::step(const float *logits) {
  if (found) {
    int32_t token = *found;
    found.reset();
    return takeGreedy(token);
  }
  return add(sampler.sample(logits, static_cast<size_t>(model.vocabSize())), logits);
}

std::string Continuation::add(int32_t token, const float *logits) {
  ids.push_back(token);
  sampler.accept(token);
  if (wish.logprobs)
    recordLogprobs(token, logits);
  // Without a tokenizer there is no text that could end: all ids are alike.
  if (model.isEndToken(token) && detokenizer && !wish.ignoreEos) {
    stop = "eos";
    return "";
  }
  std::string ready = detokenizer ? show(detokenizer->push(token)) : "";
  if (stops.found())
    stop = "stop";
  else if (static_cast<int64_t>(ids.size()) >= wish.tokens)
    stop = "length";
  return ready;
}

std::string Continuation::finish(const std::string &reason) {
  if (stop.empty())
    stop = reason;
  std::string ready = detokenizer ? show(detokenizer->finish()) : "";
  if (stops.found())
    stop = "stop";
  std::string rest = stops.finish();
  text += rest;
  return ready + rest;
}

void Continuation::recordLogprobs(int32_t token, const float *logits) {
  size_t vocabSize = static_cast<size_t>(model.vocabSize());
  std::vector<int32_t> order(vocabSize);
  std::iota(order.begin(), order.end(), 0);
  size_t count = std::min(vocabSize, static_cast<size_t>(*wish.logprobs));
  // NaN counts as the least, so that the order is total.
  auto value = [&](int32_t id) {
    float logit = logits[id];
    return logit == logit ? logit : -std::numeric_limits<float>::infinity();
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(count), order.end(),
                    [&](int32_t a, int32_t b) { return value(a) != value(b) ? value(a) > value(b) : a < b; });
  double normalizer = negativeLogLikelihood(logits, vocabSize, token) + static_cast<double>(logits[token]);
  auto entry = [&](int32_t id) {
    return ordered_json{{"token", id}, {"logprob", static_cast<double>(logits[id]) - normalizer}};
  };
  ordered_json record = entry(token);
  record["top"] = ordered_json::array();
  for (size_t i = 0; i < count; ++i)
    record["top"].push_back(entry(order[i]));
  logprobs.push_back(std::move(record));
}

void Continuation::describe(ordered_json &object) const {
  object["tokens"] = ids;
  object["text"] = detokenizer ? ordered_json(text) : ordered_json(nullptr);
  if (wish.logprobs)
    object["logprobs"] = logprobs;
  object["stop"] = stop;
}

//===- Score.cpp - how well a model predicts a text ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Score.h"
#include "tools/samba-run/Console.h"
#include "tools/samba-run/Input.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

using namespace samba;
using namespace samba::run;

double samba::run::negativeLogLikelihood(const float *logits, size_t vocabSize, int32_t token) {
  double best = static_cast<double>(*std::max_element(logits, logits + vocabSize));
  double sum = 0;
  for (size_t i = 0; i < vocabSize; ++i)
    sum += std::exp(static_cast<double>(logits[i]) - best);
  return best + std::log(sum) - static_cast<double>(logits[token]);
}

static std::vector<int32_t> readIds(const Model &model, const std::string &path) {
  const std::string ending = ".json";
  if (path.size() >= ending.size() && path.compare(path.size() - ending.size(), ending.size(), ending) == 0)
    return readTokens(path, model.vocabSize());
  return model.tokenize(readFile(path), /*special=*/false);
}

void samba::run::score(const Model &model, const Options &options, const Limits &limits) {
  const std::string &path = *options.scoreFile;
  if (model.bos() < 0)
    throw std::runtime_error("model '" + std::string(model.name()) +
                             "' has no bos_token_id, which --score begins with");
  std::vector<int32_t> ids = readIds(model, path);
  if (options.maxTokens > 0 && static_cast<size_t>(options.maxTokens) < ids.size())
    ids.resize(static_cast<size_t>(options.maxTokens));
  if (ids.empty())
    throw std::runtime_error("'" + path + "' has no tokens");

  size_t vocabSize = static_cast<size_t>(model.vocabSize());
  size_t piece = options.context > 0 ? static_cast<size_t>(options.context) : ids.size();
  size_t chunk = std::min(static_cast<size_t>(model.chunk()), std::min(piece, ids.size()));
  std::vector<float> logits(chunk * vocabSize);
  std::vector<int32_t> fed;
  Session session(model);
  double total = 0;
  size_t scored = 0;
  std::string stop;
  for (size_t begin = 0; begin < ids.size() && stop.empty(); begin += piece) {
    size_t end = std::min(ids.size(), begin + piece);
    session.reset();
    for (size_t at = begin; at < end; at += chunk) {
      stop = limits.reached(0).value_or(""); // that on tokens has cut the ids
      if (interrupted())
        return;
      if (!stop.empty())
        break;
      size_t count = std::min(chunk, end - at);
      // Row i predicts ids[at + i], so it is fed the id before.
      fed.assign(1, at == begin ? model.bos() : ids[at - 1]);
      fed.insert(fed.end(), ids.begin() + static_cast<ptrdiff_t>(at),
                 ids.begin() + static_cast<ptrdiff_t>(at + count - 1));
      session.evaluate(fed.data(), fed.size(), SAMBA_ROWS_ALL, logits.data(), logits.size());
      for (size_t i = 0; i < count; ++i)
        total += negativeLogLikelihood(&logits[i * vocabSize], vocabSize, ids[at + i]);
      scored += count;
      if (!std::isfinite(total))
        throw std::runtime_error("the logits are not finite near token " + std::to_string(at));
    }
  }
  double perToken = total / static_cast<double>(scored); // NaN, which JSON calls null, if there is none
  nlohmann::ordered_json result = {
      {"tokens", scored}, {"nll", total}, {"nll_per_token", perToken}, {"perplexity", std::exp(perToken)}};
  if (!stop.empty())
    result["stop"] = stop;
  print(result.dump() + "\n");
}

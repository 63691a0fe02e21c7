//===- Generate.cpp - continuing a prompt --------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Generate.h"
#include "tools/samba-run/Console.h"
#include "tools/samba-run/Dump.h"
#include "tools/samba-run/Input.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <unistd.h>

using namespace samba;
using namespace samba::run;
using nlohmann::ordered_json;

namespace {

class Stopwatch {
public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); }

private:
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
};

/// One run: a prompt and what the model makes of it.
class Generation {
public:
  Generation(const Model &model, const Options &options)
      : model(model), options(options), session(model), sampler(options.sampling) {
    if (model.hasTokenizer())
      detokenizer.emplace(model);
    else if (!options.json && options.generate > 0)
      throw std::runtime_error("model '" + std::string(model.name()) + "' has no tokenizer: --json prints token ids");
    readPrompt();
  }

  void feedPrompt();
  void continuePrompt();
  void finishText() {
    if (detokenizer)
      show(detokenizer->finish());
  }
  ordered_json json(double loadSeconds) const;
  /// Throws what ended the generation early, if something did.
  void rethrow() const {
    if (full)
      throw *full;
  }
  void printStatistics() const;

private:
  void readPrompt();
  bool feedBack();
  void show(const std::string &more);

  const Model &model;
  const Options &options;
  Session session;
  Sampler sampler;
  std::optional<Detokenizer> detokenizer; // has seen the prompt, so that the text goes on from there
  std::vector<int32_t> prompt, tokens;
  std::vector<float> logits; // the last token's row at the end
  std::string text;
  std::string stop = "length";
  std::optional<Exception> full;     // the context is
  int64_t promptDone = 0, steps = 0; // tokens fed, of the prompt and one by one
  double promptSeconds = 0, stepSeconds = 0;
};

void Generation::readPrompt() {
  if (options.tokensFile)
    prompt = readTokens(*options.tokensFile, model.vocabSize());
  else
    prompt = model.tokenize(options.promptFile ? readFile(*options.promptFile) : *options.prompt);
  if (prompt.empty())
    throw std::runtime_error("the prompt has no tokens");
}

void Generation::show(const std::string &more) {
  text += more;
  if (!options.json)
    print(more);
}

void Generation::feedPrompt() {
  Stopwatch watch;
  int64_t total = static_cast<int64_t>(prompt.size());
  std::optional<LogitsDump> logitsDump;
  std::optional<HiddenDump> hiddenDump;
  if (options.dumpLogits)
    logitsDump.emplace(*options.dumpLogits, model, total);
  if (options.dumpHidden)
    hiddenDump.emplace(*options.dumpHidden, model, total);
  bool all = logitsDump || hiddenDump;

  size_t vocabSize = static_cast<size_t>(model.vocabSize());
  logits.resize(vocabSize * static_cast<size_t>(all ? std::min(total, model.chunk()) : 1));
  while (promptDone < total && !interrupted()) {
    int64_t count = std::min(total - promptDone, model.chunk());
    bool last = promptDone + count == total;
    if (hiddenDump)
      hiddenDump->begin(promptDone);
    session.evaluate(prompt.data() + promptDone, static_cast<size_t>(count),
                     all    ? SAMBA_ROWS_ALL
                     : last ? SAMBA_ROWS_LAST
                            : SAMBA_ROWS_NONE,
                     logits.data(), logits.size());
    if (logitsDump)
      logitsDump->add(logits.data(), count);
    promptDone += count;
    if (last && all)
      logits.erase(logits.begin(), logits.begin() + static_cast<ptrdiff_t>((count - 1) * model.vocabSize()));
  }
  promptSeconds = watch.seconds();
  if (promptDone < total)
    return;
  if (logitsDump)
    logitsDump->commit();
  if (hiddenDump)
    hiddenDump->commit();
  if (options.dumpState)
    dumpState(*options.dumpState, model, session);
  for (int32_t token : prompt) {
    sampler.accept(token);
    if (detokenizer)
      detokenizer->push(token);
  }
}

/// Feeds the last generated token. False if the context is full: what fits is shown before the failure is.
bool Generation::feedBack() {
  try {
    session.evaluate(&tokens.back(), 1, SAMBA_ROWS_LAST, logits.data(), logits.size());
  } catch (const Exception &error) {
    if (error.status() != SAMBA_ERROR_CONTEXT_FULL)
      throw;
    full = error;
    stop = "context";
    return false;
  }
  ++steps;
  return true;
}

void Generation::continuePrompt() {
  Stopwatch watch;
  while (static_cast<int64_t>(tokens.size()) < options.generate) {
    if (interrupted()) {
      stop = "interrupted";
      break;
    }
    if (!tokens.empty() && !feedBack())
      break;
    int32_t token = sampler.sample(logits.data(), static_cast<size_t>(model.vocabSize()));
    tokens.push_back(token);
    sampler.accept(token);
    stepSeconds = watch.seconds();
    if (token == model.eos() && !options.ignoreEos) {
      stop = "eos";
      break;
    }
    if (detokenizer)
      show(detokenizer->push(token));
  }
}

/// Tokens per second; null if nothing was measured.
ordered_json rate(int64_t tokens, double seconds) {
  return tokens > 0 && seconds > 0 ? ordered_json(static_cast<double>(tokens) / seconds) : ordered_json(nullptr);
}

ordered_json Generation::json(double loadSeconds) const {
  return {{"prompt_tokens", prompt},
          {"tokens", tokens},
          {"text", detokenizer ? ordered_json(text) : ordered_json(nullptr)},
          {"stop", interrupted() ? "interrupted" : stop},
          {"timings",
           {{"load_s", loadSeconds},
            {"prompt_s", promptSeconds},
            {"prompt_tokens_per_s", rate(promptDone, promptSeconds)},
            {"generation_s", stepSeconds},
            {"generation_tokens_per_s", rate(steps, stepSeconds)}}}};
}

void Generation::printStatistics() const {
  std::fprintf(stderr, "prompt: %lld tokens, %.1f tokens/s", static_cast<long long>(promptDone),
               promptSeconds > 0 ? static_cast<double>(promptDone) / promptSeconds : 0.0);
  if (steps > 0)
    std::fprintf(stderr, "; generation: %zu tokens, %.1f tokens/s", tokens.size(),
                 stepSeconds > 0 ? static_cast<double>(steps) / stepSeconds : 0.0);
  std::fprintf(stderr, "\n");
}

} // namespace

void samba::run::generate(const Model &model, const Options &options, double loadSeconds) {
  Generation generation(model, options);
  generation.feedPrompt();
  if (!interrupted())
    generation.continuePrompt();
  generation.finishText();
  if (options.json)
    print(generation.json(loadSeconds).dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n");
  else if (::isatty(STDOUT_FILENO))
    print("\n");
  if (::isatty(STDERR_FILENO))
    generation.printStatistics();
  generation.rethrow();
}

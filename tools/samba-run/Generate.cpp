//===- Generate.cpp - continuing a prompt --------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Generate.h"
#include "tools/samba-run/Console.h"
#include "tools/samba-run/Continuation.h"
#include "tools/samba-run/Dump.h"
#include "tools/samba-run/Input.h"
#include "tools/samba-run/PromptCache.h"
#include "tools/samba-run/Speculation.h"

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
  Generation(const Model &model, const Options &options, const Limits &limits)
      : model(model), options(options), limits(limits), session(startSession()), continuation(model, options.wish) {
    if (!model.hasTokenizer() && !options.json && options.wish.tokens > 0)
      throw std::runtime_error("model '" + std::string(model.name()) + "' has no tokenizer: --json prints token ids");
    readPrompt();
  }

  void feedPrompt();
  void continuePrompt();
  void finish();
  ordered_json json(double loadSeconds) const;
  /// Throws what ended the generation early, if something did.
  void rethrow() const {
    if (full)
      throw *full;
  }
  void printStatistics() const;

private:
  Session startSession() const { return options.loadState ? Session::load(model, *options.loadState) : Session(model); }
  void readPrompt();
  void resumeChoice();
  void seePrompt();
  void save();
  std::vector<int64_t> placesToStop() const;
  bool feedBack();
  void speculate();
  std::unique_ptr<Draft> makeDraft() const;
  bool mayGoOn();
  void show(const std::string &text) const {
    if (!options.json)
      print(text);
  }

  const Model &model;
  const Options &options;
  const Limits &limits;
  Session session;
  Continuation continuation;
  std::optional<PromptCache> cache;
  std::optional<Speculation> speculation;
  std::vector<int32_t> prompt;       // what is fed before the first choice
  size_t promptKnown = 0;            // tokens of it that the choice of the saved state knows
  bool promptSeen = false;           // by the continuation
  std::vector<float> logits;         // the last token's row at the end
  std::string early;                 // the limit that ended it
  std::optional<Exception> full;     // the context is
  int64_t promptDone = 0, steps = 0; // tokens fed, of the prompt and one by one
  int64_t cached = 0;                // tokens of the prompt that the cache knew
  double promptSeconds = 0, stepSeconds = 0;
};

void Generation::readPrompt() {
  if (options.tokensFile)
    prompt = readTokens(*options.tokensFile, model.vocabSize());
  else if (options.promptFile || options.prompt)
    prompt = model.tokenize(options.promptFile ? readFile(*options.promptFile) : *options.prompt, !options.loadState);
  bool pending = options.loadState && session.note() > 0 && session.note() <= model.vocabSize();
  if (pending)
    prompt.insert(prompt.begin(), static_cast<int32_t>(session.note() - 1));
  session.setNote(0);
  if (!session.attachment().empty()) {
    resumeChoice();
    promptKnown = pending ? 1 : 0;
  }
  if (prompt.empty())
    throw std::runtime_error(options.loadState
                                 ? "'" + *options.loadState + "' has no token to go on with: give a prompt"
                                 : "the prompt has no tokens");
}

/// Random numbers and penalties go on from the saved state.
void Generation::resumeChoice() {
  try {
    continuation.choice().restore(session.attachment());
    if (options.wish.seeded)
      continuation.choice().reseed(options.wish.sampling.seed);
  } catch (const Exception &) {
    throw std::runtime_error("'" + *options.loadState +
                             "' was saved by another program: " + "what is attached to it is not a saved sampler");
  }
  session.attach({});
}

void Generation::seePrompt() {
  if (!promptSeen)
    continuation.see(prompt, promptKnown);
  promptSeen = true;
}

/// The choice goes with it, so that a later run goes on as this one would have.
void Generation::save() {
  session.attach(continuation.choice().serialize());
  session.save(*options.saveState);
  session.attach({});
}

/// Lengths of the prompt at which there is something to do.
std::vector<int64_t> Generation::placesToStop() const {
  int64_t total = static_cast<int64_t>(prompt.size());
  std::vector<int64_t> places = cache ? PromptCache::lengths(total) : std::vector<int64_t>();
  if (options.saveState && options.wish.tokens == 0)
    places.push_back(total - 1);
  places.push_back(total);
  return places;
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
  if (options.promptCache) {
    cache.emplace(model, *options.promptCache, static_cast<uint64_t>(options.promptCacheMegabytes) << 20);
    if (std::optional<Session> known = cache->find(prompt)) {
      session = std::move(*known);
      promptDone = cached = session.position();
    }
  }

  size_t vocabSize = static_cast<size_t>(model.vocabSize());
  logits.resize(vocabSize * static_cast<size_t>(all ? std::min(total, model.chunk()) : 1));
  for (int64_t place : placesToStop()) {
    bool fresh = promptDone < place;
    while (promptDone < place && mayGoOn()) {
      int64_t count = limits.clip(std::min(place - promptDone, model.chunk()), promptDone);
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
    if (promptDone < place)
      break;
    if (place == total - 1 && options.saveState && options.wish.tokens == 0) {
      session.setNote(static_cast<int64_t>(prompt.back()) + 1);
      seePrompt();
      save();
      session.setNote(0);
    }
    if (cache && fresh && place < total)
      if (std::string warning = cache->store(session, prompt); !warning.empty())
        warn(warning);
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
  seePrompt();
}

bool Generation::mayGoOn() {
  if (early.empty())
    early = limits.reached(promptDone + static_cast<int64_t>(continuation.tokens().size())).value_or("");
  return early.empty();
}

/// Feeds the last generated token. False if the context is full: what fits is shown before the failure is.
bool Generation::feedBack() {
  try {
    continuation.feed(session, logits.data());
  } catch (const Exception &error) {
    if (error.status() != SAMBA_ERROR_CONTEXT_FULL)
      throw;
    full = error;
    return false;
  }
  ++steps;
  return true;
}

/// Like continuePrompt, with guesses.
void Generation::speculate() {
  Stopwatch watch;
  speculation.emplace(model, session, continuation, makeDraft(), prompt, promptSeconds,
                      static_cast<size_t>(options.speculateRows));
  watch = Stopwatch();
  try {
    speculation->run(
        logits.data(), [&] { return mayGoOn(); },
        [&](const std::string &text) {
          show(text);
          stepSeconds = watch.seconds();
        });
    if (options.saveState)
      speculation->settle();
  } catch (const Exception &error) {
    if (error.status() != SAMBA_ERROR_CONTEXT_FULL)
      throw;
    full = error;
  }
  steps = static_cast<int64_t>(continuation.tokens().size()) - 1;
}

std::unique_ptr<Draft> Generation::makeDraft() const {
  if (*options.speculate == "lookup")
    return std::make_unique<LookupDraft>();
  return std::make_unique<ModelDraft>(*options.speculate, options.open(), model, options.wish.sampling);
}

void Generation::continuePrompt() {
  Stopwatch watch;
  while (!continuation.ended() && mayGoOn()) {
    if (!continuation.tokens().empty() && !feedBack())
      break;
    show(continuation.step(logits.data()));
    stepSeconds = watch.seconds();
  }
}

void Generation::finish() {
  bool whole = promptDone == static_cast<int64_t>(prompt.size());
  if (whole && early.empty() && !continuation.ended()) {
    if (options.speculate)
      speculate();
    else
      continuePrompt();
  }
  show(continuation.finish(full ? "context" : early));
  if (whole && options.saveState && options.wish.tokens > 0) {
    if (!continuation.tokens().empty())
      session.setNote(static_cast<int64_t>(continuation.tokens().back()) + 1);
    save();
  }
}

/// Tokens per second; null if nothing was measured.
ordered_json rate(int64_t tokens, double seconds) {
  return tokens > 0 && seconds > 0 ? ordered_json(static_cast<double>(tokens) / seconds) : ordered_json(nullptr);
}

ordered_json Generation::json(double loadSeconds) const {
  ordered_json object = {{"prompt_tokens", prompt}};
  continuation.describe(object);
  if (cache)
    object["cached_tokens"] = cached;
  if (speculation)
    object["speculation"] = speculation->statistics();
  object["timings"] = {{"load_s", loadSeconds},
                       {"prompt_s", promptSeconds},
                       {"prompt_tokens_per_s", rate(promptDone - cached, promptSeconds)},
                       {"generation_s", stepSeconds},
                       {"generation_tokens_per_s", rate(steps, stepSeconds)}};
  return object;
}

void Generation::printStatistics() const {
  std::fprintf(stderr, "prompt: %lld tokens, %.1f tokens/s", static_cast<long long>(promptDone - cached),
               promptSeconds > 0 ? static_cast<double>(promptDone - cached) / promptSeconds : 0.0);
  if (steps > 0)
    std::fprintf(stderr, "; generation: %zu tokens, %.1f tokens/s", continuation.tokens().size(),
                 stepSeconds > 0 ? static_cast<double>(steps) / stepSeconds : 0.0);
  if (speculation)
    std::fprintf(stderr, "; %s", speculation->statistics().dump().c_str());
  std::fprintf(stderr, "\n");
}

} // namespace

void samba::run::generate(const Model &model, const Options &options, const Limits &limits, double loadSeconds) {
  Generation generation(model, options, limits);
  generation.feedPrompt();
  generation.finish();
  if (options.json)
    print(generation.json(loadSeconds).dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n");
  else if (::isatty(STDOUT_FILENO))
    print("\n");
  if (::isatty(STDERR_FILENO))
    generation.printStatistics();
  generation.rethrow();
}

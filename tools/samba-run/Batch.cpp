//===- Batch.cpp - continuing many prompts -------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Batch.h"
#include "tools/samba-run/BatchLine.h"
#include "tools/samba-run/BatchOutput.h"
#include "tools/samba-run/Console.h"
#include "tools/samba-run/Continuation.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <list>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace samba;
using namespace samba::run;
using nlohmann::ordered_json;

namespace {

/// A line that is being continued. Stays at its place: the continuation refers to the wish.
struct Sequence {
  Sequence(const Model &model, uint64_t line, std::string key, BatchLine &&parsed)
      : line(line), key(std::move(key)), content(std::move(parsed)), session(model), continuation(model, content.wish) {
    continuation.see(content.prompt);
  }

  uint64_t line; // from 1
  std::string key;
  BatchLine content;
  Session session;
  Continuation continuation;
};

class Batch {
public:
  Batch(const Model &model, const Options &options, const Limits &limits)
      : model(model), options(options), limits(limits), scheduler(model, options.budget), output(options.output),
        input(*options.batchFile) {
    if (!input)
      throw std::runtime_error("cannot read '" + *options.batchFile + "': " + std::strerror(errno));
    // What a result depends on beside its line.
    const samba_sampling &sampling = options.wish.sampling;
    settings = ordered_json{model.fingerprint(),
                            options.wish.tokens,
                            options.wish.bias,
                            options.wish.stops,
                            options.wish.ignoreEos,
                            options.wish.logprobs.value_or(-1),
                            sampling.temperature,
                            sampling.top_k,
                            sampling.top_p,
                            sampling.min_p,
                            sampling.repeat_penalty,
                            sampling.seed,
                            sampling.presence_penalty,
                            sampling.frequency_penalty}
                   .dump(-1, ' ', true, ordered_json::error_handler_t::replace);
  }

  void run();

private:
  bool startNext();
  void give(uint64_t line, const std::string &key, const ordered_json &id, ordered_json &&rest);
  void step();
  void take(const samba_session *session, const std::function<void(Continuation &)> &choose);
  void feed(Sequence &sequence, const std::vector<int32_t> &tokens);
  void progress(bool last);

  const Model &model;
  const Options &options;
  const Limits &limits;
  Scheduler scheduler;
  BatchOutput output;
  std::ifstream input;
  std::string settings;
  std::list<Sequence> active;
  uint64_t lineNumber = 0, done = 0, known = 0;
  int64_t tokens = 0, generated = 0;
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now(), shown = start;
};

void Batch::give(uint64_t line, const std::string &key, const ordered_json &id, ordered_json &&rest) {
  ordered_json result = {{"line", line}};
  if (!id.is_null())
    result["id"] = id;
  result.update(rest);
  output.add(line, key, result.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
  ++done;
}

/// Reads the next line that is not done. False at the end of the file.
bool Batch::startNext() {
  std::string text;
  while (std::getline(input, text)) {
    ++lineNumber;
    if (text.find_first_not_of(" \t\r") == std::string::npos)
      continue;
    char key[17];
    std::string identity = settings + "\n" + text;
    std::snprintf(key, sizeof(key), "%016llx",
                  static_cast<unsigned long long>(XXH3_64bits(identity.data(), identity.size())));
    output.expect(lineNumber);
    if (output.knows(lineNumber, key)) {
      ++known;
      continue;
    }
    ordered_json id;
    try {
      BatchLine line = BatchLine::parse(text, model, options.wish);
      id = line.id;
      active.emplace_back(model, lineNumber, key, std::move(line));
      Sequence &sequence = active.back();
      if (!sequence.continuation.ended()) {
        scheduler.feed(sequence.session, sequence.content.prompt.data(), sequence.content.prompt.size());
        tokens += static_cast<int64_t>(sequence.content.prompt.size());
        return true;
      }
      sequence.continuation.finish("");
      ordered_json result;
      sequence.continuation.describe(result);
      active.pop_back();
      give(lineNumber, key, id, std::move(result));
    } catch (const std::runtime_error &error) {
      if (!active.empty() && active.back().line == lineNumber)
        active.pop_back();
      give(lineNumber, key, id, {{"error", error.what()}});
    }
  }
  if (input.bad())
    throw std::runtime_error("cannot read '" + *options.batchFile + "': " + std::strerror(errno));
  return false;
}

/// Chooses the next token of a sequence and queues it, or ends the sequence.
void Batch::take(const samba_session *session, const std::function<void(Continuation &)> &choose) {
  auto sequence = active.begin();
  while (sequence->session.get() != session)
    ++sequence;
  Continuation &continuation = sequence->continuation;
  ordered_json result;
  try {
    choose(continuation);
    ++generated;
    if (!continuation.ended()) {
      try {
        scheduler.feed(sequence->session, &continuation.tokens().back(), 1);
        ++tokens;
        return;
      } catch (const Exception &error) {
        if (error.status() != SAMBA_ERROR_CONTEXT_FULL)
          throw;
      }
    }
    continuation.finish("context");
    continuation.describe(result);
  } catch (const Exception &error) {
    result = {{"error", error.what()}};
  }
  give(sequence->line, sequence->key, sequence->content.id, std::move(result));
  active.erase(sequence);
}

/// Where all choices are greedy, logits need not leave a GPU.
void Batch::step() {
  bool greedy = std::all_of(active.begin(), active.end(),
                            [](const Sequence &sequence) { return sequence.continuation.isGreedy(); });
  if (greedy)
    for (const samba_chosen &one : scheduler.stepGreedy())
      take(one.session, [&](Continuation &continuation) { continuation.takeGreedy(one.token); });
  else
    for (const samba_ready &one : scheduler.step())
      take(one.session, [&](Continuation &continuation) { continuation.step(one.logits); });
}

void Batch::progress(bool last) {
  auto now = std::chrono::steady_clock::now();
  if (!::isatty(STDERR_FILENO) || (!last && now - shown < std::chrono::milliseconds(200)))
    return;
  shown = now;
  double seconds = std::chrono::duration<double>(now - start).count();
  std::fprintf(stderr, "\r%llu lines done, %zu running, %.1f tokens/s%s", static_cast<unsigned long long>(known + done),
               active.size(), seconds > 0 ? static_cast<double>(generated) / seconds : 0.0, last ? "\n" : "\033[K");
}

void Batch::run() {
  const size_t concurrency = options.concurrency > 0 ? static_cast<size_t>(options.concurrency) : 16;
  bool more = true;
  while (true) {
    if (std::optional<std::string> limit = limits.reached(tokens)) {
      progress(true);
      warn("ended by " + *limit + " after " + std::to_string(known + done) + " lines" +
           (options.output ? ": run it again to go on" : ""));
      return;
    }
    while (more && active.size() < concurrency)
      more = startNext();
    if (active.empty())
      break;
    step();
    progress(false);
  }
  output.finish();
  progress(true);
}

} // namespace

void samba::run::batch(const Model &model, const Options &options, const Limits &limits) {
  Batch(model, options, limits).run();
}

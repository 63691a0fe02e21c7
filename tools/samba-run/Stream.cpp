//===- Stream.cpp - reading without end ----------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Stream.h"
#include "tools/samba-run/Console.h"
#include "tools/samba-run/Continuation.h"
#include "tools/samba-run/Score.h"
#include "tools/samba-run/StreamInput.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <unistd.h>

using namespace samba;
using namespace samba::run;
using nlohmann::ordered_json;

namespace {

class Stream {
public:
  Stream(const Model &model, const Options &options, const Limits &limits)
      : model(model), options(options), limits(limits),
        session(options.loadState ? Session::load(model, *options.loadState) : Session(model)),
        text(options.continueLines > 0), vocabSize(static_cast<size_t>(model.vocabSize())) {}

  void run();

private:
  bool read();
  void takeInput(bool end);
  void take(const std::vector<int32_t> &ids);
  void score(const int32_t *ids, size_t count);
  void continueLine();
  bool mayGoOn() const { return !limits.reached(fed); }

  const Model &model;
  const Options &options;
  const Limits &limits;
  Session session;
  TextCutter text;
  IntegerCutter integers;
  size_t vocabSize;
  int64_t fed = 0;
  std::vector<float> logits;
  std::vector<float> last; // the logits of the last token; empty before the first one
};

/// Waits for input. False at its end or when a limit is reached.
bool Stream::read() {
  char buffer[1 << 14];
  while (mayGoOn()) {
    pollfd input = {STDIN_FILENO, POLLIN, 0};
    int ready = ::poll(&input, 1, 200); // to look at the limits
    if (ready < 0 && errno != EINTR)
      throw std::runtime_error(std::string("cannot read standard input: ") + std::strerror(errno));
    if (ready <= 0)
      continue;
    ssize_t got = ::read(STDIN_FILENO, buffer, sizeof(buffer));
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
      continue;
    if (got < 0)
      throw std::runtime_error(std::string("cannot read standard input: ") + std::strerror(errno));
    if (options.streamTokens)
      integers.add(buffer, static_cast<size_t>(got));
    else
      text.add(buffer, static_cast<size_t>(got));
    return got > 0;
  }
  return false;
}

void Stream::takeInput(bool end) {
  bool lines = options.continueLines > 0;
  std::vector<int32_t> ids;
  while (mayGoOn()) {
    if (options.streamTokens) {
      std::optional<std::vector<int32_t>> more = integers.next(end, lines, model.vocabSize());
      if (!more)
        break;
      ids.insert(ids.end(), more->begin(), more->end());
    } else {
      std::optional<std::string> part = text.next(end);
      if (!part)
        break;
      std::vector<int32_t> more = model.tokenize(*part, /*special=*/false);
      ids.insert(ids.end(), more.begin(), more.end());
    }
    if (lines || ids.size() >= static_cast<size_t>(model.chunk())) {
      take(ids);
      ids.clear();
    }
  }
  if (!ids.empty())
    take(ids);
}

void Stream::take(const std::vector<int32_t> &ids) {
  // Few rows at a time: the logits of all tokens are computed, and they are large.
  size_t most = options.continueLines > 0 ? static_cast<size_t>(model.chunk()) : 128;
  for (size_t at = 0; at < ids.size() && mayGoOn();) {
    size_t count = std::min({most, ids.size() - at, static_cast<size_t>(model.chunk())});
    count = static_cast<size_t>(limits.clip(static_cast<int64_t>(count), fed));
    score(&ids[at], count);
    at += count;
    fed += static_cast<int64_t>(count);
  }
  if (options.continueLines > 0 && !ids.empty() && mayGoOn())
    continueLine();
}

void Stream::score(const int32_t *ids, size_t count) {
  bool all = options.continueLines == 0;
  logits.resize((all ? count : 1) * vocabSize);
  int64_t position = session.position();
  session.evaluate(ids, count, all ? SAMBA_ROWS_ALL : SAMBA_ROWS_LAST, logits.data(), logits.size());
  std::string lines;
  for (size_t i = 0; all && i < count; ++i) {
    const float *row = i > 0 ? &logits[(i - 1) * vocabSize] : last.empty() ? nullptr : last.data();
    ordered_json line = {{"position", position + static_cast<int64_t>(i)}, {"token", ids[i]}, {"logprob", nullptr}};
    if (row)
      line["logprob"] = -negativeLogLikelihood(row, vocabSize, ids[i]);
    lines += line.dump() + "\n";
  }
  last.assign(logits.end() - static_cast<ptrdiff_t>(vocabSize), logits.end());
  print(lines);
}

void Stream::continueLine() {
  Wish wish = options.wish;
  wish.tokens = options.continueLines;
  Continuation continuation(model, wish);
  Session branch = session.fork();
  std::vector<float> row = last;
  while (!continuation.ended()) {
    if (interrupted())
      break;
    if (!continuation.tokens().empty())
      continuation.feed(branch, row.data());
    continuation.step(row.data());
  }
  continuation.finish("interrupted");
  ordered_json line = {{"position", session.position()}};
  continuation.describe(line);
  print(line.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

void Stream::run() {
  std::vector<int32_t> first;
  if (session.note() > 0 && session.note() <= model.vocabSize())
    first.push_back(static_cast<int32_t>(session.note() - 1));
  session.setNote(0);
  session.attach({});
  if (!options.loadState && !options.streamTokens && model.bos() >= 0) {
    std::vector<int32_t> special = model.tokenize("", /*special=*/true); // the begin token, if the model wants it
    if (!special.empty() && special[0] == model.bos())
      first.push_back(special[0]);
  }
  for (int32_t token : first) {
    score(&token, 1);
    ++fed;
  }
  while (read())
    takeInput(false);
  takeInput(true);
  if (options.saveState)
    session.save(*options.saveState);
}

} // namespace

void samba::run::stream(const Model &model, const Options &options, const Limits &limits) {
  Stream(model, options, limits).run();
}

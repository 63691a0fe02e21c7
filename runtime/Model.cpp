//===- Model.cpp - an open model and its sessions ------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Model.h"
#include "runtime/Error.h"

#include <algorithm>

using namespace samba::runtime;

// No sequence gets longer, so that positions never overflow.
static constexpr int64_t maxPosition = int64_t(1) << 62;

static int64_t chunkOf(const samba_options &options) {
  int64_t chunk = options.chunk == 0 ? SAMBA_DEFAULT_CHUNK : options.chunk;
  if (chunk < 1 || chunk > SAMBA_MAX_CHUNK)
    throw Error(SAMBA_ERROR_ARGUMENT,
                "chunk is " + std::to_string(chunk) + ", expected 1 to " + std::to_string(SAMBA_MAX_CHUNK));
  if (options.threads < 0 || options.threads > SAMBA_MAX_THREADS)
    throw Error(SAMBA_ERROR_ARGUMENT, "threads is " + std::to_string(options.threads) + ", expected 0 to " +
                                          std::to_string(SAMBA_MAX_THREADS));
  return chunk;
}

Model::Model(const std::string &path, const samba_options &options)
    : choice(DeviceChoice::parse(options.device)), artefact(path, options.verify_weights != 0, choice.target()),
      layout(artefact.manifest()), chunkTokens(chunkOf(options)),
      executor(createExecutor(artefact, choice, options.threads, options.check_device != 0)),
      deviceText(executor->device()) {
  chunkTokens = std::min(chunkTokens, executor->limits().tokens);
  const Manifest &about = manifest();
  if (about.tokenizer)
    pieces = Tokenizer::create(*about.tokenizer, path, artefact.tokenizer(),
                               {about.vocabSize, about.addBos ? about.bos : std::nullopt,
                                about.addEos ? about.eos : std::nullopt, about.addedTokens});
  for (const StateField &field : about.fields)
    fields.push_back(
        {field.name.c_str(), field.dtype.c_str(), field.offset, field.bytes, field.shape.data(), field.shape.size()});
}

const Tokenizer &Model::requireTokenizer() const {
  if (!pieces)
    throw Error(SAMBA_ERROR_TOKENIZER, "model '" + manifest().name + "' has no tokenizer");
  return *pieces;
}

void Model::setProbe(samba_probe_callback callback, void *user) {
  std::lock_guard<std::mutex> lock(mutex);
  probe = callback;
  probeUser = user;
}

void Model::checkContext(int64_t position, uint64_t more) const {
  int64_t limit = manifest().maxContext.value_or(maxPosition);
  if (position > limit || more > static_cast<uint64_t>(limit - position))
    throw Error(SAMBA_ERROR_CONTEXT_FULL, "context full: " + std::to_string(more) + " tokens at position " +
                                              std::to_string(position) + " exceed the " + std::to_string(limit) +
                                              " tokens of the model's full-attention layers");
}

/// Returns how many rows are wanted.
uint64_t Model::check(const std::vector<Segment> &segments) const {
  std::vector<Session *> sorted;
  for (const Segment &segment : segments)
    sorted.push_back(segment.session);
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    throw Error(SAMBA_ERROR_ARGUMENT, "a session occurs twice in one evaluation");
  uint64_t wanted = 0;
  for (size_t s = 0; s < segments.size(); ++s) {
    const Segment &segment = segments[s];
    std::string where = "segment " + std::to_string(s);
    if (&segment.session->owner() != this)
      throw Error(SAMBA_ERROR_ARGUMENT, where + ": the session belongs to another model");
    if (segment.count > static_cast<size_t>(maxPosition) / sizeof(int32_t) || !segment.tokens)
      throw Error(SAMBA_ERROR_ARGUMENT, where + ": invalid tokens");
    if (segment.wanted > segment.count)
      throw Error(SAMBA_ERROR_ARGUMENT, where + ": the logits of " + std::to_string(segment.wanted) +
                                            " tokens are wanted, it has " + std::to_string(segment.count));
    for (size_t i = 0; i < segment.count; ++i)
      if (segment.tokens[i] < 0 || segment.tokens[i] >= manifest().vocabSize)
        throw Error(SAMBA_ERROR_ARGUMENT, where + ": token id " + std::to_string(segment.tokens[i]) + " at index " +
                                              std::to_string(i) + " is outside the vocabulary of " +
                                              std::to_string(manifest().vocabSize));
    checkContext(segment.session->position(), segment.count);
    wanted += segment.wanted;
  }
  return wanted;
}

std::string Model::counters() const {
  std::lock_guard<std::mutex> lock(mutex);
  return executor->counters();
}

void Model::onProbe(void *user, int32_t index, const float *data, int64_t rows, int64_t columns) {
  Model &self = *static_cast<Model *>(user);
  if (index >= 0 && static_cast<size_t>(index) < self.manifest().probes.size())
    self.probe(self.probeUser, self.manifest().probes[static_cast<size_t>(index)].name.c_str(), self.firstToken, data,
               rows, columns);
}

void Model::evaluate(const std::vector<Segment> &segments, float *logits, size_t capacity) {
  uint64_t wanted = check(segments), vocabSize = static_cast<uint64_t>(manifest().vocabSize);
  if (wanted > 0 && (!logits || wanted > capacity / vocabSize))
    throw Error(SAMBA_ERROR_LIMIT, "the buffer for logits has room for " + std::to_string(logits ? capacity : 0) +
                                       " values, expected " + std::to_string(wanted) + " rows of " +
                                       std::to_string(vocabSize));
  run(segments, {logits, nullptr}, wanted);
}

void Model::evaluateGreedy(const std::vector<Segment> &segments, int32_t *tokens, size_t capacity) {
  uint64_t wanted = check(segments);
  if (wanted > 0 && (!tokens || wanted > capacity))
    throw Error(SAMBA_ERROR_LIMIT, "the buffer for tokens has room for " + std::to_string(tokens ? capacity : 0) +
                                       ", expected " + std::to_string(wanted));
  run(segments, {nullptr, tokens}, wanted);
}

void Model::run(const std::vector<Segment> &segments, StepResult result, uint64_t wanted) {
  uint64_t total = 0;
  for (const Segment &segment : segments)
    total += segment.count;
  if (total == 0)
    return;

  std::lock_guard<std::mutex> lock(mutex);
  StepSizes limits = executor->limits();
  limits.tokens = static_cast<int64_t>(std::min<uint64_t>(total, static_cast<uint64_t>(chunkTokens)));
  // All memory is taken before the first step: a failure must leave every session as it was.
  executor->reserve(limits.tokens, result.tokens ? std::min<int64_t>(limits.tokens, static_cast<int64_t>(wanted)) : 0);
  Step step;
  step.tokens.reserve(static_cast<size_t>(limits.tokens));
  step.rows.reserve(static_cast<size_t>(limits.tokens));
  step.segments.reserve(segments.size() + 1);
  step.positions.reserve(segments.size());
  step.states.reserve(segments.size());
  for (const Segment &segment : segments)
    segment.session->prepare(static_cast<int64_t>(segment.count));

  size_t current = 0;  // segment
  size_t consumed = 0; // tokens of it
  firstToken = 0;      // of the step
  while (current < segments.size()) {
    step.tokens.clear();
    step.segments.assign(1, 0);
    step.positions.clear();
    step.rows.clear();
    step.states.clear();
    size_t begin = current;
    auto size = [&] { return static_cast<int64_t>(step.tokens.size()); };
    while (current < segments.size() && size() < limits.tokens &&
           static_cast<int64_t>(step.states.size()) < limits.sequences) {
      const Segment &segment = segments[current];
      int64_t count =
          std::min({limits.tokens - size(), static_cast<int64_t>(segment.count - consumed), limits.longest});
      // The first token with logits may be before this piece, in it or behind it.
      int64_t firstWanted =
          std::max<int64_t>(0, static_cast<int64_t>(segment.count - segment.wanted) - static_cast<int64_t>(consumed));
      int64_t rowsLeft = limits.rows - static_cast<int64_t>(step.rows.size());
      if (count - firstWanted > rowsLeft)
        count = firstWanted + rowsLeft;
      if (count == 0)
        break;
      int64_t row = size();
      step.tokens.insert(step.tokens.end(), segment.tokens + consumed, segment.tokens + consumed + count);
      step.segments.push_back(size());
      step.positions.push_back(segment.session->position());
      step.states.push_back(segment.session->stateForStep());
      for (int64_t i = firstWanted; i < count; ++i)
        step.rows.push_back(row + i);
      consumed += static_cast<size_t>(count);
      if (consumed < segment.count)
        break;
      ++current;
      consumed = 0;
    }
    executor->run(step, result, probe ? onProbe : nullptr, this);
    firstToken += size();
    if (result.tokens)
      result.tokens += step.rows.size();
    else if (!step.rows.empty())
      result.logits += step.rows.size() * static_cast<size_t>(manifest().vocabSize);
    for (size_t s = begin, i = 0; i < step.states.size(); ++s, ++i)
      segments[s].session->advance(step.segments[i + 1] - step.segments[i]);
  }
}

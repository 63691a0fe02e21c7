//===- Continuation.h - the text that a model adds to a prompt -*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_CONTINUATION_H
#define TOOLS_SAMBA_RUN_CONTINUATION_H

#include "samba/samba.hpp"
#include "tools/samba-run/Options.h"
#include "tools/samba-run/StopStrings.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace samba::run {

/// What comes after one prompt: chooses tokens, turns them to text, and knows when to end. Evaluation is not its
/// matter.
class Continuation {
public:
  /// Throws std::runtime_error for a bias of a token that the model does not have.
  Continuation(const Model &model, const Wish &wish);

  /// Tells it of tokens that come before. The choice knows the first `known` of them already.
  void see(const std::vector<int32_t> &prompt, size_t known = 0);

  Sampler &choice() { return sampler; }
  /// Adds the next token, which was chosen by these logits. Returns the text that is ready to be shown.
  std::string add(int32_t token, const float *logits);
  /// Feeds the last token to the session, so that step() can add the next one. `logits` gets its row if the choice
  /// needs it.
  void feed(Session &session, float *logits);
  /// add() of what choice() samples, or of what feed() has found.
  std::string step(const float *logits);
  /// add() of a token of samba_evaluate_greedy; throws for -1.
  std::string takeGreedy(int32_t token);
  /// The choice is the greatest logit, and nothing else is asked of them.
  bool isGreedy() const;
  /// Ends it, unless it has ended; returns the rest of the text.
  std::string finish(const std::string &reason);

  /// Tokens that it may still get.
  int64_t left() const { return wish.tokens - static_cast<int64_t>(ids.size()); }
  bool ended() const { return !stop.empty(); }
  /// "length", "eos", "stop" (a stop string), or what finish() was told.
  const std::string &reason() const { return stop; }
  const std::vector<int32_t> &tokens() const { return ids; }
  /// Adds "tokens", "text" (null without a tokenizer), "logprobs" if wished, and "stop".
  void describe(nlohmann::ordered_json &object) const;

private:
  std::string show(const std::string &text);
  void recordLogprobs(int32_t token, const float *logits);

  const Model &model;
  const Wish &wish;
  Sampler sampler;
  std::optional<Detokenizer> detokenizer; // has seen the prompt, so that the text goes on from there
  StopStrings stops;
  std::optional<int32_t> found; // by feed()
  std::vector<int32_t> ids;
  std::string text, stop;
  nlohmann::ordered_json logprobs = nlohmann::ordered_json::array();
};

/// A token of samba_evaluate_greedy. Throws what a sampler throws if there is none.
int32_t greedyToken(int32_t token);

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_CONTINUATION_H

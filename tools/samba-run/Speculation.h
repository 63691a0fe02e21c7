//===- Speculation.h - several tokens in one pass --------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_SPECULATION_H
#define TOOLS_SAMBA_RUN_SPECULATION_H

#include "tools/samba-run/Continuation.h"
#include "tools/samba-run/Guessing.h"
#include "tools/samba-run/Limits.h"

#include <functional>
#include <memory>

namespace samba::run {

/// Speculative decoding: a draft's guesses are evaluated together with the token that they follow, and those that the
/// model would have chosen itself are kept. What is chosen is what the model's own logits say at each place: greedy
/// choices are those of plain decoding, random ones have its distribution, both but for the rounding of steps of
/// several tokens. With guesses that were not drawn (lookup, greedy), the same seed also draws the same tokens.
///
/// After a wrong guess the session goes back to before the pass, and the tokens that were right are evaluated again, in
/// the next pass.
class Speculation {
public:
  /// `prompt` is what the session has seen, `rows` the most tokens of a pass.
  Speculation(const Model &model, Session &session, Continuation &continuation, std::unique_ptr<Draft> draft,
              const std::vector<int32_t> &prompt, double promptSeconds, size_t rows);

  /// Generates until the continuation ends or `mayGoOn` is false. `logits` are those of the prompt's last token, and
  /// `show` gets the text. Throws what samba_evaluate does; the session then is where the last pass began.
  void run(const float *logits, const std::function<bool()> &mayGoOn,
           const std::function<void(const std::string &)> &show);
  /// Evaluates all tokens but the last, so that the session is where plain decoding leaves it.
  void settle();

  /// "passes", "passes_by_rows" (how many had 1, 2, ... rows), "tokens_per_pass", "drafted", "accepted", "speed_up":
  /// against passes of one token, as far as there were some (else null).
  nlohmann::ordered_json statistics() const;

private:
  std::vector<int32_t> pass(const std::vector<int32_t> &drafts, const std::function<void(const std::string &)> &show);
  size_t room() const;

  const Model &model;
  Session &session;
  Continuation &continuation;
  Guessing guessing;
  size_t rows;
  std::vector<int32_t> sequence; // prompt and text
  std::vector<int32_t> pending;  // the end of the sequence, which the session has not seen
  std::vector<float> logits;
  std::vector<int32_t> best; // in place of logits, where the choice is the greatest

  std::vector<int64_t> passesByRows; // from 1
  int64_t passes = 0, chosen = 0, drafted = 0, accepted = 0;
};

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_SPECULATION_H

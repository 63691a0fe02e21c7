//===- Conversation.h - a chat whose state goes on -------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_CONVERSATION_H
#define TOOLS_SAMBA_RUN_CONVERSATION_H

#include "samba/samba.hpp"
#include "tools/samba-run/Options.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace samba::run {

/// Messages, and a session that has read them. Each turn feeds only what the chat template adds to the text so far. If
/// the template writes earlier text anew, the session goes back to the latest kept state before the difference.
class Conversation {
public:
  /// Throws std::runtime_error if the model has no tokenizer or no template.
  Conversation(const Model &model, const Options &options);

  /// Generates the answer to a message; `show` gets its text. Ends early after Ctrl-C. If it fails, the conversation is
  /// as it was.
  void say(const std::string &message, const std::function<void(const std::string &)> &show);
  /// Forgets all but the system prompt.
  void reset();
  /// As JSON, and the state beside it, FILE.state.
  void save(const std::string &path) const;
  void load(const std::string &path);

  const nlohmann::ordered_json &messages() const { return history; }
  /// Tokens that were evaluated for prompts so far, for tests and statistics.
  int64_t fedTokens() const { return promptTokens; }

private:
  struct Kept {
    int64_t position;
    Session session;
  };

  std::vector<int32_t> remainder(const std::string &rendered);
  void feed(const std::vector<int32_t> &tokens);
  std::string generate(const std::function<void(const std::string &)> &show);
  void forget();

  const Model &model;
  const Options &options;
  std::string source; // of the template; empty: the model's
  nlohmann::ordered_json history = nlohmann::ordered_json::array();
  Session session;
  std::vector<int32_t> seen; // tokens that the session has read
  std::string seenText;      // and their text
  std::vector<Kept> kept;    // by position; the latest of them
  std::vector<float> logits;
  int32_t endToken = -1; // that the tokenizer calls eos_token
  uint64_t turns = 0;
  int64_t promptTokens = 0;
};

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_CONVERSATION_H

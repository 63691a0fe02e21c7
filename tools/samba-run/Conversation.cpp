//===- Conversation.cpp - a chat whose state goes on ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Conversation.h"
#include "runtime/JsonValue.h"
#include "tools/samba-run/Console.h"
#include "tools/samba-run/Continuation.h"
#include "tools/samba-run/Input.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

using namespace samba;
using namespace samba::run;
using nlohmann::ordered_json;

static constexpr size_t maxKept = 8;

Conversation::Conversation(const Model &model, const Options &options)
    : model(model), options(options), session(model), logits(static_cast<size_t>(model.vocabSize())) {
  if (!model.hasTokenizer())
    throw std::runtime_error("model '" + std::string(model.name()) + "' has no tokenizer, which --chat needs");
  if (options.chatTemplate)
    source = readFile(*options.chatTemplate);
  if (source.empty() && !samba_chat_template(model.get()))
    throw std::runtime_error("model '" + std::string(model.name()) + "' has no chat template: give --chat-template");
  check(samba_check_template(source.empty() ? samba_chat_template(model.get()) : source.c_str()));
  ordered_json manifest = ordered_json::parse(model.manifest());
  if (manifest.contains("chat") && manifest["chat"].contains("tokens") &&
      manifest["chat"]["tokens"].contains("eos_token")) {
    std::vector<int32_t> ids =
        model.tokenize(manifest["chat"]["tokens"]["eos_token"].get<std::string>(), SAMBA_SPECIAL_PARSE);
    if (ids.size() == 1)
      endToken = ids[0];
  }
  reset();
}

void Conversation::forget() {
  session.reset();
  seen.clear();
  seenText.clear();
  kept.clear();
}

void Conversation::reset() {
  forget();
  history = ordered_json::array();
  if (options.system)
    history.push_back({{"role", "system"}, {"content", *options.system}});
}

/// The tokens to feed next, so that the session has read all of a text. Goes back if need be.
std::vector<int32_t> Conversation::remainder(const std::string &rendered) {
  std::vector<int32_t> ids = model.tokenize(rendered, SAMBA_SPECIAL_PARSE);
  if (ids.empty())
    throw std::runtime_error("the chat template makes no text of the conversation");
  size_t same = 0;
  while (same < std::min(ids.size(), seen.size()) && ids[same] == seen[same])
    ++same;
  if (same == seen.size() && same < ids.size())
    return {ids.begin() + static_cast<ptrdiff_t>(same), ids.end()};
  // What the model wrote may be other tokens than its text has. Behind it, a special token is a border of words.
  if (seenText.size() < rendered.size() && rendered.compare(0, seenText.size(), seenText) == 0) {
    std::vector<int32_t> rest = model.tokenize(rendered.substr(seenText.size()), SAMBA_SPECIAL_PARSE);
    if (!rest.empty() && model.detokenize({rest[0]}).empty())
      return rest;
  }
  while (!kept.empty() && kept.back().position > static_cast<int64_t>(std::min(same, ids.size() - 1)))
    kept.pop_back();
  size_t position = kept.empty() ? 0 : static_cast<size_t>(kept.back().position);
  if (kept.empty())
    session.reset();
  else
    session = kept.back().session.fork();
  seen.resize(position);
  return {ids.begin() + static_cast<ptrdiff_t>(position), ids.end()};
}

void Conversation::feed(const std::vector<int32_t> &tokens) {
  seenText = "\xff"; // of no rendered text, until all is fed
  for (size_t done = 0; done < tokens.size();) {
    size_t count = std::min(tokens.size() - done, static_cast<size_t>(model.chunk()));
    bool last = done + count == tokens.size();
    session.evaluate(tokens.data() + done, count, last ? SAMBA_ROWS_LAST : SAMBA_ROWS_NONE, logits.data(),
                     logits.size());
    seen.insert(seen.end(), tokens.begin() + static_cast<ptrdiff_t>(done),
                tokens.begin() + static_cast<ptrdiff_t>(done + count));
    promptTokens += static_cast<int64_t>(count);
    done += count;
    if (!last && interrupted())
      throw std::runtime_error("interrupted while reading");
  }
}

void Conversation::say(const std::string &message, const std::function<void(const std::string &)> &show) {
  ordered_json before = history;
  try {
    history.push_back({{"role", "user"}, {"content", message}});
    ordered_json variables = {{"messages", history}, {"add_generation_prompt", true}};
    std::string rendered =
        model.renderChat(variables.dump(-1, ' ', false, ordered_json::error_handler_t::replace), source);
    feed(remainder(rendered));
    seenText = rendered;
    kept.push_back({session.position(), session.fork()});
    if (kept.size() > maxKept)
      kept.erase(kept.begin());
    history.push_back({{"role", "assistant"}, {"content", generate(show)}});
  } catch (...) {
    history = before;
    throw;
  }
}

std::string Conversation::generate(const std::function<void(const std::string &)> &show) {
  Wish wish = options.wish;
  wish.sampling.seed += turns++; // other random numbers each turn
  Continuation continuation(model, wish);
  size_t recent = std::min<size_t>(seen.size(), 256);
  continuation.see({seen.end() - static_cast<ptrdiff_t>(recent), seen.end()});
  std::string text;
  auto add = [&](const std::string &piece) {
    text += piece;
    show(piece);
  };
  bool full = false;
  while (!continuation.ended() && !interrupted()) {
    std::string piece = continuation.step(logits.data());
    int32_t token = continuation.tokens().back();
    if (token == endToken && !wish.ignoreEos)
      break;
    add(piece);
    if (continuation.ended())
      break;
    try {
      continuation.feed(session, logits.data());
    } catch (const Exception &error) {
      if (error.status() != SAMBA_ERROR_CONTEXT_FULL)
        throw;
      warn(error.what());
      full = true;
      break;
    }
    seen.push_back(token);
    seenText += piece;
  }
  add(continuation.finish(full ? "context" : "eos"));
  return text;
}

static void writeFile(const std::string &path, const std::string &text) {
  std::string beside = path + ".new";
  std::FILE *file = std::fopen(beside.c_str(), "wb");
  bool written = file && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  written &= file && std::fclose(file) == 0;
  if (!written || std::rename(beside.c_str(), path.c_str()) != 0) {
    std::string reason = std::strerror(errno);
    std::remove(beside.c_str());
    throw std::runtime_error("cannot write '" + path + "': " + reason);
  }
}

void Conversation::save(const std::string &path) const {
  ordered_json document = {{"messages", history}, {"tokens", seen}, {"text", seenText}};
  session.save(path + ".state");
  writeFile(path, document.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

void Conversation::load(const std::string &path) {
  auto document = runtime::parseJson<ordered_json>(readFile(path), "'" + path + "'");
  if (!document.is_object() || !document.contains("messages") || !document["messages"].is_array())
    throw std::runtime_error("'" + path + "' is not a saved conversation");
  for (const ordered_json &message : document["messages"])
    if (!message.is_object() || !message.contains("role") || !message.contains("content"))
      throw std::runtime_error("'" + path + "' is not a saved conversation");
  forget();
  history = document["messages"];
  // Without its state, the conversation is read again.
  try {
    std::vector<int32_t> tokens = tokensOf(document.value("tokens", ordered_json()), "tokens", model.vocabSize());
    auto text = document.value("text", ordered_json(""));
    if (!text.is_string())
      throw std::runtime_error("text is not a JSON string");
    Session loaded = Session::load(model, path + ".state");
    if (loaded.position() == static_cast<int64_t>(tokens.size())) {
      session = std::move(loaded);
      seen = std::move(tokens);
      seenText = text.get<std::string>();
    }
  } catch (const std::exception &error) {
    warn(std::string(error.what()) + "; the conversation is read again");
  }
}

//===- Options.cpp - the command line of samba-run -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Options.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <map>

using namespace samba::run;

namespace {

int64_t parseInteger(const std::string &option, const std::string &text, int64_t low, int64_t high) {
  char *end = nullptr;
  errno = 0;
  long long value = std::strtoll(text.c_str(), &end, 10);
  bool plain = !text.empty() && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9'));
  if (!plain || *end || errno || value < low || value > high)
    throw UsageError(option + ": expected an integer from " + std::to_string(low) + " to " + std::to_string(high) +
                     ", found '" + text + "'");
  return value;
}

uint64_t parseSeed(const std::string &option, const std::string &text) {
  char *end = nullptr;
  errno = 0;
  unsigned long long value = std::strtoull(text.c_str(), &end, 10);
  if (text.empty() || text[0] < '0' || text[0] > '9' || *end || errno)
    throw UsageError(option + ": expected an integer from 0 to 18446744073709551615, found '" + text + "'");
  return value;
}

float parseNumber(const std::string &option, const std::string &text, const std::function<bool(float)> &valid,
                  const char *expected) {
  char *end = nullptr;
  float value = std::strtof(text.c_str(), &end);
  bool plain = !text.empty() && (text[0] == '.' || text[0] == '-' || (text[0] >= '0' && text[0] <= '9'));
  if (!plain || *end || !std::isfinite(value) || !valid(value))
    throw UsageError(option + ": expected " + expected + ", found '" + text + "'");
  return value;
}

using Flags = std::map<std::string, std::function<void()>>;
using Values = std::map<std::string, std::function<void(const std::string &option, const std::string &value)>>;

constexpr int64_t maxTokenCount = std::numeric_limits<int32_t>::max();
constexpr int64_t maxSequences = 1 << 20;
constexpr int64_t maxMegabytes = int64_t(1) << 40;

float parseFinite(const std::string &option, const std::string &text) {
  return parseNumber(option, text, [](float) { return true; }, "a number");
}

/// "ID=X", several of them separated by commas.
void parseBias(const std::string &option, const std::string &text, std::map<int32_t, float> &bias) {
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find(',', begin), text.size());
    std::string pair = text.substr(begin, end - begin);
    size_t equals = pair.find('=');
    if (equals == std::string::npos)
      throw UsageError(option + ": expected ID=NUMBER, found '" + pair + "'");
    int32_t token = static_cast<int32_t>(parseInteger(option, pair.substr(0, equals), 0, maxTokenCount));
    std::string value = pair.substr(equals + 1);
    bias[token] = value == "-inf" ? -std::numeric_limits<float>::infinity() : parseFinite(option, value);
    begin = end + 1;
  }
}

/// "lookup", "lookup:N" or the file of a model.
void parseSpeculate(const std::string &option, const std::string &text, Options &options) {
  options.speculate = text;
  if (text.compare(0, 7, "lookup:") == 0) {
    options.speculate = "lookup";
    options.speculateRows = 1 + parseInteger(option, text.substr(7), 1, 63);
  } else if (text.empty()) {
    throw UsageError(option + ": expected lookup, lookup:N or a compiled model, found nothing");
  }
}

Flags flagsOf(Options &options) {
  return {
      {"--help", [&] { options.help = true; }},       {"-h", [&] { options.help = true; }},
      {"--version", [&] { options.version = true; }}, {"--info", [&] { options.info = true; }},
      {"--json", [&] { options.json = true; }},       {"--ignore-eos", [&] { options.wish.ignoreEos = true; }},
      {"--verify", [&] { options.verify = true; }},   {"--chat", [&] { options.chat = true; }},
      {"--stream", [&] { options.stream = true; }},   {"--check", [&] { options.check = true; }},
      {"--counters", [&] { options.counters = ""; }},
  };
}

/// `draws` is set by options that need a temperature, `temperature` by --temp.
Values valuesOf(Options &options, std::string &draws, bool &temperature) {
  auto text = [](std::optional<std::string> &target) {
    return [&target](const std::string &, const std::string &value) { target = value; };
  };
  samba_sampling &sampling = options.wish.sampling;
  return {
      {"--prompt", text(options.prompt)},
      {"--prompt-file", text(options.promptFile)},
      {"--tokens", text(options.tokensFile)},
      {"--score", text(options.scoreFile)},
      {"--dump-logits", text(options.dumpLogits)},
      {"--dump-hidden", text(options.dumpHidden)},
      {"--dump-state", text(options.dumpState)},
      {"--save-state", text(options.saveState)},
      {"--load-state", text(options.loadState)},
      {"--prompt-cache", text(options.promptCache)},
      {"--prompt-cache-size",
       [&](auto &o, auto &v) { options.promptCacheMegabytes = parseInteger(o, v, 1, maxMegabytes); }},
      {"--system", text(options.system)},
      {"--chat-template", text(options.chatTemplate)},
      {"-n",
       [&](auto &o, auto &v) {
         options.tokensGiven = true;
         options.wish.tokens = parseInteger(o, v, 0, maxTokenCount);
       }},
      {"--batch", text(options.batchFile)},
      {"-o", text(options.output)},
      {"--continue", [&](auto &o, auto &v) { options.continueLines = parseInteger(o, v, 1, maxTokenCount); }},
      {"--speculate", [&](auto &o, auto &v) { parseSpeculate(o, v, options); }},
      {"--concurrency", [&](auto &o, auto &v) { options.concurrency = parseInteger(o, v, 1, maxSequences); }},
      {"--budget", [&](auto &o, auto &v) { options.budget = parseInteger(o, v, 1, SAMBA_MAX_CHUNK); }},
      {"--stop",
       [&](auto &o, auto &v) {
         if (v.empty())
           throw UsageError(o + ": expected a text, found nothing");
         options.wish.stops.push_back(v);
       }},
      {"--logit-bias", [&](auto &o, auto &v) { parseBias(o, v, options.wish.bias); }},
      {"--logprobs",
       [&](auto &o, auto &v) { options.wish.logprobs = static_cast<int32_t>(parseInteger(o, v, 0, maxTokenCount)); }},
      {"--presence-penalty", [&](auto &o, auto &v) { sampling.presence_penalty = parseFinite(o, v); }},
      {"--frequency-penalty", [&](auto &o, auto &v) { sampling.frequency_penalty = parseFinite(o, v); }},
      {"--deadline",
       [&](auto &o, auto &v) {
         options.deadline =
             static_cast<double>(parseNumber(o, v, [](float x) { return x > 0; }, "a number of seconds above 0"));
       }},
      {"--max-memory", [&](auto &o, auto &v) { options.maxMemory = parseInteger(o, v, 1, maxMegabytes); }},
      {"--context", [&](auto &o, auto &v) { options.context = parseInteger(o, v, 1, maxTokenCount); }},
      {"--max-tokens", [&](auto &o, auto &v) { options.maxTokens = parseInteger(o, v, 1, maxTokenCount); }},
      {"--chunk", [&](auto &o, auto &v) { options.chunk = parseInteger(o, v, 1, SAMBA_MAX_CHUNK); }},
      {"--device", text(options.device)},
      {"--threads",
       [&](auto &o, auto &v) { options.threads = static_cast<int32_t>(parseInteger(o, v, 1, SAMBA_MAX_THREADS)); }},
      {"--seed",
       [&](auto &o, auto &v) {
         options.wish.seeded = true;
         sampling.seed = parseSeed(o, v);
       }},
      {"--temp",
       [&](auto &o, auto &v) {
         temperature = true;
         sampling.temperature =
             parseNumber(o, v, [](float x) { return x >= 0 && x <= 1e6f; }, "a number from 0 to 1e6");
       }},
      {"--top-k",
       [&](auto &o, auto &v) {
         draws = o;
         sampling.top_k = static_cast<int32_t>(parseInteger(o, v, 0, maxTokenCount));
       }},
      {"--top-p",
       [&](auto &o, auto &v) {
         draws = o;
         sampling.top_p = parseNumber(o, v, [](float x) { return x > 0 && x <= 1; }, "a number above 0, at most 1");
       }},
      {"--min-p",
       [&](auto &o, auto &v) {
         draws = o;
         sampling.min_p = parseNumber(o, v, [](float x) { return x >= 0 && x <= 1; }, "a number from 0 to 1");
       }},
      {"--repeat-penalty",
       [&](auto &o, auto &v) {
         sampling.repeat_penalty = parseNumber(o, v, [](float x) { return x > 0; }, "a number above 0");
       }},
  };
}

void checkCombination(const Options &options, const std::string &draws, bool temperature) {
  int inputs = options.prompt.has_value() + options.promptFile.has_value() + options.tokensFile.has_value() +
               options.scoreFile.has_value() + options.batchFile.has_value() + options.stream;
  if (inputs > 1)
    throw UsageError("--prompt, --prompt-file, --tokens, --score, --batch and --stream exclude each other");
  if (inputs == 0 && !options.info && !options.loadState && !options.chat)
    throw UsageError(
        "nothing to do: give --prompt, --prompt-file, --tokens, --score, --batch, --stream, --load-state or"
        " --info (see --help)");
  bool dumps = options.dumpLogits || options.dumpHidden || options.dumpState;
  bool states = options.saveState || options.loadState || options.promptCache;
  if (options.chat && (inputs > 0 || dumps || states || options.json || options.speculate || options.maxTokens ||
                       options.deadline > 0 || options.maxMemory))
    throw UsageError("--chat cannot be combined with other inputs, --json, --speculate, dumps, states or limits");
  if (!options.chat && (options.system || options.chatTemplate))
    throw UsageError("--system and --chat-template need --chat");
  if (options.batchFile && (dumps || options.saveState || options.loadState || options.promptCache || options.json))
    throw UsageError("--batch cannot be combined with --json, dumps, states or --prompt-cache");
  if (options.stream && (dumps || options.promptCache || options.json))
    throw UsageError("--stream cannot be combined with --json, dumps or --prompt-cache");
  if (options.continueLines && !options.stream)
    throw UsageError("--continue needs --stream");
  if (options.speculate && (options.scoreFile || options.batchFile || options.stream))
    throw UsageError("--speculate is for one prompt");
  if (!options.batchFile && (options.output || options.budget || options.concurrency))
    throw UsageError("-o, --concurrency and --budget need --batch");
  if (options.budget > options.chunk)
    throw UsageError("--budget: expected at most the " + std::to_string(options.chunk) + " tokens of --chunk, found " +
                     std::to_string(options.budget));
  if (options.scoreFile && dumps)
    throw UsageError("--score cannot be combined with --dump-logits, --dump-hidden or --dump-state");
  if (options.scoreFile && (options.saveState || options.loadState || options.promptCache))
    throw UsageError("--score cannot be combined with --save-state, --load-state or --prompt-cache");
  if (options.promptCache && (dumps || options.loadState))
    throw UsageError("--prompt-cache cannot be combined with --load-state or dumps, which need all of the prompt");
  if (!options.scoreFile && options.context)
    throw UsageError("--context needs --score");
  if (options.wish.logprobs && !options.json && !options.batchFile && !options.continueLines)
    throw UsageError("--logprobs needs --json, --batch or --continue");
  if (options.check && (!options.device || *options.device == "cpu"))
    throw UsageError("--check needs --device=virtual or --device=cuda");
  if (options.counters && (!options.device || options.device->compare(0, 7, "virtual") != 0))
    throw UsageError("--counters needs --device=virtual");
  if (!draws.empty() && !temperature)
    throw UsageError(draws + " needs --temp, without which the most probable token is taken");
}

} // namespace

Options samba::run::parseOptions(int argc, const char *const *argv, bool carriesModel) {
  Options options;
  std::string draws;
  bool temperature = false;
  Flags flags = flagsOf(options);
  Values values = valuesOf(options, draws, temperature);
  bool onlyModel = false; // after "--"
  for (int i = 0; i < argc; ++i) {
    std::string argument = argv[i];
    if (onlyModel || argument.empty() || argument[0] != '-') {
      if (carriesModel || !options.model.empty() || argument.empty())
        throw UsageError("unexpected argument '" + argument + "'");
      options.model = argument;
      continue;
    }
    if (argument == "--") {
      onlyModel = true;
      continue;
    }
    size_t equals = argument.compare(0, 2, "--") == 0 ? argument.find('=') : std::string::npos;
    std::string name = argument.substr(0, equals);
    if (auto flag = flags.find(name); flag != flags.end()) {
      std::string given = equals == std::string::npos ? "" : argument.substr(equals + 1);
      if (name == "--stream" && equals != std::string::npos && given != "text" && given != "tokens")
        throw UsageError("--stream: expected text or tokens, found '" + given + "'");
      if (name == "--counters" && equals != std::string::npos && given.empty())
        throw UsageError("--counters: expected a file, found nothing");
      if (name != "--stream" && name != "--counters" && equals != std::string::npos)
        throw UsageError(name + " takes no value");
      flag->second();
      if (name == "--stream")
        options.streamTokens |= given == "tokens";
      if (name == "--counters")
        options.counters = given;
      continue;
    }
    auto value = values.find(name);
    if (value == values.end())
      throw UsageError("unknown option '" + name + "' (see --help)");
    if (equals == std::string::npos && i + 1 == argc)
      throw UsageError(name + " needs a value");
    value->second(name, equals == std::string::npos ? argv[++i] : argument.substr(equals + 1));
  }
  if (options.help || options.version)
    return options;
  if (!carriesModel && options.model.empty())
    throw UsageError("no model given (see --help)");
  checkCombination(options, draws, temperature);
  if (options.chat && !options.tokensGiven)
    options.wish.tokens = 1024;
  return options;
}

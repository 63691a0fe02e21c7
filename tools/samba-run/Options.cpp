//===- Options.cpp - the command line of samba-run -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Options.h"

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

Flags flagsOf(Options &options) {
  return {
      {"--help", [&] { options.help = true; }},       {"-h", [&] { options.help = true; }},
      {"--version", [&] { options.version = true; }}, {"--info", [&] { options.info = true; }},
      {"--json", [&] { options.json = true; }},       {"--ignore-eos", [&] { options.ignoreEos = true; }},
      {"--verify", [&] { options.verify = true; }},
  };
}

/// `draws` is set by options that need a temperature, `temperature` by --temp.
Values valuesOf(Options &options, std::string &draws, bool &temperature) {
  auto text = [](std::optional<std::string> &target) {
    return [&target](const std::string &, const std::string &value) { target = value; };
  };
  samba_sampling &sampling = options.sampling;
  return {
      {"--prompt", text(options.prompt)},
      {"--prompt-file", text(options.promptFile)},
      {"--tokens", text(options.tokensFile)},
      {"--score", text(options.scoreFile)},
      {"--dump-logits", text(options.dumpLogits)},
      {"--dump-hidden", text(options.dumpHidden)},
      {"--dump-state", text(options.dumpState)},
      {"-n", [&](auto &o, auto &v) { options.generate = parseInteger(o, v, 0, maxTokenCount); }},
      {"--context", [&](auto &o, auto &v) { options.context = parseInteger(o, v, 1, maxTokenCount); }},
      {"--max-tokens", [&](auto &o, auto &v) { options.maxTokens = parseInteger(o, v, 1, maxTokenCount); }},
      {"--chunk", [&](auto &o, auto &v) { options.chunk = parseInteger(o, v, 1, SAMBA_MAX_CHUNK); }},
      {"--threads",
       [&](auto &o, auto &v) { options.threads = static_cast<int32_t>(parseInteger(o, v, 1, SAMBA_MAX_THREADS)); }},
      {"--seed", [&](auto &o, auto &v) { sampling.seed = parseSeed(o, v); }},
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
               options.scoreFile.has_value();
  if (inputs > 1)
    throw UsageError("--prompt, --prompt-file, --tokens and --score exclude each other");
  if (inputs == 0 && !options.info)
    throw UsageError("nothing to do: give --prompt, --prompt-file, --tokens, --score or --info (see --help)");
  if (options.scoreFile && (options.dumpLogits || options.dumpHidden || options.dumpState))
    throw UsageError("--score cannot be combined with --dump-logits, --dump-hidden or --dump-state");
  if (!options.scoreFile && (options.context || options.maxTokens))
    throw UsageError("--context and --max-tokens need --score");
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
      if (equals != std::string::npos)
        throw UsageError(name + " takes no value");
      flag->second();
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
  return options;
}

std::string samba::run::helpText(const std::string &program, bool carriesModel) {
  std::string usage = program + (carriesModel ? "" : " MODEL");
  return "usage: " + usage + " --prompt TEXT [options]      continue a text\n" + //
         "       " + usage + " --score FILE [options]       measure how well a text is predicted\n" + "       " +
         usage + " --info                       print the manifest of the model\n" + R"(
Input (one of them):
  --prompt TEXT          the text to continue
  --prompt-file FILE     the same, from a file
  --tokens FILE          token ids to continue, from a JSON array; nothing is added to them
  --score FILE           print tokens, negative log likelihood (nats) and perplexity as JSON; FILE is text, or a JSON
                         array of token ids if its name ends in .json

Generation:
  -n N                   tokens to generate at most, or 0 to only read the prompt (default 128)
  --temp T               temperature; 0 takes the most probable token (default 0)
  --top-k K              draw from the K most probable tokens only; 0: from all (default 0; needs --temp)
  --top-p P              draw from the fewest tokens that have probability P together, 0 < P <= 1 (default 1; needs
                         --temp)
  --min-p P              drop tokens with less than P times the best one's probability (default 0; needs --temp)
  --repeat-penalty R     divide positive logits of the last 64 tokens by R, multiply others (default 1)
  --seed S               of the random numbers; the same seed gives the same text (default 0)
  --ignore-eos           do not stop at the end-of-sequence token
  --json                 print prompt and generated token ids, text and timings (seconds) as one JSON object at the end

Scoring:
  --context C            cut the ids into pieces of C, each predicted from a fresh state (default: one piece)
  --max-tokens M         use only the first M ids (default: all)

Files (safetensors, f32), for all T prompt tokens:
  --dump-logits FILE     logits [T, vocabulary]
  --dump-hidden FILE     hidden/embeddings, hidden/layerN, hidden/norm_f [T, width]
  --dump-state FILE      state/layerN/conv [K-1, D], /ssm [D, states], /key and /value [heads, window, head size]
                         after the last prompt token

Machine:
  --threads N            (default: OMP_NUM_THREADS, or the number of usable cores)
  --chunk N              prompt tokens per step; bounds the memory, changes results by rounding only (default 512)
  --verify               check the checksum of the weights also if they are larger than 256 MiB
  --help, --version

Exit status: 0; 1 for a failure; 2 for a wrong command line; 130 after Ctrl-C.
)";
}

//===- Options.cpp - the command line of samba-bench ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/Options.h"

#include "tools/samba-bench/Predict.h"

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <limits>
#include <map>

using namespace samba::bench;

namespace {

constexpr int64_t mostTokens = int64_t(1) << 24;
constexpr int64_t mostSequences = 4096;

int64_t parseInteger(const std::string &option, const std::string &text, int64_t low, int64_t high) {
  char *end = nullptr;
  errno = 0;
  long long value = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || text[0] < '0' || text[0] > '9' || *end || errno || value < low || value > high)
    throw UsageError(option + ": expected an integer from " + std::to_string(low) + " to " + std::to_string(high) +
                     ", found '" + text + "'");
  return value;
}

std::vector<std::string> split(const std::string &text, char separator) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t end; (end = text.find(separator, begin)) != std::string::npos; begin = end + 1)
    parts.push_back(text.substr(begin, end - begin));
  parts.push_back(text.substr(begin));
  return parts;
}

using Flags = std::map<std::string, std::function<void()>>;
using Values = std::map<std::string, std::function<void(const std::string &option, const std::string &value)>>;

Flags flagsOf(Options &options, int &formats) {
  auto format = [&options, &formats](Format wanted) {
    return [&options, &formats, wanted] {
      formats += options.format != wanted || formats == 0;
      options.format = wanted;
    };
  };
  return {
      {"--help", [&] { options.help = true; }},
      {"-h", [&] { options.help = true; }},
      {"--version", [&] { options.version = true; }},
      {"--limits", [&] { options.limits = true; }},
      {"--progress", [&] { options.progress = true; }},
      {"--ops", [&] { options.ops = Ops::Kernels; }},
      {"--best", [&] { options.best = true; }},
      {"--fusion-matrix", [&] { options.fusionMatrix = true; }},
      {"--json", format(Format::Json)},
      {"--csv", format(Format::Csv)},
      {"--md", format(Format::Markdown)},
  };
}

Values valuesOf(Options &options) {
  auto list = [](std::vector<int64_t> &target, int64_t low, int64_t high) {
    return [&target, low, high](const std::string &option, const std::string &value) {
      target.clear();
      for (const std::string &part : split(value, ','))
        target.push_back(parseInteger(option, part, low, high));
    };
  };
  auto text = [](std::optional<std::string> &target) {
    return [&target](const std::string &, const std::string &value) { target = value; };
  };
  Values values = {
      {"-p", list(options.prompts, 1, mostTokens)},
      {"-n", list(options.generations, 1, mostTokens)},
      {"-b", list(options.batches, 1, mostSequences)},
      {"-d", list(options.depths, 0, mostTokens)},
      {"-t", list(options.threads, 1, SAMBA_MAX_THREADS)},
      {"-r", [&](auto &o, auto &v) { options.repetitions = parseInteger(o, v, 1, 100000); }},
      {"--mixed",
       [&](auto &o, auto &v) {
         options.mixed.clear();
         for (const std::string &part : split(v, ',')) {
           std::vector<std::string> sizes = split(part, '+');
           if (sizes.size() != 2)
             throw UsageError(o + ": expected PROMPT+GENERATED, found '" + part + "'");
           options.mixed.emplace_back(parseInteger(o, sizes[0], 1, mostTokens),
                                      parseInteger(o, sizes[1], 1, mostTokens));
         }
       }},
      {"--chunk", [&](auto &o, auto &v) { options.chunk = parseInteger(o, v, 1, SAMBA_MAX_CHUNK); }},
      {"--seed",
       [&](auto &o, auto &v) {
         options.seed = static_cast<uint64_t>(parseInteger(o, v, 0, std::numeric_limits<int64_t>::max()));
       }},
      {"--device", text(options.device)},
      {"--predict", text(options.predict)},
      {"--trace", text(options.trace)},
      {"--compare", text(options.compare)},
      {"--show", text(options.show)},
      {"--precision", text(options.precision)},
      {"--keep", text(options.keep)},
      {"--encode", text(options.encode)},
  };
  for (auto [name, other] : {std::pair("--prompt", "-p"),
                             {"--generate", "-n"},
                             {"--batch", "-b"},
                             {"--depth", "-d"},
                             {"--threads", "-t"},
                             {"--repetitions", "-r"}})
    values[name] = values[other];
  return values;
}

void checkCombination(const Options &options, int formats) {
  if (formats > 1)
    throw UsageError("--json, --csv and --md exclude each other");
  bool tests = !options.prompts.empty() || !options.generations.empty() || !options.mixed.empty();
  bool profile = options.ops != Ops::None || options.trace;
  if (options.limits && (!options.models.empty() || options.show || options.compare || tests || profile))
    throw UsageError("--limits can only be combined with -t and a format");
  if (options.show && (!options.models.empty() || tests || profile))
    throw UsageError("--show can only be combined with --compare and a format");
  if (!options.limits && !options.show && !options.fusionMatrix && options.models.empty())
    throw UsageError("no model given (see --help)");
  if (profile && !options.mixed.empty())
    throw UsageError("--ops and --trace cannot be combined with --mixed");
  if (profile && options.compare)
    throw UsageError("--ops and --trace cannot be combined with --compare");
  if (options.best && options.ops == Ops::None)
    throw UsageError("--best is for --ops");
  if (options.fusionMatrix && (options.limits || options.show || options.compare || profile))
    throw UsageError("--fusion-matrix cannot be combined with --limits, --show, --compare, --ops and --trace");
  if (options.fusionMatrix && options.models.size() != 1)
    throw UsageError("--fusion-matrix takes one model directory");
  if (options.encode && (options.limits || options.show || options.compare || tests || profile ||
                         options.fusionMatrix || options.predict))
    throw UsageError("--encode can only be combined with -r and a format");
  if (!options.fusionMatrix && (options.precision || options.keep))
    throw UsageError("--precision and --keep are for --fusion-matrix");
  bool onCpu = !options.device || *options.device == "cpu";
  if (!onCpu && (options.limits || options.show || profile || options.fusionMatrix))
    throw UsageError("--device cannot be combined with --limits, --show, --ops, --trace and --fusion-matrix");
  if (!onCpu && options.threads.size() > 1)
    throw UsageError("-t is for the CPU");
  if (options.predict && (!options.device || options.device->compare(0, 7, "virtual") != 0))
    throw UsageError("--predict needs --device=virtual, which counts what kernels do");
  if (options.predict && options.compare)
    throw UsageError("--predict cannot be combined with --compare");
  if (options.predict && !findCard(*options.predict))
    throw UsageError("--predict: expected " + cardNames() + ", found '" + *options.predict + "'");
  if (options.trace && (options.models.size() > 1 || options.threads.size() > 1))
    throw UsageError("--trace takes one model and one number of threads");
}

void setDefaults(Options &options) {
  if (options.ops != Ops::None || options.trace) {
    if (options.prompts.empty())
      options.prompts = {SAMBA_DEFAULT_CHUNK};
    return;
  }
  if (options.prompts.empty() && options.generations.empty() && options.mixed.empty()) {
    options.prompts = {512};
    options.generations = {32};
  }
}

} // namespace

Options samba::bench::parseOptions(int argc, const char *const *argv) {
  Options options;
  int formats = 0;
  Flags flags = flagsOf(options, formats);
  Values values = valuesOf(options);
  bool onlyModels = false; // after "--"
  for (int i = 0; i < argc; ++i) {
    std::string argument = argv[i];
    if (onlyModels || argument.empty() || argument[0] != '-') {
      if (argument.empty())
        throw UsageError("unexpected argument ''");
      options.models.push_back(argument);
      continue;
    }
    if (argument == "--") {
      onlyModels = true;
      continue;
    }
    size_t equals = argument.compare(0, 2, "--") == 0 ? argument.find('=') : std::string::npos;
    std::string name = argument.substr(0, equals);
    if (name == "--ops" && equals != std::string::npos) {
      std::string kind = argument.substr(equals + 1);
      if (kind != "kernels" && kind != "layers")
        throw UsageError("--ops: expected kernels or layers, found '" + kind + "'");
      options.ops = kind == "layers" ? Ops::Layers : Ops::Kernels;
      continue;
    }
    if (name == "--fusion-matrix" && equals != std::string::npos) {
      options.fusionMatrix = true;
      options.fusions = split(argument.substr(equals + 1), ',');
      continue;
    }
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
  checkCombination(options, formats);
  setDefaults(options);
  return options;
}

const char *samba::bench::helpText() {
  return R"(usage: samba-bench MODEL.. [options]             measure how fast compiled models are
       samba-bench MODEL.. --ops[=layers]        measure each kernel of a prompt step and of a generation step
       samba-bench MODEL --trace FILE            write a trace of some steps, for Perfetto or chrome://tracing
       samba-bench MODEL_DIR --fusion-matrix     measure what each fusion is worth
       samba-bench TOKENIZER.. --encode FILE     measure how fast text is made token ids
       samba-bench --limits [-t THREADS,..]      measure what this machine can do
       samba-bench --show FILE.json              print an earlier result again

Each result is also given as a fraction of its bound: the least time in which this machine, by the limits that are
measured beside it, could do the arithmetic and read the weights and states that the model needs.

Tests (lists are separated by commas; default: -p 512 -n 32):
  -p, --prompt N,..        read a prompt of N tokens
  -n, --generate N,..      generate N tokens, for each of BATCH sequences together
  --mixed P+N,..           read a prompt of P tokens, then generate N, for each of BATCH sequences
  -b, --batch BATCH,..     sequences that generate together (default 1)
  -d, --depth DEPTH,..     tokens that sequences hold before they generate (default 0)
  -t, --threads THREADS,.. (default: OMP_NUM_THREADS, or the number of usable cores)
  -r, --repetitions R      of each test, after one that does not count (default 5)
  --chunk N                prompt tokens per step (default 512)
  --seed S                 of the random token ids (default 0)

  --device D               cpu, cuda, cuda:N or virtual, as for samba-run; bounds are those of the CPU alone

Predictions, in place of the tests, with --device=virtual, a GPU that the CPU imitates and whose kernels it counts:
  --predict=GPU            for a prompt and one generation step of each test, what each kernel does and the least time
                           that it could take on that GPU (h100 or h200). A prediction, not a measurement

Profiles, in place of the tests, of the steps that -p, -b, -d and -t name (default: -p 512; at most --chunk tokens):
  --ops                    time, GFLOP/s, GB/s and fraction of the bound of each kernel, summed over layers
  --ops=layers             of each kernel of each layer
  --best                   of each kernel the fastest repetition in place of the median, against the best of limits that
                           are measured after each one: for a machine that does other things, with many repetitions
  --trace FILE             one prompt step and three generation steps, with the kernels of each thread

Fusions, of a model directory; the samba-compile beside this program compiles it again and again:
  --fusion-matrix          measure the tests with no fusion, the default ones and all; with each fusion alone, added to or
                           taken from the default ones, and taken from all; in turns, each against its reference
  --fusion-matrix=NAME,..  only these fusions
  --precision P            of weight matrices: f32 (default), bf16, int8 or int4
  --keep DIR               a folder that keeps the compiled models

Tokenizers, each a compiled model, a tokenizer.json or a tokenizer.model:
  --encode FILE            encode this text R times with each of them, on one thread; of a tokenizer.model also with the
                           SentencePiece library, which must make the same ids

Output (default: a Markdown table on standard output):
  --json                   everything that was measured; times in seconds, sizes in bytes
  --csv                    one line per test or kernel
  --md                     a Markdown table
  --compare FILE.json      also the ratio to the same tests in a file that --json has written (above 1: faster now)
  --progress               say on standard error what is being measured
  --help, --version

Exit status: 0; 1 for a failure; 2 for a wrong command line; 130 after Ctrl-C, which ends the measurement early.
)";
}

//===- run-model.cpp - one sequence, with the least of the runtime ---------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// run-model ARTEFACT TOKENS.json CHUNK COUNT LOGITS.safetensors
//
// Reads a JSON array of token ids in steps of CHUNK tokens, continues greedily by COUNT tokens, writes the logits of
// all tokens that were read, and prints what `samba-run --json` prints about tokens. One thread and no tokenizer, so
// that it builds for another architecture with nothing but a C++ library of it.
//
//===----------------------------------------------------------------------===//

#include "runtime/Artefact.h"
#include "runtime/Error.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

using nlohmann::json;
using samba::runtime::Artefact;

namespace {

/// A team of one: each loop is a single chunk.
struct Team : samba_team {
  bool fresh = true;

  Team() : samba_team{claimAll, endLoop, 0, 1, nullptr} {}

  static uint64_t claimAll(samba_team *team, uint64_t total) {
    bool first = std::exchange(static_cast<Team *>(team)->fresh, false);
    return first ? total << 32 : 0;
  }
  static void endLoop(samba_team *team) { static_cast<Team *>(team)->fresh = true; }
};

struct Free {
  void operator()(void *memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<void, Free>;

Memory zeros(uint64_t bytes) {
  bytes = (bytes + 63) / 64 * 64;
  Memory memory(std::aligned_alloc(64, bytes));
  if (!memory)
    throw std::bad_alloc();
  std::memset(memory.get(), 0, bytes);
  return memory;
}

class Sequence {
public:
  explicit Sequence(const Artefact &model) : model(model), state(zeros(model.manifest().stateBytes)) {}

  /// The logits of all the tokens.
  std::vector<float> read(const std::vector<int32_t> &tokens) {
    int64_t count = int64_t(tokens.size()), segments[] = {0, count};
    std::vector<int64_t> rows(tokens.size());
    for (int64_t i = 0; i < count; ++i)
      rows[i] = i;
    std::vector<float> logits(tokens.size() * model.manifest().vocabSize);
    int64_t arenaRows = (count + 15) / 16 * 16;
    Memory arena = zeros(arenaRows * model.manifest().arenaBytesPerToken);
    samba_buffer inputs[] = {
        {const_cast<int32_t *>(tokens.data()), count}, {segments, 2}, {&position, 1}, {rows.data(), count}};
    samba_buffer output = {logits.data(), count};
    void *states[] = {state.get()};
    samba_call call = {inputs, &output, states, model.weights(), arena.get(), arenaRows, nullptr, nullptr};
    Team team;
    model.entry()(&call, &team);
    position += count;
    return logits;
  }

private:
  const Artefact &model;
  Memory state;
  int64_t position = 0;
};

void writeLogits(const char *path, const std::vector<float> &logits, size_t rows) {
  json header = {
      {"logits",
       {{"dtype", "F32"}, {"shape", {rows, logits.size() / rows}}, {"data_offsets", {0, 4 * logits.size()}}}}};
  std::string text = header.dump();
  uint64_t length = text.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char *>(&length), sizeof(length)) << text;
  file.write(reinterpret_cast<const char *>(logits.data()), std::streamsize(4 * logits.size()));
  if (!file.flush())
    throw std::runtime_error(std::string("cannot write '") + path + "'");
}

void run(char **arguments) {
  Artefact model(arguments[0], /*verifyWeights=*/true);
  std::vector<int32_t> tokens = json::parse(std::ifstream(arguments[1])).get<std::vector<int32_t>>();
  size_t chunk = std::stoul(arguments[2]), count = std::stoul(arguments[3]), vocabulary = model.manifest().vocabSize;
  Sequence sequence(model);
  std::vector<float> all;
  for (size_t first = 0; first < tokens.size(); first += chunk) {
    auto begin = tokens.begin() + first;
    std::vector<float> logits = sequence.read({begin, begin + std::min(chunk, tokens.size() - first)});
    all.insert(all.end(), logits.begin(), logits.end());
  }
  writeLogits(arguments[4], all, tokens.size());
  std::vector<int32_t> continuation;
  std::vector<float> last(all.end() - vocabulary, all.end());
  while (continuation.size() < count) {
    continuation.push_back(int32_t(std::max_element(last.begin(), last.end()) - last.begin()));
    last = sequence.read({continuation.back()});
  }
  std::puts(json{{"prompt_tokens", tokens}, {"tokens", continuation}}.dump().c_str());
}

} // namespace

int main(int argc, char **argv) {
  try {
    if (argc != 6)
      throw std::runtime_error("usage: run-model ARTEFACT TOKENS.json CHUNK COUNT LOGITS.safetensors");
    run(argv + 1);
    return 0;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "run-model: error: %s\n", error.what());
    return 1;
  }
}

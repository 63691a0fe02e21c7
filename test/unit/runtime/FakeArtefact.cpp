//===- FakeArtefact.cpp - artefacts made by the tests --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/unit/runtime/FakeArtefact.h"
#include "runtime/Cpu.h"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace samba::test;

Folder::Folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "samba-runtime-XXXXXX").string();
  if (!::mkdtemp(pattern.data()))
    throw std::runtime_error("cannot make a temporary folder");
  path = pattern;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

std::string samba::test::readBytes(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw std::runtime_error("cannot read " + path);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void samba::test::writeBytes(const std::string &path, const std::string &bytes) {
  std::filesystem::remove(path);
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  if (!file.flush())
    throw std::runtime_error("cannot write " + path);
}

FakeArtefact::FakeArtefact() : code(readBytes(SAMBA_FAKE_MODEL)) {
  std::vector<float> values(vocabSize * width);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>((i * 37) % 64) / 64.0f - 0.5f;
  weights.assign(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float));
  std::string triple = std::string(samba::runtime::machineArchitecture()) + "-unknown-linux-gnu";
  manifest = {
      {"abi_version", SAMBA_ABI_VERSION},
      {"name", "fake"},
      {"entry", "samba_step"},
      {"model", {{"vocab_size", vocabSize}, {"max_context", nullptr}, {"bos_token_id", 1}, {"eos_token_id", 2}}},
      {"target", {{"triple", triple}, {"cpu", "generic"}, {"features", nlohmann::json::array()}}},
      {"arena_bytes_per_token", (2 * width + 1) * 4},
      {"state",
       {{"bytes", stateBytes},
        {"fields",
         {{{"name", "layers.0.conv"}, {"offset", 0}, {"shape", {3, 4}}, {"dtype", "f32"}},
          {{"name", "layers.0.ssm"}, {"offset", 64}, {"shape", {2, 4}}, {"dtype", "f32"}},
          {{"name", "layers.1.key"}, {"offset", 96}, {"shape", {1, 2, 2}}, {"dtype", "f32"}}}}}},
      {"probes",
       {{{"name", "embeddings"}, {"width", width}},
        {{"name", "layers.0"}, {"width", width}},
        {{"name", "norm_f"}, {"width", width}}}},
      {"weights", {{"bytes", weights.size()}, {"file", nullptr}}},
      {"tokenizer", nullptr}};
#ifdef SAMBA_FAKE_KERNELS
  useGpu(readBytes(SAMBA_FAKE_KERNELS));
#endif
}

void FakeArtefact::useGpu(const std::string &ptx) {
  using nlohmann::json;
  auto argument = [](const char *kind, json value) { return json{{kind, std::move(value)}}; };
  constexpr int hiddenAt = 0, sumsAt = 2048, normedAt = 2304;
  json hidden = argument("arena", hiddenAt), sums = argument("arena", sumsAt), normed = argument("arena", normedAt);
  json sizes = argument("input", "sizes"), tokens = argument("input", "tokens"), table = argument("weights", 0);
  auto launch = [](const char *kernel, const char *name, json grid, int threads, json arguments) {
    json one = {{"of", "one"}};
    return json{{"kernel", kernel},
                {"name", name},
                {"grid", {grid, one, one}},
                {"block", {threads, 1, 1}},
                {"args", arguments}};
  };
  auto probe = [](int index, int at, const char *of) {
    return json{{"probe", index}, {"arena", at}, {"width", width}, {"of", of}};
  };
  json ofTokens = {{"of", "tokens"}, {"per", 4}}; // 32 threads do four rows of 8
  json launches = {
      launch("sequences", "layers.0", {{"of", "sequences"}, {"per", 2}}, 2,
             {tokens, argument("input", "segments"), argument("input", "positions"), argument("input", "states"), sizes,
              sums, argument("state", 64), argument("state", 96), argument("f32", 0.125), argument("i32", 4)}),
      launch("embed", "embeddings", ofTokens, 32, {table, tokens, sizes, hidden}),
      probe(0, hiddenAt, "tokens"),
      launch("add", "layers.0", ofTokens, 32, {hidden, sums, sizes}),
      probe(1, hiddenAt, "tokens"),
      launch("norm", "norm_f", {{"of", "rows"}, {"per", 4}}, 32, {hidden, argument("input", "rows"), sizes, normed}),
      probe(2, normedAt, "rows"),
      launch("head", "lm_head", {{"of", "rows"}}, vocabSize,
             {table, normed, argument("output", "logits"), argument("output", "argmax")})};
  gpu = {{"version", SAMBA_GPU_VERSION},
         {"images", {{{"kind", "ptx"}, {"arch", 80}, {"offset", 0}, {"size", ptx.size()}}}},
         {"weights_bytes", weights.size()},
         {"arena_bytes", normedAt + 32 * width * 4},
         {"programs",
          {{{"name", "decode"},
            {"max_tokens", 16},
            {"max_sequences", 16},
            {"max_rows", 16},
            {"longest", 1},
            {"launches", launches}},
           {{"name", "prefill"}, {"max_tokens", 64}, {"max_sequences", 8}, {"max_rows", 32}, {"launches", launches}}}}};
  gpuImages = ptx;
  gpuWeights = weights;
}

void FakeArtefact::useTokenizer() {
  tokenizer = readBytes(SAMBA_SOURCE_DIR "/models/samba-tiny/tokenizer.model");
  manifest["tokenizer"] = {{"kind", "sentencepiece"}, {"add_bos", true}, {"add_eos", false}};
}

void FakeArtefact::dropCode() {
  code = weights = "";
  manifest["target"] = nullptr;
  manifest["weights"]["bytes"] = 0;
}

static std::string gpuSection(const nlohmann::json &text, const std::string &images) {
  std::string bytes(8, '\0');
  bytes += text.dump();
  for (size_t i = 0; i < 8; ++i)
    bytes[i] = static_cast<char>((bytes.size() - 8) >> 8 * i);
  bytes.resize((bytes.size() + 63) / 64 * 64, '\0');
  return bytes + images;
}

static samba_section append(std::string &file, const std::string &bytes, size_t alignment) {
  if (bytes.empty())
    return {0, 0, XXH3_64bits("", 0)};
  file.resize((file.size() + alignment - 1) / alignment * alignment, '\0');
  samba_section section = {file.size(), bytes.size(), XXH3_64bits(bytes.data(), bytes.size())};
  file += bytes;
  return section;
}

std::string FakeArtefact::bytes() const {
  std::string file = launcher;
  footer = {};
  std::memcpy(footer.magic, SAMBA_FOOTER_MAGIC, sizeof(footer.magic));
  footer.abi_version = abiVersion;
  footer.flags = flags;
  footer.code = append(file, code, 16);
  if (flags & SAMBA_WEIGHTS_BESIDE) {
    std::string other;
    footer.weights = append(other, weights, 4096);
    footer.gpu_weights = append(other, gpuWeights, 4096);
  } else {
    footer.weights = append(file, weights, 4096);
    footer.gpu_weights = append(file, gpuWeights, 4096);
  }
  footer.gpu = append(file, gpu.is_null() ? "" : gpuSection(gpu, gpuImages), 64);
  footer.tokenizer = append(file, tokenizer, 1);
  footer.manifest = append(file, manifest.dump(), 1);
  footer.file_size = file.size() + sizeof(footer);
  if (changeFooter)
    changeFooter(footer);
  footer.checksum = XXH3_64bits(&footer, offsetof(samba_footer, checksum));
  file.append(reinterpret_cast<const char *>(&footer), sizeof(footer));
  return file;
}

std::vector<float> samba::test::predictLogits(const FakeArtefact &artefact, const std::vector<int32_t> &tokens) {
  std::vector<float> weights(artefact.weights.size() / sizeof(float));
  std::memcpy(weights.data(), artefact.weights.data(), artefact.weights.size());
  std::vector<float> logits;
  float decaying[8] = {};
  for (size_t t = 0; t < tokens.size(); ++t) {
    float sum = 0;
    for (int i = 0; i < 8; ++i)
      sum += decaying[i] = 0.5f * decaying[i] + static_cast<float>(tokens[t]) * 0.25f + static_cast<float>(i);
    sum += 0.125f * static_cast<float>(t + 1);
    for (int32_t v = 0; v < vocabSize; ++v) {
      float logit = 0;
      for (int64_t i = 0; i < width; ++i)
        logit += (weights[static_cast<size_t>(tokens[t] * width + i)] + sum) * 0.0625f *
                 weights[static_cast<size_t>(v * width + i)];
      logits.push_back(logit);
    }
  }
  return logits;
}

std::vector<int32_t> samba::test::someTokens(size_t count, uint32_t seed) {
  std::vector<int32_t> tokens;
  uint32_t value = seed * 2654435761u + 1;
  for (size_t i = 0; i < count; ++i) {
    value = value * 1664525u + 1013904223u;
    tokens.push_back(static_cast<int32_t>(3 + (value >> 16) % (vocabSize - 3)));
  }
  return tokens;
}

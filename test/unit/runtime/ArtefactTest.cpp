//===- ArtefactTest.cpp - loading artefacts, whole and damaged -----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Cpu.h"
#include "samba/samba.hpp"
#include "test/unit/runtime/FakeArtefact.h"

#include <cstddef>
#include <cstdio>
#include <gtest/gtest.h>
#include <unistd.h>

using namespace samba;
using namespace samba::test;

namespace {

struct Outcome {
  samba_status status;
  std::string message;
};

Outcome tryOpen(const std::string &path, samba_options options = SAMBA_OPTIONS_INIT) {
  samba_model *model = nullptr;
  samba_status status = samba_open(path.c_str(), &options, &model);
  std::string message = status == SAMBA_OK ? "" : samba_last_error();
  samba_close(model);
  return {status, message};
}

Outcome tryOpen(const Folder &folder, const FakeArtefact &artefact) {
  std::string path = folder / "model.so";
  artefact.write(path);
  return tryOpen(path);
}

void expectFailure(const Outcome &outcome, samba_status status, const std::string &part) {
  EXPECT_EQ(outcome.status, status) << outcome.message;
  EXPECT_NE(outcome.message.find(part), std::string::npos) << outcome.message << "\n  lacks: " << part;
  EXPECT_EQ(outcome.message.find('\n'), std::string::npos) << outcome.message;
}

float firstLogit(const Model &model) {
  Session session(model);
  std::vector<float> logits(vocabSize);
  int32_t token = 5;
  session.evaluate(&token, 1, SAMBA_ROWS_LAST, logits.data(), logits.size());
  return logits[0];
}

TEST(Artefact, Getters) {
  Folder folder;
  FakeArtefact artefact;
  artefact.manifest["model"]["max_context"] = 100;
  artefact.write(folder / "model.so");
  EXPECT_EQ(samba_is_artefact((folder / "model.so").c_str()), 1);
  samba_options options = SAMBA_OPTIONS_INIT;
  options.threads = 3;
  options.chunk = 7;
  Model model(folder / "model.so", options);
  EXPECT_EQ(nlohmann::json::parse(model.manifest()), artefact.manifest);
  EXPECT_EQ(model.name(), "fake");
  EXPECT_EQ(model.vocabSize(), vocabSize);
  EXPECT_EQ(model.maxContext(), 100);
  EXPECT_EQ(model.bos(), 1);
  EXPECT_EQ(model.eos(), 2);
  EXPECT_EQ(model.threads(), 3);
  EXPECT_EQ(model.chunk(), 7);
  EXPECT_FALSE(model.hasTokenizer());
  EXPECT_EQ(samba_state_bytes(model.get()), stateBytes);
  ASSERT_EQ(samba_state_field_count(model.get()), 3u);
  const samba_state_field *field = samba_state_field_at(model.get(), 2);
  EXPECT_STREQ(field->name, "layers.1.key");
  EXPECT_STREQ(field->dtype, "f32");
  EXPECT_EQ(field->offset, 96u);
  EXPECT_EQ(field->bytes, 16u);
  EXPECT_EQ(std::vector<int64_t>(field->shape, field->shape + field->rank), (std::vector<int64_t>{1, 2, 2}));
  EXPECT_EQ(samba_state_field_at(model.get(), 3), nullptr);
  EXPECT_EQ(samba_probe_count(model.get()), 3u);
  EXPECT_STREQ(samba_probe_name(model.get(), 2), "norm_f");
  EXPECT_EQ(samba_probe_width(model.get(), 2), width);
  EXPECT_EQ(samba_probe_name(model.get(), 3), nullptr);
}

TEST(Artefact, OptionalKeys) {
  Folder folder;
  FakeArtefact artefact;
  for (const char *key : {"entry", "probes", "tokenizer"})
    artefact.manifest.erase(key);
  artefact.manifest["model"].erase("bos_token_id");
  artefact.manifest["model"]["eos_token_id"] = nullptr;
  artefact.manifest["something_else"] = {1, 2};
  artefact.write(folder / "model.so");
  Model model(folder / "model.so");
  EXPECT_EQ(model.bos(), -1);
  EXPECT_EQ(model.eos(), -1);
  EXPECT_EQ(model.maxContext(), -1);
  EXPECT_EQ(samba_probe_count(model.get()), 0u);
}

TEST(Artefact, NotAFile) {
  Folder folder;
  expectFailure(tryOpen(folder / "missing"), SAMBA_ERROR_IO, "No such file");
  expectFailure(tryOpen("/"), SAMBA_ERROR_IO, "not a regular file");
  EXPECT_EQ(samba_is_artefact((folder / "missing").c_str()), 0);
  writeBytes(folder / "empty", "");
  expectFailure(tryOpen(folder / "empty"), SAMBA_ERROR_FORMAT, "not a compiled model");
  EXPECT_EQ(samba_is_artefact((folder / "empty").c_str()), 0);
  writeBytes(folder / "text", std::string(1000, 'x'));
  expectFailure(tryOpen(folder / "text"), SAMBA_ERROR_FORMAT, "not a compiled model");
}

TEST(Artefact, NullArguments) {
  samba_model *model = nullptr;
  EXPECT_EQ(samba_open(nullptr, nullptr, &model), SAMBA_ERROR_ARGUMENT);
  EXPECT_EQ(samba_open("x", nullptr, nullptr), SAMBA_ERROR_ARGUMENT);
  samba_options options = {};
  EXPECT_EQ(samba_open("x", &options, &model), SAMBA_ERROR_ARGUMENT); // size not set
  samba_close(nullptr);
}

TEST(Artefact, OptionsOutOfRange) {
  Folder folder;
  FakeArtefact().write(folder / "model.so");
  samba_options options = SAMBA_OPTIONS_INIT;
  options.chunk = SAMBA_MAX_CHUNK + 1;
  expectFailure(tryOpen(folder / "model.so", options), SAMBA_ERROR_ARGUMENT, "chunk is 65537");
  options = SAMBA_OPTIONS_INIT;
  options.threads = -1;
  expectFailure(tryOpen(folder / "model.so", options), SAMBA_ERROR_ARGUMENT, "threads is -1");
}

TEST(Artefact, TruncatedAnywhere) {
  Folder folder;
  std::string whole = FakeArtefact().bytes();
  std::string path = folder / "model.so";
  for (size_t length = 0; length<whole.size(); length += length + 300> whole.size() ? 1 : 229) {
    writeBytes(path, whole.substr(0, length));
    ASSERT_EQ(tryOpen(path).status, SAMBA_ERROR_FORMAT) << length;
  }
  writeBytes(path, whole + "x");
  EXPECT_EQ(tryOpen(path).status, SAMBA_ERROR_FORMAT);
  // A footer that is whole, behind a file that is not.
  writeBytes(path, whole.substr(0, 5000) + whole.substr(whole.size() - sizeof(samba_footer)));
  expectFailure(tryOpen(path), SAMBA_ERROR_FORMAT, "expected " + std::to_string(whole.size()));
}

TEST(Artefact, FlippedBits) {
  Folder folder;
  FakeArtefact artefact;
  artefact.useTokenizer();
  artefact.manifest["model"]["vocab_size"] = 2048;
  std::string whole = artefact.bytes();
  std::string path = folder / "model.so";
  auto flip = [&](size_t at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    writeBytes(path, damaged);
    return tryOpen(path);
  };
  struct {
    const char *name;
    samba_section section;
  } sections[] = {{"code", artefact.footer.code},
                  {"weights", artefact.footer.weights},
                  {"tokenizer", artefact.footer.tokenizer},
                  {"manifest", artefact.footer.manifest}};
  for (const auto &[name, section] : sections)
    for (uint64_t part : {0, 1, 2, 3, 4})
      expectFailure(flip(section.offset + (section.size - 1) * part / 4), SAMBA_ERROR_FORMAT,
                    std::string("wrong checksum of section ") + name);
  size_t footer = whole.size() - sizeof(samba_footer);
  for (size_t i = 0; i < sizeof(samba_footer); ++i) {
    bool version = i >= offsetof(samba_footer, abi_version) && i < offsetof(samba_footer, flags);
    EXPECT_EQ(flip(footer + i).status, version ? SAMBA_ERROR_ABI : SAMBA_ERROR_FORMAT) << i;
  }
}

TEST(Artefact, OtherVersion) {
  Folder folder;
  FakeArtefact artefact;
  artefact.abiVersion = 7;
  Outcome outcome = tryOpen(folder, artefact);
  expectFailure(outcome, SAMBA_ERROR_ABI, "has artefact version 7, this runtime loads version 2");
  artefact.abiVersion = SAMBA_ABI_VERSION;
  artefact.manifest["abi_version"] = 9;
  expectFailure(tryOpen(folder, artefact), SAMBA_ERROR_ABI, "version 9");
}

TEST(Artefact, Footer) {
  Folder folder;
  auto with = [&](const std::function<void(samba_footer &)> &change) {
    FakeArtefact artefact;
    artefact.changeFooter = change;
    return tryOpen(folder, artefact);
  };
  expectFailure(with([](samba_footer &f) { f.flags = 2; }), SAMBA_ERROR_FORMAT, "unknown flags 2");
  expectFailure(with([](samba_footer &f) { f.file_size += 1; }), SAMBA_ERROR_FORMAT, "the file has");
  expectFailure(with([](samba_footer &f) { f.weights.offset -= 4096; }), SAMBA_ERROR_FORMAT,
                "code and weights overlap");
  expectFailure(with([](samba_footer &f) { f.tokenizer = f.manifest; }), SAMBA_ERROR_FORMAT,
                "tokenizer and manifest overlap");
  expectFailure(with([](samba_footer &f) { f.manifest.size += sizeof(samba_footer); }), SAMBA_ERROR_FORMAT,
                "section manifest");
  expectFailure(with([](samba_footer &f) { f.manifest.size = 0; }), SAMBA_ERROR_FORMAT, "section manifest has 0 bytes");
  expectFailure(with([](samba_footer &f) { f.code.size = 0; }), SAMBA_ERROR_FORMAT, "sections code and gpu are empty");
  expectFailure(with([](samba_footer &f) { f.weights.offset -= 4; }), SAMBA_ERROR_FORMAT, "multiple of 64");
  // Sums that overflow 64 bits.
  expectFailure(with([](samba_footer &f) { f.weights.size = ~uint64_t(0) - 100; }), SAMBA_ERROR_FORMAT, "lies beyond");
  expectFailure(with([](samba_footer &f) { f.code.offset = ~uint64_t(0); }), SAMBA_ERROR_FORMAT, "lies beyond");
}

TEST(Artefact, NotExecutableCode) {
  Folder folder;
  FakeArtefact artefact;
  artefact.code = std::string(10000, 'x');
  expectFailure(tryOpen(folder, artefact), SAMBA_ERROR_FORMAT, "cannot load the code");
  artefact.code = readBytes(SAMBA_EMPTY_MODEL);
  expectFailure(tryOpen(folder, artefact), SAMBA_ERROR_FORMAT, "no entry point samba_step");
}

TEST(Artefact, Cpu) {
  Folder folder;
  FakeArtefact artefact;
  artefact.manifest["target"]["features"] = {"no-such-feature", "nor-this"};
  expectFailure(tryOpen(folder, artefact), SAMBA_ERROR_CPU, "lacks: no-such-feature, nor-this");
  artefact.manifest["target"]["features"] = nlohmann::json::array();
  artefact.manifest["target"]["triple"] = "riscv64-unknown-linux-gnu";
  expectFailure(tryOpen(folder, artefact), SAMBA_ERROR_CPU, "is compiled for riscv64, this machine is");
}

TEST(Artefact, CpuIsCheckedBeforeCodeRuns) {
  Folder folder;
  FakeArtefact artefact;
  artefact.code = std::string(100, 'x');
  artefact.manifest["target"]["features"] = {"no-such-feature"};
  EXPECT_EQ(tryOpen(folder, artefact).status, SAMBA_ERROR_CPU);
}

#if defined(__x86_64__) && defined(__clang__)
TEST(Cpu, AgreesWithTheCompilerLibrary) {
  using samba::runtime::cpuSupports;
#define SAME(name) EXPECT_EQ(cpuSupports(name), __builtin_cpu_supports(name) != 0) << name
  SAME("sse2");
  SAME("sse4.2");
  SAME("avx");
  SAME("avx2");
  SAME("fma");
  SAME("bmi");
  SAME("bmi2");
  SAME("f16c");
  SAME("lzcnt");
  SAME("popcnt");
  SAME("avx512f");
  SAME("avx512bw");
  SAME("avx512vl");
  SAME("avx512dq");
  SAME("avx512cd");
  SAME("avx512vnni");
  SAME("avx512bf16");
  SAME("avx512vbmi");
  SAME("gfni");
  SAME("vaes");
#undef SAME
  EXPECT_FALSE(cpuSupports("avx512"));
  EXPECT_FALSE(cpuSupports(""));
}
#endif

struct BadManifest {
  const char *pointer; // JSON pointer of what is replaced
  const char *value;   // JSON
  const char *message;
};

class Manifest : public testing::TestWithParam<BadManifest> {};

TEST_P(Manifest, Refused) {
  Folder folder;
  FakeArtefact artefact;
  artefact.manifest[nlohmann::json::json_pointer(GetParam().pointer)] = nlohmann::json::parse(GetParam().value);
  expectFailure(tryOpen(folder, artefact), SAMBA_ERROR_FORMAT, GetParam().message);
}

const BadManifest badManifests[] = {
    {"/abi_version", "\"1\"", "manifest key 'abi_version': expected an integer"},
    {"/name", "7", "manifest key 'name': expected a string, found 7"},
    {"/name", "\"a\\u0000b\"", "manifest key 'name': expected a string"},
    {"/entry", "\"other\"", "manifest key 'entry'"},
    {"/model", "[]", "manifest key 'model': expected an object, found []"},
    {"/model/vocab_size", "0", "manifest key 'model.vocab_size': expected an integer from 1 to 2147483647, found 0"},
    {"/model/vocab_size", "1e3", "'model.vocab_size'"},
    {"/model/vocab_size", "18446744073709551615", "'model.vocab_size'"},
    {"/model/max_context", "-1", "'model.max_context'"},
    {"/model/bos_token_id", "32", "'model.bos_token_id': expected an integer from 0 to 31, found 32"},
    {"/model/eos_token_id", "-1", "'model.eos_token_id'"},
    {"/target", "null", "manifest key 'target' and the section code disagree"},
    {"/target/triple", "null", "'target.triple'"},
    {"/target/features", "{}", "'target.features': expected an array, found {}"},
    {"/target/features", "[1]", "'target.features[0]': expected a string, found 1"},
    {"/arena_bytes_per_token", "-4", "'arena_bytes_per_token'"},
    {"/state/bytes", "1e99", "'state.bytes'"},
    {"/state/bytes", "100", "'state.fields[2].offset': expected a multiple of 4 up to 84, found 96"},
    {"/state/fields/1/shape", "[4611686018427387904, 4611686018427387904]", "'state.fields[1].shape[0]'"},
    {"/state/fields/1/shape", "[70368744177664, 70368744177664]", "'state.fields[1].shape'"},
    {"/state/fields/1/shape", "[1,1,1,1,1,1,1,1,1]", "'state.fields[1].shape': expected at most 8 sizes"},
    {"/state/fields/1/shape/0", "0", "'state.fields[1].shape[0]'"},
    {"/state/fields/1/offset", "2", "'state.fields[1].offset'"},
    {"/state/fields/1/dtype", "\"f64\"",
     "'state.fields[1].dtype': expected \"f32\", \"bf16\", \"f16\" or \"i8\", found \"f64\""},
    {"/state/fields/2", "{\"name\": \"k\", \"dtype\": \"i8\", \"shape\": [], \"offset\": 96}",
     "'state.fields[2].shape': expected at least one size, that of the rows that have a scale, found []"},
    // 2 rows of 13 integers and 4 bytes are 34 bytes.
    {"/state/fields/2", "{\"name\": \"k\", \"dtype\": \"i8\", \"shape\": [2, 13], \"offset\": 96}",
     "'state.fields[2].offset': expected a multiple of 1 up to 94, found 96"},
    {"/probes/0/width", "0", "'probes[0].width'"},
    {"/probes/0", "3", "'probes[0]': expected an object, found 3"},
    {"/weights/bytes", "5", "'weights.bytes' is 5"},
    {"/weights/file", "\"w.bin\"", "'weights.file' and the footer disagree"},
    {"/weights/file", "\"../w.bin\"", "'weights.file': expected a file name without a folder"},
    {"/tokenizer", "{\"kind\": \"sentencepiece\"}", "'tokenizer' and the section tokenizer disagree"},
    {"/tokenizer", "{\"kind\": \"bpe\"}",
     "'tokenizer.kind': expected \"sentencepiece\" or \"pipeline\", found \"bpe\""},
    {"/tokenizer", "{\"kind\": \"sentencepiece\", \"add_bos\": 1}", "'tokenizer.add_bos': expected true or false"},
};
INSTANTIATE_TEST_SUITE_P(Keys, Manifest, testing::ValuesIn(badManifests));

TEST(Artefact, ManifestIsNotJson) {
  Folder folder;
  FakeArtefact artefact;
  artefact.manifest = "just text";
  expectFailure(tryOpen(folder, artefact), SAMBA_ERROR_FORMAT, "the manifest is not a JSON object");
  FakeArtefact other;
  other.changeFooter = [](samba_footer &footer) { footer.manifest = footer.weights; };
  expectFailure(tryOpen(folder, other), SAMBA_ERROR_FORMAT, "overlap");
}

TEST(Artefact, TokenizerIsNoSentencePieceModel) {
  Folder folder;
  FakeArtefact artefact;
  artefact.useTokenizer();
  artefact.tokenizer = std::string(100, '\xff');
  expectFailure(tryOpen(folder, artefact), SAMBA_ERROR_FORMAT, "the tokenizer is not a SentencePiece model");
}

TEST(Artefact, WeightsBeside) {
  Folder folder;
  FakeArtefact artefact;
  artefact.flags = SAMBA_WEIGHTS_BESIDE;
  artefact.manifest["weights"]["file"] = "fake.weights";
  expectFailure(tryOpen(folder, artefact), SAMBA_ERROR_IO, "fake.weights': No such file");
  writeBytes(folder / "fake.weights", artefact.weights.substr(0, 1000));
  expectFailure(tryOpen(folder, artefact), SAMBA_ERROR_FORMAT, "lies beyond the 1000 bytes");
  std::string damaged = artefact.weights;
  damaged[500] ^= 1;
  writeBytes(folder / "fake.weights", damaged);
  expectFailure(tryOpen(folder, artefact), SAMBA_ERROR_FORMAT, "fake.weights' is damaged: wrong checksum");
  writeBytes(folder / "fake.weights", artefact.weights);
  Model model(folder / "model.so");
  EXPECT_EQ(firstLogit(model), predictLogits(artefact, {5})[0]);
  artefact.manifest["weights"]["file"] = nullptr;
  expectFailure(tryOpen(folder, artefact), SAMBA_ERROR_FORMAT, "disagree about where the weights are");
}

TEST(Artefact, LargeWeightsAreVerifiedOnRequest) {
  Folder folder;
  FakeArtefact artefact;
  artefact.flags = SAMBA_WEIGHTS_BESIDE;
  uint64_t size = (uint64_t(256) << 20) + 64;
  artefact.manifest["weights"] = {{"bytes", size}, {"file", "fake.weights"}};
  artefact.changeFooter = [&](samba_footer &footer) { footer.weights.size = size; }; // its checksum is wrong
  writeBytes(folder / "fake.weights", artefact.weights);
  ASSERT_EQ(::truncate((folder / "fake.weights").c_str(), static_cast<off_t>(size)), 0); // a sparse file
  EXPECT_EQ(tryOpen(folder, artefact).status, SAMBA_OK);
  samba_options options = SAMBA_OPTIONS_INIT;
  options.verify_weights = 1;
  expectFailure(tryOpen(folder / "model.so", options), SAMBA_ERROR_FORMAT, "wrong checksum of section weights");
}

TEST(Artefact, CodeBehindALauncher) {
  Folder folder;
  FakeArtefact artefact;
  for (size_t size : {1, 100, 4096, 70000}) {
    artefact.launcher = std::string(size, 'L');
    artefact.write(folder / "program");
    EXPECT_EQ(firstLogit(Model(folder / "program")), predictLogits(artefact, {5})[0]) << size;
  }
}

TEST(Artefact, TwoAtOnceAndReplaced) {
  Folder folder;
  FakeArtefact first, second;
  second.code = readBytes(SAMBA_BIASED_MODEL);
  std::string path = folder / "model.so";
  first.write(path);
  Model before(path);
  float expected = firstLogit(before);
  // A new file under the old name, as a compiler writes it: the old code must not be taken for it.
  second.write(folder / "new.so");
  ASSERT_EQ(std::rename((folder / "new.so").c_str(), path.c_str()), 0);
  Model after(path);
  EXPECT_NE(firstLogit(after), expected);
  EXPECT_EQ(firstLogit(before), expected);
  for (bool launcher : {false, true}) {
    first.launcher = second.launcher = launcher ? "launcher" : "";
    for (int i = 0; i < 3; ++i) {
      first.write(folder / "a.so");
      second.write(folder / "b.so");
      EXPECT_EQ(firstLogit(Model(folder / "a.so")), expected);
      EXPECT_NE(firstLogit(Model(folder / "b.so")), expected);
    }
  }
}

TEST(Artefact, SymbolicLinkFindsWeights) {
  Folder folder, other;
  FakeArtefact artefact;
  artefact.flags = SAMBA_WEIGHTS_BESIDE;
  artefact.manifest["weights"]["file"] = "fake.weights";
  writeBytes(folder / "fake.weights", artefact.weights);
  artefact.write(folder / "model.so");
  ASSERT_EQ(::symlink((folder / "model.so").c_str(), (other / "link.so").c_str()), 0);
  EXPECT_EQ(tryOpen(other / "link.so").status, SAMBA_OK);
}

TEST(Status, Strings) {
  EXPECT_STREQ(samba_status_string(SAMBA_OK), "ok");
  EXPECT_STREQ(samba_status_string(SAMBA_ERROR_CONTEXT_FULL), "context full");
  EXPECT_STREQ(samba_status_string(static_cast<samba_status>(15)), "unknown status");
  EXPECT_STREQ(samba_version(), "0.1.0");
  EXPECT_EQ(samba_abi_version(), SAMBA_ABI_VERSION);
}

} // namespace

//===- ArtefactTest.cpp - the artefact file and its manifest ------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/emit/Artefact.h"
#include "TestModule.h"
#include "lowering/emit/Checksum.h"
#include "lowering/emit/OutputFile.h"
#include "samba/abi.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include <csignal>
#include <cstddef>
#include <cstring>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace samba;
using namespace samba::test;
namespace json = llvm::json;

namespace {

constexpr llvm::StringLiteral planned = R"(
  module @toy attributes {samba.model = {vocab_size = 7 : i64, tied = true, eps = 1.0e-05 : f64, layers = ["a", "b"]},
                          samba.state_bytes = 192 : i64, samba.weight_bytes = 128 : i64,
                          samba.arena_bytes_per_token = 640 : i64} {
    samba.weight @v from "v" {offset = 0 : i64} : tensor<3xf32>
    samba.weight @w from "w" {offset = 64 : i64} : tensor<2x4xbf16, #samba.layout<transposed>>
    func.func @samba_step(%x: tensor<?x8xf32>, %c: !samba.state<3x4xf32> {samba.name = "conv", samba.offset = 0 : i64},
                          %k: !samba.state<2x5x4xbf16> {samba.name = "key", samba.offset = 64 : i64}) {
      samba.probe %x, "second", 1 : tensor<?x8xf32>
      samba.probe %x, "first", 0 : tensor<?x8xf32>
      return
    }
  })";

class ArtefactTest : public testing::Test {
protected:
  ArtefactTest() {
    source.addFloats("v", {3}, {1, 2, 3});
    source.addFloats("w", {2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
    module = context.parse(planned);
    llvm::Error error = recordInterface(*module);
    EXPECT_FALSE(error) << llvm::toString(std::move(error));
    packer = std::make_unique<WeightPacker>(llvm::cantFail(WeightPacker::create(*module, source)));
    target.triple = "x86_64-pc-linux-gnu";
    target.cpu = "znver4";
    target.required = {"avx2", "fma"};
  }

  llvm::Expected<ArtefactSizes> write(llvm::StringRef path, const ArtefactOptions &options = {},
                                      std::optional<GpuContents> gpu = std::nullopt) {
    Manifest manifest = llvm::cantFail(Manifest::create(*module, &target));
    manifest.setTokenizer({"sentencepiece", true, false, {}});
    ArtefactContents contents{std::move(manifest),
                              code,
                              packer.get(),
                              source,
                              llvm::arrayRefFromStringRef(tokenizer),
                              {{"model.safetensors", llvm::arrayRefFromStringRef(checkpoint)}},
                              std::move(gpu)};
    return writeArtefact(path, std::move(contents), options);
  }

  std::vector<uint8_t> packedWeights() {
    std::vector<uint8_t> bytes(packer->sizeInBytes());
    llvm::cantFail(packer->packToMemory(bytes, {}));
    return bytes;
  }

  TestContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  MemorySource source;
  std::unique_ptr<WeightPacker> packer;
  CpuTarget target;
  TemporaryFolder folder;
  std::string code = "\x7f"
                     "ELF and so on",
              tokenizer = "pieces", checkpoint = std::string(9 << 20, 'c');
};

samba_footer footerOf(const std::string &file) {
  samba_footer footer = {};
  EXPECT_GE(file.size(), sizeof(footer));
  std::memcpy(&footer, file.data() + file.size() - sizeof(footer), sizeof(footer));
  EXPECT_EQ(std::memcmp(footer.magic, SAMBA_FOOTER_MAGIC, 8), 0);
  EXPECT_EQ(footer.abi_version, SAMBA_ABI_VERSION);
  EXPECT_EQ(footer.file_size, file.size());
  EXPECT_EQ(footer.checksum,
            checksum(llvm::StringRef(reinterpret_cast<const char *>(&footer), offsetof(samba_footer, checksum))));
  return footer;
}

std::string sectionOf(const std::string &file, const samba_section &section) {
  std::string bytes = file.substr(section.offset, section.size);
  EXPECT_EQ(bytes.size(), section.size);
  EXPECT_EQ(section.checksum, checksum(llvm::StringRef(bytes)));
  return bytes;
}

json::Value parsed(const std::string &text) {
  auto value = json::parse(text);
  EXPECT_TRUE(bool(value));
  return value ? std::move(*value) : json::Value(nullptr);
}

TEST_F(ArtefactTest, RoundTrip) {
  auto sizes = write(folder.file("toy.so"));
  ASSERT_TRUE(bool(sizes)) << llvm::toString(sizes.takeError());
  EXPECT_EQ(folder.list(), std::vector<std::string>{"toy.so"});
  std::string file = folder.read("toy.so");
  EXPECT_EQ(sizes->file, file.size());
  EXPECT_EQ(sizes->weights, 128u);

  samba_footer footer = footerOf(file);
  EXPECT_EQ(footer.flags, 0u);
  EXPECT_EQ(footer.code.offset, 0u);
  EXPECT_EQ(footer.weights.offset, 4096u);
  EXPECT_EQ(sectionOf(file, footer.code), code);
  EXPECT_EQ(sectionOf(file, footer.tokenizer), tokenizer);
  std::vector<uint8_t> weights = packedWeights();
  EXPECT_EQ(sectionOf(file, footer.weights), llvm::toStringRef(weights));

  std::string hash = llvm::formatv("{0:x-16}", checksum(llvm::StringRef(checkpoint))).str();
  json::Value expected = parsed(R"({
    "abi_version": 2, "compiler": "samba-mlir 0.1.0", "name": "toy", "precision": "bf16",
    "model": {"vocab_size": 7, "tied": true, "eps": 1e-5, "layers": ["a", "b"], "max_context": null},
    "target": {"triple": "x86_64-pc-linux-gnu", "cpu": "znver4", "features": ["avx2", "fma"]},
    "entry": "samba_step", "arena_bytes_per_token": 640,
    "state": {"bytes": 192, "fields": [{"name": "conv", "offset": 0, "shape": [3, 4], "dtype": "f32"},
                                       {"name": "key", "offset": 64, "shape": [2, 5, 4], "dtype": "bf16"}]},
    "probes": [{"name": "first", "width": 8}, {"name": "second", "width": 8}],
    "weights": {"bytes": 128, "file": null},
    "tokenizer": {"kind": "sentencepiece", "add_bos": true, "add_eos": false},
    "loops": null,
    "sources": [{"file": "model.safetensors", "bytes": 9437184, "xxh3": ")" +
                                hash + R"("}]})");
  EXPECT_EQ(parsed(sectionOf(file, footer.manifest)), expected);
}

TEST_F(ArtefactTest, SplitWeights) {
  ArtefactOptions options;
  options.splitWeights = true;
  ASSERT_TRUE(bool(write(folder.file("toy.so"), options)));
  EXPECT_EQ(folder.list(), (std::vector<std::string>{"toy.so", "toy.so.weights"}));
  std::string file = folder.read("toy.so"), weightsFile = folder.read("toy.so.weights");
  samba_footer footer = footerOf(file);
  EXPECT_EQ(footer.flags, SAMBA_WEIGHTS_BESIDE);
  EXPECT_EQ(footer.weights.offset, 0u);
  std::vector<uint8_t> weights = packedWeights();
  EXPECT_EQ(weightsFile, llvm::toStringRef(weights));
  EXPECT_EQ(sectionOf(weightsFile, footer.weights), llvm::toStringRef(weights));
  json::Value manifest = parsed(sectionOf(file, footer.manifest));
  EXPECT_EQ(manifest.getAsObject()->getObject("weights")->getString("file"), "toy.so.weights");
}

TEST_F(ArtefactTest, Gpu) {
  auto contents = [&] {
    GpuContents gpu;
    gpu.images = {{GpuImage::Kind::Ptx, 80, false, "ptx text"}, {GpuImage::Kind::Cubin, 90, true, "cubin"}};
    gpu.programs = json::Array{json::Object{{"name", "decode"}}};
    gpu.arenaBytes = 1024;
    gpu.weights = packer.get();
    return gpu;
  };
  for (bool split : {false, true}) {
    ArtefactOptions options;
    options.splitWeights = split;
    auto sizes = write(folder.file("toy.so"), options, contents());
    ASSERT_TRUE(bool(sizes)) << llvm::toString(sizes.takeError());
    std::string file = folder.read("toy.so"), weightsFile = split ? folder.read("toy.so.weights") : file;
    samba_footer footer = footerOf(file);
    EXPECT_EQ(sizes->gpuWeights, 128u);
    EXPECT_EQ(footer.gpu_weights.offset, split ? 4096u : 8192u);
    EXPECT_EQ(sectionOf(weightsFile, footer.gpu_weights), sectionOf(weightsFile, footer.weights));
    EXPECT_EQ(footer.gpu.offset % 64, 0u);
    std::string section = sectionOf(file, footer.gpu);
    uint64_t length = 0;
    std::memcpy(&length, section.data(), sizeof(length));
    EXPECT_EQ(parsed(section.substr(8, length)),
              parsed(R"({"version": 1, "weights_bytes": 128, "arena_bytes": 1024, "programs": [{"name": "decode"}],
                         "images": [{"kind": "ptx", "arch": 80, "offset": 0, "size": 8},
                                    {"kind": "cubin", "arch": 90, "exact": true, "offset": 64, "size": 5}]})"));
    std::string images = section.substr((8 + length + 63) / 64 * 64);
    EXPECT_EQ(images, "ptx text" + std::string(56, '\0') + "cubin");
  }
}

TEST_F(ArtefactTest, GpuOnly) {
  GpuContents gpu;
  gpu.weights = packer.get();
  (*module)->removeAttr("samba.arena_bytes_per_token");
  ArtefactContents contents{llvm::cantFail(Manifest::create(*module, nullptr)), "", nullptr, source, {}, {}, gpu};
  auto sizes = writeArtefact(folder.file("toy.so"), std::move(contents), {});
  ASSERT_TRUE(bool(sizes)) << llvm::toString(sizes.takeError());
  std::string file = folder.read("toy.so");
  samba_footer footer = footerOf(file);
  EXPECT_EQ(footer.code.size + footer.weights.size, 0u);
  json::Value manifest = parsed(sectionOf(file, footer.manifest));
  EXPECT_EQ(*manifest.getAsObject()->get("target"), json::Value(nullptr));
  EXPECT_EQ(manifest.getAsObject()->getObject("weights")->getInteger("bytes"), 0);
}

TEST_F(ArtefactTest, Program) {
  std::string launcher = "\x7f"
                         "ELF" +
                         std::string(5000, 'l');
  folder.write("launcher", launcher);
  ArtefactOptions options;
  options.launcher = folder.file("launcher");
  ASSERT_TRUE(bool(write(folder.file("toy"), options)));
  std::string file = folder.read("toy");
  samba_footer footer = footerOf(file);
  EXPECT_EQ(file.substr(0, launcher.size()), launcher);
  EXPECT_EQ(footer.code.offset, 8192u);
  EXPECT_EQ(sectionOf(file, footer.code), code);
  EXPECT_EQ(footer.weights.offset % 4096, 0u);
  auto permissions = llvm::sys::fs::getPermissions(folder.file("toy"));
  ASSERT_TRUE(bool(permissions));
  EXPECT_TRUE(*permissions & llvm::sys::fs::owner_exe);

  options.launcher = folder.file("missing");
  auto failed = write(folder.file("other"), options);
  ASSERT_FALSE(bool(failed));
  EXPECT_EQ(llvm::toString(failed.takeError()),
            "cannot read the launcher '" + folder.file("missing") + "': No such file or directory");
  EXPECT_EQ(folder.list(), (std::vector<std::string>{"launcher", "toy"}));
}

TEST_F(ArtefactTest, ReplacesAnOlderFile) {
  folder.write("toy.so", std::string(100000, 'o'));
  ASSERT_TRUE(bool(write(folder.file("toy.so"))));
  footerOf(folder.read("toy.so"));
}

TEST_F(ArtefactTest, MissingFolder) {
  std::string path = folder.file("no/toy.so");
  auto sizes = write(path);
  ASSERT_FALSE(bool(sizes));
  EXPECT_EQ(llvm::toString(sizes.takeError()), "cannot write '" + path + "': No such file or directory");
}

TEST_F(ArtefactTest, NotARegularFile) {
  auto sizes = write("/dev/null");
  ASSERT_FALSE(bool(sizes));
  EXPECT_EQ(llvm::toString(sizes.takeError()), "cannot write '/dev/null': it exists and is not a regular file");
}

TEST_F(ArtefactTest, FullDiskLeavesNothing) {
  // A limit on file sizes stands for a full disk: both end a write with an error.
  rlimit old, small;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  small = old;
  small.rlim_cur = 4096;
  auto oldHandler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  auto sizes = write(folder.file("toy.so"));
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, oldHandler);
  ASSERT_FALSE(bool(sizes));
  EXPECT_EQ(llvm::toString(sizes.takeError()), "cannot write '" + folder.file("toy.so") + "': File too large");
  EXPECT_TRUE(folder.list().empty());
}

TEST_F(ArtefactTest, ManifestNeedsItsAttributes) {
  (*module)->removeAttr("samba.arena_bytes_per_token");
  auto manifest = Manifest::create(*module, &target);
  ASSERT_FALSE(bool(manifest));
  EXPECT_EQ(llvm::toString(manifest.takeError()),
            "the module attribute 'samba.arena_bytes_per_token' is missing; is the module lowered?");
}

TEST(Interface, RefusesWrongModules) {
  TestContext context;
  auto errorOf = [&](llvm::StringRef text) {
    auto module = context.parse(text);
    return llvm::toString(recordInterface(*module));
  };
  EXPECT_EQ(errorOf("module {}"), "the module has no function @samba_step");
  EXPECT_EQ(errorOf("func.func @samba_step(%a: !samba.state<2xf32> {samba.name = \"a\"}) { return }"),
            "a state of @samba_step has no samba.name or no samba.offset");
  EXPECT_EQ(errorOf("func.func @samba_step(%x: tensor<?x8xf32>) { samba.probe %x, \"p\", 1 : tensor<?x8xf32> return }"),
            "probe 'p' has index 1, expected 0");
}

/// Where a model of one f32 vector of that many elements has its weights.
uint64_t placeOfWeights(int64_t elements) {
  TestContext context;
  MemorySource source;
  source.addFloats("v", {elements}, std::vector<float>(elements, 0.5f));
  int64_t bytes = 4 * elements;
  auto module = context.parse(
      ("module attributes {samba.model = {}, samba.state_bytes = 0 : i64, samba.weight_bytes = " + llvm::Twine(bytes) +
       " : i64, samba.arena_bytes_per_token = 64 : i64} { samba.weight @v "
       "from \"v\" {offset = 0 : i64} : tensor<" +
       llvm::Twine(elements) + "xf32> func.func @samba_step(%x: tensor<?x8xf32>) { return } }")
          .str());
  llvm::cantFail(recordInterface(*module));
  auto packer = llvm::cantFail(WeightPacker::create(*module, source));
  CpuTarget target;
  Manifest manifest = llvm::cantFail(Manifest::create(*module, &target));
  TemporaryFolder folder;
  ArtefactContents contents{std::move(manifest), "code", &packer, source, {}, {}, std::nullopt};
  EXPECT_FALSE(llvm::errorToBool(writeArtefact(folder.file("a.so"), std::move(contents), {}).takeError()));
  std::string file = folder.read("a.so");
  samba_section section = footerOf(file).weights;
  std::string weights = sectionOf(file, section);
  EXPECT_EQ(weights.size(), size_t(bytes));
  EXPECT_EQ(std::memcmp(weights.data(), source.tensor("v").bytes.data(), weights.size()), 0);
  return section.offset;
}

TEST(Weights, LargeOnesBeginAtAHugePage) {
  EXPECT_EQ(placeOfWeights(1 << 20), 4096u); // 4 MiB
  EXPECT_EQ(placeOfWeights(9 << 20), 2u << 20);
}

TEST(OutputFile, HugePagesChangeNoByte) {
  TemporaryFolder folder;
  constexpr size_t kSize = (5 << 20) + 77, kFrom = 2 << 20;
  std::string expected(kSize, '\0');
  auto file = OutputFile::create(folder.file("out"));
  ASSERT_TRUE(bool(file));
  ASSERT_FALSE(llvm::errorToBool(file->write(0, "before")));
  ASSERT_FALSE(llvm::errorToBool(file->reserve(kSize)));
  file->useHugePages(kFrom, kSize - kFrom);
  ASSERT_FALSE(llvm::errorToBool(file->write(kFrom + 4097, "inside")));
  ASSERT_FALSE(llvm::errorToBool(file->write(kSize - 3, "end")));
  ASSERT_FALSE(llvm::errorToBool(file->commit()));
  expected.replace(0, 6, "before").replace(kFrom + 4097, 6, "inside").replace(kSize - 3, 3, "end");
  EXPECT_TRUE(folder.read("out") == expected);
}

TEST(OutputFile, SignalsRemoveIt) {
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    TemporaryFolder folder;
    pid_t child = fork();
    if (child == 0) {
      auto file = OutputFile::create(folder.file("out"));
      if (!file || file->write(0, "half") || folder.list().size() != 1)
        _exit(3);
      raise(signal);
      _exit(4);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal) << status;
    EXPECT_TRUE(folder.list().empty());
  }
}

} // namespace

//===- CompileCommandTest.cpp - samba-compile as its users see it ---------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestModule.h"
#include "samba/abi.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace samba::test;
namespace json = llvm::json;

namespace {

const std::string compiler = SAMBA_BINARY_DIR "/samba-compile";
const std::string tiny = SAMBA_SOURCE_DIR "/models/samba-tiny";

struct Result {
  int status; // of waitpid
  std::string out, err;

  int exitCode() const { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }
};

// Runs samba-compile in `folder`. `fileLimit` bounds the size of files, in bytes; `whileRunning` may send signals.
Result compile(const TemporaryFolder &folder, std::vector<std::string> arguments, uint64_t fileLimit = 0,
               const std::function<void(pid_t)> &whileRunning = {}) {
  TemporaryFolder outputs;
  std::string out = outputs.file("out"), err = outputs.file("err");
  arguments.insert(arguments.begin(), compiler);
  std::vector<char *> argv;
  for (std::string &argument : arguments)
    argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = fork();
  if (child == 0) {
    dup2(open(out.c_str(), O_WRONLY | O_CREAT, 0600), 1);
    dup2(open(err.c_str(), O_WRONLY | O_CREAT, 0600), 2);
    if (chdir(folder.file("").c_str()) != 0)
      _exit(126);
    if (fileLimit) {
      rlimit limit{fileLimit, fileLimit};
      setrlimit(RLIMIT_FSIZE, &limit);
    }
    execv(compiler.c_str(), argv.data());
    _exit(127);
  }
  Result result{};
  if (whileRunning)
    whileRunning(child);
  EXPECT_EQ(waitpid(child, &result.status, 0), child);
  result.out = outputs.read("out");
  result.err = outputs.read("err");
  return result;
}

void expectError(const Result &result, int code, llvm::StringRef message) {
  EXPECT_EQ(result.exitCode(), code);
  EXPECT_EQ(result.err, ("samba-compile: error: " + message + "\n").str());
  EXPECT_EQ(result.out, "");
}

TEST(CompileCommand, Library) {
  TemporaryFolder folder;
  Result result = compile(folder, {tiny, "-o", "tiny.so", "--json", "--precision=bf16"});
  ASSERT_EQ(result.exitCode(), 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(folder.list(), std::vector<std::string>{"tiny.so"});
  std::string file = folder.read("tiny.so");
  auto summary = json::parse(result.out);
  ASSERT_TRUE(bool(summary)) << result.out;
  const json::Object &bytes = *summary->getAsObject()->getObject("bytes");
  EXPECT_EQ(bytes.getInteger("file"), int64_t(file.size()));

  samba_footer footer;
  std::memcpy(&footer, file.data() + file.size() - sizeof(footer), sizeof(footer));
  auto manifest = json::parse(llvm::StringRef(file).substr(footer.manifest.offset, footer.manifest.size));
  ASSERT_TRUE(bool(manifest));
  const json::Object &root = *manifest->getAsObject();
  EXPECT_EQ(root.getString("name"), "samba-tiny");
  EXPECT_EQ(root.getString("precision"), "bf16");
  EXPECT_EQ(root.getArray("probes")->size(), 10u);                     // embeddings, 8 layers, the last norm
  EXPECT_EQ(root.getObject("state")->getArray("fields")->size(), 16u); // two a layer
  EXPECT_EQ(root.getArray("sources")->size(), 1u);
  EXPECT_EQ(root.getObject("tokenizer")->getBoolean("add_bos"), true);
  EXPECT_EQ(bytes.getInteger("weights"), int64_t(footer.weights.size));
  // A little more than two bytes a parameter: matrices only are narrow.
  EXPECT_GT(footer.weights.size, 2u * 4155072);
  EXPECT_LT(footer.weights.size, 2u * 4155072 * 11 / 10);
}

TEST(CompileCommand, PhasesCanBeResumed) {
  TemporaryFolder folder;
  ASSERT_EQ(compile(folder, {tiny, "-o", "whole.so", "--quiet"}).exitCode(), 0);
  std::string from, input = tiny;
  for (std::string phase : {"import", "optimise", "fuse", "schedule", "lower"}) {
    std::vector<std::string> arguments = {input, "--compile-to=" + phase, "-o", phase + ".mlir"};
    if (!from.empty())
      arguments.push_back("--compile-from=" + from);
    Result result = compile(folder, arguments);
    ASSERT_EQ(result.exitCode(), 0) << phase << ": " << result.err;
    from = phase, input = phase + ".mlir";
    EXPECT_NE(folder.read(input).find("loc("), std::string::npos);
  }
  Result result = compile(folder, {input, "--compile-from=lower", "--checkpoint=" + tiny, "-o", "resumed.so"});
  ASSERT_EQ(result.exitCode(), 0) << result.err;
  // The same file but for the name within the code.
  EXPECT_EQ(folder.read("whole.so").size(), folder.read("resumed.so").size());

  expectError(compile(folder, {"schedule.mlir", "--compile-from=schedule", "--cpu=haswell", "--emit=asm"}), 1,
              "'schedule.mlir' is scheduled for " +
                  llvm::StringRef(folder.read("schedule.mlir"))
                      .split("samba.cpu = {")
                      .second.split("name = \"")
                      .second.split('"')
                      .first.str() +
                  ", not for haswell");
  expectError(compile(folder, {"fuse.mlir", "--compile-from=schedule", "--emit=asm"}), 1,
              "'fuse.mlir' was not written by --compile-to=schedule or later");
}

TEST(CompileCommand, TextGoesToStandardOutput) {
  TemporaryFolder folder;
  auto outputOf = [&](const std::string &kind) {
    Result result = compile(folder, {tiny, "--emit=" + kind});
    EXPECT_EQ(result.exitCode(), 0) << result.err;
    EXPECT_EQ(result.err, "");
    return result.out;
  };
  EXPECT_NE(outputOf("samba").find("samba.selective_scan"), std::string::npos);
  EXPECT_NE(outputOf("kernels").find("scf.forall"), std::string::npos);
  EXPECT_NE(outputOf("llvm").find("define void @samba_step("), std::string::npos);
  EXPECT_NE(outputOf("asm").find(".globl\tsamba_step"), std::string::npos);
  EXPECT_TRUE(folder.list().empty());
}

TEST(CompileCommand, UsageErrors) {
  TemporaryFolder folder;
  auto refused = [&](std::vector<std::string> arguments, llvm::StringRef message) {
    expectError(compile(folder, std::move(arguments)), 2, message);
  };
  refused({}, "no model directory is given (see --help)");
  refused({"m"}, "-o FILE is needed");
  refused({"m", "-o", "-"}, "-o FILE is needed");
  refused({"m", "--emit=elf"}, "--emit=elf: expected samba, kernels, llvm, asm, obj, gpu, ptx, cubin, lib or exe");
  refused({"m", "--precision=f16", "-o", "x"}, "--precision=f16: expected f32, bf16, int8 or int4");
  refused({"m", "--threads=0", "-o", "x"}, "--threads=0: expected a number from 1 to 1024");
  refused({"m", "--context=x", "-o", "x"}, "--context=x: expected a number from 1 to 16777216");
  refused({"m", "--compile-to=end"}, "--compile-to=end: expected import, optimise, fuse, schedule, lower or emit");
  refused({"m", "--compile-to=fuse", "--emit=asm"}, "--emit and --compile-to exclude each other");
  refused({"m", "--compile-from=fuse", "-o", "x"}, "--checkpoint=DIR is needed: the weights come from there");
  refused({"m", "--compile-from=fuse", "--compile-to=fuse"}, "--compile-to=fuse is not after --compile-from=fuse");
  refused({"m", "--compile-from=fuse", "--precision=bf16", "--emit=asm"},
          "--precision: the input is past phase 'optimise' already");
  refused({"m", "--compile-from=lower", "--emit=kernels"}, "--emit=kernels: the input is past phase 'lower' already");
  refused({"m", "--checkpoint=d", "-o", "x"},
          "--checkpoint is for --compile-from; a model directory is its own checkpoint");
  refused({"m", "--split-weights", "--emit=asm"}, "--split-weights is for --emit=lib and --emit=exe");
  refused({"m", "--verbose", "--quiet", "-o", "x"}, "--verbose and --quiet exclude each other");
  refused({"m", "--emit=asm", "--json"}, "--json: standard output is taken; give -o FILE");
  EXPECT_EQ(compile(folder, {"m", "--unknown"}).exitCode(), 2);
}

TEST(CompileCommand, Errors) {
  TemporaryFolder folder;
  folder.write("bad.mlir", "module {\n  func.func @f() -> i3x\n}\n");
  expectError(compile(folder, {"bad.mlir", "--compile-from=import", "--emit=asm"}), 1,
              "bad.mlir:2:20: expected non-function type");
  folder.write("empty.mlir", "module {}");
  expectError(compile(folder, {"empty.mlir", "--compile-from=import", "--emit=asm"}), 1,
              "the module has no function @samba_step");
  EXPECT_EQ(compile(folder, {"no.mlir", "--compile-from=import", "--emit=asm"}).exitCode(), 1);
  EXPECT_EQ(compile(folder, {"no", "-o", "x.so"}).exitCode(), 1);
  expectError(compile(folder, {tiny, "--cpu=pentium", "--emit=asm"}), 1,
              "CPU 'pentium' is not supported: AVX2 and FMA are needed (x86-64-v3)");
  expectError(compile(folder, {tiny, "-o", "no/tiny.so"}), 1, "cannot write 'no/tiny.so': No such file or directory");
  expectError(compile(folder, {tiny, "-o", "/dev/full"}), 1,
              "cannot write '/dev/full': it exists and is not a regular file");
  expectError(compile(folder, {tiny, "-o", "/dev/full", "--emit=samba"}), 1,
              "cannot write '/dev/full': No space left on device");
  EXPECT_EQ(folder.list(), (std::vector<std::string>{"bad.mlir", "empty.mlir"}));
}

TEST(CompileCommand, FullDiskLeavesNothing) {
  TemporaryFolder folder;
  expectError(compile(folder, {tiny, "-o", "tiny.so"}, 1 << 20), 1, "cannot write 'tiny.so': File too large");
  EXPECT_TRUE(folder.list().empty());
}

// samba-tiny with a much larger vocabulary of zeros: the weights file is sparse, and packing takes a while.
void writeLargeModel(const TemporaryFolder &folder, int64_t vocabulary) {
  auto config = json::parse((*llvm::MemoryBuffer::getFile(tiny + "/config.json"))->getBuffer());
  ASSERT_TRUE(bool(config));
  (*config->getAsObject())["vocab_size"] = vocabulary;
  folder.write("config.json", llvm::formatv("{0}", *config).str());

  auto weights = llvm::MemoryBuffer::getFile(tiny + "/model.safetensors");
  llvm::StringRef bytes = (*weights)->getBuffer();
  uint64_t headerSize;
  std::memcpy(&headerSize, bytes.data(), 8);
  auto header = json::parse(bytes.substr(8, headerSize));
  ASSERT_TRUE(bool(header));
  json::Object &tensors = *header->getAsObject();
  json::Object &embeddings = *tensors.getObject("backbone.embeddings.weight");
  json::Array &old = *embeddings.getArray("data_offsets");
  int64_t oldEnd = *old[1].getAsInteger(), width = *(*embeddings.getArray("shape"))[1].getAsInteger();
  int64_t elementSize = embeddings.getString("dtype") == "F32" ? 4 : 2;
  int64_t growth = *old[0].getAsInteger() + vocabulary * width * elementSize - oldEnd, end = 0;
  embeddings["shape"] = json::Array{vocabulary, width};
  for (auto &[name, value] : tensors)
    if (json::Array *offsets = value.getAsObject()->getArray("data_offsets")) {
      bool after = *(*offsets)[0].getAsInteger() >= oldEnd, itself = name == "backbone.embeddings.weight";
      int64_t from = *(*offsets)[0].getAsInteger() + (after ? growth : 0);
      int64_t to = *(*offsets)[1].getAsInteger() + (after || itself ? growth : 0);
      *offsets = json::Array{from, to};
      end = std::max(end, to);
    }
  std::string text = llvm::formatv("{0}", *header).str();
  text.resize(llvm::alignTo(text.size(), 8), ' ');
  uint64_t size = text.size();
  folder.write("model.safetensors", std::string(reinterpret_cast<char *>(&size), 8) + text);
  ASSERT_EQ(truncate(folder.file("model.safetensors").c_str(), off_t(8 + size + end)), 0);
}

bool running(pid_t child) {
  siginfo_t info = {};
  return waitid(P_PID, child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

TEST(CompileCommand, InterruptedLeavesNothing) {
  TemporaryFolder model, folder;
  writeLargeModel(model, 400000);
  for (int signal : {SIGINT, SIGTERM}) {
    bool writing = false;
    Result result = compile(folder, {model.file(""), "-o", "large.so", "--quiet", "--threads=1"}, 0, [&](pid_t child) {
      for (int i = 0; i < 60000 && !writing && running(child); ++i) {
        usleep(1000);
        writing = !folder.list().empty();
      }
      kill(child, signal);
    });
    EXPECT_TRUE(writing) << result.err;
    EXPECT_TRUE(WIFSIGNALED(result.status) && WTERMSIG(result.status) == signal) << result.status << result.err;
    EXPECT_TRUE(folder.list().empty());
  }
}

} // namespace

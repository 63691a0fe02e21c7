//===- CheckpointTest.cpp - tests of model directories --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Checkpoint.h"
#include "TestSupport.h"
#include <thread>

using namespace samba;
using namespace samba::test;

namespace {

constexpr llvm::StringLiteral kA = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
constexpr llvm::StringLiteral kB = R"({"b":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}})";

class CheckpointDir : public TempDirTest {
protected:
  std::string openWithIndex(llvm::StringRef index) {
    write("model.safetensors.index.json", index);
    return errorOf(Checkpoint::open(dir));
  }
  std::string indexPath() { return path("model.safetensors.index.json"); }
};

TEST_F(CheckpointDir, OpensSingleFile) {
  auto checkpoint = valueOf(Checkpoint::open(source("test/goldens/tiny-b")));
  ASSERT_EQ(checkpoint->files().size(), 1u);
  EXPECT_EQ(checkpoint->files()[0]->file().path(), source("test/goldens/tiny-b/model.safetensors"));
  EXPECT_EQ(valueOf(checkpoint->lookup("lm_head.weight")).dtype, DType::F32);
  EXPECT_TRUE(llvm::is_sorted(checkpoint->tensorNames()));
  EXPECT_EQ(errorOf(checkpoint->lookup("zz")),
            source("test/goldens/tiny-b") + ": tensor 'zz': expected it in the checkpoint, found nothing");
}

TEST_F(CheckpointDir, OpensOtherWeightsFile) {
  auto checkpoint = valueOf(Checkpoint::open(source("test/goldens/tiny-b"), "model-bf16.safetensors"));
  EXPECT_EQ(valueOf(checkpoint->lookup("lm_head.weight")).dtype, DType::BF16);
  EXPECT_EQ(errorOf(Checkpoint::open(dir, "x.safetensors")), dir + ": expected x.safetensors, found nothing");
}

TEST_F(CheckpointDir, OpensShards) {
  writeTensors("model-1.safetensors", kA, 8);
  writeTensors("model-2.safetensors", kB, 4);
  EXPECT_EQ(openWithIndex(R"({"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}})"), "");
  auto checkpoint = valueOf(Checkpoint::open(dir));
  EXPECT_EQ(checkpoint->tensorNames(), llvm::ArrayRef<std::string>({"a", "b"}));
  EXPECT_EQ(checkpoint->files().size(), 2u);
  TensorView b = valueOf(checkpoint->lookup("b"));
  EXPECT_EQ(b.dtype, DType::BF16);
  checkpoint->release(b.bytes);
  EXPECT_EQ(b.bytes[3], 0);
}

TEST_F(CheckpointDir, LooksUpFromSeveralThreads) {
  auto checkpoint = valueOf(Checkpoint::open(source("test/goldens/tiny-c")));
  std::vector<std::thread> threads;
  std::vector<uint64_t> sums(4);
  for (uint64_t &sum : sums)
    threads.emplace_back([&] {
      for (const std::string &name : checkpoint->tensorNames()) {
        TensorView view = llvm::cantFail(checkpoint->lookup(name));
        for (uint8_t byte : view.bytes)
          sum = sum * 31 + byte;
        checkpoint->release(view.bytes);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_NE(sums[0], 0u);
  EXPECT_EQ(sums, std::vector<uint64_t>(4, sums[0]));
}

TEST_F(CheckpointDir, NamesWhatIsMissing) {
  const std::string kExpected = ": expected a model directory or a file of weights, found ";
  EXPECT_EQ(errorOf(Checkpoint::open(path("no"))), path("no") + kExpected + "nothing");
  EXPECT_EQ(errorOf(Checkpoint::open(write("config.json", ""))), path("config.json") + kExpected + "a JSON file");
  EXPECT_EQ(errorOf(Checkpoint::open(path("config.json"), "x.safetensors")),
            path("config.json") + ": expected a model directory with x.safetensors in it, found a file");
  const std::string kUsual = dir +
                             ": expected model.safetensors, model.safetensors.index.json, pytorch_model.bin or one "
                             "other file of weights, found ";
  EXPECT_EQ(errorOf(Checkpoint::open(dir)), kUsual + "none");
  writeTensors("b.safetensors", kB, 4);
  EXPECT_EQ(valueOf(Checkpoint::open(dir))->tensorNames(), llvm::ArrayRef<std::string>({"b"}));
  write("a.pth", "");
  EXPECT_EQ(errorOf(Checkpoint::open(dir)), kUsual + "2, 'a.pth' and 'b.safetensors' among them; choose one with --weights-file");
}

TEST_F(CheckpointDir, OpensFiles) {
  writeTensors("model-1.safetensors", kA, 8);
  writeTensors("model-2.safetensors", kB, 4);
  write("x.index.json", R"({"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}})");
  auto one = valueOf(Checkpoint::open(path("model-1.safetensors"))),
       both = valueOf(Checkpoint::open(path("x.index.json")));
  EXPECT_EQ(one->tensorNames(), llvm::ArrayRef<std::string>({"a"}));
  EXPECT_EQ(one->directory(), dir);
  EXPECT_EQ(both->tensorNames(), llvm::ArrayRef<std::string>({"a", "b"}));
}

TEST_F(CheckpointDir, OpensTorchFiles) {
  std::string original = source("test/goldens/microsoft/tiny-a.pth");
  ASSERT_FALSE(llvm::sys::fs::copy_file(original, path("iter-000100-ckpt.pth")));
  auto file = valueOf(Checkpoint::open(original)), directory = valueOf(Checkpoint::open(dir));
  EXPECT_EQ(file->tensorNames(), directory->tensorNames());
  EXPECT_EQ(file->tensorNames().size(), 24u);
  EXPECT_EQ(valueOf(file->lookup("transformer.h.1.attn.attn.weight")).shape, (llvm::SmallVector<int64_t, 4>{192, 64}));
}

TEST_F(CheckpointDir, RefusesBadIndex) {
  EXPECT_EQ(openWithIndex("{}"), indexPath() + ": key 'weight_map': expected an object, found nothing");
  EXPECT_EQ(openWithIndex("{\"weight_map\":"), indexPath() + ":1:15: invalid JSON: expected a value");
  for (llvm::StringRef shard : {"3", "\"\"", "\"..\"", "\"../x\"", "\"/etc/passwd\"", "\"a/b\"", "\"a\\u0000b\""})
    EXPECT_TRUE(llvm::StringRef(openWithIndex(("{\"weight_map\":{\"a\":" + shard + "}}").str()))
                    .starts_with(indexPath() + ": tensor 'a': expected the name of a file in the directory, found "))
        << shard.str();
}

TEST_F(CheckpointDir, RefusesDisagreementOfIndexAndShards) {
  EXPECT_EQ(openWithIndex(R"({"weight_map":{"a":"s1"}})"),
            path("s1") + ": missing, but " + indexPath() + " says that tensor 'a' is in it");
  writeTensors("s1", kA, 8);
  writeTensors("s2", kB, 4);
  EXPECT_EQ(openWithIndex(R"({"weight_map":{"a":"s1","c":"s1"}})"),
            path("s1") + ": tensor 'c': expected it, as " + indexPath() + " lists it here, found nothing");
  EXPECT_EQ(openWithIndex(R"({"weight_map":{"c":"s1"}})"),
            path("s1") + ": tensor 'a': expected it to be listed in " + indexPath() + ", found nothing");
  EXPECT_EQ(openWithIndex(R"({"weight_map":{"a":"s2","b":"s1"}})"),
            path("s1") + ": tensor 'a': expected it to be listed in " + indexPath() + ", found it under 's2'");
  writeTensors("s3", kA, 8);
  EXPECT_EQ(openWithIndex(R"({"weight_map":{"a":"s1","d":"s3"}})"),
            path("s3") + ": tensor 'a': expected it in one file, found it also in " + path("s1"));
  writeTensors("s2", kB, 3);
  EXPECT_EQ(openWithIndex(R"({"weight_map":{"b":"s2"}})"),
            path("s2") + ": tensor 'b': expected data_offsets within the 3 bytes of data, found [0,4]");
}

} // namespace

//===- SynthesizeTest.cpp - tests of samba-synthesize ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-synthesize/Synthesize.h"
#include "TestSupport.h"
#include "frontend/Checkpoint.h"
#include "frontend/Importer.h"
#include "frontend/Json.h"
#include "frontend/families/Families.h"
#include "frontend/families/Samba.h"
#include "tools/samba-synthesize/Shapes.h"
#include <cmath>

using namespace samba;
using namespace samba::test;

namespace {

bool goOn(uint64_t, uint64_t) { return true; }

TEST(Shapes, HaveThePublishedNumbersOfParameters) {
  auto parameters = [](llvm::StringRef name) {
    return describeSamba(valueOf(SambaConfig::parse(valueOf(configOfShape(name)), name)), nullptr).numParameters();
  };
  EXPECT_EQ(parameters("Samba_421M"), 421793280);
  EXPECT_EQ(parameters("Samba_1.3B"), 1330207488);
  EXPECT_EQ(parameters("Samba_1.7B"), 1741604864);
  EXPECT_EQ(parameters("Samba_3.8B"), 3864275712);
  EXPECT_EQ(errorOf(configOfShape("Samba_9B")),
            "Samba_9B: expected Samba_421M, Samba_1.3B, Samba_1.7B, Samba_3.8B, or a "
            "config.json, found nothing of that name");
}

TEST(Shapes, GiveUpTheirWindows) {
  auto object = valueOf(withFullAttention(valueOf(configOfShape("Samba_421M")), "c"));
  SambaConfig config = valueOf(SambaConfig::parse(object, "c"));
  ASSERT_EQ(config.attention.size(), 1u);
  EXPECT_EQ(config.attention[0].window, std::nullopt);
  EXPECT_EQ(config.attention[0].layers.size(), 6u);
}

class Synthesize : public TempDirTest {
protected:
  llvm::json::Object tinyD() { return valueOf(readJsonObject(source("test/goldens/tiny-d/config.json"))); }
  std::string make(llvm::StringRef name, const SynthesizeOptions &options) {
    return errorOf(synthesize(tinyD(), "tiny-d", path(name), options, goOn));
  }
  std::string tensorBytes(llvm::StringRef name, llvm::StringRef tensor) {
    auto checkpoint = valueOf(Checkpoint::open(path(name)));
    return llvm::toStringRef(valueOf(checkpoint->lookup(tensor)).bytes).str();
  }
  size_t numEntries() {
    size_t entries = 0;
    std::error_code code;
    for (llvm::sys::fs::directory_iterator it(dir, code), end; it != end && !code; it.increment(code))
      ++entries;
    return entries;
  }
};

TEST_F(Synthesize, MakesWhatTheImporterReads) {
  for (DType dtype : {DType::F32, DType::BF16, DType::F16}) {
    std::string name = dtypeName(dtype).str();
    ASSERT_EQ(make(name, {dtype, 1, 3}), "");
    auto checkpoint = valueOf(Checkpoint::open(path(name)));
    EXPECT_EQ(checkpoint->files().size(), 3u);
    mlir::MLIRContext context;
    ModelDescription model = valueOf(describeModel(*checkpoint));
    EXPECT_EQ(errorOf(importModel(context, model, *checkpoint)), "");
  }
  EXPECT_EQ(numEntries(), 3u);
}

TEST_F(Synthesize, InitialisesAsTrainingDoes) {
  ASSERT_EQ(make("m", {DType::F32, 7, 1}), "");
  auto checkpoint = valueOf(Checkpoint::open(path("m")));
  auto values = [&](llvm::StringRef name) {
    TensorView view = valueOf(checkpoint->lookup(name));
    std::vector<double> result;
    for (int64_t i = 0; i < view.numElements(); ++i)
      result.push_back(loadElement(view.bytes.data(), view.dtype, i));
    return result;
  };
  auto moments = [&](llvm::StringRef name) {
    double sum = 0, squares = 0, largest = 0;
    std::vector<double> all = values(name);
    for (double value : all) {
      sum += value;
      squares += value * value;
      largest = std::max(largest, std::fabs(value));
    }
    return std::tuple(sum / double(all.size()), std::sqrt(squares / double(all.size())), largest);
  };
  auto [mean, deviation, largest] = moments("backbone.layers.0.mlp.gate_proj.weight"); // 8192 of N(0, 0.02)
  EXPECT_NEAR(mean, 0, 0.001);
  EXPECT_NEAR(deviation, 0.02, 0.001);
  EXPECT_LE(largest, 0.02 * 3.5);
  std::tie(mean, deviation, largest) = moments("backbone.layers.1.mixer.conv1d.weight"); // U(+-3^-1/2)
  EXPECT_NEAR(deviation, 1. / 3, 0.08);
  EXPECT_LE(largest, 0.5774);
  std::vector<double> A = values("backbone.layers.1.mixer.A_log");
  EXPECT_EQ(A[8], 0);
  EXPECT_FLOAT_EQ(A[15], std::log(8.0));
  for (double bias : values("backbone.layers.1.mixer.dt_proj.bias")) {
    double step = std::log1p(std::exp(bias));
    EXPECT_GE(step, 0.000999);
    EXPECT_LE(step, 0.1001);
  }
  EXPECT_EQ(values("backbone.norm_f.weight"), std::vector<double>(32, 1));
  EXPECT_EQ(values("backbone.layers.1.mixer.D"), std::vector<double>(48, 1));
  EXPECT_EQ(values("backbone.layers.0.mixer.q_proj.bias"), std::vector<double>(32, 0));
}

TEST_F(Synthesize, DependsOnTheSeedAlone) {
  ASSERT_EQ(make("a", {DType::BF16, 1, 1}), "");
  ASSERT_EQ(make("b", {DType::BF16, 1, 2}), "");
  ASSERT_EQ(make("c", {DType::BF16, 2, 1}), "");
  for (llvm::StringRef tensor : {"backbone.embeddings.weight", "backbone.layers.3.mixer.in_proj.weight"}) {
    EXPECT_EQ(tensorBytes("a", tensor), tensorBytes("b", tensor));
    EXPECT_NE(tensorBytes("a", tensor), tensorBytes("c", tensor));
  }
  EXPECT_NE(tensorBytes("a", "backbone.layers.0.mlp.gate_proj.weight"),
            tensorBytes("a", "backbone.layers.1.mlp.gate_proj.weight"));
}

TEST_F(Synthesize, NarrowsToNearest) {
  ASSERT_EQ(make("f32", {DType::F32, 1, 1}), "");
  ASSERT_EQ(make("bf16", {DType::BF16, 1, 1}), "");
  ASSERT_EQ(make("f16", {DType::F16, 1, 1}), "");
  for (llvm::StringRef tensor : {"backbone.embeddings.weight", "backbone.layers.1.mixer.A_log"}) {
    auto wide = valueOf(Checkpoint::open(path("f32"))), brain = valueOf(Checkpoint::open(path("bf16"))),
         half = valueOf(Checkpoint::open(path("f16")));
    TensorView a = valueOf(wide->lookup(tensor)), b = valueOf(brain->lookup(tensor)), c = valueOf(half->lookup(tensor));
    for (int64_t i = 0; i < a.numElements(); ++i) {
      double value = loadElement(a.bytes.data(), a.dtype, i);
      EXPECT_NEAR(loadElement(b.bytes.data(), b.dtype, i), value, std::fabs(value) * 0x1p-8);
      EXPECT_NEAR(loadElement(c.bytes.data(), c.dtype, i), value, std::max(std::fabs(value) * 0x1p-11, 0x1p-25));
    }
  }
}

TEST_F(Synthesize, LeavesNothingBehind) {
  EXPECT_EQ(errorOf(synthesize(tinyD(), "tiny-d", path("m"), {}, [](uint64_t, uint64_t) { return false; })),
            "interrupted");
  EXPECT_EQ(make("m", {DType::F32, 0, 1000}),
            "--shards: expected between 1 and 56 (the number of tensors), found 1000");
  EXPECT_EQ(numEntries(), 0u);
  EXPECT_TRUE(llvm::StringRef(make("no/m", {})).ends_with(": No such file or directory"));

  ASSERT_FALSE(llvm::sys::fs::create_directory(path("m")));
  EXPECT_EQ(make("m", {}), "");
  EXPECT_EQ(make("m", {}), path("m") + ": expected no such file or an empty directory, found one with contents");
  EXPECT_EQ(numEntries(), 1u);
}

} // namespace

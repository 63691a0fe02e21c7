//===- TargetTest.cpp - CPUs by name ------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/Target.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include <gtest/gtest.h>

using namespace samba;

namespace {

bool needs(const CpuTarget &target, llvm::StringRef feature) { return llvm::is_contained(target.required, feature); }

TEST(CpuTarget, NativeIsTheHost) {
  auto target = CpuTarget::get("native");
  ASSERT_TRUE(bool(target)) << llvm::toString(target.takeError());
  EXPECT_EQ(target->cpu, llvm::sys::getHostCPUName());
  auto host = llvm::sys::getHostCPUFeatures();
  for (const std::string &feature : target->required)
    EXPECT_TRUE(host.lookup(feature)) << feature;
}

#ifdef __x86_64__
TEST(CpuTarget, LevelsOfX86) {
  auto v3 = CpuTarget::get("x86-64-v3"), v4 = CpuTarget::get("x86-64-v4");
  ASSERT_TRUE(v3 && v4);
  EXPECT_EQ(v3->vectorBits, 256);
  EXPECT_EQ(v3->vectorRegisters, 16);
  EXPECT_EQ(v3->tileRows, 4);
  EXPECT_EQ(v3->panelWidth, 16);
  EXPECT_TRUE(needs(*v3, "avx2") && needs(*v3, "fma") && needs(*v3, "f16c"));
  EXPECT_FALSE(needs(*v3, "avx512f"));
  EXPECT_EQ(v4->vectorBits, 512);
  EXPECT_EQ(v4->vectorRegisters, 32);
  EXPECT_EQ(v4->tileRows, 8);
  EXPECT_EQ(v4->panelWidth, 32);
  EXPECT_EQ(v4->lanes(), 16);
  EXPECT_TRUE(needs(*v4, "avx512f") && needs(*v4, "avx512bw") && needs(*v4, "avx512vl"));
  EXPECT_FALSE(needs(*v4, "avx512bf16"));
}

TEST(CpuTarget, NamedCpu) {
  auto target = CpuTarget::get("znver4");
  ASSERT_TRUE(bool(target));
  EXPECT_EQ(target->features, "");
  EXPECT_TRUE(needs(*target, "avx512bf16") && needs(*target, "avx512vnni"));
}

TEST(CpuTarget, ExtensionsThatDiedOutAreNotUsed) {
  auto target = CpuTarget::get("bdver4");
  ASSERT_TRUE(bool(target));
  EXPECT_EQ(target->vectorBits, 256);
  EXPECT_NE(target->features.find("-xop"), std::string::npos);
  EXPECT_FALSE(needs(*target, "xop"));
}

TEST(CpuTarget, RefusesUnknownAndOldOnes) {
  auto errorOf = [](llvm::StringRef name) { return llvm::toString(CpuTarget::get(name).takeError()); };
  EXPECT_EQ(errorOf("znver9"), "unknown CPU 'znver9' for x86_64; did you mean znver1, znver2, znver3?");
  EXPECT_EQ(errorOf("nativ"), "unknown CPU 'nativ' for x86_64; did you mean native?");
  EXPECT_EQ(errorOf("@"), "unknown CPU '@' for x86_64");
  EXPECT_EQ(errorOf("x86-64-v2"), "CPU 'x86-64-v2' is not supported: AVX2 and FMA are needed (x86-64-v3)");
}

TEST(CpuTarget, FeaturesMayFollow) {
  auto target = CpuTarget::get("x86-64-v4+avx512bf16+avx512vnni");
  ASSERT_TRUE(bool(target)) << llvm::toString(target.takeError());
  EXPECT_EQ(target->cpu, "x86-64-v4");
  EXPECT_EQ(target->features, "+avx512bf16,+avx512vnni");
  EXPECT_TRUE(needs(*target, "avx512bf16") && needs(*target, "avx512vnni") && needs(*target, "avx512f"));
  EXPECT_EQ(target->bf16Dot, "llvm.x86.avx512bf16.dpbf16ps.512");
  EXPECT_EQ(llvm::toString(CpuTarget::get("x86-64-v4+neon").takeError()),
            "unknown feature 'neon' of CPU 'x86-64-v4+neon'");
}

TEST(CpuTarget, ListsAreInTheOrderOfWhatTheyNeed) {
  auto listed = [](llvm::StringRef names) {
    std::vector<std::string> found;
    auto targets = CpuTarget::getAll(names);
    if (!targets)
      return std::vector<std::string>{llvm::toString(targets.takeError())};
    for (const CpuTarget &target : *targets)
      found.push_back(target.name);
    return found;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(listed("znver4,x86-64-v3,x86-64-v4,znver4"), (Names{"x86-64-v3", "x86-64-v4", "znver4"}));
  EXPECT_EQ(listed("portable"), (Names{"x86-64-v3", "x86-64-v4", "x86-64-v4+avx512vnni+avx512bf16"}));
  EXPECT_EQ(listed("x86-64-v3,aarch64"), Names{"CPUs 'x86-64-v3' and 'aarch64' are of different architectures, and an "
                                               "artefact is for one"});
  EXPECT_EQ(listed("x86-64-v3,"), Names{"unknown CPU '' for x86_64"});
}

TEST(CpuTarget, TilesOverWiderPanelsHaveFewerRows) {
  auto v3 = CpuTarget::get("x86-64-v3"), v4 = CpuTarget::get("x86-64-v4");
  ASSERT_TRUE(v3 && v4);
  EXPECT_EQ(v3->tileRowsFor(16), 4);
  EXPECT_EQ(v3->tileRowsFor(32), 2);
  EXPECT_EQ(v4->tileRowsFor(32), 8);
  EXPECT_EQ(v4->tileRowsFor(16), 8);
  EXPECT_EQ(v4->tileRowsFor(24), 8);
  EXPECT_EQ(v4->tileRowsFor(4096), 1);
}

TEST(CpuTarget, OtherArchitecture) {
  auto any = CpuTarget::get("aarch64"), n1 = CpuTarget::get("neoverse-n1"), v1 = CpuTarget::get("neoverse-v1");
  ASSERT_TRUE(any && n1 && v1);
  EXPECT_EQ(any->triple, "aarch64-unknown-linux-gnu");
  EXPECT_EQ(any->lanes(), 4);
  EXPECT_EQ(any->panelWidth, 8);
  EXPECT_EQ(any->required, std::vector<std::string>{"neon"});
  EXPECT_TRUE(any->bf16Dot.empty() && any->byteDot.empty());
  EXPECT_TRUE(n1->bf16Dot.empty() && n1->byteDotSignedWeights && n1->byteDot.contains("sdot"));
  EXPECT_TRUE(v1->bf16Dot.contains("bfdot") && !v1->byteDotSignedWeights && v1->byteDot.contains("usdot"));
}
#endif

} // namespace

//===- SambaTest.cpp - tests of the samba family --------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/families/Samba.h"
#include "TestSupport.h"
#include "frontend/Json.h"

using namespace samba;
using namespace samba::test;

namespace {

/// `keys` follow the model type in the object.
llvm::Expected<SambaConfig> parse(llvm::StringRef keys) {
  llvm::json::Value value =
      valueOf(parseJson(("{\"model_type\":\"samba\"" + (keys.empty() ? "" : "," + keys) + "}").str(), "c"));
  return SambaConfig::parse(*value.getAsObject(), "c");
}
std::string error(llvm::StringRef keys) { return errorOf(parse(keys)); }
SambaConfig config(llvm::StringRef keys) { return valueOf(parse(keys)); }

using Layers = llvm::SmallVector<int64_t>;

TEST(SambaConfig, HasTheDefaultsOfTheFormat) {
  SambaConfig c = config("");
  EXPECT_EQ(c.vocabSize, 32000);
  EXPECT_EQ(c.hiddenSize, 2304);
  EXPECT_EQ(c.numLayers, 18);
  EXPECT_EQ(c.innerSize, 4608);
  EXPECT_EQ(c.stateSize, 16);
  EXPECT_EQ(c.convKernel, 4);
  EXPECT_EQ(c.dtRank, 144);
  EXPECT_EQ(c.mlpSize, 6144);
  EXPECT_EQ(c.normEps, 1e-5);
  EXPECT_FALSE(c.useBias);
  EXPECT_FALSE(c.tieWordEmbeddings);
  EXPECT_EQ(c.bosToken, 1);
  EXPECT_EQ(c.endTokens, std::vector<int64_t>{2});
  ASSERT_EQ(c.attention.size(), 1u);
  EXPECT_EQ(c.attention[0].layers, Layers({1, 3, 5, 7, 9, 11, 13, 15, 17}));
  EXPECT_EQ(c.attention[0].numHeads, 18);
  EXPECT_EQ(c.attention[0].numKvHeads, 18);
  EXPECT_EQ(c.attention[0].headDim, 128);
  EXPECT_EQ(c.attention[0].window, 2048);
  EXPECT_EQ(c.attention[0].ropeTheta, 10000);
  EXPECT_TRUE(c.warnings.empty());
  EXPECT_EQ(describeSamba(c, nullptr).numParameters(), 1403935488); // SPEC 2.3
}

TEST(SambaConfig, ReadsTheGoldenConfigs) {
  for (llvm::StringRef name : {"test/goldens/tiny-a", "test/goldens/tiny-b", "test/goldens/tiny-c",
                               "test/goldens/tiny-d", "models/samba-tiny"}) {
    SambaConfig c = valueOf(SambaConfig::load(source((name + "/config.json").str())));
    EXPECT_TRUE(c.warnings.empty()) << c.warnings[0];
  }
  SambaConfig d = valueOf(SambaConfig::load(source("test/goldens/tiny-d/config.json")));
  EXPECT_EQ(d.innerSize, 48);
  EXPECT_EQ(d.mlpSize, 256);
  EXPECT_EQ(d.dtRank, 2);
  ASSERT_EQ(d.attention.size(), 2u);
  EXPECT_EQ(d.attention[0].window, 8);
  EXPECT_TRUE(d.attention[0].qkvBias);
  EXPECT_EQ(d.attention[0].ropeTheta, 500000);
  EXPECT_EQ(d.attention[1].window, std::nullopt);
  EXPECT_EQ(d.attentionOf(2), &d.attention[1]);
  EXPECT_EQ(d.attentionOf(1), nullptr);
}

TEST(SambaConfig, UnderstandsAllFormsOfAttention) {
  EXPECT_TRUE(config(R"("attn":null)").attention.empty());
  EXPECT_TRUE(config(R"("attn":[])").attention.empty());
  SambaAttention minimal = config(R"("attn":{"layers":[3,1],"num_heads":6})").attention.at(0);
  EXPECT_EQ(minimal.layers, Layers({1, 3}));
  EXPECT_EQ(minimal.numKvHeads, 6);
  EXPECT_EQ(minimal.window, std::nullopt);
  EXPECT_EQ(minimal.ropeTheta, 10000);
  EXPECT_FALSE(minimal.qkvBias);
  EXPECT_EQ(
      config(R"("attn":{"layers":[0],"num_heads":6,"num_kv_heads":null,"window_size":null})").attention[0].numKvHeads,
      6);
  // Layers that a shallow model does not have, alone and beside others.
  EXPECT_EQ(config(R"("num_hidden_layers":2,"attn":{"layers":[1,3,5],"num_heads":6})").attention[0].layers,
            Layers({1}));
  EXPECT_TRUE(config(R"("num_hidden_layers":2,"attn":{"layers":[3,5],"num_heads":7})").attention.empty());
  EXPECT_EQ(config(R"("num_hidden_layers":4)").attention[0].layers, Layers({1, 3}));
}

TEST(SambaConfig, UnderstandsTheOldKeys) {
  SambaConfig c = config(R"("num_hidden_layers":22,"num_heads":12,"num_kv_heads":4,"window_size":null)");
  ASSERT_EQ(c.attention.size(), 1u);
  EXPECT_EQ(c.attention[0].layers, Layers({1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21}));
  EXPECT_EQ(c.attention[0].numHeads, 12);
  EXPECT_EQ(c.attention[0].numKvHeads, 4);
  EXPECT_EQ(c.attention[0].window, std::nullopt);
  EXPECT_EQ(config(R"("num_heads":12)").attention[0].window, 2048);
  EXPECT_EQ(config(R"("attn":null,"num_heads":12)").warnings.at(0), "c: key 'num_heads' is not known and was ignored");
}

TEST(SambaConfig, DerivesSizes) {
  EXPECT_EQ(config(R"("hidden_size":1536,"attn":null)").mlpSize, 4096);
  EXPECT_EQ(config(R"("hidden_ratio":null)").mlpSize, 6144);
  EXPECT_EQ(config(R"("hidden_size":32,"expand":1.5,"intermediate_size":999,"attn":null)").innerSize, 48);
  EXPECT_EQ(config(R"("hidden_size":33,"time_step_rank":"auto","attn":null)").dtRank, 3);
  EXPECT_EQ(config(R"("time_step_rank":5)").dtRank, 5);
  EXPECT_EQ(config(R"("use_conv_bias":false)").warnings.size(), 0u);
  EXPECT_EQ(config(R"("pad_token_id":-1)").padToken, std::nullopt);
  EXPECT_EQ(config(R"("initializer_range":0,"time_step_min":"x")").initializerRange, 0.02);
  EXPECT_EQ(config(R"("eos_token_id":null)").endTokens, std::vector<int64_t>());
  EXPECT_EQ(config(R"("eos_token_id":[5,3])").endTokens, (std::vector<int64_t>{5, 3}));
}

TEST(SambaConfig, WarnsOfUnknownKeys) {
  SambaConfig c = config(R"("zeta":1,"alpha":2,"attn":[{"layers":[1],"num_heads":6,"beta":0}])");
  EXPECT_EQ(c.warnings, std::vector<std::string>({"c: key 'attn[0].beta' is not known and was ignored",
                                                  "c: key 'alpha' is not known and was ignored",
                                                  "c: key 'zeta' is not known and was ignored"}));
}

TEST(SambaConfig, RefusesOtherModels) {
  llvm::json::Value mamba = valueOf(parseJson(R"({"model_type":"mamba"})", "c"));
  EXPECT_EQ(errorOf(SambaConfig::parse(*mamba.getAsObject(), "c")),
            "c: key 'model_type': expected \"samba\", found \"mamba\"");
  llvm::json::Value none = valueOf(parseJson("{}", "c"));
  EXPECT_EQ(errorOf(SambaConfig::parse(*none.getAsObject(), "c")),
            "c: key 'model_type': expected \"samba\", found nothing");
  EXPECT_EQ(error(R"("hidden_act":"gelu")"), "c: key 'hidden_act': expected \"swish\" or \"silu\", found \"gelu\"");
  EXPECT_EQ(error(R"("attnres_block_size":4)"),
            "c: key 'attnres_block_size': expected null (anything else is a variant that is not supported), found 4");
  EXPECT_EQ(error(R"("attn":{"layers":[1],"num_heads":6,"rope_scaling":{"factor":2}})"),
            "c: key 'attn.rope_scaling': expected null (anything else is a variant that is not supported), found "
            "{\"factor\":2}");
  EXPECT_EQ(error(R"("attnres_block_size":null,"qk_norm":false)"), "");
}

TEST(SambaConfig, RefusesNumbersOutOfRange) {
  EXPECT_EQ(error(R"("vocab_size":0)"), "c: key 'vocab_size': expected an integer between 1 and 16777216, found 0");
  EXPECT_EQ(error(R"("hidden_size":1e30)"),
            "c: key 'hidden_size': expected an integer between 1 and 65536, found 1e+30");
  EXPECT_EQ(error(R"("hidden_size":"64")"),
            "c: key 'hidden_size': expected an integer between 1 and 65536, found \"64\"");
  EXPECT_EQ(error(R"("num_hidden_layers":9223372036854775807)"),
            "c: key 'num_hidden_layers': expected an integer between 1 and 4096, found 9223372036854775807");
  EXPECT_EQ(error(R"("num_hidden_layers":18446744073709551615)"),
            "c: key 'num_hidden_layers': expected an integer between 1 and 4096, found 18446744073709551615");
  EXPECT_EQ(error(R"("state_size":-1)"), "c: key 'state_size': expected an integer between 1 and 1024, found -1");
  EXPECT_EQ(error(R"("conv_kernel":1)"), "c: key 'conv_kernel': expected an integer between 2 and 64, found 1");
  EXPECT_EQ(error(R"("norm_eps":0)"), "c: key 'norm_eps': expected a positive number, at most 1, found 0");
  EXPECT_EQ(error(R"("norm_eps":1e-300)"),
            "c: key 'norm_eps': expected a number that is positive as a float, found 1e-300");
  EXPECT_EQ(error(R"("expand":-2)"), "c: key 'expand': expected a positive number, at most 16, found -2");
  EXPECT_EQ(error(R"("expand":0.0001)"),
            "c: key 'expand': expected an inner width int(expand * hidden_size) of at least 1, found 0.0001");
  EXPECT_EQ(error(R"("use_bias":1)"), "c: key 'use_bias': expected true or false, found 1");
  EXPECT_EQ(error(R"("time_step_rank":"big")"),
            "c: key 'time_step_rank': expected \"auto\" or an integer, found \"big\"");
  EXPECT_EQ(error(R"("bos_token_id":32000)"),
            "c: key 'bos_token_id': expected an integer between 0 and 31999, found 32000");
  EXPECT_EQ(error(R"("eos_token_id":[2,-3])"),
            "c: key 'eos_token_id': expected integers between 0 and 31999, found -3");
}

TEST(SambaConfig, RefusesBadAttention) {
  EXPECT_EQ(error(R"("attn":3)"), "c: key 'attn': expected an object, a list of objects or null, found 3");
  EXPECT_EQ(error(R"("attn":[{"layers":[1],"num_heads":6},7])"), "c: key 'attn[1]': expected an object, found 7");
  EXPECT_EQ(error(R"("attn":{"num_heads":6})"),
            "c: key 'attn.layers': expected a list of layer numbers, found nothing");
  EXPECT_EQ(error(R"("attn":{"layers":[1,-1],"num_heads":6})"),
            "c: key 'attn.layers': expected non-negative layer numbers, found -1");
  EXPECT_EQ(error(R"("attn":{"layers":[1]})"), "c: key 'attn.num_heads': expected the number of heads, found nothing");
  EXPECT_EQ(error(R"("attn":{"layers":[1,1],"num_heads":6})"),
            "c: key 'attn.layers': expected each layer once, found layer 1 twice");
  EXPECT_EQ(error(R"("attn":[{"layers":[1,3],"num_heads":6},{"layers":[3],"num_heads":6}])"),
            "c: key 'attn[1].layers': expected each layer once, found layer 3 twice");
  EXPECT_EQ(error(R"("attn":{"layers":[1],"num_heads":7})"),
            "c: key 'attn.num_heads': expected a divisor of hidden_size, 2304, found 7");
  EXPECT_EQ(error(R"("attn":{"layers":[1],"num_heads":6,"num_kv_heads":4})"),
            "c: key 'attn.num_kv_heads': expected a divisor of num_heads, 6, found 4");
  EXPECT_EQ(error(R"("hidden_size":45,"attn":{"layers":[1],"num_heads":3})"),
            "c: key 'attn.num_heads': expected an even head dimension hidden_size / num_heads, found 45 / 3 = 15");
  EXPECT_EQ(error(R"("attn":{"layers":[1],"num_heads":6,"window_size":0})"),
            "c: key 'attn.window_size': expected an integer between 1 and 16777216, found 0");
  EXPECT_EQ(error(R"("attn":{"layers":[1],"num_heads":6,"rope_theta":null})"),
            "c: key 'attn.rope_theta': expected a positive number, at most 1000000000000000, found null");
  EXPECT_EQ(error(R"("hidden_size":100)"), "c: key 'attn.num_heads': expected a divisor of hidden_size, 100, found 18");
}

} // namespace

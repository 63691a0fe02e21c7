//===- MicrosoftTest.cpp - tests of the layout of microsoft/Samba ---------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tensors are all zero here; test/e2e/microsoft.test and microsoft-variants.test compute with such models.
//
//===----------------------------------------------------------------------===//

#include "frontend/families/Microsoft.h"
#include "TestSupport.h"
#include "frontend/Importer.h"
#include "frontend/families/Families.h"
#include "llvm/Support/FormatVariadic.h"

using namespace samba;
using namespace samba::test;

namespace {

using Shape = llvm::SmallVector<int64_t, 3>;

/// A model of width 8, vocabulary 16 and MLPs of width 12.
class Microsoft : public TempDirTest {
protected:
  void SetUp() override {
    TempDirTest::SetUp();
    add("transformer.wte.weight", {16, 8});
    add("lm_head.weight", {16, 8});
    add("transformer.ln_f.weight", {8});
  }

  void add(const std::string &name, Shape shape) { tensors[name] = shape; }
  void addMamba(const std::string &prefix) {
    add(prefix + "in_proj.weight", {32, 8});
    add(prefix + "conv1d.weight", {16, 1, 4});
    add(prefix + "conv1d.bias", {16});
    add(prefix + "x_proj.weight", {2 + 2 * 16, 16});
    add(prefix + "dt_proj.weight", {16, 2});
    add(prefix + "dt_proj.bias", {16});
    add(prefix + "A_log", {16, 16});
    add(prefix + "D", {16});
    add(prefix + "out_proj.weight", {8, 16});
  }
  void addSwiglu(const std::string &prefix, int64_t width) {
    add(prefix + "w1.weight", {width, 8});
    add(prefix + "w2.weight", {width, 8});
    add(prefix + "w3.weight", {8, width});
  }
  void addAttention(const std::string &prefix, int64_t rows) {
    add(prefix + "attn.weight", {rows, 8});
    add(prefix + "proj.weight", {8, 8});
  }
  std::string layer(int64_t number) { return "transformer.h." + std::to_string(number) + "."; }
  /// With norms and MLP; the mixer is added by the caller, at the prefix that is returned.
  std::string addLayer(int64_t number) {
    add(layer(number) + "norm_1.weight", {8});
    add(layer(number) + "norm_2.weight", {8});
    addSwiglu(layer(number) + "mlp.swiglu.", 12);
    return layer(number) + "attn.";
  }

  llvm::Expected<ModelDescription> describe(const std::string &config) {
    llvm::json::Object header;
    int64_t offset = 0;
    for (auto &[name, shape] : tensors) {
      int64_t begin = offset, bytes = 4;
      for (int64_t size : shape)
        bytes *= size;
      offset += bytes;
      header[name] = llvm::json::Object{{"dtype", "F32"},
                                        {"shape", llvm::json::Array(llvm::ArrayRef<int64_t>(shape))},
                                        {"data_offsets", llvm::json::Array{begin, offset}}};
    }
    writeTensors("m.safetensors", llvm::formatv("{0}", llvm::json::Value(std::move(header))).str(), offset);
    checkpoint = valueOf(Checkpoint::open(path("m.safetensors")));
    return describeModel(*checkpoint, config.empty() ? "" : write("c.json", config));
  }
  std::string failure(const std::string &config) { return errorOf(describe(config)); }
  /// The description of a model that can be imported.
  ModelDescription model(const std::string &config) {
    ModelDescription model = valueOf(describe(config));
    mlir::MLIRContext context;
    EXPECT_EQ(errorOf(importModel(context, model, *checkpoint)), "");
    return model;
  }

  std::map<std::string, Shape> tensors;
  std::unique_ptr<Checkpoint> checkpoint;
  const std::string kConfig = R"({"n_head": 2, "local_window": 3})";
};

TEST_F(Microsoft, Samba) {
  addMamba(addLayer(0));
  addAttention(addLayer(1), 16);
  ModelDescription samba = model(kConfig);
  EXPECT_EQ(samba.family, "microsoft");
  ASSERT_EQ(samba.layers.size(), 2u);
  EXPECT_TRUE(*samba.layers[0].blocks[0].mamba() == (MambaSpec{16, 16, 4, 2, std::nullopt}));
  EXPECT_TRUE(*samba.layers[1].blocks[0].attention() == (AttentionSpec{2, 1, 4, 3, 10000, std::nullopt}));
  EXPECT_EQ(samba.layers[1].blocks[1].mlp()->width, 12);
  EXPECT_FALSE(samba.head);
  // One key/value head: rows of q0, q1, k, v.
  const std::vector<WeightSpec> &weights = samba.layers[1].blocks[0].weights;
  ASSERT_EQ(weights.size(), 5u);
  EXPECT_EQ(*weights[1].parts[0].firstRow, 0);
  EXPECT_EQ(*weights[2].parts[0].firstRow, 8);
  EXPECT_EQ(*weights[3].parts[0].firstRow, 12);
}

TEST_F(Microsoft, GroupsOfHeads) {
  addAttention(addLayer(0), 24);
  ModelDescription samba = model(kConfig);
  const std::vector<WeightSpec> &weights = samba.layers[0].blocks[0].weights;
  for (size_t which = 0; which < 3; ++which) // q0, k0, v0, q1, k1, v1
    for (size_t head = 0; head < 2; ++head) {
      EXPECT_EQ(*weights[1 + which].parts[head].firstRow, int64_t(12 * head + 4 * which));
      EXPECT_EQ(weights[1 + which].parts[head].rows, 4);
    }
}

TEST_F(Microsoft, MambaSwaMlp) {
  addLayer(0);
  tensors.erase(layer(0) + "norm_1.weight");
  add(layer(0) + "norm_m.weight", {8});
  add(layer(0) + "norm_attn.weight", {8});
  addMamba(layer(0) + "mb.");
  addAttention(layer(0) + "attn.", 24);
  ModelDescription samba = model(kConfig);
  ASSERT_EQ(samba.layers[0].blocks.size(), 3u);
  EXPECT_TRUE(samba.layers[0].blocks[0].mamba() && samba.layers[0].blocks[1].attention());
}

TEST_F(Microsoft, MambaAloneNeedsNoConfiguration) {
  add(layer(0) + "norm.weight", {8});
  addMamba(layer(0) + "mixer.");
  ModelDescription mamba = model("");
  ASSERT_EQ(mamba.layers[0].blocks.size(), 1u);
}

TEST_F(Microsoft, MambaReplacedByAnMlp) {
  addSwiglu(addLayer(0) + "swiglu.", 16);
  ModelDescription samba = model("");
  EXPECT_EQ(samba.layers[0].blocks[0].mlp()->width, 16);
  EXPECT_EQ(samba.layers[0].blocks[1].mlp()->width, 12);
}

TEST_F(Microsoft, Attention) {
  for (int64_t number = 0; number < 4; ++number)
    addAttention(addLayer(number), 16);
  EXPECT_EQ(model(R"({"n_head": 2, "local_window": -1})").layers[0].blocks[0].attention()->window, std::nullopt);
  EXPECT_EQ(model(R"({"n_head": 2, "local_window": 3, "nope": true})").layers[0].blocks[0].attention()->ropeTheta,
            std::nullopt);
  ModelDescription some = model(R"({"n_head": 2, "local_window": 3, "full_per_layer": 2})");
  for (size_t number = 0; number < 4; ++number)
    EXPECT_EQ(some.layers[number].blocks[0].attention()->window.has_value(), number % 2 == 0);
}

TEST_F(Microsoft, HeadOfItsOwnOrNot) {
  addAttention(addLayer(0), 16);
  EXPECT_FALSE(model(kConfig).head); // equal values
  tensors.erase("lm_head.weight");
  EXPECT_FALSE(model(kConfig).head);
  tensors.erase("transformer.wte.weight");
  add("lm_head.weight", {16, 8});
  EXPECT_EQ(model(kConfig).embeddings.parts.front().tensor.name, "lm_head.weight");
  add("transformer.wte.weight", {17, 8});
  EXPECT_TRUE(valueOf(describe(kConfig)).head);
}

TEST_F(Microsoft, AsksForWhatTensorsDoNotTell) {
  addAttention(addLayer(0), 16);
  EXPECT_EQ(failure(""),
            path("m.safetensors") +
                ": expected a configuration, as the number of heads, the window and the rotary embedding do "
                "not show in the tensors of microsoft/Samba, found none; give --config=NAME (such as "
                "Samba_421M; --config=help lists all) or --config=FILE with the keys n_head, local_window "
                "and nope");
  std::string key = path("c.json") + ": key ";
  EXPECT_EQ(failure("{}"), key + "'n_head': expected an integer between 1 and 65536, found nothing");
  EXPECT_EQ(failure(R"({"n_head": 2})"),
            key + "'local_window': expected a number of tokens, or -1 for full attention, found nothing");
  EXPECT_EQ(failure(R"({"n_head": 2, "local_window": 0})"),
            key + "'local_window': expected a number of tokens, or -1 for full attention, found 0");
  EXPECT_EQ(failure(R"({"n_head": 2, "local_window": 2, "rotary_percentage": 0.25})"),
            key + "'rotary_percentage': expected 1, found 0.25");
  EXPECT_EQ(failure(R"({"n_head": 2, "local_window": 2, "condense_ratio": 4})"),
            key + "'condense_ratio': expected 1, found 4");
  for (llvm::StringRef flag : {"bias", "parallel_residual", "shared_attention_norm"})
    EXPECT_TRUE(llvm::StringRef(failure((R"({"n_head": 2, "local_window": 2, ")" + flag + R"(": true})").str()))
                    .starts_with(key + "'" + flag.str() + "': "));
}

TEST_F(Microsoft, RefusesConfigurationsOfOtherModels) {
  addAttention(addLayer(0), 24);
  std::string tensor = path("m.safetensors") + ": tensor 'transformer.h.0.attn.attn.weight': expected ";
  EXPECT_EQ(failure(R"({"n_head": 3, "local_window": 2})"),
            path("c.json") + ": expected a number of heads (n_head) that gives an even head dimension of the width 8, "
                             "found 3");
  EXPECT_EQ(failure(R"({"n_head": 2, "local_window": 2, "n_query_groups": 1})"),
            tensor + "1 key/value heads (n_query_groups in " + path("c.json") + "), found 2");
  EXPECT_EQ(failure(R"({"n_head": 2, "local_window": 2, "n_embd": 16})"),
            path("c.json") + ": expected a model of width 16, found 8 in tensor 'transformer.wte.weight'");
  add(layer(0) + "attn.attn.weight", {20, 8});
  EXPECT_EQ(failure(kConfig),
            tensor +
                "rows of 2 query heads and of as many key as value heads, a divisor of it, each of 4 rows (n_head is "
                "2 in " +
                path("c.json") + "), found 20 rows");
}

TEST_F(Microsoft, RefusesOtherLayers) {
  std::string mixer = addLayer(0);
  EXPECT_EQ(failure(kConfig), dir + ": layer 0: expected a tensor 'transformer.h.0.attn.in_proj.weight' (Mamba), "
                                    "'transformer.h.0.attn.attn.weight' (attention) or "
                                    "'transformer.h.0.attn.swiglu.w1.weight' (MLP), found none");
  addAttention(mixer, 24);
  add(mixer + "q_conv1d.weight", {8, 1, 4});
  EXPECT_EQ(failure(kConfig), path("m.safetensors") +
                                  ": tensor 'transformer.h.0.attn.q_conv1d.weight': expected attention without "
                                  "convolutions of queries, keys and values (sc_attn), found such a convolution, which "
                                  "is not supported");
  tensors.erase(mixer + "q_conv1d.weight");
  addAttention(addLayer(2), 24);
  EXPECT_EQ(failure(kConfig), dir + ": expected tensors of each layer from 0 to 2, found them of 2 layers");
}

TEST_F(Microsoft, RefusesAbsurdShapes) {
  addMamba(addLayer(0));
  add("transformer.wte.weight", {16});
  EXPECT_EQ(failure(""), path("m.safetensors") +
                             ": tensor 'transformer.wte.weight': expected 2 sizes, and size 0 between "
                             "1 and 16777216, found shape [16]");
  add("transformer.wte.weight", {0, 8});
  EXPECT_EQ(failure(""), path("m.safetensors") +
                             ": tensor 'transformer.wte.weight': expected 2 sizes, and size 0 between "
                             "1 and 16777216, found shape [0, 8]");
}

TEST(MicrosoftConfig, Names) {
  EXPECT_EQ(MicrosoftConfig::named("Samba_421M_nope")->rotary, false);
  EXPECT_EQ(*MicrosoftConfig::named("Samba_1.3B")->window, 2048);
  EXPECT_EQ(*MicrosoftConfig::named("Samba_421M_gqa4")->numGroups, 4);
  EXPECT_EQ(MicrosoftConfig::named("LLaMA_438M")->window, std::nullopt);
  EXPECT_FALSE(MicrosoftConfig::named("Samba"));
}

/// The hyperparameters of a checkpoint may name the configuration.
TEST(MicrosoftConfig, IsFound) {
  auto checkpoint = valueOf(Checkpoint::open(source("test/goldens/microsoft/tiny-a.pth")));
  EXPECT_EQ(checkpoint->files().front()->modelName(), "tiny-a");
  EXPECT_FALSE(valueOf(findMicrosoftConfig(*checkpoint, "")));
  EXPECT_TRUE(llvm::StringRef(errorOf(findMicrosoftConfig(*checkpoint, "help")))
                  .starts_with("--config=help: expected a file or one of Samba_421M, Samba_421M_nope, "));
}

} // namespace

//===- FamiliesTest.cpp - tests of the readers of families ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the models compute is tested with the golden models; here, what the readers make of configurations.
//
//===----------------------------------------------------------------------===//

#include "frontend/families/Families.h"
#include "TestSupport.h"
#include "frontend/Importer.h"
#include "frontend/Json.h"

using namespace samba;
using namespace samba::test;

namespace {

llvm::Expected<ModelDescription> read(llvm::StringRef config) {
  return describeModel(*valueOf(parseJson(config, "c")).getAsObject(), "c", nullptr);
}
/// A configuration of this type, whose other keys are `keys`.
std::string of(llvm::StringRef type, llvm::StringRef keys = "") {
  return ("{\"model_type\":\"" + type + "\"" + (keys.empty() ? "" : ",") + keys + "}").str();
}
std::string error(llvm::StringRef config) { return errorOf(read(config)); }

std::vector<std::string> tensorNames(const ModelDescription &model) {
  std::vector<std::string> names;
  for (const TensorSpec &tensor : model.tensors())
    names.push_back(tensor.name);
  return names;
}

TEST(Families, AreSortedAndNamed) {
  for (size_t i = 1; i < families().size(); ++i)
    EXPECT_LT(families()[i - 1]->name, families()[i]->name);
  EXPECT_EQ(error(of("gpt2")), "c: key 'model_type': expected \"falcon_mamba\", \"jamba\", \"llama\", \"mamba\", "
                               "\"mistral\", \"phi4flash\", \"qwen2\" or \"samba\", found \"gpt2\"");
  EXPECT_EQ(error("{\"model_type\":3}").substr(0, 27), "c: key 'model_type': expect");
  EXPECT_NE(error("{}").find("found nothing"), std::string::npos);
}

TEST(Families, HavePublishedNumbersOfParameters) {
  EXPECT_EQ(valueOf(read(of("mamba", "\"num_hidden_layers\":24"))).numParameters(), 129135360); // SPEC 3.1
  EXPECT_EQ(valueOf(read(R"({"d_model":768,"n_layer":24,"vocab_size":50277,"ssm_cfg":{},"rms_norm":true,
      "residual_in_fp32":true,"fused_add_norm":true,"pad_vocab_size_multiple":8})"))
                .numParameters(),
            129135360);
  EXPECT_EQ(valueOf(read(of("mistral"))).numParameters(), 7241732096);
  EXPECT_EQ(valueOf(read(of("llama"))).numParameters(), 6738415616);
  EXPECT_EQ(
      valueOf(read(of("falcon_mamba", "\"intermediate_size\":8192,\"tie_word_embeddings\":false"))).numParameters(),
      7272665088);
  EXPECT_EQ(
      valueOf(read(of("phi4flash", "\"vocab_size\":200064,\"intermediate_size\":10240,\"num_key_value_heads\":20")))
          .numParameters(),
      3852562944);
}

TEST(Families, ReadTheGoldenConfigs) {
  for (llvm::StringRef name : {"tiny-mamba", "tiny-mamba-ssm", "tiny-falcon-mamba", "tiny-mistral", "tiny-llama",
                               "tiny-qwen2", "tiny-jamba", "tiny-phi4flash"}) {
    auto checkpoint = valueOf(Checkpoint::open(source(("test/goldens/" + name).str())));
    ModelDescription model = valueOf(describeModel(*checkpoint));
    EXPECT_TRUE(model.warnings.empty()) << name.str() << ": " << model.warnings[0];
    EXPECT_EQ(errorOf(checkTensors(model, *checkpoint)), "") << name.str();
  }
}

TEST(Mamba, RefusesBadKeys) {
  EXPECT_EQ(error(of("mamba", "\"hidden_size\":-1")),
            "c: key 'hidden_size': expected an integer between 1 and 65536, found -1");
  EXPECT_EQ(error(of("mamba", "\"num_hidden_layers\":1e9")),
            "c: key 'num_hidden_layers': expected an integer between 1 and 4096, found 1000000000");
  EXPECT_EQ(error(of("mamba", "\"hidden_act\":\"gelu\"")),
            "c: key 'hidden_act': expected \"swish\" or \"silu\", found \"gelu\"");
  EXPECT_EQ(error(of("mamba", "\"expand\":0.0001")),
            "c: key 'expand': expected an inner width int(expand * hidden_size) "
            "between 1 and 1048576, found 0.0001");
  EXPECT_EQ(error(of("mamba", "\"time_step_rank\":\"big\"")),
            "c: key 'time_step_rank': expected \"auto\" or an integer, found \"big\"");
  EXPECT_EQ(error(of("falcon_mamba", "\"mixer_rms_eps\":0")),
            "c: key 'mixer_rms_eps': expected a positive number, at most 1, found 0");
}

TEST(Mamba, RefusesOriginalsOfOtherKinds) {
  auto original = [](llvm::StringRef keys) { return error(("{\"d_model\":64,\"n_layer\":2," + keys + "}").str()); };
  EXPECT_EQ(original("\"ssm_cfg\":{\"layer\":\"Mamba2\"}"),
            "c: key 'ssm_cfg.layer': expected \"Mamba1\", found \"Mamba2\"");
  EXPECT_EQ(original("\"ssm_cfg\":[]"), "c: key 'ssm_cfg': expected an object, found []");
  EXPECT_EQ(original("\"rms_norm\":false"),
            "c: key 'rms_norm': expected true (models with LayerNorm are not supported), found false");
  EXPECT_EQ(original("\"attn_layer_idx\":[1]"), "c: key 'attn_layer_idx': expected no layers of attention, found [1]");
  EXPECT_EQ(original("\"d_intermediate\":8"),
            "c: key 'd_intermediate': expected 0 (MLPs between the layers are not supported), found 8");
  EXPECT_EQ(original("\"pad_vocab_size_multiple\":0"),
            "c: key 'pad_vocab_size_multiple': expected an integer between 1 and 16777216, found 0");
  EXPECT_EQ(original("\"ssm_cfg\":{\"d_conv\":1}"),
            "c: key 'ssm_cfg.d_conv': expected an integer between 2 and 64, found 1");
}

class MambaFiles : public TempDirTest {};

// As in some public checkpoints: the library never looks at these keys.
TEST_F(MambaFiles, TrustsTensorsOverKeys) {
  std::string from = source("test/goldens/tiny-mamba/");
  ASSERT_FALSE(llvm::sys::fs::copy_file(from + "model.safetensors", path("model.safetensors")));
  auto object = valueOf(readJsonObject(from + "config.json"));
  object["num_hidden_layers"] = 64;
  object["intermediate_size"] = 1536;
  object["state_size"] = 16;
  object["time_step_rank"] = "auto";
  std::string text;
  llvm::raw_string_ostream(text) << llvm::json::Value(std::move(object));
  std::string config = write("config.json", text);
  auto checkpoint = valueOf(Checkpoint::open(dir));
  ModelDescription model = valueOf(describeModel(*checkpoint));
  EXPECT_EQ(errorOf(checkTensors(model, *checkpoint)), "");
  EXPECT_EQ(model.layers.size(), 3u);
  EXPECT_EQ(model.warnings, std::vector<std::string>({
                                config + ": key 'num_hidden_layers' makes it 64, but the number of layers in " + dir +
                                    " says 3, which counts",
                                config + ": key 'expand' makes it 1536, but tensor "
                                         "'backbone.layers.0.mixer.conv1d.weight' says 64, which counts",
                                config + ": key 'state_size' makes it 16, but tensor "
                                         "'backbone.layers.0.mixer.A_log' says 8, which counts",
                                config + ": key 'time_step_rank' makes it 2, but tensor "
                                         "'backbone.layers.0.mixer.dt_proj.weight' says 3, which counts",
                            }));
}

TEST(Llama, ReadsHeadsWindowsAndBiases) {
  ModelDescription mistral = valueOf(read(of("mistral", "\"num_hidden_layers\":1")));
  const AttentionSpec &attention = *mistral.layers[0].blocks[0].attention();
  EXPECT_EQ(attention.window, 4096);
  EXPECT_EQ(attention.numKvHeads, 8);
  EXPECT_EQ(attention.headDim, 128);
  EXPECT_FALSE(mistral.hasFullAttention());
  EXPECT_TRUE(valueOf(read(of("mistral", "\"sliding_window\":null"))).hasFullAttention());
  EXPECT_TRUE(valueOf(read(of("qwen2", "\"sliding_window\":128"))).hasFullAttention());

  std::vector<std::string> names = tensorNames(valueOf(read(of("qwen2", "\"num_hidden_layers\":1"))));
  EXPECT_TRUE(llvm::is_contained(names, "model.layers.0.self_attn.v_proj.bias"));
  EXPECT_FALSE(llvm::is_contained(names, "model.layers.0.self_attn.o_proj.bias"));
  names = tensorNames(valueOf(read(of("llama", "\"attention_bias\":true,\"num_hidden_layers\":1"))));
  EXPECT_TRUE(llvm::is_contained(names, "model.layers.0.self_attn.o_proj.bias"));
  EXPECT_FALSE(llvm::is_contained(names, "model.layers.0.mlp.up_proj.bias"));
}

TEST(Llama, ReadsTheBaseOfRotaryEmbeddings) {
  auto theta = [](llvm::StringRef keys) {
    return valueOf(read(of("llama", keys))).layers[0].blocks[0].attention()->ropeTheta;
  };
  EXPECT_EQ(theta("\"rope_theta\":5e5"), 5e5);
  EXPECT_EQ(theta(R"("rope_parameters":{"rope_type":"default","rope_theta":1e6})"), 1e6);
  EXPECT_EQ(theta(R"("rope_scaling":null)"), 10000);
  EXPECT_EQ(error(of("llama", R"("rope_scaling":{"type":"linear","factor":2})")),
            "c: key 'rope_scaling': expected null or the rope_type \"default\" (scaled rotary embeddings are not "
            "supported), found {\"factor\":2,\"type\":\"linear\"}");
  EXPECT_EQ(error(of("llama", "\"partial_rotary_factor\":0.5")),
            "c: key 'partial_rotary_factor': expected 1 (embeddings of a part of each head are not supported), found "
            "0.5");
}

TEST(Llama, ReadsSeveralEndsOfText) {
  ModelDescription model = valueOf(read(of("llama", "\"eos_token_id\":[7,9]")));
  EXPECT_EQ(model.eosToken, 7);
  EXPECT_EQ(model.moreEnds, std::vector<int64_t>{9});
  EXPECT_EQ(model.warnings, std::vector<std::string>());
  for (const char *family : {"mamba", "mistral", "qwen2"}) {
    ModelDescription other = valueOf(read(of(family, "\"eos_token_id\":[7,9,7]")));
    EXPECT_EQ(other.eosToken, 7) << family;
    EXPECT_EQ(other.moreEnds, std::vector<int64_t>{9}) << family;
  }
  EXPECT_EQ(valueOf(read(of("llama", "\"eos_token_id\":[]"))).eosToken, std::nullopt);
  EXPECT_EQ(error(of("llama", "\"eos_token_id\":[7,-9]")),
            "c: key 'eos_token_id': expected integers between 0 and 31999, found -9");
}

TEST(Llama, RefusesBadKeys) {
  EXPECT_EQ(error(of("llama", "\"num_attention_heads\":7")),
            "c: key 'num_attention_heads': expected a divisor of hidden_size, 4096, found 7");
  EXPECT_EQ(error(of("llama", "\"num_key_value_heads\":5")),
            "c: key 'num_key_value_heads': expected a divisor of num_attention_heads, 32, found 5");
  EXPECT_EQ(error(of("llama", "\"head_dim\":65")), "c: key 'head_dim': expected an even head dimension, found 65");
  EXPECT_EQ(error(of("mistral", "\"sliding_window\":0")),
            "c: key 'sliding_window': expected an integer between 1 and 16777216, found 0");
  EXPECT_EQ(error(of("qwen2", "\"use_sliding_window\":true")),
            "c: key 'use_sliding_window': expected false (windows in some layers are not supported), found true");
  EXPECT_EQ(error(of("qwen2", R"("layer_types":["full_attention","sliding_attention"])")),
            "c: key 'layer_types': expected \"full_attention\" for all layers, found "
            "[\"full_attention\",\"sliding_attention\"]");
}

TEST(Jamba, PutsAttentionWhereItBelongs) {
  ModelDescription model = valueOf(read(of("jamba", "\"num_experts\":1")));
  ASSERT_EQ(model.layers.size(), 32u);
  for (size_t layer = 0; layer < 32; ++layer) {
    const AttentionSpec *attention = model.layers[layer].blocks[0].attention();
    EXPECT_EQ(attention != nullptr, layer % 8 == 4);
    if (attention)
      EXPECT_EQ(attention->ropeTheta, std::nullopt);
  }
  EXPECT_EQ(model.layers[0].blocks[0].mamba()->innerNormEps, 1e-6);
}

TEST(Jamba, RefusesExperts) {
  EXPECT_EQ(error(of("jamba")), "c: key 'num_experts': expected 1 (mixtures of experts are not supported), found 16");
  EXPECT_EQ(error(of("jamba", "\"num_experts\":1,\"attn_layer_period\":0")),
            "c: key 'attn_layer_period': expected an integer between 1 and 4096, found 0");
}

TEST(Phi4Flash, DecodesTwice) {
  ModelDescription model = valueOf(read(of("phi4flash", "\"sliding_window\":512")));
  ASSERT_EQ(model.layers.size(), 32u);
  for (int64_t layer = 0; layer < 32; ++layer) {
    const BlockSpec &mixer = model.layers[layer].blocks[0], &mlp = model.layers[layer].blocks[1];
    EXPECT_EQ(mixer.selected, layer >= 18);
    EXPECT_EQ(mlp.selected, layer >= 17);
    EXPECT_TRUE(mixer.norm.centred && mlp.norm.centred && mlp.mlp());
    if (layer % 2 == 0 && layer >= 18) {
      ASSERT_TRUE(mixer.gatedMemory());
      EXPECT_EQ(mixer.gatedMemory()->innerSize, 5120);
    } else if (layer % 2 == 0) {
      ASSERT_TRUE(mixer.mamba());
      EXPECT_EQ(mixer.mamba()->memory, layer == 16);
      EXPECT_EQ(mixer.mamba()->dtRank, 160);
    } else {
      ASSERT_TRUE(mixer.attention() && mixer.attention()->differential);
      EXPECT_EQ(mixer.attention()->cross, layer >= 18);
      EXPECT_EQ(mixer.attention()->window, layer < 16 ? std::optional<int64_t>(512) : std::nullopt);
      EXPECT_EQ(mixer.attention()->ropeTheta, std::nullopt);
    }
  }
}

// 8 heads of queries and 4 of keys: pairs 0 and 1 have the keys 0 and 1.
TEST(Phi4Flash, GroupsTheHeadsOfPairs) {
  ModelDescription model = valueOf(read(of("phi4flash", R"("hidden_size":32,"num_attention_heads":8,
      "num_key_value_heads":4,"num_hidden_layers":8)")));
  auto partsOf = [&](int64_t layer, llvm::StringRef role) {
    for (const WeightSpec &weight : model.layers[layer].blocks[0].weights)
      if (weight.role == role) {
        std::vector<std::pair<int64_t, int64_t>> parts;
        for (const TensorRows &rows : weight.parts)
          parts.emplace_back(*rows.firstRow, rows.rows);
        return parts;
      }
    return std::vector<std::pair<int64_t, int64_t>>();
  };
  std::vector<std::pair<int64_t, int64_t>> queries = {{0, 4}, {8, 4}, {4, 4}, {12, 8}, {24, 4}, {20, 4}, {28, 4}};
  for (int64_t layer : {1, 5, 7}) {
    EXPECT_EQ(partsOf(layer, "q_proj.weight"), queries);
    EXPECT_EQ(partsOf(layer, "q_proj.bias"), queries);
  }
  EXPECT_EQ(partsOf(1, "k_proj.weight"), (std::vector<std::pair<int64_t, int64_t>>{{32, 16}}));
  EXPECT_EQ(partsOf(5, "v_proj.bias"), (std::vector<std::pair<int64_t, int64_t>>{{48, 16}}));
  EXPECT_TRUE(partsOf(7, "k_proj.weight").empty());
}

TEST(Phi4Flash, ReadsWindowsOfLayers) {
  auto windows = [&](llvm::StringRef value) {
    return of("phi4flash", ("\"num_hidden_layers\":4,\"sliding_window\":" + value).str());
  };
  EXPECT_EQ(valueOf(read(windows("[null,7,null,null]"))).layers[1].blocks[0].attention()->window, 7);
  EXPECT_EQ(valueOf(read(windows("[null,null,null,null]"))).layers[1].blocks[0].attention()->window, std::nullopt);
  EXPECT_EQ(error(windows("[null,7]")),
            "c: key 'sliding_window': expected a number, or a list of 4 entries, found one of 2");
  EXPECT_EQ(error(windows("[null,0,null,null]")),
            "c: key 'sliding_window': expected null or integers between 1 and 16777216 in the list, "
            "found [null,0,null,null]");
  EXPECT_EQ(error(windows("0")), "c: key 'sliding_window': expected an integer between 1 and 16777216, found 0");
}

TEST(Phi4Flash, RefusesBadKeys) {
  EXPECT_EQ(error(of("phi4flash", "\"mb_per_layer\":4")),
            "c: key 'mb_per_layer': expected 2 (every other layer a Mamba or a gated memory unit), found 4");
  EXPECT_EQ(error(of("phi4flash", "\"num_hidden_layers\":6")),
            "c: key 'num_hidden_layers': expected a multiple of 4, for halves that begin with a Mamba layer, found 6");
  EXPECT_EQ(error(of("phi4flash", "\"num_key_value_heads\":5")),
            "c: key 'num_key_value_heads': expected an even number, for heads in pairs, found 5");
  EXPECT_NE(error(of("phi4flash", "\"lm_head_bias\":true")).find("lm_head_bias"), std::string::npos);
  EXPECT_NE(error(of("phi4flash", "\"layer_norm_eps\":0")).find("layer_norm_eps"), std::string::npos);
}

} // namespace

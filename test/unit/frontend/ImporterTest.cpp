//===- ImporterTest.cpp - tests of the importer ---------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Importer.h"
#include "TestSupport.h"
#include "dialect/Samba.h"
#include "frontend/Json.h"
#include "frontend/families/Families.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace samba;
using namespace samba::test;

namespace {

struct Imported {
  std::unique_ptr<Checkpoint> checkpoint;
  std::unique_ptr<MLIRContext> context = std::make_unique<MLIRContext>();
  OwningOpRef<ModuleOp> module;

  DictionaryAttr model() { return module.get()->getAttrOfType<DictionaryAttr>("samba.model"); }
  int64_t number(StringRef key) { return model().getAs<IntegerAttr>(key).getInt(); }
  func::FuncOp function(StringRef name) { return module->lookupSymbol<func::FuncOp>(name); }
  size_t numFunctions() { return llvm::range_size(module->getOps<func::FuncOp>()); }
  size_t numWeights() { return llvm::range_size(module->getOps<WeightOp>()); }
  std::string text() {
    std::string text;
    llvm::raw_string_ostream os(text);
    module->print(os);
    return text;
  }
};

Imported import(const std::string &directory, llvm::StringRef weights = "", const ImportOptions &options = {}) {
  Imported result;
  result.checkpoint = valueOf(Checkpoint::open(directory, weights));
  ModelDescription model = valueOf(describeModel(*result.checkpoint));
  result.module = valueOf(importModel(*result.context, model, *result.checkpoint, options));
  return result;
}

bool contains(const std::string &text, llvm::StringRef part) { return llvm::StringRef(text).contains(part); }

TEST(Importer, ImportsTheGoldenModels) {
  struct Case {
    const char *directory, *weights;
    size_t functions;
  };
  for (auto [directory, weights, functions] :
       {Case{"test/goldens/tiny-a", "", 4}, Case{"test/goldens/tiny-b", "", 4},
        Case{"test/goldens/tiny-b", "model-bf16.safetensors", 4}, Case{"test/goldens/tiny-c", "", 4},
        Case{"test/goldens/tiny-d", "", 5}, Case{"models/samba-tiny", "", 4}}) {
    Imported model = import(source(directory), weights);
    EXPECT_TRUE(succeeded(verify(*model.module))) << directory;
    EXPECT_EQ(model.module->getName(), llvm::StringRef(directory).rsplit('/').second);
    EXPECT_EQ(model.numFunctions(), functions) << directory;
    EXPECT_EQ(model.numWeights(), model.checkpoint->tensorNames().size()) << directory;
    int64_t elements = 0;
    for (WeightOp weight : model.module->getOps<WeightOp>()) {
      EXPECT_TRUE(weight.getTensorType().getElementType().isF32());
      EXPECT_EQ(valueOf(model.checkpoint->lookup(weight.getSource())).numElements(),
                weight.getTensorType().getNumElements());
      elements += weight.getTensorType().getNumElements();
    }
    EXPECT_EQ(model.number("parameters"), elements) << directory;
  }
}

TEST(Importer, DeclaresWeightsAndStates) {
  Imported model = import(source("test/goldens/tiny-d"));
  std::string text = model.text();
  EXPECT_TRUE(contains(text, "samba.weight @embeddings from \"backbone.embeddings.weight\" : tensor<97x32xf32>"));
  EXPECT_TRUE(contains(text,
                       "samba.weight @layers.1.mixer.A from \"backbone.layers.1.mixer.A_log\" transform neg_exp : "
                       "tensor<48x8xf32>"));
  EXPECT_TRUE(contains(text, "samba.weight @layers.1.mixer.conv1d from \"backbone.layers.1.mixer.conv1d.weight\" : "
                             "tensor<48x3xf32>"));
  EXPECT_TRUE(contains(text, "samba.weight @layers.0.mixer.q_proj.bias from \"backbone.layers.0.mixer.q_proj.bias\" : "
                             "tensor<32xf32>"));
  EXPECT_TRUE(contains(text, "samba.weight @lm_head from \"lm_head.weight\""));

  func::FuncOp step = model.function("samba_step");
  ASSERT_TRUE(step);
  EXPECT_TRUE(step.isPublic());
  FunctionType type = step.getFunctionType();
  std::vector<std::pair<std::string, std::string>> states;
  for (unsigned i = 4; i < type.getNumInputs(); ++i) {
    std::string stateType;
    llvm::raw_string_ostream(stateType) << type.getInput(i);
    states.emplace_back(step.getArgAttrOfType<StringAttr>(i, "samba.name").str(), stateType);
    EXPECT_EQ(type.getResult(i - 3), type.getInput(i));
  }
  using States = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(states, States({{"layers.0.key", "!samba.state<2x8x8xf32>"},
                            {"layers.0.value", "!samba.state<2x8x8xf32>"},
                            {"layers.1.conv", "!samba.state<2x48xf32>"},
                            {"layers.1.ssm", "!samba.state<8x48xf32>"},
                            {"layers.2.key", "!samba.state<1x2048x16xf32>"},
                            {"layers.2.value", "!samba.state<1x2048x16xf32>"},
                            {"layers.3.conv", "!samba.state<2x48xf32>"},
                            {"layers.3.ssm", "!samba.state<8x48xf32>"}}));
  EXPECT_EQ(type.getResult(0), RankedTensorType::get({ShapedType::kDynamic, 97}, Float32Type::get(&*model.context)));
}

TEST(Importer, BuildsTheBlocks) {
  Imported model = import(source("test/goldens/tiny-d"));
  CausalConv1dOp conv = *model.function("mamba").getOps<CausalConv1dOp>().begin();
  EXPECT_EQ(conv.getActivation(), Activation::Silu);
  EXPECT_TRUE(conv.getBias());
  SelectiveScanOp scan = *model.function("mamba").getOps<SelectiveScanOp>().begin();
  EXPECT_TRUE(scan.getD() && scan.getZ() && scan.getDeltaBias() && scan.getDeltaSoftplus());
  size_t biased =
      llvm::count_if(model.function("mamba").getOps<LinearOp>(), [](LinearOp op) { return !!op.getBias(); });
  EXPECT_EQ(biased, 2u); // in_proj and out_proj, not dt_proj: the scan adds that
  biased = llvm::count_if(model.function("attention").getOps<LinearOp>(), [](LinearOp op) { return !!op.getBias(); });
  EXPECT_EQ(biased, 3u);
  auto attention = *model.function("attention").getOps<SlidingWindowAttentionOp>().begin();
  EXPECT_EQ(attention.getWindow(), 8u);
  auto full = *model.function("attention_1").getOps<SlidingWindowAttentionOp>().begin();
  EXPECT_EQ(full.getWindow(), std::nullopt);
  EXPECT_EQ(full.getCapacity(), 2048);
  RmsNormOp norm = *model.function("mlp").getOps<RmsNormOp>().begin();
  EXPECT_EQ(norm.getEps().convertToFloat(), 1e-6f);
  EXPECT_EQ(llvm::range_size(model.function("samba_step").getOps<RotaryTableOp>()), 2);
}

TEST(Importer, TiesTheHead) {
  Imported model = import(source("models/samba-tiny"));
  LinearOp head = *model.function("samba_step").getOps<LinearOp>().begin();
  auto load = head.getWeight().getDefiningOp<LoadWeightOp>();
  ASSERT_TRUE(load);
  EXPECT_EQ(load.getWeight(), "embeddings");
}

TEST(Importer, DescribesTheModel) {
  Imported model = import(source("test/goldens/tiny-d"), "", {/*context=*/64, "other", /*numerics=*/""});
  EXPECT_EQ(model.module->getName(), llvm::StringRef("other"));
  EXPECT_EQ(model.number("vocab_size"), 97);
  EXPECT_EQ(model.number("num_layers"), 4);
  EXPECT_EQ(model.number("bos_token_id"), 1);
  EXPECT_EQ(model.number("eos_token_id"), 2);
  EXPECT_EQ(model.number("max_context"), 64);
  ArrayAttr layers = model.model().getAs<ArrayAttr>("layers");
  std::vector<std::string> kinds;
  for (StringAttr kind : layers.getAsRange<StringAttr>())
    kinds.push_back(kind.str());
  EXPECT_EQ(kinds, std::vector<std::string>({"attention", "mamba", "attention", "mamba"}));

  Imported windowed = import(source("test/goldens/tiny-a"));
  EXPECT_FALSE(windowed.model().contains("max_context"));
}

TEST(Importer, ProbesEveryLayerAndNamesLocations) {
  Imported model = import(source("test/goldens/tiny-b"));
  std::vector<std::string> probes;
  for (ProbeOp probe : model.function("samba_step").getOps<ProbeOp>()) {
    EXPECT_EQ(probe.getIndex(), probes.size());
    probes.push_back(probe.getName().str());
  }
  EXPECT_EQ(probes, std::vector<std::string>({"embeddings", "layers.0", "layers.1", "layers.2", "layers.3", "norm_f"}));
  std::vector<std::string> calls;
  for (func::CallOp call : model.function("samba_step").getOps<func::CallOp>())
    calls.push_back(call.getCallee().str() + " " + cast<NameLoc>(call.getLoc()).getName().str());
  EXPECT_EQ(calls[2], "attention layers.1.mixer");
  EXPECT_EQ(calls[3], "mlp layers.1.mlp");
  LinearOp linear = *model.function("mamba").getOps<LinearOp>().begin();
  EXPECT_EQ(cast<NameLoc>(linear.getLoc()).getName(), "mamba.in_proj");
}

/// Models of zeros, made to measure.
class ImporterFiles : public TempDirTest {
protected:
  static constexpr llvm::StringLiteral kSmall =
      R"("vocab_size":7,"hidden_size":8,"num_hidden_layers":2,"attn":{"layers":[1],"num_heads":2,"window_size":4})";

  std::vector<TensorSpec> useConfig(llvm::StringRef keys) {
    config = write("config.json", ("{\"model_type\":\"samba\"," + keys + "}").str());
    return valueOf(describeModel(valueOf(readJsonObject(config)), config, nullptr)).tensors();
  }
  /// Writes the tensors, all zero but for `lastByte` at the end, and imports.
  std::string import(const std::vector<TensorSpec> &tensors, llvm::StringRef dtype = "F32", char lastByte = 0) {
    std::string header = "{", separator;
    int64_t offset = 0;
    for (const TensorSpec &tensor : tensors) {
      int64_t elements = 1;
      for (int64_t size : tensor.shape)
        elements *= size;
      int64_t end = offset + elements * (dtype == "F32" ? 4 : 8);
      header +=
          separator + llvm::formatv("\"{0}\":{{\"dtype\":\"{1}\",\"shape\":[{2:$[,]}],\"data_offsets\":[{3},{4}]}",
                                    tensor.name, dtype, llvm::make_range(tensor.shape.begin(), tensor.shape.end()),
                                    offset, end)
                          .str();
      separator = ",";
      offset = end;
    }
    header += "}";
    char length[8];
    llvm::support::endian::write64le(length, header.size());
    std::string data(offset, '\0');
    data.back() = lastByte;
    write("model.safetensors", std::string(length, 8) + header + data);
    checkpoint = valueOf(Checkpoint::open(dir));
    imported = {};
    context = std::make_unique<MLIRContext>();
    ModelDescription model = valueOf(describeModel(*checkpoint));
    auto result = importModel(*context, model, *checkpoint, options);
    if (!result)
      return errorOf(result.takeError());
    imported = std::move(*result);
    numFunctions = llvm::range_size(imported->getOps<func::FuncOp>());
    return "";
  }
  std::string weights() { return path("model.safetensors"); }

  std::string config;
  ImportOptions options;
  std::unique_ptr<MLIRContext> context;
  OwningOpRef<ModuleOp> imported; // before its context
  std::unique_ptr<Checkpoint> checkpoint;
  int64_t numFunctions = 0;
};

TEST_F(ImporterFiles, CodeDoesNotGrowWithDepth) {
  for (int64_t layers : {2, 40}) {
    std::string odd = "1";
    for (int64_t layer = 3; layer < layers; layer += 2)
      odd += "," + std::to_string(layer);
    std::vector<TensorSpec> tensors =
        useConfig(llvm::formatv("\"vocab_size\":7,\"hidden_size\":8,\"num_hidden_layers\":{0},"
                                "\"attn\":{{\"layers\":[{1}],\"num_heads\":2,\"window_size\":4}",
                                layers, odd)
                      .str());
    EXPECT_EQ(import(tensors), "");
    EXPECT_EQ(numFunctions, 4) << layers;
  }
}

TEST_F(ImporterFiles, EqualAttentionSharesOneFunction) {
  EXPECT_EQ(import(useConfig(R"("vocab_size":7,"hidden_size":8,"num_hidden_layers":4,"attn":[
      {"layers":[0],"num_heads":2,"window_size":4,"rope_theta":100},
      {"layers":[1],"num_heads":2,"window_size":4},
      {"layers":[2],"num_heads":2,"window_size":5},
      {"layers":[3],"num_heads":1,"window_size":4}])")),
            "");
  EXPECT_EQ(numFunctions, 5); // attention, attention_1, attention_2, mlp, samba_step
}

TEST_F(ImporterFiles, NamesMissingTensors) {
  std::vector<TensorSpec> tensors = useConfig(kSmall);
  auto drop = [&](llvm::StringRef name) {
    llvm::erase_if(tensors, [&](const TensorSpec &tensor) { return tensor.name == name; });
  };
  drop("backbone.layers.1.mixer.k_proj.weight");
  EXPECT_EQ(import(tensors), dir + ": tensor 'backbone.layers.1.mixer.k_proj.weight': expected shape [8, 8], as " +
                                 path("config.json") + " says, found nothing");
  drop("lm_head.weight");
  EXPECT_EQ(import(tensors), dir + ": tensor 'backbone.layers.1.mixer.k_proj.weight': expected shape [8, 8], as " +
                                 path("config.json") + " says, found nothing (and 1 more tensors are missing)");
}

TEST_F(ImporterFiles, NamesSurplusTensors) {
  std::vector<TensorSpec> tensors = useConfig(kSmall);
  tensors.push_back({"extra", {3, 2}});
  EXPECT_EQ(import(tensors), weights() + ": tensor 'extra': expected no such tensor in the model of " +
                                 path("config.json") + ", found F32[3, 2]");
}

TEST_F(ImporterFiles, ChecksShapesAndTypes) {
  std::vector<TensorSpec> tensors = useConfig(kSmall);
  EXPECT_EQ(import(tensors, "F64"),
            weights() + ": tensor 'backbone.embeddings.weight': expected F32, BF16 or F16, found F64");
  tensors[0].shape = {8, 7};
  EXPECT_EQ(import(tensors), weights() + ": tensor 'backbone.embeddings.weight': expected shape [7, 8], found [8, 7]");
}

TEST_F(ImporterFiles, ReadsFusedGateAndUp) {
  std::vector<TensorSpec> tensors = useConfig(kSmall);
  llvm::erase_if(tensors, [](const TensorSpec &tensor) { return llvm::StringRef(tensor.name).contains("up_proj"); });
  for (TensorSpec &tensor : tensors)
    if (llvm::StringRef(tensor.name).contains("gate_proj"))
      tensor.shape[0] *= 2;
  EXPECT_EQ(import(tensors), "");
  auto declared = [&](llvm::StringRef symbol) { return imported->lookupSymbol<WeightOp>(symbol).getParts(); };
  ASSERT_EQ(declared("layers.1.mlp.up_proj").size(), 1u);
  EXPECT_EQ(declared("layers.1.mlp.up_proj")[0].source, "backbone.layers.1.mlp.gate_proj.weight");
  EXPECT_EQ(declared("layers.1.mlp.up_proj")[0].firstRow, 256);
  EXPECT_EQ(declared("layers.1.mlp.gate_proj")[0].firstRow, 0);
  EXPECT_EQ(declared("layers.1.mlp.gate_proj")[0].shape[0], 256);

  // Another number of rows is no old file.
  for (TensorSpec &tensor : tensors)
    if (tensor.name == "backbone.layers.1.mlp.gate_proj.weight")
      tensor.shape[0] -= 1;
  EXPECT_EQ(import(tensors), weights() + ": tensor 'backbone.layers.1.mlp.gate_proj.weight': expected shape [256, 8], "
                                         "found [511, 8]");
}

TEST_F(ImporterFiles, AcceptsAStoredTiedHeadOnlyIfEqual) {
  std::vector<TensorSpec> tensors = useConfig((kSmall + ",\"tie_word_embeddings\":true").str());
  EXPECT_EQ(import(tensors), "");
  tensors.push_back({"lm_head.weight", {7, 8}});
  EXPECT_EQ(import(tensors), "");
  EXPECT_EQ(import(tensors, "F32", 1),
            weights() +
                ": tensor 'lm_head.weight': expected a copy of 'backbone.embeddings.weight', because "
                "tie_word_embeddings is true in " +
                path("config.json") + ", found other values");
  tensors.back().shape = {7, 4};
  EXPECT_EQ(import(tensors), weights() + ": tensor 'lm_head.weight': expected shape [7, 8], found [7, 4]");
}

TEST_F(ImporterFiles, BoundsTheContextOfFullAttention) {
  std::vector<TensorSpec> tensors = useConfig(R"("vocab_size":7,"hidden_size":8,"num_hidden_layers":2,
      "max_position_embeddings":100000000,"attn":{"layers":[1],"num_heads":2})");
  EXPECT_EQ(import(tensors), path("config.json") +
                                 ": full attention: expected a context between 1 and 16777216 tokens, found 100000000 "
                                 "(key 'max_position_embeddings'; choose a context)");
  options.context = -1;
  EXPECT_EQ(import(tensors),
            path("config.json") + ": full attention: expected a context between 1 and 16777216 tokens, found -1");
  options.context = 4096;
  EXPECT_EQ(import(tensors), "");
}

} // namespace

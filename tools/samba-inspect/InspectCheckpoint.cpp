//===- InspectCheckpoint.cpp - what a checkpoint is -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Importer.h"
#include "frontend/TokenizerConfig.h"
#include "frontend/families/Families.h"
#include "lowering/emit/DiagnosticCapture.h"
#include "passes/CostModel.h"
#include "tools/Registration.h"
#include "tools/samba-compile/Phases.h"
#include "tools/samba-inspect/Inspect.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Path.h"
#include <map>

using namespace llvm;
using namespace samba;
using namespace samba::inspect;

namespace {

constexpr StringLiteral kPrecisions[] = {"f32", "bf16", "int8", "int4"};
/// A step of one token after a text of this length; longer than that, only full attention reads more.
constexpr int64_t kContext = 4096;

int64_t elementsOf(const WeightSpec &weight) {
  int64_t elements = 1;
  for (int64_t size : weight.shape())
    elements *= size;
  return elements;
}

/// "kind", and the sizes that the kind has.
json::Object describe(const BlockSpec &block) {
  json::Object result;
  if (const MambaSpec *mamba = block.mamba()) {
    result = json::Object{{"kind", "mamba"},
                          {"inner_size", mamba->innerSize},
                          {"state_size", mamba->stateSize},
                          {"conv_kernel", mamba->convKernel},
                          {"dt_rank", mamba->dtRank}};
    if (mamba->memory)
      result["memory"] = true;
  } else if (const AttentionSpec *attention = block.attention()) {
    result = json::Object{{"kind", attention->cross ? "cross_attention" : "attention"},
                          {"num_heads", attention->numHeads},
                          {"num_kv_heads", attention->numKvHeads},
                          {"head_dim", attention->headDim},
                          {"window", attention->window ? json::Value(*attention->window) : json::Value(nullptr)},
                          {"rope_theta", attention->ropeTheta ? json::Value(*attention->ropeTheta) : nullptr}};
    if (attention->differential)
      result["differential"] = true;
  } else if (const GatedMemorySpec *memory = block.gatedMemory()) {
    result = json::Object{{"kind", "gated_memory"}, {"inner_size", memory->innerSize}};
  } else if (const MlpSpec *mlp = block.mlp()) {
    result = json::Object{{"kind", "mlp"}, {"width", mlp->width}};
  } else {
    result = json::Object{{"kind", "other"}};
  }
  int64_t parameters = 0;
  for (const WeightSpec &weight : block.weights)
    parameters += elementsOf(weight);
  result["name"] = block.name;
  result["parameters"] = parameters;
  return result;
}

class Inspector {
public:
  Inspector(StringRef path, const Options &options) : path(path), options(options), context(registry()) {
    context.disableMultithreading();
  }

  Expected<json::Object> run() {
    Expected<std::unique_ptr<Checkpoint>> opened = Checkpoint::open(path, options.weightsFile);
    if (!opened)
      return opened.takeError();
    checkpoint = std::move(*opened);
    Expected<ModelDescription> described = describeModel(*checkpoint, options.config);
    if (!described)
      return described.takeError();
    model = std::move(*described);
    ImportOptions importOptions;
    importOptions.context = options.context;
    Expected<mlir::OwningOpRef<mlir::ModuleOp>> module = [&] {
      DiagnosticCapture diagnostics(&context);
      return importModel(context, model, *checkpoint, importOptions);
    }();
    if (!module)
      return module.takeError();
    report["path"] = path;
    report["kind"] = "checkpoint";
    report["family"] = model.family;
    report["configuration"] = model.configPath;
    describeFiles();
    describeModelSizes();
    for (StringRef precision : kPrecisions)
      if (Error failed = predict(**module, precision))
        refused.push_back(("--precision=" + precision + ": " + toString(std::move(failed))).str());
    report["precisions"] = std::move(precisions);
    report["bandwidth_gb_s"] = options.bandwidth;
    if (auto tokenizer = TokenizerConfig::load(checkpoint->directory(), model.vocabSize); !tokenizer)
      refused.push_back(toString(tokenizer.takeError()));
    report["refused"] = json::Array(refused);
    report["warnings"] = json::Array(model.warnings);
    return std::move(report);
  }

private:
  static mlir::DialectRegistry registry() {
    mlir::DialectRegistry registry;
    registerDialects(registry);
    return registry;
  }

  /// "files": name and bytes of each; "stored": bytes by element type; "tensors", if they are to be listed.
  void describeFiles() {
    json::Array files, tensors;
    std::map<std::string, int64_t> stored;
    for (const std::unique_ptr<WeightFile> &file : checkpoint->files()) {
      files.push_back(json::Object{{"file", sys::path::filename(file->file().path()).str()},
                                   {"bytes", int64_t(file->file().bytes().size())}});
      for (const TensorInfo &tensor : file->tensors()) {
        stored[tensor.dtypeName.str()] += int64_t(tensor.end - tensor.begin);
        tensors.push_back(json::Object{
            {"name", tensor.name}, {"dtype", tensor.dtypeName.str()}, {"shape", json::Array(ArrayRef(tensor.shape))}});
      }
    }
    json::Object byType;
    for (auto &[type, bytes] : stored)
      byType[type] = bytes;
    report["files"] = std::move(files);
    report["stored"] = std::move(byType);
    if (options.tensors)
      report["tensors"] = std::move(tensors);
  }

  /// "vocab_size" and other sizes; "layers": for each a list of blocks; "parameters": of each part and in "total".
  void describeModelSizes() {
    report["vocab_size"] = model.vocabSize;
    report["hidden_size"] = model.hiddenSize;
    report["norm_eps"] = model.finalNorm.eps;
    report["tied_head"] = !model.head;
    json::Array layers;
    std::map<std::string, int64_t> parts;
    for (const LayerSpec &layer : model.layers) {
      json::Array blocks;
      for (const BlockSpec &block : layer.blocks) {
        json::Object entry = describe(block);
        parts[entry.getString("kind")->str()] += *entry.getInteger("parameters");
        blocks.push_back(std::move(entry));
      }
      layers.push_back(std::move(blocks));
    }
    parts["embeddings"] = elementsOf(model.embeddings);
    parts["final_norm"] =
        elementsOf(model.finalNormWeight) + (model.finalNormBias ? elementsOf(*model.finalNormBias) : 0);
    if (model.head)
      parts["head"] = elementsOf(*model.head);
    parts["total"] = model.numParameters();
    json::Object parameters;
    for (auto &[part, count] : parts)
      parameters[part] = count;
    report["layers"] = std::move(layers);
    report["parameters"] = std::move(parameters);
    report["max_context"] = model.hasFullAttention()
                                ? json::Value(options.context ? options.context : model.maxPositionEmbeddings)
                                : json::Value(nullptr);
  }

  /// "precisions": for each its "weight_bytes" as compiled, what a step of one token reads ("weights_read",
  /// "state_moved", "other_bytes") and computes ("flops"), and the bound that the bandwidth puts on tokens per second.
  /// "state_bytes": of a sequence, there for each precision, in the report for f32. "kv": the type of keys and values.
  Error predict(mlir::ModuleOp imported, StringRef precision) {
    mlir::OwningOpRef<mlir::ModuleOp> module = imported.clone();
    PhaseOptions phases;
    phases.precision = precision.str();
    phases.cpu = options.cpu;
    for (Phase phase : {Phase::Optimise, Phase::Fuse, Phase::Schedule})
      if (Error failed = runPhase(phase, *module, phases))
        return failed;
    int64_t context = model.hasFullAttention() && options.context ? options.context : kContext;
    CostModel model(Workload{/*tokens=*/1, /*segments=*/1, context, /*rows=*/1});
    KernelCost step;
    for (auto &[function, count, rows, costs] : model.callsOf(*module))
      step.add(costs.costOf(function), count);
    int64_t bytes = step.bytes();
    auto number = [&](StringRef attribute) {
      auto value = (*module)->getAttrOfType<mlir::IntegerAttr>(attribute);
      return value ? value.getInt() : 0;
    };
    report.try_emplace("state_bytes", number("samba.state_bytes"));
    precisions.push_back(json::Object{{"precision", precision},
                                      {"kv", usualKv(precision, /*cuda=*/false)},
                                      {"weight_bytes", number("samba.weight_bytes")},
                                      {"state_bytes", number("samba.state_bytes")},
                                      {"weights_read", step.weightBytes},
                                      {"state_moved", step.stateBytes},
                                      {"other_bytes", step.activationBytes},
                                      {"bytes_per_token", bytes},
                                      {"flops_per_token", step.flops},
                                      {"tokens_per_second", bytes ? options.bandwidth * 1e9 / double(bytes) : 0.0}});
    return Error::success();
  }

  StringRef path;
  const Options &options;
  mlir::MLIRContext context;
  std::unique_ptr<Checkpoint> checkpoint;
  ModelDescription model;
  json::Object report;
  json::Array precisions;
  std::vector<std::string> refused;
};

} // namespace

Expected<json::Object> samba::inspect::inspectCheckpoint(StringRef path, const Options &options) {
  return Inspector(path, options).run();
}

void samba::inspect::printFamilies(raw_ostream &os) {
  os << "| family | recognised by | models |\n| --- | --- | --- |\n";
  for (const Family *family : families()) {
    std::string types;
    for (StringRef type : family->modelTypes)
      types += (types.empty() ? "`model_type` `" : ", `") + type.str() + "`";
    os << "| `" << family->name << "` | " << (types.empty() ? "names of tensors" : types) << " | " << family->summary
       << " |\n";
  }
}

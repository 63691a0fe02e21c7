//===- Manifest.cpp - what an artefact says about itself ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/emit/Manifest.h"

#include "dialect/Samba.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "samba/abi.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace samba;
namespace json = llvm::json;

llvm::json::Value samba::attributeToJson(Attribute attribute) {
  return llvm::TypeSwitch<Attribute, json::Value>(attribute)
      .Case([](BoolAttr value) { return json::Value(value.getValue()); })
      .Case([](IntegerAttr value) { return json::Value(value.getValue().getSExtValue()); })
      .Case([](FloatAttr value) { return json::Value(value.getValueAsDouble()); })
      .Case([](StringAttr value) { return json::Value(json::fixUTF8(value.getValue())); })
      .Case([](TypeAttr value) { return json::Value(llvm::formatv("{0}", value.getValue()).str()); })
      .Case([](DenseI64ArrayAttr value) { return json::Value(json::Array(value.asArrayRef())); })
      .Case([](ArrayAttr value) {
        json::Array array;
        for (Attribute element : value)
          array.push_back(attributeToJson(element));
        return json::Value(std::move(array));
      })
      .Case([](DictionaryAttr value) {
        json::Object object;
        for (NamedAttribute entry : value)
          object[json::fixUTF8(entry.getName().getValue())] = attributeToJson(entry.getValue());
        return json::Value(std::move(object));
      })
      .Default([](Attribute) { return json::Value(nullptr); });
}

llvm::Error samba::recordInterface(ModuleOp module) {
  auto entry = module.lookupSymbol<func::FuncOp>(SAMBA_ENTRY_SYMBOL);
  if (!entry)
    return llvm::createStringError("the module has no function @" SAMBA_ENTRY_SYMBOL);
  Builder builder(module.getContext());
  auto entryOf = [&](llvm::StringRef key, Attribute value) { return builder.getNamedAttr(key, value); };

  llvm::SmallVector<Attribute> fields;
  for (BlockArgument argument : entry.getArguments()) {
    auto type = dyn_cast<StateType>(argument.getType());
    if (!type)
      continue;
    auto name = entry.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "samba.name");
    auto offset = entry.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), "samba.offset");
    if (!name || !offset)
      return llvm::createStringError("a state of @" SAMBA_ENTRY_SYMBOL " has no samba.name or no samba.offset");
    fields.push_back(builder.getDictionaryAttr({entryOf("name", name), entryOf("offset", offset),
                                                entryOf("shape", builder.getDenseI64ArrayAttr(type.getShape())),
                                                entryOf("dtype", TypeAttr::get(type.getElementType()))}));
  }

  llvm::SmallVector<ProbeOp> probes;
  module.walk([&](ProbeOp probe) { probes.push_back(probe); });
  llvm::sort(probes, [](ProbeOp a, ProbeOp b) { return a.getIndex() < b.getIndex(); });
  llvm::SmallVector<Attribute> probeEntries;
  for (ProbeOp probe : probes) {
    if (probe.getIndex() != probeEntries.size())
      return llvm::createStringError("probe '" + probe.getName() + "' has index " + llvm::Twine(probe.getIndex()) +
                                     ", expected " + llvm::Twine(probeEntries.size()));
    int64_t width = cast<RankedTensorType>(probe.getX().getType()).getShape().back();
    probeEntries.push_back(builder.getDictionaryAttr(
        {entryOf("name", probe.getNameAttr()), entryOf("width", builder.getI64IntegerAttr(width))}));
  }
  module->setAttr("samba.interface",
                  builder.getDictionaryAttr({entryOf("state", builder.getArrayAttr(fields)),
                                             entryOf("probes", builder.getArrayAttr(probeEntries))}));
  return llvm::Error::success();
}

static json::Value targetJson(const CpuTarget *target) {
  if (!target)
    return nullptr;
  return json::Object{{"triple", target->triple}, {"cpu", target->cpu}, {"features", json::Array(target->required)}};
}

llvm::Expected<Manifest> Manifest::create(ModuleOp module, const CpuTarget *target) {
  auto missing = [](llvm::StringRef name) {
    return llvm::createStringError("the module attribute '" + name + "' is missing; is the module lowered?");
  };
  auto model = module->getAttrOfType<DictionaryAttr>("samba.model");
  auto interface = module->getAttrOfType<DictionaryAttr>("samba.interface");
  auto stateBytes = module->getAttrOfType<IntegerAttr>("samba.state_bytes");
  auto loops = module->getAttrOfType<DictionaryAttr>("samba.loops");
  auto arenaBytes = module->getAttrOfType<IntegerAttr>("samba.arena_bytes_per_token");
  if (!model)
    return missing("samba.model");
  if (!interface || !interface.getAs<ArrayAttr>("state") || !interface.getAs<ArrayAttr>("probes"))
    return missing("samba.interface");
  if (!stateBytes)
    return missing("samba.state_bytes");
  if (target && !arenaBytes)
    return missing("samba.arena_bytes_per_token");

  json::Value modelJson = attributeToJson(model);
  // Absent means unlimited.
  modelJson.getAsObject()->try_emplace("max_context", nullptr);
  std::optional<json::Value> endTokens;
  if (json::Value *ends = modelJson.getAsObject()->get("end_tokens")) {
    endTokens = std::move(*ends);
    modelJson.getAsObject()->erase("end_tokens");
  }
  llvm::StringRef precision = "f32";
  for (WeightOp weight : module.getOps<WeightOp>()) {
    if (auto quant = dyn_cast_or_null<QuantAttr>(weight.getTensorType().getEncoding()))
      precision = quant.getBits() == 8 ? "int8" : "int4";
    else if (precision == "f32" && weight.getTensorType().getElementType().isBF16())
      precision = "bf16";
  }

  Manifest manifest;
  manifest.root = json::Object{
      {"abi_version", SAMBA_ABI_VERSION},
      {"compiler", "samba-mlir " SAMBA_VERSION},
      {"name", json::fixUTF8(module.getName().value_or("model"))},
      {"precision", precision},
      {"model", std::move(modelJson)},
      {"target", targetJson(target)},
      {"entry", SAMBA_ENTRY_SYMBOL},
      {"arena_bytes_per_token", target ? json::Value(arenaBytes.getInt()) : json::Value(nullptr)},
      {"state", json::Object{{"bytes", stateBytes.getInt()}, {"fields", attributeToJson(interface.get("state"))}}},
      {"probes", attributeToJson(interface.get("probes"))},
      {"tokenizer", nullptr},
      {"loops", loops ? attributeToJson(loops) : json::Value(nullptr)},
      {"sources", json::Array()},
  };
  if (endTokens)
    manifest.root["end_tokens"] = std::move(*endTokens);
  return manifest;
}

void Manifest::addVariant(const CpuTarget &target, llvm::StringRef entry) {
  json::Value &variants = root.try_emplace("variants", json::Array()).first->getSecond();
  variants.getAsArray()->insert(
      variants.getAsArray()->begin(),
      json::Object{{"cpu", target.name}, {"features", json::Array(target.required)}, {"entry", entry}});
}

void Manifest::setTokenizer(const TokenizerSettings &settings) {
  json::Object tokenizer{{"kind", settings.kind}};
  if (settings.kind == "sentencepiece") {
    tokenizer["add_bos"] = settings.addBos;
    tokenizer["add_eos"] = settings.addEos;
  }
  json::Object added;
  for (const auto &[text, id] : settings.added)
    added[json::fixUTF8(text)] = id;
  if (!added.empty())
    tokenizer["added"] = std::move(added);
  root["tokenizer"] = std::move(tokenizer);
}

void Manifest::setChat(const ChatSettings &settings) {
  json::Object tokens;
  for (const auto &[name, text] : settings.tokens)
    tokens[json::fixUTF8(name)] = json::fixUTF8(text);
  root["chat"] = json::Object{{"template", json::fixUTF8(settings.text)}, {"tokens", std::move(tokens)}};
}

void Manifest::addEndTokens(llvm::ArrayRef<int64_t> ids) {
  if (!root.getArray("end_tokens"))
    root["end_tokens"] = json::Array();
  json::Array &ends = *root.getArray("end_tokens");
  for (int64_t id : ids)
    if (!llvm::is_contained(ends, json::Value(id)))
      ends.push_back(id);
}

void Manifest::setWeights(uint64_t bytes, std::optional<llvm::StringRef> file) {
  root["weights"] = json::Object{{"bytes", int64_t(bytes)},
                                 {"file", file ? json::Value(json::fixUTF8(*file)) : json::Value(nullptr)}};
}

void Manifest::addSource(llvm::StringRef file, uint64_t bytes, uint64_t checksum) {
  // In hexadecimal: JSON's numbers are not safe beyond 53 bits.
  root.getArray("sources")->push_back(json::Object{
      {"file", json::fixUTF8(file)}, {"bytes", int64_t(bytes)}, {"xxh3", llvm::formatv("{0:x-16}", checksum).str()}});
}

std::string Manifest::text() const { return llvm::formatv("{0}", json::Value(json::Object(root))).str(); }

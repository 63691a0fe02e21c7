//===- Numerics.cpp - which roundings a model is computed with ------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Numerics.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;
using namespace samba;

ArrayRef<NumericsFlag> Numerics::flags() {
  static const NumericsFlag all[] = {
      {"dtype", {"f32", "bf16"}, "the model's type: what operations pass on is rounded to it"},
      {"residual", {"model", "f32"}, "type of the residual stream"},
      {"norm_input", {"f32", "model"}, "what norms read of an f32 stream: as it is, or rounded to the model's type"},
      {"norm_cast", {"fused", "hf"}, "roundings of a norm: of the result, or also of the normalised values"},
      {"gate_on", {"f32", "rounded"}, "what silu(z) multiplies: the scan's result as it is, or rounded"},
      {"dt_bias", {"post", "fused"}, "the bias of dt_proj: added in f32 after the rounding of the product, or before"},
      {"rope_table", {"model", "f32"}, "type of the cosines and sines"},
      {"logits", {"model", "f32"}, "type of the logits"},
      {"ssm_param_round", {"none", "bf16"}, "round A_log, D and the bias of dt_proj"},
      {"ssm_state", {"f32", "bf16"}, "type of the scan's state from step to step"},
      {"window_keys", {"w", "w+1"}, "keys that a window of w shows, the current one included"},
      {"softplus", {"log1p", "log"}, "formula of softplus: log1p(exp(v)), or log(1 + exp(v)) with a rounded sum"},
      {"scan_out", {"f32", "model"}, "type of the products of C and the state, and of the gate"},
      {"rope_math", {"f32", "model"}, "type in which heads are rotated"},
      {"rope_angle", {"f64", "f32"}, "type of the rotary angles"},
      {"attn_p", {"f32", "model"}, "type of the attention weights that multiply the values"},
      {"norm_offset", {"0", "1"}, "what is added to the weights of norms"},
  };
  return all;
}

std::string Numerics::help() {
  std::string text;
  for (const NumericsFlag &flag : flags()) {
    std::string values = llvm::join(flag.values, "|");
    text += formatv("  {0,-16} {1,-12} {2}\n", flag.name, values, flag.help);
  }
  return text;
}

static const NumericsFlag *findFlag(StringRef name) {
  auto *flag = find_if(Numerics::flags(), [&](const NumericsFlag &flag) { return flag.name == name; });
  return flag == Numerics::flags().end() ? nullptr : flag;
}

StringRef Numerics::operator[](StringRef name) const {
  auto known = changed.find(name);
  if (known != changed.end())
    return known->second;
  const NumericsFlag *flag = findFlag(name);
  assert(flag && "no such flag");
  return flag->values.front();
}

Error Numerics::set(StringRef name, StringRef value) {
  const NumericsFlag *flag = findFlag(name);
  if (!flag) {
    std::string names;
    for (const NumericsFlag &known : flags())
      names += (names.empty() ? "" : ", ") + known.name.str();
    return createStringError("numerics: expected one of " + names + ", found '" + name + "'");
  }
  if (!is_contained(flag->values, value))
    return createStringError("numerics: " + name + ": expected " + join(flag->values, " or ") + ", found '" + value +
                             "'");
  if (value == flag->values.front())
    changed.erase(name.str());
  else
    changed[name.str()] = value.str();
  return Error::success();
}

Error Numerics::set(StringRef assignments) {
  SmallVector<StringRef> parts;
  assignments.split(parts, ',', -1, /*KeepEmpty=*/false);
  for (StringRef part : parts) {
    auto [name, value] = part.split('=');
    if (Error error = set(name, value))
      return error;
  }
  return Error::success();
}

Expected<Numerics> Numerics::of(mlir::ModuleOp module) {
  Numerics numerics;
  mlir::Attribute attribute = module->getAttr(kAttribute);
  if (!attribute)
    return numerics;
  auto dictionary = dyn_cast<mlir::DictionaryAttr>(attribute);
  if (!dictionary)
    return createStringError("numerics: expected a dictionary of flags");
  for (mlir::NamedAttribute entry : dictionary) {
    auto value = dyn_cast<mlir::StringAttr>(entry.getValue());
    if (!value)
      return createStringError("numerics: " + entry.getName().getValue() + ": expected a string");
    if (Error error = numerics.set(entry.getName().getValue(), value.getValue()))
      return std::move(error);
  }
  return numerics;
}

mlir::DictionaryAttr Numerics::attribute(mlir::MLIRContext *context) const {
  if (changed.empty())
    return {};
  mlir::Builder builder(context);
  SmallVector<mlir::NamedAttribute> entries;
  for (auto &[name, value] : changed)
    entries.push_back(builder.getNamedAttr(name, builder.getStringAttr(value)));
  return builder.getDictionaryAttr(entries);
}

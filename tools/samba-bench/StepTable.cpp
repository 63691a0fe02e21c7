//===- StepTable.cpp - what a step of a model has to do -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/StepTable.h"

#include "samba/abi.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

using namespace samba::bench;
using nlohmann::json;

namespace {

// The scan's exponentials, which are the most and the fastest, take 8 of the 14 vector instructions of a state. A core
// starts two such instructions while it multiplies and adds one vector.
constexpr double flopsPerExp = 8;
constexpr size_t mostEntries = 1000000;

/// Reads the table and the states of a manifest.
class Expansion {
public:
  Expansion(const std::string &path, const json &manifest, std::vector<Loop> &table)
      : path(path), functions(manifest.at("loops")), stateFields(manifest.at("state").at("fields")), table(table) {
    if (!functions.is_object() || !functions.contains(SAMBA_ENTRY_SYMBOL))
      fail("loops", "an object with the key " SAMBA_ENTRY_SYMBOL);
    expand(SAMBA_ENTRY_SYMBOL, "", 0, false);
  }

private:
  [[noreturn]] void fail(const std::string &key, const std::string &expected) const {
    throw std::runtime_error("'" + path + "': manifest key " + key + ": expected " + expected);
  }

  std::string text(const json &object, const char *key, const std::string &where) const {
    auto value = object.find(key);
    if (value == object.end() || !value->is_string())
      fail(where + "." + key, "a string");
    return value->get<std::string>();
  }

  double amount(const json &object, const char *key, const std::string &where, bool required = true) const {
    auto value = object.find(key);
    if (value == object.end() && !required)
      return 0;
    if (value == object.end() || !value->is_number() || value->get<double>() < 0)
      fail(where + "." + key, "a number that is not negative");
    return value->get<double>();
  }

  // The depth ends a function that calls itself.
  void expand(const std::string &function, const std::string &layer, int depth, bool perRow) {
    auto entries = functions.find(function);
    if (entries == functions.end() || !entries->is_array() || depth > 16)
      fail("loops." + function, "an array, of a function that does not call itself");
    for (size_t i = 0; i < entries->size(); ++i) {
      const json &entry = (*entries)[i];
      std::string where = "loops." + function + "[" + std::to_string(i) + "]";
      if (!entry.is_object() || ++seen > mostEntries)
        fail(where, "an object, one of at most " + std::to_string(mostEntries));
      if (entry.contains("call")) {
        expand(text(entry, "call", where), text(entry, "layer", where), depth + 1, perRow);
        continue;
      }
      Loop loop = readLoop(entry, where, layer);
      perRow |= loop.op == "gather_rows";
      loop.perRow = perRow;
      bool inKernel = i > 0 && (*entries)[i - 1].contains("name") && (*entries)[i - 1]["name"] == entry["name"];
      loop.starts = !inKernel;
      // The one operation that is lowered to two loops, both of which carry its description.
      loop.repeats =
          inKernel && loop.op == "sliding_window_attention" && table.back().op == loop.op && !table.back().repeats;
      table.push_back(std::move(loop));
    }
  }

  Loop readLoop(const json &entry, const std::string &where, const std::string &layer) {
    Loop loop;
    loop.kernel = text(entry, "name", where);
    loop.op = text(entry, "op", where);
    loop.layer = layer;
    loop.flops = amount(entry, "flops", where);
    loop.exps = amount(entry, "exps", where);
    loop.weightBytes = amount(entry, "weight_bytes", where);
    loop.flopsPerKey = amount(entry, "flops_per_key", where, false);
    loop.rowsAbove = amount(entry, "rows_above", where, false);
    loop.tokensAbove = amount(entry, "tokens_above", where, false);
    loop.epilogueFlops = amount(entry, "epilogue_flops", where, false);
    readState(loop);
    return loop;
  }

  /// The state of the loop's layer, "layers.N.FIELD", that its operation carries.
  void readState(Loop &loop) {
    std::string block = loop.layer.substr(0, loop.layer.rfind('.'));
    for (const json &field : stateFields) {
      std::string name = field.at("name");
      std::vector<int64_t> shape = field.at("shape");
      double bytes = field.at("dtype") == "f32" ? 4 : field.at("dtype") == "i8" ? 1 : 2;
      if (bytes == 1 && !shape.empty())
        shape.back() += sizeof(float); // the scale of the row
      for (int64_t size : shape)
        bytes *= static_cast<double>(size);
      if ((loop.op == "causal_conv1d" && name == block + ".conv") ||
          (loop.op == "selective_scan" && name == block + ".ssm"))
        loop.statePerSequence += 2 * bytes;
      if (loop.op == "sliding_window_attention" && (name == block + ".key" || name == block + ".value") &&
          shape.size() == 3 && shape[1] > 0) {
        loop.slots = static_cast<double>(shape[1]);
        loop.slotBytes += bytes / loop.slots;
      }
    }
    // Attention across reads what the last layer with keys of its own has written.
    if (loop.op == "sliding_window_attention") {
      lastSlots = loop.slots;
      lastSlotBytes = loop.slotBytes;
    } else if (loop.op == "cross_attention") {
      loop.slots = lastSlots;
      loop.slotBytes = lastSlotBytes;
    }
  }

  const std::string &path;
  size_t seen = 0; // entries, of calls too: functions without loops must not multiply without end
  const json &functions;
  const json &stateFields;
  std::vector<Loop> &table;
  double lastSlots = 0, lastSlotBytes = 0;
};

/// Keys that the tokens of a step see, of one sequence: token i sees itself and what is before it, at most `slots`.
double visibleKeys(double context, double tokens, double slots) {
  double growing = std::clamp(slots - context, 0.0, tokens); // tokens that see all before them
  return growing * context + growing * (growing + 1) / 2 + (tokens - growing) * slots;
}

} // namespace

Work &Work::operator+=(const Work &other) {
  linearFlops += other.linearFlops;
  attentionFlops += other.attentionFlops;
  otherFlops += other.otherFlops;
  exps += other.exps;
  weightBytes += other.weightBytes;
  stateBytes += other.stateBytes;
  return *this;
}

/// The CPU that code was compiled for, with its features: that of the manifest, or one of the variants.
static json codeInUse(const json &manifest, std::string_view cpu) {
  if (manifest.contains("variants"))
    for (const json &variant : manifest["variants"])
      if (variant.at("cpu") == cpu)
        return variant;
  return manifest.at("target");
}

StepTable::StepTable(const std::string &path, std::string_view text, std::string_view cpu) {
  try {
    json manifest = json::parse(text);
    precisionName = manifest.value("precision", "f32");
    const json target = codeInUse(manifest, cpu); // null without code for the CPU
    cpuName = target.is_null() ? "none" : target.value("cpu", "unknown");
    auto has = [&](const char *feature) {
      if (target.is_null())
        return false;
      const json &features = target.at("features");
      return std::find(features.begin(), features.end(), json(feature)) != features.end();
    };
    bf16Dot = has("avx512bf16");
    int8Dot = has("avx512vnni");
    weightsBytes = manifest.at("weights").at("bytes").get<double>();
    if (manifest.contains("loops") && !manifest["loops"].is_null())
      Expansion(path, manifest, table);
  } catch (const json::exception &error) {
    throw std::runtime_error("'" + path + "': the manifest is malformed: " + error.what());
  }
}

Work StepTable::workOf(const Loop &loop, const Step &step) const {
  Work work;
  if (loop.repeats)
    return work;
  double sequences = static_cast<double>(step.sequences), context = static_cast<double>(step.context);
  double tokens = static_cast<double>(step.tokens);
  double rows = loop.perRow ? static_cast<double>(step.rows) : sequences * tokens;
  work.weightBytes = rows > 0 ? loop.weightBytes : 0;
  if (loop.flopsPerKey > 0) {
    double slots = loop.slots > 0 ? loop.slots : std::numeric_limits<double>::infinity();
    if (loop.op == "cross_attention") { // the rows at the end see all that is there
      double keys = rows * std::min(slots, context + tokens);
      work.attentionFlops = keys * loop.flopsPerKey;
      work.exps = keys * loop.exps;
      work.stateBytes = loop.slotBytes * keys;
      return work;
    }
    double keys = sequences * visibleKeys(context, tokens, slots);
    work.attentionFlops = keys * loop.flopsPerKey;
    work.exps = keys * loop.exps; // given for the one key that the first token of a sequence sees
    work.stateBytes = sequences * loop.slotBytes * (std::min(loop.slots, context) + std::min(loop.slots, tokens));
    return work;
  }
  (loop.op == "linear" ? work.linearFlops : work.otherFlops) = rows * loop.flops;
  work.otherFlops += rows * loop.epilogueFlops;
  work.exps = rows * loop.exps;
  work.stateBytes = sequences * loop.statePerSequence;
  return work;
}

std::vector<Loop> StepTable::loops(const Step &step) const {
  std::vector<Loop> present;
  bool startPending = false; // the first loop of a kernel is left out: then the next one is the first
  for (Loop loop : table) {
    double rows = static_cast<double>(loop.perRow ? step.rows : step.sequences * step.tokens);
    bool absent = (loop.rowsAbove > 0 && rows <= loop.rowsAbove) ||
                  (loop.tokensAbove > 0 && static_cast<double>(step.tokens) <= loop.tokensAbove);
    loop.starts |= startPending;
    startPending = absent && loop.starts;
    if (!absent)
      present.push_back(loop);
  }
  return present;
}

Work StepTable::workOf(const Step &step) const {
  Work sum;
  for (const Loop &loop : loops(step))
    sum += workOf(loop, step);
  return sum;
}

const char *StepTable::linearLimit(const Limits &limits) const {
  bool quantised = precisionName.compare(0, 3, "int") == 0;
  if (quantised && int8Dot && limits.int8)
    return "int8";
  return precisionName != "f32" && bf16Dot && limits.bf16 ? "bf16" : "f32";
}

double StepTable::linearPeak(const Loop &loop, const Limits &limits) const {
  std::string name = linearLimit(limits);
  // A weight takes part in two flops of a row. With its share of the scales, a quantised one takes little over a byte.
  double bytesPerWeight = loop.flops > 0 ? 2 * loop.weightBytes / loop.flops : 0;
  if (name == "int8" && bytesPerWeight < 1.5)
    return *limits.int8;
  return name != "f32" && bf16Dot && limits.bf16 ? *limits.bf16 : limits.f32;
}

Bound StepTable::boundOf(const Step &step, const Limits &limits) const {
  Bound bound;
  for (const Loop &loop : loops(step)) {
    Work work = workOf(loop, step);
    bound.compute += work.linearFlops / linearPeak(loop, limits) + work.attentionFlops / limits.f32;
    bound.memory += work.bytes() / limits.read;
  }
  return bound;
}

Bound StepTable::boundOf(const Loop &loop, const Step &step, const Limits &limits) const {
  Work work = workOf(loop, step);
  double other = work.attentionFlops + work.otherFlops + flopsPerExp * work.exps;
  return {work.linearFlops / linearPeak(loop, limits) + other / limits.f32, work.bytes() / limits.read};
}

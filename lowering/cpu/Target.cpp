//===- Target.cpp - description of a CPU for code generation --------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/Target.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include <memory>

using namespace samba;

namespace {

// Features that change the instructions of generated code, by LLVM's names. Whichever of them a CPU has, the code may
// use.
constexpr llvm::StringLiteral x86Features[] = {"sse4.2",      "popcnt",       "avx",
                                               "avx2",        "fma",          "f16c",
                                               "bmi",         "bmi2",         "lzcnt",
                                               "movbe",       "avxvnni",      "avxifma",
                                               "avxvnniint8", "avxneconvert", "avx512f",
                                               "avx512bw",    "avx512cd",     "avx512dq",
                                               "avx512vl",    "avx512vnni",   "avx512bf16",
                                               "avx512fp16",  "avx512ifma",   "avx512vbmi",
                                               "avx512vbmi2", "avx512bitalg", "avx512vpopcntdq",
                                               "gfni",        "vaes",         "vpclmulqdq"};
// Extensions that died out: the code does without them, so that it need not require them.
constexpr llvm::StringLiteral abandonedFeatures[] = {"fma4", "xop", "tbm"};
constexpr llvm::StringLiteral armFeatures[] = {"neon", "fullfp16", "dotprod", "bf16", "i8mm", "fp16fml", "sve", "sve2"};

using Subtarget = std::unique_ptr<llvm::MCSubtargetInfo>;

bool hasFeature(const llvm::MCSubtargetInfo &subtarget, llvm::StringRef feature) {
  return subtarget.checkFeatures(("+" + feature).str());
}

// The host's features where they differ from what its CPU name says: a hypervisor may hide some.
std::string hostFeatures(const llvm::MCSubtargetInfo &named) {
  std::vector<std::string> differing;
  for (const auto &feature : llvm::sys::getHostCPUFeatures()) {
    bool known =
        llvm::any_of(named.getAllProcessorFeatures(), [&](const auto &known) { return feature.getKey() == known.Key; });
    if (known && hasFeature(named, feature.getKey()) != feature.getValue())
      differing.push_back((feature.getValue() ? "+" : "-") + feature.getKey().str());
  }
  llvm::sort(differing);
  return llvm::join(differing, ",");
}

// Up to three known names close to an unknown one: equal but for a few letters, or beginning alike.
std::string closeNames(llvm::StringRef name, const llvm::MCSubtargetInfo &subtarget) {
  std::vector<std::pair<unsigned, llvm::StringRef>> ranked;
  auto consider = [&](llvm::StringRef known) {
    unsigned distance = name.edit_distance(known, /*AllowReplacements=*/true, /*MaxEditDistance=*/8);
    if (distance <= 1 + name.size() / 4 || known.starts_with(name))
      ranked.push_back({distance, known});
  };
  consider("native");
  for (const auto &processor : subtarget.getAllProcessorDescriptions())
    consider(processor.Key);
  llvm::sort(ranked);
  std::string text;
  for (const auto &[distance, known] : llvm::ArrayRef(ranked).take_front(3))
    text += (text.empty() ? "" : ", ") + known.str();
  return text;
}

llvm::Error unsupported(llvm::StringRef name, llvm::StringRef reason) {
  return llvm::createStringError("CPU '%s' is not supported: %s", name.str().c_str(), reason.str().c_str());
}

} // namespace

llvm::Expected<CpuTarget> CpuTarget::get(llvm::StringRef name) {
  llvm::InitializeNativeTarget();
  CpuTarget result;
  result.triple = llvm::sys::getProcessTriple();
  llvm::Triple triple(result.triple);
  std::string message;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return unsupported(name, message);
  auto subtargetFor = [&](llvm::StringRef cpu, llvm::StringRef features) {
    return Subtarget(target->createMCSubtargetInfo(triple, cpu, features));
  };

  // LLVM warns on stderr about unknown names, so they are looked up before they are used.
  Subtarget generic = subtargetFor("", "");
  bool native = name == "native";
  result.cpu = native ? llvm::sys::getHostCPUName().str() : name.str();
  if (!generic->isCPUStringValid(result.cpu)) {
    std::string close = closeNames(name, *generic);
    return llvm::createStringError("unknown CPU '%s' for %s%s", result.cpu.c_str(), triple.getArchName().str().c_str(),
                                   close.empty() ? "" : ("; did you mean " + close + "?").c_str());
  }
  if (native)
    result.features = hostFeatures(*subtargetFor(result.cpu, ""));

  Subtarget subtarget = subtargetFor(result.cpu, result.features);
  for (llvm::StringRef feature : abandonedFeatures)
    if (hasFeature(*subtarget, feature))
      result.features += (result.features.empty() ? "-" : ",-") + feature.str();
  auto has = [&](llvm::StringRef feature) { return hasFeature(*subtarget, feature); };
  auto require = [&](llvm::ArrayRef<llvm::StringLiteral> relevant) {
    for (llvm::StringRef feature : relevant)
      if (has(feature))
        result.required.push_back(feature.str());
  };
  if (triple.getArch() == llvm::Triple::x86_64) {
    if (!has("avx2") || !has("fma"))
      return unsupported(name, "AVX2 and FMA are needed (x86-64-v3)");
    bool wide = has("avx512f") && has("avx512bw") && has("avx512dq") && has("avx512vl");
    result.vectorBits = wide ? 512 : 256;
    result.vectorRegisters = wide ? 32 : 16;
    result.tileRows = wide ? 8 : 4;
    result.panelWidth = wide ? 32 : 16;
    result.vnni = wide && has("avx512vnni");
    result.bf16Dot = wide && has("avx512bf16");
    require(x86Features);
  } else if (triple.getArch() == llvm::Triple::aarch64) {
    if (!has("neon"))
      return unsupported(name, "NEON is needed");
    result.vectorBits = 128;
    result.vectorRegisters = 32;
    result.tileRows = 8;
    result.panelWidth = 8;
    require(armFeatures);
  } else {
    return unsupported(name, "there is no code generation for " + triple.getArchName().str());
  }
  return result;
}

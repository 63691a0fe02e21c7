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
  if (name.empty())
    return "";
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

/// One architecture and what it knows by name.
struct Architecture {
  std::string triple;
  const llvm::Target *target;
  Subtarget generic;

  bool knows(llvm::StringRef cpu) const { return generic->isCPUStringValid(cpu); }
  bool knowsFeature(llvm::StringRef feature) const {
    return llvm::any_of(generic->getAllProcessorFeatures(), [&](const auto &known) { return feature == known.Key; });
  }
  Subtarget subtarget(llvm::StringRef cpu, llvm::StringRef features) const {
    return Subtarget(target->createMCSubtargetInfo(llvm::Triple(triple), cpu, features));
  }
};

llvm::Expected<Architecture> findArchitecture(llvm::StringRef triple) {
  std::string message;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(llvm::Triple(triple), message);
  if (!target)
    return llvm::createStringError(message);
  return Architecture{triple.str(), target, Subtarget(target->createMCSubtargetInfo(llvm::Triple(triple), "", ""))};
}

/// The host's architecture, and the other one that there is code generation for.
llvm::Expected<std::vector<Architecture>> allArchitectures() {
  std::string host = llvm::sys::getProcessTriple();
  std::vector<Architecture> all;
  for (std::string triple : {host, std::string("x86_64-unknown-linux-gnu"), std::string("aarch64-unknown-linux-gnu")}) {
    if (!all.empty() && llvm::Triple(triple).getArch() == llvm::Triple(host).getArch())
      continue;
    llvm::Expected<Architecture> found = findArchitecture(triple);
    if (!found)
      return found.takeError();
    all.push_back(std::move(*found));
  }
  return all;
}

void describeX86(CpuTarget &target, llvm::function_ref<bool(llvm::StringRef)> has) {
  bool wide = has("avx512f") && has("avx512bw") && has("avx512dq") && has("avx512vl");
  target.vectorBits = wide ? 512 : 256;
  target.vectorRegisters = wide ? 32 : 16;
  target.tileRows = wide ? 8 : 4;
  target.panelWidth = wide ? 32 : 16;
  if (wide)
    target.lookUp = "llvm.x86.avx512.vpermi2var.ps.512";
  if (wide && has("avx512bf16"))
    target.bf16Dot = "llvm.x86.avx512bf16.dpbf16ps.512";
  if (wide && has("avx512vnni"))
    target.byteDot = "llvm.x86.avx512.vpdpbusd.512";
}

void describeArm(CpuTarget &target, llvm::function_ref<bool(llvm::StringRef)> has) {
  target.vectorBits = 128;
  target.vectorRegisters = 32;
  target.tileRows = 8;
  target.panelWidth = 8;
  if (has("bf16"))
    target.bf16Dot = "llvm.aarch64.neon.bfdot.v4f32.v8bf16";
  if (has("i8mm")) {
    target.byteDot = "llvm.aarch64.neon.usdot.v4i32.v16i8";
  } else if (has("dotprod")) {
    target.byteDot = "llvm.aarch64.neon.sdot.v4i32.v16i8";
    target.byteDotSignedWeights = true;
  }
}

} // namespace

void samba::initialiseTargets() {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMInitializeX86AsmParser(); // for inline assembly
  LLVMInitializeAArch64TargetInfo();
  LLVMInitializeAArch64Target();
  LLVMInitializeAArch64TargetMC();
  LLVMInitializeAArch64AsmPrinter();
  LLVMInitializeAArch64AsmParser();
}

llvm::Expected<CpuTarget> CpuTarget::get(llvm::StringRef name) {
  initialiseTargets();
  llvm::Expected<std::vector<Architecture>> known = allArchitectures();
  if (!known)
    return unsupported(name, llvm::toString(known.takeError()));
  llvm::SmallVector<llvm::StringRef> parts;
  name.split(parts, '+');
  bool native = parts[0] == "native";
  CpuTarget result;
  result.name = name.str();
  result.cpu = native ? llvm::sys::getHostCPUName().str() : parts[0] == "aarch64" ? "generic" : parts[0].str();

  // LLVM warns on stderr about unknown names, so they are looked up before they are used.
  const Architecture &host = known->front();
  auto found = llvm::find_if(*known, [&](const Architecture &candidate) {
    if (parts[0] == "aarch64")
      return llvm::Triple(candidate.triple).isAArch64();
    return candidate.knows(result.cpu);
  });
  if (found == known->end()) {
    std::string close = closeNames(parts[0], *host.generic);
    return llvm::createStringError("unknown CPU '%s' for %s%s", result.cpu.c_str(),
                                   llvm::Triple(host.triple).getArchName().str().c_str(),
                                   close.empty() ? "" : ("; did you mean " + close + "?").c_str());
  }
  result.triple = found->triple;
  if (native)
    result.features = hostFeatures(*found->subtarget(result.cpu, ""));
  for (llvm::StringRef feature : llvm::drop_begin(parts)) {
    if (!found->knowsFeature(feature))
      return llvm::createStringError("unknown feature '" + feature + "' of CPU '" + name + "'");
    result.features += (result.features.empty() ? "+" : ",+") + feature.str();
  }

  Subtarget subtarget = found->subtarget(result.cpu, result.features);
  for (llvm::StringRef feature : abandonedFeatures)
    if (found->knowsFeature(feature) && hasFeature(*subtarget, feature))
      result.features += (result.features.empty() ? "-" : ",-") + feature.str();
  auto has = [&](llvm::StringRef feature) { return hasFeature(*subtarget, feature); };
  auto require = [&](llvm::ArrayRef<llvm::StringLiteral> relevant) {
    for (llvm::StringRef feature : relevant)
      if (has(feature))
        result.required.push_back(feature.str());
  };
  if (llvm::Triple(result.triple).getArch() == llvm::Triple::x86_64) {
    if (!has("avx2") || !has("fma"))
      return unsupported(name, "AVX2 and FMA are needed (x86-64-v3)");
    describeX86(result, has);
    require(x86Features);
  } else {
    if (!has("neon"))
      return unsupported(name, "NEON is needed");
    describeArm(result, has);
    require(armFeatures);
  }
  return result;
}

llvm::Expected<std::vector<CpuTarget>> CpuTarget::getAll(llvm::StringRef names) {
  if (names == "portable")
    names = "x86-64-v3,x86-64-v4,x86-64-v4+avx512vnni+avx512bf16";
  std::vector<CpuTarget> targets;
  llvm::SmallVector<llvm::StringRef> list;
  names.split(list, ',');
  for (llvm::StringRef name : list) {
    llvm::Expected<CpuTarget> target = get(name);
    if (!target)
      return target.takeError();
    if (llvm::any_of(targets, [&](const CpuTarget &other) {
          return other.cpu == target->cpu && other.features == target->features;
        }))
      continue;
    if (!targets.empty() && llvm::Triple(targets[0].triple).getArch() != llvm::Triple(target->triple).getArch())
      return llvm::createStringError("CPUs '" + targets[0].name + "' and '" + name +
                                     "' are of different architectures, and an artefact is for one");
    targets.push_back(std::move(*target));
  }
  llvm::stable_sort(targets,
                    [](const CpuTarget &a, const CpuTarget &b) { return a.required.size() < b.required.size(); });
  return targets;
}

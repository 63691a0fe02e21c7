//===- Phases.cpp - the phases of compilation -----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-compile/Phases.h"

#include "dialect/Samba.h"
#include "lowering/cpu/Pipeline.h"
#include "lowering/emit/DiagnosticCapture.h"
#include "lowering/emit/Manifest.h"
#include "lowering/gpu/Pipeline.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"

using namespace mlir;
using namespace samba;

llvm::StringRef samba::phaseName(Phase phase) {
  switch (phase) {
  case Phase::Import:
    return "import";
  case Phase::Optimise:
    return "optimise";
  case Phase::Fuse:
    return "fuse";
  case Phase::Schedule:
    return "schedule";
  case Phase::Lower:
    return "lower";
  case Phase::Emit:
    return "emit";
  }
  llvm_unreachable("unknown phase");
}

static llvm::Error runPasses(ModuleOp module, PassManager &pm, const llvm::Twine &failure,
                             const PhaseOptions &options) {
  std::string otherwise = failure.str();
  DiagnosticCapture diagnostics(module.getContext());
  if (options.checker) {
    llvm::Error error = options.checker->run(module, stepsOf(pm));
    return error ? diagnostics.takeError(toString(std::move(error))) : llvm::Error::success();
  }
  return failed(pm.run(module)) ? diagnostics.takeError(otherwise) : llvm::Error::success();
}

static llvm::Error run(ModuleOp module, Phase phase, const PhaseOptions &options,
                       llvm::function_ref<void(OpPassManager &)> build) {
  PassManager pm(module.getContext());
  if (options.stages.has(phaseName(phase))) {
    if (llvm::Error error = options.stages.build(phaseName(phase), pm, build))
      return error;
  } else {
    build(pm);
  }
  return runPasses(module, pm, "phase '" + phaseName(phase) + "' failed", options);
}

llvm::Error samba::applySchedule(ModuleOp module, llvm::StringRef file, const PhaseOptions &options) {
  PassManager pm(module.getContext());
  SambaApplyScheduleOptions schedule;
  schedule.file = file.str();
  pm.addPass(createSambaApplySchedule(schedule));
  return runPasses(module, pm, "the schedule '" + file + "' failed", options);
}

// On a GPU every fusion pays: the lowering joins what one kernel of samba IR holds, as far as it can. The cost model of
// the passes is one of CPUs.
static FusionOptions fusionFor(const PhaseOptions &options) {
  FusionOptions fusion = options.fusion;
  if (!options.cuda)
    return fusion;
  if (!options.fusionGiven)
    fusion = llvm::cantFail(FusionOptions::parse("all"));
  fusion.force = true;
  return fusion;
}

// Layouts and tiles follow from the CPU, so a scheduled module is bound to it.
static void recordCpus(ModuleOp module, llvm::ArrayRef<CpuTarget> targets) {
  Builder builder(module.getContext());
  llvm::SmallVector<Attribute> cpus;
  for (const CpuTarget &target : targets)
    cpus.push_back(
        builder.getDictionaryAttr({builder.getNamedAttr("name", builder.getStringAttr(target.cpu)),
                                   builder.getNamedAttr("features", builder.getStringAttr(target.features))}));
  module->setAttr("samba.cpu", cpus.size() == 1 ? cpus.front() : builder.getArrayAttr(cpus));
}

// The name by which this machine knows a CPU with just these features.
static llvm::Expected<std::string> nameOf(llvm::StringRef cpu, llvm::StringRef features) {
  std::string withFeatures = cpu.str();
  llvm::SmallVector<llvm::StringRef> list;
  features.split(list, ',', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef feature : list)
    if (feature.starts_with("+"))
      withFeatures += feature;
  for (llvm::StringRef candidate : {cpu, llvm::StringRef(withFeatures), llvm::StringRef("native")}) {
    llvm::Expected<CpuTarget> target = CpuTarget::get(candidate == "generic" ? "aarch64" : candidate);
    if (!target)
      llvm::consumeError(target.takeError());
    else if (target->cpu == cpu && target->features == features)
      return target->name;
  }
  return llvm::createStringError("the module was scheduled for CPU '" + cpu + "' with features '" + features +
                                 "', which this machine is not");
}

llvm::Expected<std::string> samba::scheduledCpu(ModuleOp module) {
  Attribute recorded = module->getAttr("samba.cpu");
  auto list = dyn_cast_or_null<ArrayAttr>(recorded);
  std::string names;
  for (Attribute cpu : list ? list.getValue() : llvm::ArrayRef(recorded)) {
    auto entry = dyn_cast_or_null<DictionaryAttr>(cpu);
    auto name = entry ? entry.getAs<StringAttr>("name") : StringAttr();
    auto features = entry ? entry.getAs<StringAttr>("features") : StringAttr();
    if (!name || !features)
      return std::string();
    llvm::Expected<std::string> known = nameOf(name, features);
    if (!known)
      return known.takeError();
    names += (names.empty() ? "" : ",") + *known;
  }
  return names;
}

bool samba::isScheduledForCuda(ModuleOp module) { return module->hasAttr("samba.cuda"); }

static llvm::Error schedule(ModuleOp module, const PhaseOptions &options) {
  if (options.cuda) {
    if (llvm::Error error = run(module, Phase::Schedule, options,
                                [&](OpPassManager &pm) { buildSchedulePipeline(pm, /*panelWidth=*/0); }))
      return error;
    module->setAttr("samba.cuda", UnitAttr::get(module.getContext()));
    return recordInterface(module);
  }
  llvm::Expected<std::vector<CpuTarget>> targets = CpuTarget::getAll(options.cpu);
  if (!targets)
    return targets.takeError();
  int64_t panelWidth = 0;
  for (const CpuTarget &target : *targets)
    panelWidth = std::max(panelWidth, target.panelWidth);
  llvm::Error error =
      run(module, Phase::Schedule, options, [&](OpPassManager &pm) { buildSchedulePipeline(pm, panelWidth); });
  if (error)
    return error;
  recordCpus(module, *targets);
  return recordInterface(module);
}

// The packer needs the declarations of weights, which mean nothing to lowered code: they are set aside meanwhile.
static llvm::Error lower(ModuleOp module, const PhaseOptions &options,
                         llvm::function_ref<void(OpPassManager &)> build) {
  llvm::SmallVector<OwningOpRef<WeightOp>> weights;
  for (WeightOp weight : module.getOps<WeightOp>())
    weights.push_back(weight.clone());
  llvm::Error error = run(module, Phase::Lower, options, build);
  if (error)
    return error;
  for (WeightOp left : llvm::make_early_inc_range(module.getOps<WeightOp>()))
    left.erase();
  for (OwningOpRef<WeightOp> &weight : weights)
    module.push_back(weight.release());
  return llvm::Error::success();
}

llvm::Error samba::lowerToKernels(ModuleOp module, const PhaseOptions &options) {
  return lower(module, options, [&](OpPassManager &pm) {
    if (options.cuda)
      buildGpuKernelPipeline(pm, options.hopper);
    else
      buildCpuKernelPipeline(pm, options.cpu);
  });
}

llvm::StringRef samba::usualKv(llvm::StringRef precision, bool cuda) {
  return cuda || precision == "f32" ? "f32" : "bf16";
}

llvm::Error samba::runPhase(Phase phase, ModuleOp module, const PhaseOptions &options) {
  switch (phase) {
  case Phase::Optimise: {
    llvm::StringRef kv = options.kv.empty() ? usualKv(options.precision, options.cuda) : llvm::StringRef(options.kv);
    if (options.cuda) // tensor cores multiply pairs of bf16, into which integers of a byte are widened
      return run(module, phase, options, [&](OpPassManager &pm) {
        buildOptimisePipeline(pm, options.precision, /*roundActivations=*/true, kv, /*quantiseRows=*/false);
      });
    llvm::Expected<std::vector<CpuTarget>> targets = CpuTarget::getAll(options.cpu);
    if (!targets)
      return targets.takeError();
    // If one CPU multiplies rounded rows, all do: the model computes the same everywhere.
    bool round = llvm::any_of(*targets, [](const CpuTarget &target) { return !target.bf16Dot.empty(); });
    return run(module, phase, options,
               [&](OpPassManager &pm) { buildOptimisePipeline(pm, options.precision, round, kv); });
  }
  case Phase::Fuse:
    return run(module, phase, options, [&](OpPassManager &pm) { buildFusePipeline(pm, fusionFor(options)); });
  case Phase::Schedule:
    return schedule(module, options);
  case Phase::Lower:
    return lower(module, options, [&](OpPassManager &pm) {
      if (options.cuda) {
        buildGpuKernelPipeline(pm, options.hopper);
        buildGpuToNvvmPipeline(pm);
      } else {
        buildCpuLoweringPipeline(pm, options.cpu);
      }
    });
  case Phase::Import:
  case Phase::Emit:
    break;
  }
  llvm_unreachable("not a phase of passes");
}

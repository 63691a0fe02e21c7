//===- Driver.cpp - compiles one model ------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-compile/Driver.h"

#include "frontend/Importer.h"
#include "frontend/TorchFile.h"
#include "frontend/families/Families.h"
#include "lowering/cpu/CopyReport.h"
#include "lowering/emit/Artefact.h"
#include "lowering/emit/DiagnosticCapture.h"
#include "lowering/emit/Linker.h"
#include "lowering/emit/ObjectEmitter.h"
#include "lowering/emit/OutputFile.h"
#include "tools/ModuleFile.h"
#include "tools/Registration.h"
#include "tools/samba-compile/CudaCode.h"
#include "tools/samba-compile/FusionReport.h"
#include "tools/samba-compile/TokenizerSection.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace samba;
namespace path = llvm::sys::path;

namespace {

std::string absolutePath(llvm::StringRef file) {
  llvm::SmallString<128> full(file);
  llvm::sys::fs::make_absolute(full);
  return std::string(full);
}

class Compilation {
public:
  Compilation(const CompileOptions &options, Report &report, const DialectRegistry &registry)
      : options(options), report(report), phaseOptions(options.phases), context(registry) {
    context.disableMultithreading(); // modules are small, and errors come in order
  }

  llvm::Error run() {
    if (llvm::Error error = findTargets())
      return error;
    if (llvm::Error error = obtainModule())
      return error;
    Phase begin = options.compileFrom.value_or(Phase::Import);
    if (begin >= Phase::Schedule)
      if (llvm::Error error = phaseOptions.cuda ? checkScheduledForCuda() : adoptScheduledCpu())
        return error;
    if (targets.size() > 1)
      if (llvm::Error error = checkSeveralTargets())
        return error;
    if (options.cpu && options.cuda)
      cudaModule = module->clone();
    if (options.checkEachPass)
      if (llvm::Error error = startChecks())
        return error;
    if (!options.compileFrom)
      if (llvm::Error error = applyScheduleAfter(Phase::Import))
        return error;
    for (Phase phase : {Phase::Optimise, Phase::Fuse, Phase::Schedule, Phase::Lower}) {
      if (phase <= begin)
        continue;
      if (phase == Phase::Schedule && options.json) // kernels are what they will be
        report.setPrediction({predictStep(*module, kDecodeStep), predictStep(*module, kPrefillStep)});
      if (phase > lastPhase())
        break;
      report.begin(phaseName(phase));
      if (phase == Phase::Lower && targets.size() > 1 && !phaseOptions.cuda) {
        if (llvm::Error error = lowerVariants())
          return error;
        break;
      }
      bool kernelsOnly = phase == Phase::Lower && !options.compileTo && emitsKernels();
      if (llvm::Error error = phase == Phase::Fuse ? fuse()
                              : kernelsOnly        ? lowerToKernels(*module, phaseOptions)
                                                   : runPhase(phase, *module, phaseOptions))
        return error;
      if (llvm::Error error = applyScheduleAfter(phase))
        return error;
      if (phase == Phase::Lower && options.copies)
        llvm::errs() << copyReport(*module);
    }
    if (cudaModule)
      if (llvm::Error error = lowerForCuda())
        return error;
    report.begin(phaseName(Phase::Emit));
    return emit();
  }

private:
  bool emitsKernels() const { return options.emission == Emission::Kernels || options.emission == Emission::Gpu; }

  /// All phases for the second target, once the first is lowered.
  llvm::Error lowerForCuda() {
    PhaseOptions cuda = phaseOptions;
    cuda.cuda = true;
    report.begin("cuda");
    for (Phase phase : {Phase::Optimise, Phase::Fuse, Phase::Schedule, Phase::Lower})
      if (llvm::Error error = runPhase(phase, *cudaModule, cuda))
        return error;
    return llvm::Error::success();
  }

  Phase lastPhase() const {
    if (options.compileTo)
      return *options.compileTo;
    return options.emission == Emission::Samba ? Phase::Optimise : Phase::Lower;
  }

  llvm::Error startChecks() {
    CheckOptions check = options.check;
    for (const std::string &path : options.plugins.passes)
      check.plugins += "--load-pass-plugin=" + absolutePath(path) + " ";
    for (const std::string &path : options.plugins.dialects)
      check.plugins += "--load-dialect-plugin=" + absolutePath(path) + " ";
    check.execution.target = phaseOptions.cpu;
    // A reproducer names one file, of safetensors.
    if (checkpoint && checkpoint->files().size() == 1 && !TorchFile::isTorchFile(checkpoint->files().front()->file()))
      check.weightsFile = checkpoint->files().front()->file().path();
    llvm::Expected<std::unique_ptr<PassChecker>> started = PassChecker::create(*module, check, checkpoint.get());
    if (!started)
      return started.takeError();
    checker = std::move(*started);
    phaseOptions.checker = checker.get();
    return llvm::Error::success();
  }

  llvm::Error applyScheduleAfter(Phase phase) {
    if (options.schedule.empty() || options.scheduleAfter != phase)
      return llvm::Error::success();
    return applySchedule(*module, options.schedule, phaseOptions);
  }

  /// Phase Fuse, and what is to be told about it.
  llvm::Error fuse() {
    std::shared_ptr<FusionDecisions> decisions;
    OwningOpRef<ModuleOp> unfused;
    if (!options.report.empty() || !options.remarks.empty())
      decisions = collectFusionRemarks(context, options.remarksFilter);
    if (!options.report.empty()) {
      unfused = module->clone();
      PhaseOptions none = phaseOptions;
      none.fusion.names.clear();
      none.fusionGiven = true;
      none.stages = {};
      none.checker = nullptr;
      if (llvm::Error error = runPhase(Phase::Fuse, *unfused, none))
        return error;
    }
    if (llvm::Error error = runPhase(Phase::Fuse, *module, phaseOptions))
      return error;
    if (!options.report.empty())
      if (llvm::Error error = writeOutput(options.report, fusionReport(*unfused, *module, *decisions)))
        return error;
    if (options.remarks == "-")
      llvm::errs() << fusionRemarksAsText(*decisions);
    else if (!options.remarks.empty())
      return writeOutput(options.remarks, fusionRemarksAsYaml(*decisions));
    return llvm::Error::success();
  }

  llvm::Error openCheckpoint() {
    llvm::Expected<std::unique_ptr<Checkpoint>> opened = Checkpoint::open(options.checkpoint, options.weightsFile);
    if (!opened)
      return opened.takeError();
    checkpoint = std::move(*opened);
    return llvm::Error::success();
  }

  llvm::Error obtainModule() {
    report.begin(phaseName(Phase::Import));
    if (!options.checkpoint.empty() && (!options.compileFrom || options.writesArtefact()))
      if (llvm::Error error = openCheckpoint())
        return error;
    return options.compileFrom ? parseModule() : importModel();
  }

  llvm::Error importModel() {
    llvm::Expected<ModelDescription> model = describeModel(*checkpoint, options.config);
    if (!model)
      return model.takeError();
    for (const std::string &warning : model->warnings)
      report.warn(warning);
    ImportOptions importOptions;
    importOptions.context = options.context;
    importOptions.numerics = options.numerics;
    if (!llvm::sys::fs::is_directory(options.input))
      importOptions.name = path::stem(options.input);
    DiagnosticCapture diagnostics(&context);
    llvm::Expected<OwningOpRef<ModuleOp>> imported = samba::importModel(context, *model, *checkpoint, importOptions);
    if (!imported)
      return imported.takeError();
    module = std::move(*imported);
    return llvm::Error::success();
  }

  llvm::Error parseModule() {
    llvm::Expected<OwningOpRef<ModuleOp>> read = readModuleFile(context, options.input);
    if (!read)
      return read.takeError();
    module = std::move(*read);
    return llvm::Error::success();
  }

  llvm::Error findTargets() {
    llvm::Expected<std::vector<CpuTarget>> found = CpuTarget::getAll(phaseOptions.cpu);
    if (!found)
      return found.takeError();
    targets = std::move(*found);
    return llvm::Error::success();
  }

  static std::string cpuNames(llvm::ArrayRef<CpuTarget> targets) {
    return llvm::join(llvm::map_range(targets, [](const CpuTarget &target) { return target.cpu; }), ", ");
  }

  llvm::Error checkSeveralTargets() const {
    bool stopsBefore = options.compileTo ? *options.compileTo < Phase::Lower : options.emission == Emission::Samba;
    bool schedules = !options.schedule.empty() && options.scheduleAfter == Phase::Lower;
    if (options.checkEachPass || schedules || !(stopsBefore || options.writesArtefact()))
      return llvm::createStringError("--cpu=" + options.phases.cpu + ": several CPUs are for compiled models only");
    if (options.compileFrom && *options.compileFrom >= Phase::Lower)
      return llvm::createStringError("'" + options.input + "' is lowered already, for one CPU");
    return llvm::Error::success();
  }

  // A scheduled module is for the CPUs that it names; asking for others is a mistake.
  llvm::Error adoptScheduledCpu() {
    llvm::Expected<std::string> scheduled = scheduledCpu(*module);
    if (!scheduled)
      return scheduled.takeError();
    if (scheduled->empty())
      return llvm::createStringError("'" + options.input + "' was not written by --compile-to=schedule or later");
    std::vector<CpuTarget> asked = std::move(targets);
    phaseOptions.cpu = *scheduled;
    if (llvm::Error error = findTargets())
      return error;
    auto same = [](const CpuTarget &a, const CpuTarget &b) { return a.cpu == b.cpu && a.features == b.features; };
    if (options.cpuGiven && !llvm::equal(asked, targets, same))
      return llvm::createStringError("'" + options.input + "' is scheduled for " + cpuNames(targets) + ", not for " +
                                     cpuNames(asked));
    return llvm::Error::success();
  }

  llvm::Error checkScheduledForCuda() {
    if (isScheduledForCuda(*module))
      return llvm::Error::success();
    return llvm::createStringError("'" + options.input +
                                   "' was not written by --compile-to=schedule or later for "
                                   "--target=cuda");
  }

  llvm::Error write(llvm::StringRef bytes) {
    report.setFileSize(bytes.size());
    return writeOutput(options.output, bytes);
  }

  llvm::Error writeModule(bool withLocations) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    OpPrintingFlags flags;
    flags.enableDebugInfo(withLocations, /*prettyForm=*/false);
    module->print(stream, flags);
    stream << "\n";
    return write(text);
  }

  llvm::Error emit() {
    if (options.compileTo)
      return writeModule(/*withLocations=*/true);
    if (options.emission == Emission::Samba || emitsKernels())
      return writeModule(/*withLocations=*/false);
    if (!options.cpu)
      return emitForCuda();
    report.setTarget(cpuNames(targets));
    if (!objects.empty())
      return emitArtefact();
    llvm::Expected<ObjectEmitter> emitter = ObjectEmitter::create(*module, targets.front());
    if (!emitter)
      return emitter.takeError();
    if (options.emission == Emission::Llvm)
      return write(emitter->llvmIr());
    if (options.emission == Emission::Assembly) {
      llvm::Expected<std::string> text = emitter->assembly();
      return text ? write(*text) : text.takeError();
    }
    llvm::Expected<llvm::SmallVector<char, 0>> object = emitter->object();
    if (!object)
      return object.takeError();
    if (options.emission == Emission::Object)
      return write({object->data(), object->size()});
    objects.push_back({std::move(*object), SAMBA_ENTRY_SYMBOL});
    return emitArtefact();
  }

  llvm::Error emitForCuda() {
    if (options.writesArtefact())
      return emitArtefact();
    llvm::Expected<std::string> ptx =
        emitPtx(*module, options.cuda->onlyHopper() ? options.cuda->cubinArchs.front() : options.cuda->ptxArch);
    if (!ptx)
      return ptx.takeError();
    if (options.emission == Emission::Ptx)
      return write(*ptx);
    std::string ptxas = findPtxas();
    if (ptxas.empty())
      return llvm::createStringError("--emit=cubin: ptxas is not found (in $SAMBA_PTXAS, the PATH, $CUDA_HOME or "
                                     "/usr/local/cuda)");
    llvm::Expected<std::string> code = assemblePtx(ptxas, *ptx, options.cuda->cubinArchs.front());
    return code ? write(*code) : code.takeError();
  }

  /// Phase Lower for several CPUs, and their objects. They share the packed weights; `module` becomes that of the
  /// first.
  llvm::Error lowerVariants() {
    OwningOpRef<ModuleOp> scheduled = std::move(module);
    for (const CpuTarget &target : targets) {
      OwningOpRef<ModuleOp> lowered = scheduled->clone();
      PhaseOptions one = phaseOptions;
      one.cpu = target.name;
      if (llvm::Error error = runPhase(Phase::Lower, *lowered, one))
        return error;
      std::string entry = SAMBA_ENTRY_SYMBOL;
      if (!objects.empty())
        entry += "_" + std::to_string(objects.size());
      llvm::Expected<ObjectEmitter> emitter = ObjectEmitter::create(*lowered, target, entry);
      if (!emitter)
        return emitter.takeError();
      llvm::Expected<llvm::SmallVector<char, 0>> object = emitter->object();
      if (!object)
        return object.takeError();
      objects.push_back({std::move(*object), entry});
      if (!module)
        module = std::move(lowered);
    }
    return llvm::Error::success();
  }

  /// With the objects that there are for CPUs.
  llvm::Error emitArtefact() {
    llvm::Expected<Manifest> manifest = Manifest::create(*module, objects.empty() ? nullptr : &targets.front());
    if (!manifest)
      return manifest.takeError();
    for (size_t i = 1; i < objects.size(); ++i)
      manifest->addVariant(targets[i], objects[i].symbol);
    std::optional<WeightPacker> packer, cudaPacker;
    auto makePacker = [&](ModuleOp from, std::optional<WeightPacker> &packer) -> llvm::Error {
      llvm::Expected<WeightPacker> made = WeightPacker::create(from, *checkpoint);
      if (!made)
        return made.takeError();
      packer.emplace(std::move(*made));
      return llvm::Error::success();
    };
    if (!objects.empty())
      if (llvm::Error error = makePacker(*module, packer))
        return error;
    std::optional<GpuContents> gpu;
    if (options.cuda) {
      ModuleOp lowered = cudaModule ? *cudaModule : *module;
      llvm::Expected<GpuContents> code = emitCudaCode(lowered, *options.cuda, report);
      if (!code)
        return code.takeError();
      gpu.emplace(std::move(*code));
      if (llvm::Error error = makePacker(lowered, cudaPacker))
        return error;
      gpu->weights = &*cudaPacker;
    }
    auto vocabulary = (*module)->getAttrOfType<DictionaryAttr>("samba.model").getAs<IntegerAttr>("vocab_size");
    if (!vocabulary)
      return llvm::createStringError("module attribute samba.model: key 'vocab_size' is missing");
    llvm::Expected<TokenizerConfig> config =
        TokenizerConfig::load(checkpoint->directory(), vocabulary.getInt(), options.tokenizer);
    if (!config)
      return config.takeError();
    std::string warning;
    llvm::Expected<std::string> tokenizer = makeTokenizerSection(*config, vocabulary.getInt(), *manifest, warning);
    if (!tokenizer)
      return tokenizer.takeError();
    if (!warning.empty())
      report.warn(warning);
    if (tokenizer->empty())
      report.warn("'" + checkpoint->directory() +
                  "' has no tokenizer.json or tokenizer.model: the compiled model takes token ids only");

    llvm::SmallVector<char, 0> code;
    if (!objects.empty()) {
      llvm::Expected<llvm::SmallVector<char, 0>> linked = linkSharedLibrary(objects, path::filename(options.output));
      if (!linked)
        return linked.takeError();
      code = std::move(*linked);
    }
    ArtefactContents contents{std::move(*manifest),
                              {code.data(), code.size()},
                              packer ? &*packer : nullptr,
                              *checkpoint,
                              llvm::arrayRefFromStringRef(*tokenizer),
                              {},
                              std::move(gpu)};
    for (const std::unique_ptr<WeightFile> &file : checkpoint->files())
      contents.sources.push_back({path::filename(file->file().path()).str(), file->file().bytes()});

    ArtefactOptions artefact;
    if (options.emission == Emission::Program) {
      llvm::SmallString<128> launcher(options.programPath);
      path::remove_filename(launcher);
      path::append(launcher, "samba-run");
      artefact.launcher = std::string(launcher);
    }
    artefact.splitWeights = options.splitWeights;
    artefact.packing.threads = options.threads;
    artefact.packing.progress = [this](uint64_t done, uint64_t total) { report.progress(done, total); };
    report.begin("pack");
    llvm::Expected<ArtefactSizes> sizes = writeArtefact(options.output, std::move(contents), artefact);
    if (!sizes)
      return sizes.takeError();
    report.setSizes(*sizes);
    return llvm::Error::success();
  }

  const CompileOptions &options;
  Report &report;
  PhaseOptions phaseOptions;
  std::vector<CpuTarget> targets;  // those of phaseOptions.cpu, at least one
  std::vector<ObjectCode> objects; // code for them, once it is there
  MLIRContext context;
  std::unique_ptr<Checkpoint> checkpoint;
  std::unique_ptr<PassChecker> checker;
  OwningOpRef<ModuleOp> module, cudaModule; // before their context
};

} // namespace

llvm::Error samba::compile(const CompileOptions &options, Report &report) {
  DialectRegistry registry;
  registerDialects(registry);
  if (llvm::Error error = options.plugins.load(registry))
    return error;
  registerPasses(); // pipelines, scripts and the checker know passes by their names
  if (llvm::Error error = Compilation(options, report, registry).run())
    return error;
  report.end();
  return llvm::Error::success();
}

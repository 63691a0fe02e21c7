//===- PtxEmitter.cpp - NVVM to PTX and machine code ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/emit/PtxEmitter.h"

#include "lowering/emit/DiagnosticCapture.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;
using namespace samba;

static constexpr CudaArch kHopper = {90, true};
static constexpr CudaArch kArchitectures[] = {{80}, {86}, {89}, {90}, kHopper, {100}, {120}};

bool CudaTarget::hopper() const { return !listed || llvm::is_contained(cubinArchs, kHopper); }

llvm::ArrayRef<CudaArch> samba::usualArchitectures() { return kArchitectures; }

llvm::Expected<CudaTarget> CudaTarget::get(llvm::StringRef name) {
  CudaTarget target;
  llvm::StringRef rest = name;
  if (!rest.consume_front("cuda") || (!rest.empty() && !rest.consume_front(":")))
    return llvm::createStringError("unknown target '" + name + "': expected cpu, cuda or cuda:sm_80,...");
  if (rest.empty())
    return target;
  target.listed = true;
  llvm::SmallVector<llvm::StringRef> archs;
  rest.split(archs, ',');
  for (llvm::StringRef arch : archs) {
    const CudaArch *found = llvm::find_if(kArchitectures, [&](const CudaArch &known) { return known.name() == arch; });
    if (found == std::end(kArchitectures)) {
      std::string known =
          llvm::join(llvm::map_range(kArchitectures, [](const CudaArch &known) { return known.name(); }), ", ");
      return llvm::createStringError("unknown architecture '" + arch + "' in '" + name + "': expected " + known);
    }
    if (!llvm::is_contained(target.cubinArchs, *found))
      target.cubinArchs.push_back(*found);
  }
  return target;
}

//===----------------------------------------------------------------------===//
// PTX
//===----------------------------------------------------------------------===//

static llvm::Expected<std::unique_ptr<llvm::TargetMachine>> createTargetMachine(CudaArch arch) {
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTarget();
  LLVMInitializeNVPTXTargetMC();
  LLVMInitializeNVPTXAsmPrinter();
  llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string message;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target)
    return llvm::createStringError("no code generation for NVIDIA devices: " + message);
  // LLVM aborts on an architecture that the version of PTX does not know: 8.0 knows all up to sm_90a.
  std::unique_ptr<llvm::TargetMachine> machine(
      target->createTargetMachine(triple, arch.name(), "+ptx80", llvm::TargetOptions(), std::nullopt, std::nullopt,
                                  llvm::CodeGenOptLevel::Aggressive));
  if (!machine)
    return llvm::createStringError("no code generation for NVIDIA devices");
  return machine;
}

static gpu::GPUModuleOp kernelsFor(ModuleOp module, CudaArch arch) {
  return module.lookupSymbol<gpu::GPUModuleOp>("kernels_" + arch.name());
}

bool samba::hasHopperKernels(ModuleOp module) { return bool(kernelsFor(module, kHopper)); }

llvm::Expected<std::string> samba::emitPtx(ModuleOp module, CudaArch arch) {
  auto machine = createTargetMachine(arch);
  if (!machine)
    return machine.takeError();
  DialectRegistry registry;
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerGPUDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
  module.getContext()->appendDialectRegistry(registry);

  gpu::GPUModuleOp kernels = kernelsFor(module, arch);
  if (!kernels)
    kernels = module.lookupSymbol<gpu::GPUModuleOp>("kernels");
  if (!kernels)
    return llvm::createStringError("the module has no kernels; is it lowered for a GPU?");
  DiagnosticCapture diagnostics(module.getContext());
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> lowered = translateModuleToLLVMIR(kernels, context, module.getName().value_or("samba"));
  if (!lowered)
    return diagnostics.takeError("translation to LLVM IR failed");
  lowered->setTargetTriple((*machine)->getTargetTriple());
  lowered->setDataLayout((*machine)->createDataLayout());
  std::string message;
  llvm::raw_string_ostream messages(message);
  if (llvm::verifyModule(*lowered, &messages))
    return llvm::createStringError("invalid LLVM IR: " + llvm::StringRef(message).split('\n').first);

  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(machine->get());
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(*lowered, modules);

  llvm::SmallVector<char, 0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager passes;
  if ((*machine)->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::AssemblyFile))
    return llvm::createStringError("the target cannot emit PTX");
  passes.run(*lowered);
  return std::string(text.begin(), text.end());
}

//===----------------------------------------------------------------------===//
// Machine code
//===----------------------------------------------------------------------===//

std::string samba::findPtxas() {
  if (const char *given = std::getenv("SAMBA_PTXAS"))
    return given;
  if (llvm::ErrorOr<std::string> found = llvm::sys::findProgramByName("ptxas"))
    return *found;
  for (const char *variable : {"CUDA_HOME", "CUDA_PATH", "CUDA_ROOT"})
    if (const char *root = std::getenv(variable)) {
      llvm::SmallString<128> path(root);
      llvm::sys::path::append(path, "bin", "ptxas");
      if (llvm::sys::fs::can_execute(path))
        return std::string(path);
    }
  llvm::StringRef usual = "/usr/local/cuda/bin/ptxas";
  return llvm::sys::fs::can_execute(usual) ? usual.str() : "";
}

static llvm::Expected<std::string> readFile(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return llvm::createStringError("cannot read '" + path + "': " + buffer.getError().message());
  return (*buffer)->getBuffer().str();
}

llvm::Expected<std::string> samba::assemblePtx(llvm::StringRef ptxas, llvm::StringRef ptx, CudaArch arch) {
  llvm::SmallString<128> folder;
  if (std::error_code error = llvm::sys::fs::createUniqueDirectory("samba-ptxas", folder))
    return llvm::createStringError(error, "cannot make a temporary folder");
  llvm::scope_exit remove([&] { llvm::sys::fs::remove_directories(folder); });
  auto inFolder = [&](llvm::StringRef name) { return (folder + "/" + name).str(); };
  std::string input = inFolder("kernels.ptx"), output = inFolder("kernels.cubin"), messages = inFolder("messages");
  std::error_code error;
  {
    llvm::raw_fd_ostream stream(input, error);
    stream << ptx;
    stream.close();
    if (error || stream.has_error())
      return llvm::createStringError("cannot write '" + input + "'");
  }
  std::string archName = "-arch=" + arch.name();
  llvm::StringRef arguments[] = {ptxas, archName, "-O3", "--warning-as-error", "-o", output, input};
  std::optional<llvm::StringRef> redirects[] = {"", messages, messages};
  std::string failure;
  int status = llvm::sys::ExecuteAndWait(ptxas, arguments, std::nullopt, redirects, /*SecondsToWait=*/600,
                                         /*MemoryLimit=*/0, &failure);
  if (status != 0) {
    llvm::Expected<std::string> said = readFile(messages);
    std::string first = said ? llvm::StringRef(*said).trim().split('\n').first.str() : "";
    if (!said)
      llvm::consumeError(said.takeError());
    return llvm::createStringError("'" + ptxas + "' failed for " + arch.name() + ": " +
                                   (failure.empty() ? first : failure));
  }
  return readFile(output);
}

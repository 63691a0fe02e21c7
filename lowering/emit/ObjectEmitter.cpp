//===- ObjectEmitter.cpp - LLVM dialect to machine code -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/emit/ObjectEmitter.h"

#include "dialect/Samba.h"
#include "lowering/emit/DiagnosticCapture.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Target/LLVMIR/LLVMTranslationInterface.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace mlir;
using namespace samba;

namespace {

// Weights stay declared in the lowered module, for the packer. They mean nothing to LLVM.
class WeightDeclarations : public LLVMTranslationDialectInterface {
public:
  using LLVMTranslationDialectInterface::LLVMTranslationDialectInterface;
  LogicalResult convertOperation(Operation *op, llvm::IRBuilderBase &, LLVM::ModuleTranslation &) const final {
    return success(isa<WeightOp>(op));
  }
};

void registerTranslations(MLIRContext *context) {
  DialectRegistry registry;
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registry.addExtension(+[](MLIRContext *, SambaDialect *dialect) { dialect->addInterfaces<WeightDeclarations>(); });
  context->appendDialectRegistry(registry);
}

// LLVM's back end reports through the context; the first error is kept for the caller.
struct FirstDiagnostic : public llvm::DiagnosticHandler {
  explicit FirstDiagnostic(std::string &first) : first(first) {}
  bool handleDiagnostics(const llvm::DiagnosticInfo &info) override {
    if (info.getSeverity() == llvm::DS_Error && first.empty()) {
      llvm::raw_string_ostream stream(first);
      llvm::DiagnosticPrinterRawOStream printer(stream);
      info.print(printer);
    }
    return true;
  }
  std::string &first;
};

llvm::Expected<std::unique_ptr<llvm::TargetMachine>> createTargetMachine(const CpuTarget &target) {
  initialiseTargets();
  llvm::Triple triple(target.triple);
  std::string message;
  const llvm::Target *llvmTarget = llvm::TargetRegistry::lookupTarget(triple, message);
  if (!llvmTarget)
    return llvm::createStringError("no code generation for %s: %s", target.triple.c_str(), message.c_str());
  llvm::TargetOptions options;
  options.FunctionSections = true;
  options.DataSections = true;
  std::unique_ptr<llvm::TargetMachine> machine(llvmTarget->createTargetMachine(triple, target.cpu, target.features,
                                                                               options, llvm::Reloc::PIC_, std::nullopt,
                                                                               llvm::CodeGenOptLevel::Aggressive));
  if (!machine)
    return llvm::createStringError("no code generation for %s", target.triple.c_str());
  return machine;
}

void setAttributes(llvm::Function &function, const CpuTarget &target) {
  function.addFnAttr("target-cpu", target.cpu);
  if (!target.features.empty())
    function.addFnAttr("target-features", target.features);
  function.addFnAttr("prefer-vector-width", std::to_string(target.vectorBits));
  function.addFnAttr("frame-pointer", "none");
  function.setDoesNotThrow();
}

template <typename Buffer>
llvm::Error generate(const llvm::Module &module, llvm::TargetMachine &machine, llvm::CodeGenFileType type,
                     Buffer &buffer) {
  // Code generation rewrites the module.
  std::unique_ptr<llvm::Module> copy = llvm::CloneModule(module);
  std::string first;
  llvm::LLVMContext &context = copy->getContext();
  context.setDiagnosticHandler(std::make_unique<FirstDiagnostic>(first));
  llvm::raw_svector_ostream stream(buffer);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, type))
    return llvm::createStringError("the target cannot emit a file of this kind");
  passes.run(*copy);
  context.setDiagnosticHandler(nullptr);
  if (!first.empty())
    return llvm::createStringError("code generation failed: " + first);
  return llvm::Error::success();
}

} // namespace

ObjectEmitter::ObjectEmitter() : context(std::make_unique<llvm::LLVMContext>()) {}
ObjectEmitter::ObjectEmitter(ObjectEmitter &&) = default;
ObjectEmitter::~ObjectEmitter() {
  module.reset(); // before its context
}

llvm::Expected<ObjectEmitter> ObjectEmitter::create(ModuleOp source, const CpuTarget &target, llvm::StringRef entry) {
  ObjectEmitter emitter;
  auto machine = createTargetMachine(target);
  if (!machine)
    return machine.takeError();
  emitter.machine = std::move(*machine);

  registerTranslations(source.getContext());
  DiagnosticCapture diagnostics(source.getContext());
  emitter.module = translateModuleToLLVMIR(source, *emitter.context, source.getName().value_or("samba"));
  if (!emitter.module)
    return diagnostics.takeError("translation to LLVM IR failed");

  llvm::Module &module = *emitter.module;
  module.setTargetTriple(llvm::Triple(target.triple));
  module.setDataLayout(emitter.machine->createDataLayout());
  module.setPICLevel(llvm::PICLevel::BigPIC);
  for (LLVM::LLVMFuncOp function : source.getOps<LLVM::LLVMFuncOp>()) {
    if (function.isExternal())
      continue;
    llvm::Function &lowered = *module.getFunction(function.getSymName());
    setAttributes(lowered, target);
    if (function.isPrivate() || lowered.hasLocalLinkage()) {
      lowered.setLinkage(llvm::Function::InternalLinkage);
      if (!lowered.hasFnAttribute(llvm::Attribute::AlwaysInline))
        lowered.addFnAttr(llvm::Attribute::NoInline);
    }
  }
  if (llvm::Function *function = module.getFunction(SAMBA_ENTRY_SYMBOL))
    function->setName(entry);
  std::string message;
  llvm::raw_string_ostream stream(message);
  if (llvm::verifyModule(module, &stream))
    return llvm::createStringError("invalid LLVM IR: " + llvm::StringRef(message).split('\n').first);
  if (llvm::Error error = emitter.optimise())
    return error;
  return emitter;
}

llvm::Error ObjectEmitter::optimise() {
  std::string first;
  context->setDiagnosticHandler(std::make_unique<FirstDiagnostic>(first));
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(machine.get());
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(*module, modules);
  context->setDiagnosticHandler(nullptr);
  if (!first.empty())
    return llvm::createStringError("optimisation failed: " + first);
  return llvm::Error::success();
}

std::string ObjectEmitter::llvmIr() const {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream, nullptr);
  return text;
}

llvm::Expected<llvm::SmallVector<char, 0>> ObjectEmitter::object() const {
  llvm::SmallVector<char, 0> bytes;
  if (llvm::Error error = generate(*module, *machine, llvm::CodeGenFileType::ObjectFile, bytes))
    return error;
  return bytes;
}

llvm::Expected<std::string> ObjectEmitter::assembly() const {
  llvm::SmallVector<char, 0> text;
  if (llvm::Error error = generate(*module, *machine, llvm::CodeGenFileType::AssemblyFile, text))
    return error;
  return std::string(text.begin(), text.end());
}

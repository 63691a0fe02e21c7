//===- Execution.cpp - runs a module in whatever form it is ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/check/Execution.h"

#include "dialect/StateMemory.h"
#include "dialect/interpreter/Interpreter.h"
#include "dialect/interpreter/Seeded.h"
#include "dialect/interpreter/TensorFile.h"
#include "lowering/cpu/Pipeline.h"
#include "lowering/emit/CompiledModule.h"
#include "lowering/emit/DiagnosticCapture.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace samba;
using reference::IntTensor;
using reference::StateBatch;
using reference::Tensor;
template <class F> using ModelValue = reference::Value<F>;

namespace {

template <class To, class From> Tensor<To> convert(const Tensor<From> &from) {
  return Tensor<To>(from.shape, std::vector<To>(from.data.begin(), from.data.end()));
}

template <class To, class From> ModelValue<To> convert(const ModelValue<From> &from) {
  if (auto *tensor = std::get_if<Tensor<From>>(&from))
    return convert<To>(*tensor);
  if (auto *integers = std::get_if<IntTensor>(&from))
    return *integers;
  StateBatch<To> batch;
  for (const Tensor<From> &sequence : std::get<StateBatch<From>>(from).sequences)
    batch.sequences.push_back(convert<To>(sequence));
  return batch;
}

template <class To, class From> std::vector<ModelValue<To>> convert(const std::vector<ModelValue<From>> &from) {
  std::vector<ModelValue<To>> to;
  for (const ModelValue<From> &value : from)
    to.push_back(convert<To, From>(value));
  return to;
}

/// The arguments with states as their types hold them: a pass may have made these narrower.
template <class F>
std::vector<ModelValue<F>> heldArguments(func::FuncOp function, std::vector<ModelValue<F>> arguments) {
  for (auto [argument, type] : llvm::zip(arguments, function.getArgumentTypes()))
    if (auto *batch = std::get_if<StateBatch<F>>(&argument); batch && isa<StateType>(type))
      for (Tensor<F> &state : batch->sequences)
        if (static_cast<int64_t>(state.data.size()) == cast<StateType>(type).getNumElements())
          roundToState<F>(cast<StateType>(type), state.data);
  return arguments;
}

bool isSambaFunction(func::FuncOp function) {
  auto isModel = [](Type type) { return isa<RankedTensorType, StateType>(type); };
  return llvm::all_of(function.getArgumentTypes(), isModel) && llvm::all_of(function.getResultTypes(), isModel);
}

std::string nameOf(DictionaryAttr attributes, llvm::StringRef fallback, unsigned number) {
  auto name = attributes ? attributes.getAs<StringAttr>("samba.name") : StringAttr();
  return name ? name.str() : (fallback + llvm::Twine(number)).str();
}

/// A state's result has the name of the argument that it started from: they come in the same order.
std::vector<std::string> resultNames(func::FuncOp function, llvm::ArrayRef<std::string> argumentNames) {
  std::vector<std::string> states, names;
  for (auto [type, name] : llvm::zip(function.getArgumentTypes(), argumentNames))
    if (isa<StateType>(type))
      states.push_back(name);
  size_t next = 0;
  for (auto [number, type] : llvm::enumerate(function.getResultTypes()))
    names.push_back(isa<StateType>(type) && next < states.size()
                        ? states[next++]
                        : nameOf(function.getResultAttrDict(number), "result ", number));
  return names;
}

} // namespace

ModuleForm samba::formOf(ModuleOp module) {
  bool samba = false, lowered = false;
  for (Operation &op : module.getBody()->getOperations()) {
    auto function = dyn_cast<FunctionOpInterface>(&op);
    if (!function || !function.isPublic() || function.isDeclaration())
      continue;
    auto model = dyn_cast<func::FuncOp>(&op);
    if (model && isSambaFunction(model))
      samba = true;
    else if (function.getNumArguments() == 2 &&
             llvm::all_of(function.getArgumentTypes(), llvm::IsaPred<LLVM::LLVMPointerType>))
      lowered = true;
  }
  return samba ? ModuleForm::Samba : lowered ? ModuleForm::Lowered : ModuleForm::Other;
}

llvm::Expected<std::unique_ptr<Execution>> Execution::create(ModuleOp module, const ExecutionOptions &options,
                                                             const WeightSource *weights) {
  auto execution = std::unique_ptr<Execution>(new Execution());
  execution->options = options;
  if (!options.weightsFile.empty()) {
    llvm::Expected<reference::TensorFile> file = reference::TensorFile::open(options.weightsFile);
    if (!file)
      return file.takeError();
    execution->ownWeights = std::make_unique<reference::TensorFile>(std::move(*file));
  } else if (!weights) {
    execution->ownWeights = std::make_unique<reference::SeededWeights>(module, options.seed);
  }
  execution->weights = execution->ownWeights ? execution->ownWeights.get() : weights;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function.isPublic() || function.isDeclaration() || !isSambaFunction(function))
      continue;
    auto arguments = reference::seededInputs<double>(function, options.lengths, options.seed, options.selected);
    if (!arguments)
      return arguments.takeError();
    Entry entry;
    entry.function = function.getSymName().str();
    for (auto [number, type] : llvm::enumerate(function.getArgumentTypes())) {
      entry.argumentNames.push_back(nameOf(function.getArgAttrDict(number), "arg", number));
      entry.narrow.push_back(getElementTypeOrSelf(type).isInteger(32));
    }
    entry.resultNames = resultNames(function, entry.argumentNames);
    entry.arguments = std::move(*arguments);
    execution->entries.push_back(std::move(entry));
  }
  return execution;
}

llvm::Expected<std::vector<FunctionRun>> Execution::run(ModuleOp module, ModuleOp planned) const {
  switch (formOf(module)) {
  case ModuleForm::Samba:
    return options.f64 ? interpret<double>(module) : interpret<float>(module);
  case ModuleForm::Lowered:
    return execute(module, planned);
  case ModuleForm::Other:
    break;
  }
  return llvm::createStringError("the module has no public function that could be run");
}

template <class F> llvm::Expected<std::vector<FunctionRun>> Execution::interpret(ModuleOp module) const {
  reference::Interpreter<F> interpreter(module, weights);
  std::vector<FunctionRun> runs;
  for (const Entry &entry : entries) {
    FunctionRun run{entry.function, entry.resultNames, {}, {}};
    interpreter.onProbe([&](llvm::StringRef name, int32_t, const Tensor<F> &x) {
      run.probes.emplace_back(name.str(), convert<double>(x));
    });
    llvm::Expected<func::FuncOp> function = interpreter.findFunction(entry.function);
    if (!function)
      return function.takeError();
    auto results = interpreter.run(*function, heldArguments<F>(*function, convert<F, double>(entry.arguments)));
    if (!results)
      return results.takeError();
    run.results = convert<double, F>(*results);
    runs.push_back(std::move(run));
  }
  return runs;
}

llvm::Expected<std::vector<FunctionRun>> Execution::execute(ModuleOp module, ModuleOp planned) const {
  OwningOpRef<ModuleOp> lowered = module.clone();
  DiagnosticCapture diagnostics(module.getContext());
  PassManager pm(module.getContext());
  buildCpuToLlvmPipeline(pm); // what has been done already is skipped
  if (failed(pm.run(*lowered)))
    return diagnostics.takeError("the lowering cannot be completed from here");
  CompiledModule::Options compileOptions;
  compileOptions.target = options.target;
  auto compiled = CompiledModule::fromLowered(planned.clone(), *lowered, weights, compileOptions);
  if (!compiled)
    return compiled.takeError();

  std::vector<FunctionRun> runs;
  for (const Entry &entry : entries) {
    FunctionRun run{entry.function, entry.resultNames, {}, {}};
    compiled->onProbe([&](llvm::StringRef name, int32_t, const Tensor<float> &x) {
      run.probes.emplace_back(name.str(), convert<double>(x));
    });
    auto results = compiled->run(entry.function, convert<float, double>(entry.arguments));
    if (!results)
      return results.takeError();
    run.results = convert<double, float>(*results);
    runs.push_back(std::move(run));
  }
  return runs;
}

llvm::Error Execution::writeInputs(llvm::StringRef function, llvm::StringRef path) const {
  for (const Entry &entry : entries) {
    if (entry.function != function)
      continue;
    reference::TensorFileWriter file;
    for (auto [i, argument] : llvm::enumerate(entry.arguments)) {
      const std::string &name = entry.argumentNames[i];
      if (auto *tensor = std::get_if<Tensor<double>>(&argument)) {
        file.add(name, *tensor);
      } else if (auto *integers = std::get_if<IntTensor>(&argument)) {
        entry.narrow[i] ? file.addI32(name, *integers) : file.add(name, *integers);
      } else {
        const auto &sequences = std::get<StateBatch<double>>(argument).sequences;
        Tensor<double> all(sequences.empty() ? reference::Shape() : sequences.front().shape, {});
        all.shape.insert(all.shape.begin(), sequences.size());
        for (const Tensor<double> &sequence : sequences)
          all.data.insert(all.data.end(), sequence.data.begin(), sequence.data.end());
        file.add(name, all);
      }
    }
    return file.write(path);
  }
  return llvm::createStringError("there are no inputs for '" + function + "'");
}

//===- Engine.cpp - ways to run samba IR ----------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/unit/goldens/Engine.h"

#include "lowering/emit/CompiledModule.h"
#include "test/unit/goldens/VirtualEngine.h"
#include <map>

using namespace samba;
using namespace samba::reference;
using namespace samba::reference::test;

namespace {

template <class To, class From> Tensor<To> convert(const Tensor<From> &tensor) {
  return Tensor<To>(tensor.shape, std::vector<To>(tensor.data.begin(), tensor.data.end()));
}

template <class To, class From> std::vector<Value<To>> convert(std::vector<Value<From>> values) {
  if constexpr (std::is_same_v<To, From>) {
    return values;
  } else {
    std::vector<Value<To>> result;
    for (const Value<From> &value : values) {
      if (auto *tensor = std::get_if<Tensor<From>>(&value)) {
        result.emplace_back(convert<To>(*tensor));
      } else if (auto *batch = std::get_if<StateBatch<From>>(&value)) {
        StateBatch<To> states;
        for (const Tensor<From> &state : batch->sequences)
          states.sequences.push_back(convert<To>(state));
        result.emplace_back(std::move(states));
      } else {
        result.emplace_back(std::get<IntTensor>(value));
      }
    }
    return result;
  }
}

template <class F> class Interpreted : public Engine {
public:
  Interpreted(mlir::ModuleOp module, const WeightSource *weights) : interpreter(module, weights) {}

  llvm::Expected<Values> run(llvm::StringRef name, Values arguments) override {
    llvm::Expected<mlir::func::FuncOp> function = interpreter.findFunction(name);
    if (!function)
      return function.takeError();
    llvm::Expected<std::vector<Value<F>>> results = interpreter.run(*function, convert<F>(std::move(arguments)));
    if (!results)
      return results.takeError();
    return convert<double>(std::move(*results));
  }

  void onProbe(Probe hook) override {
    interpreter.onProbe([hook](llvm::StringRef name, int32_t index, const Tensor<F> &x) {
      if (hook)
        hook(name, index, convert<double>(x));
    });
  }

private:
  Interpreter<F> interpreter;
};

/// Values that were arguments, under the names that liftWeights gives them.
class ArgumentWeights : public WeightSource {
public:
  void add(std::string name, Tensor<float> tensor) { tensors[std::move(name)] = std::move(tensor); }

  llvm::Expected<TensorView> lookup(llvm::StringRef name) const override {
    auto found = tensors.find(name.str());
    if (found == tensors.end())
      return llvm::createStringError("no argument '" + name + "'");
    const Tensor<float> &tensor = found->second;
    auto *bytes = reinterpret_cast<const uint8_t *>(tensor.data.data());
    return TensorView{DType::F32, tensor.shape, llvm::ArrayRef(bytes, tensor.data.size() * sizeof(float))};
  }

private:
  std::map<std::string, Tensor<float>> tensors;
};

bool isWeight(mlir::Type type) {
  auto tensor = llvm::dyn_cast<mlir::RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() && tensor.getElementType().isF32();
}

/// Compiled code takes weights from the artefact only: tensor arguments of static shape become declared weights, and
/// their values are left out of the arguments.
void liftWeights(mlir::func::FuncOp function, Engine::Values &arguments, ArgumentWeights &weights) {
  mlir::OpBuilder b(function);
  llvm::BitVector lifted(function.getNumArguments());
  for (mlir::BlockArgument argument : function.getArguments()) {
    unsigned i = argument.getArgNumber();
    if (!isWeight(argument.getType()))
      continue;
    auto type = llvm::cast<mlir::RankedTensorType>(argument.getType());
    std::string name = "arg" + std::to_string(i);
    b.setInsertionPoint(function);
    WeightOp::create(b, function.getLoc(), name, name, type, WeightTransform::None, mlir::IntegerAttr());
    b.setInsertionPointToStart(&function.getBody().front());
    argument.replaceAllUsesWith(LoadWeightOp::create(b, function.getLoc(), type, name));
    weights.add(name, convert<float>(std::get<Tensor<double>>(arguments[i])));
    lifted.set(i);
  }
  (void)function.eraseArguments(lifted);
}

class Compiled : public Engine {
public:
  Compiled(mlir::ModuleOp module, const WeightSource *weights, const CompiledModule::Options &options)
      : module(module), weights(weights), options(options) {}

  llvm::Expected<Values> run(llvm::StringRef name, Values arguments) override {
    if (!compiled)
      if (llvm::Error error = compile(name, arguments))
        return std::move(error);
    Values rows;
    for (auto [value, type] : llvm::zip(arguments, argumentTypes))
      if (!isWeight(type))
        rows.push_back(std::move(value));
    llvm::Expected<std::vector<Value<float>>> results = compiled->run(name, convert<float>(std::move(rows)));
    if (!results)
      return results.takeError();
    return convert<double>(std::move(*results));
  }

  void onProbe(Probe hook) override { probe = std::move(hook); }

private:
  llvm::Error compile(llvm::StringRef name, Values &arguments) {
    mlir::OwningOpRef<mlir::ModuleOp> copy = module.clone();
    auto function = copy->lookupSymbol<mlir::func::FuncOp>(name);
    if (!function || function.getNumArguments() != arguments.size())
      return llvm::createStringError("no function '" + name + "' of that many arguments");
    argumentTypes.assign(function.getArgumentTypes().begin(), function.getArgumentTypes().end());
    liftWeights(function, arguments, argumentWeights);
    llvm::Expected<CompiledModule> result =
        CompiledModule::create(*copy, weights ? weights : &argumentWeights, options);
    if (!result)
      return result.takeError();
    compiled = std::make_unique<CompiledModule>(std::move(*result));
    compiled->onProbe([this](llvm::StringRef name, int32_t index, const Tensor<float> &x) {
      if (probe)
        probe(name, index, convert<double>(x));
    });
    return llvm::Error::success();
  }

  mlir::ModuleOp module;
  const WeightSource *weights;
  CompiledModule::Options options;
  ArgumentWeights argumentWeights;
  llvm::SmallVector<mlir::Type> argumentTypes;
  std::unique_ptr<CompiledModule> compiled;
  Probe probe;
};

template <class F> std::unique_ptr<Engine> interpret(mlir::ModuleOp module, const WeightSource *weights) {
  return std::make_unique<Interpreted<F>>(module, weights);
}

enum class Cpu { Native, Baseline };
enum class Precision { F32, BF16, Int8, Int4 };
constexpr const char *precisionNames[] = {"f32", "bf16", "int8", "int4"};

template <Cpu cpu, Precision precision, Precision kv = Precision::F32>
std::unique_ptr<Engine> compile(mlir::ModuleOp module, const WeightSource *weights) {
  CompiledModule::Options options;
  if (cpu == Cpu::Baseline) {
#ifdef __x86_64__
    options.target = "x86-64-v3";
#else
    options.target = "generic";
#endif
    options.chunk = 1;
  }
  options.precision = precisionNames[int(precision)];
  options.kv = kv == Precision::BF16 ? "bf16" : kv == Precision::Int8 ? "int8" : "f32";
  return std::make_unique<Compiled>(module, weights, options);
}

template <Precision precision, bool hopper = false>
std::unique_ptr<Engine> compileForDevice(mlir::ModuleOp module, const WeightSource *weights) {
  VirtualOptions options;
  options.precision = precisionNames[int(precision)];
  options.hopper = hopper;
  options.seed = hopper; // another order of warps than the others
  return createVirtualEngine(module, weights, options);
}

} // namespace

namespace samba::reference::test {

const EngineKind exact{"double", 1e-6, 1e-6, false, false, interpret<double>};
const EngineKind single{"float", 2e-5, 2e-5, false, false, interpret<float>};
const EngineKind native{"native", 2e-5, 3e-5, true, false, compile<Cpu::Native, Precision::F32>};
const EngineKind baseline{"baseline", 2e-5, 3e-5, true, false, compile<Cpu::Baseline, Precision::F32>};
const EngineKind nativeInBf16{"native_bf16", 2e-5, 3e-5, true, false, compile<Cpu::Native, Precision::BF16>};
const EngineKind baselineInBf16{"baseline_bf16", 2e-5, 3e-5, true, false, compile<Cpu::Baseline, Precision::BF16>};
const EngineKind nativeInInt8{"native_int8", 2e-5, 3e-5, true, false, compile<Cpu::Native, Precision::Int8>};
const EngineKind baselineInInt8{"baseline_int8", 2e-5, 3e-5, true, false, compile<Cpu::Baseline, Precision::Int8>};
const EngineKind nativeInInt4{"native_int4", 2e-5, 3e-5, true, false, compile<Cpu::Native, Precision::Int4>};
const EngineKind baselineInInt4{"baseline_int4", 2e-5, 3e-5, true, false, compile<Cpu::Baseline, Precision::Int4>};
const EngineKind nativeKvInBf16{
    "native_kv_bf16", 2e-5, 3e-5, true, false, compile<Cpu::Native, Precision::F32, Precision::BF16>};
const EngineKind baselineKvInBf16{
    "baseline_kv_bf16", 2e-5, 3e-5, true, false, compile<Cpu::Baseline, Precision::F32, Precision::BF16>};
const EngineKind nativeKvInInt8{
    "native_kv_int8", 2e-5, 3e-5, true, false, compile<Cpu::Native, Precision::F32, Precision::Int8>};
const EngineKind baselineKvInInt8{
    "baseline_kv_int8", 2e-5, 3e-5, true, false, compile<Cpu::Baseline, Precision::F32, Precision::Int8>};
const EngineKind device{"device", 2e-5, 3e-5, true, true, compileForDevice<Precision::F32>};
const EngineKind deviceInBf16{"device_bf16", 2e-5, 3e-5, true, true, compileForDevice<Precision::BF16>};
const EngineKind deviceInInt8{"device_int8", 2e-5, 3e-5, true, true, compileForDevice<Precision::Int8>};
const EngineKind deviceInInt4{"device_int4", 2e-5, 3e-5, true, true, compileForDevice<Precision::Int4>};
const EngineKind hopperInBf16{"hopper_bf16", 2e-5, 3e-5, true, true, compileForDevice<Precision::BF16, true>};

} // namespace samba::reference::test

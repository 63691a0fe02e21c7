//===- InterpretPass.cpp - the pass samba-interpret -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/InterpretPass.h"

#include "dialect/interpreter/Interpreter.h"
#include "dialect/interpreter/Seeded.h"
#include "dialect/interpreter/TensorFile.h"
#include "dialect/interpreter/TensorText.h"
#include "mlir/Pass/Pass.h"
#include <cstring>

using namespace llvm;
using namespace samba;
using namespace samba::reference;

namespace {

/// The name of an argument or result in files: its `samba.name`, else `fallback` and its number.
std::string fileName(mlir::DictionaryAttr attributes, StringRef fallback, unsigned number) {
  if (attributes)
    if (auto name = attributes.getAs<mlir::StringAttr>("samba.name"))
      return name.str();
  return (fallback + Twine(number)).str();
}

/// The states of all sequences, `[S, ...]`, apart.
template <class F> Expected<Value<F>> splitStates(StringRef name, const Tensor<F> &tensor) {
  if (tensor.shape.empty())
    return makeError("expected '{0}' of shape [S, ...], got a scalar", name);
  StateBatch<F> states;
  Shape shape(drop_begin(tensor.shape));
  int64_t size = numElements(shape);
  for (int64_t s = 0; s < tensor.shape[0]; ++s) {
    auto begin = tensor.data.begin() + s * size;
    states.sequences.push_back(Tensor<F>(shape, std::vector<F>(begin, begin + size)));
  }
  return states;
}

template <class F> Expected<std::vector<Value<F>>> readInputs(mlir::func::FuncOp function, const TensorFile &file) {
  std::vector<Value<F>> inputs;
  for (auto [number, type] : enumerate(function.getArgumentTypes())) {
    std::string name = fileName(function.getArgAttrDict(number), "arg", number);
    if (!file.contains(name) && file.contains("arg" + std::to_string(number)))
      name = "arg" + std::to_string(number);
    if (mlir::getElementTypeOrSelf(type).isIntOrIndex()) {
      Expected<IntTensor> integers = file.integers(name);
      if (!integers)
        return integers.takeError();
      inputs.push_back(std::move(*integers));
      continue;
    }
    Expected<Tensor<F>> floats = file.floats<F>(name);
    if (!floats)
      return floats.takeError();
    if (!isa<StateType>(type)) {
      inputs.push_back(std::move(*floats));
      continue;
    }
    Expected<Value<F>> states = splitStates(name, *floats);
    if (!states)
      return states.takeError();
    inputs.push_back(std::move(*states));
  }
  return inputs;
}

template <class F> Error writeOutputs(mlir::func::FuncOp function, ArrayRef<Value<F>> results, StringRef path) {
  TensorFileWriter file;
  for (auto [number, type] : enumerate(function.getResultTypes())) {
    std::string name = fileName(function.getResultAttrDict(number), "result", number);
    if (auto *floats = std::get_if<Tensor<F>>(&results[number])) {
      file.add(name, *floats);
    } else if (auto *integers = std::get_if<IntTensor>(&results[number])) {
      mlir::getElementTypeOrSelf(type).isInteger(32) ? file.addI32(name, *integers) : file.add(name, *integers);
    } else {
      const auto &states = std::get_if<StateBatch<F>>(&results[number])->sequences;
      Tensor<F> all(Shape(cast<StateType>(type).getShape()), {});
      all.shape.insert(all.shape.begin(), states.size());
      for (const Tensor<F> &state : states)
        all.data.insert(all.data.end(), state.data.begin(), state.data.end());
      file.add(name, all);
    }
  }
  return file.write(path);
}

class InterpretPass : public mlir::PassWrapper<InterpretPass, mlir::OperationPass<mlir::ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(InterpretPass)

  InterpretPass() = default;
  InterpretPass(const InterpretPass &other) : PassWrapper(other) {}

  StringRef getArgument() const override { return "samba-interpret"; }
  StringRef getDescription() const override {
    return "runs a function in the reference interpreter, prints its results";
  }

  void runOnOperation() override {
    Error error = type == "f64"   ? interpret<double>()
                  : type == "f32" ? interpret<float>()
                                  : makeError("expected type f32 or f64, got '{0}'", type.getValue());
    // At the location, not the operation: the message must not bring the whole module along.
    if (error) {
      mlir::emitError(getOperation().getLoc()) << "samba-interpret: " << toString(std::move(error));
      signalPassFailure();
    }
    markAllAnalysesPreserved();
  }

private:
  Option<std::string> function{*this, "function", llvm::cl::desc("function to run (default: the only public one)")};
  Option<std::string> type{*this, "type", llvm::cl::desc("arithmetic: f32 or f64"), llvm::cl::init("f64")};
  Option<uint64_t> seed{*this, "seed", llvm::cl::desc("seed of inputs and weights"), llvm::cl::init(0)};
  Option<int64_t> tokens{*this, "tokens", llvm::cl::desc("tokens of a single sequence (default: 4)"),
                         llvm::cl::init(-1)};
  ListOption<int64_t> segments{*this, "segments", llvm::cl::desc("tokens of each sequence, such as 3,0,5")};
  Option<std::string> inputs{*this, "inputs", llvm::cl::desc("safetensors file of the arguments (default: seeded)")};
  Option<std::string> outputs{*this, "outputs", llvm::cl::desc("safetensors file to write the results to")};
  Option<std::string> weights{*this, "weights", llvm::cl::desc("safetensors file of the weights, or seeded"),
                              llvm::cl::init("seeded")};
  Option<std::string> print{*this, "print", llvm::cl::desc("results to print: some, all or none"),
                            llvm::cl::init("some")};

  template <class F> Expected<std::vector<Value<F>>> makeInputs(mlir::func::FuncOp entry) {
    if (!inputs.empty()) {
      Expected<TensorFile> file = TensorFile::open(inputs);
      if (!file)
        return file.takeError();
      return readInputs<F>(entry, *file);
    }
    SmallVector<int64_t> lengths(segments.begin(), segments.end());
    if (!lengths.empty() && tokens >= 0)
      return makeError("expected either tokens or segments, got both");
    if (lengths.empty())
      lengths.push_back(tokens >= 0 ? tokens : 4);
    return seededInputs<F>(entry, lengths, seed);
  }

  template <class F> Error interpret() {
    if (!is_contained({"some", "all", "none"}, print.getValue()))
      return makeError("expected print some, all or none, got '{0}'", print.getValue());
    std::unique_ptr<WeightSource> source;
    if (weights == "seeded") {
      source = std::make_unique<SeededWeights>(getOperation(), seed);
    } else {
      Expected<TensorFile> file = TensorFile::open(weights);
      if (!file)
        return file.takeError();
      source = std::make_unique<TensorFile>(std::move(*file));
    }
    Interpreter<F> interpreter(getOperation(), source.get());
    Expected<mlir::func::FuncOp> entry = interpreter.findFunction(function);
    if (!entry)
      return entry.takeError();
    Expected<std::vector<Value<F>>> arguments = makeInputs<F>(*entry);
    if (!arguments)
      return arguments.takeError();
    Expected<std::vector<Value<F>>> results = interpreter.run(*entry, std::move(*arguments));
    if (!results)
      return results.takeError();

    if (print != "none")
      for (auto [number, result] : enumerate(*results))
        printValue(outs(), "result " + std::to_string(number), result, print == "all");
    outs().flush();
    if (!outputs.empty())
      return writeOutputs<F>(*entry, *results, outputs);
    return Error::success();
  }
};

} // namespace

void samba::registerSambaInterpretPass() { mlir::PassRegistration<InterpretPass>(); }

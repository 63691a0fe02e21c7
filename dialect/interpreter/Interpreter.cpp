//===- Interpreter.cpp - runs functions of samba IR -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/Interpreter.h"

#include "dialect/interpreter/Evaluate.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace llvm;

namespace samba::reference {

namespace {

/// The name of the layer if the location has one, else file, line and column; empty if it says nothing.
std::string locationText(mlir::Location location) {
  return TypeSwitch<mlir::LocationAttr, std::string>(location)
      .Case([](mlir::NameLoc name) { return name.getName().str(); })
      .Case([](mlir::FileLineColLoc file) {
        return formatv("{0}:{1}:{2}", file.getFilename().getValue(), file.getLine(), file.getColumn()).str();
      })
      .Case([](mlir::CallSiteLoc site) { return locationText(site.getCallee()); })
      .Case([](mlir::FusedLoc fused) {
        for (mlir::Location part : fused.getLocations())
          if (std::string text = locationText(part); !text.empty())
            return text;
        return std::string();
      })
      .Default([](mlir::LocationAttr) { return std::string(); });
}

/// Says where `error` happened: the location, if there is one, and the operation or call.
Error atOperation(mlir::Operation *op, const Twine &what, Error error) {
  std::string location = locationText(op->getLoc());
  return makeError("{0}{1}{2}: {3}", location, location.empty() ? "" : ": ", what.str(), toString(std::move(error)));
}

} // namespace

template <class F>
Expected<std::vector<Value<F>>> Interpreter<F>::run(mlir::func::FuncOp function, std::vector<Value<F>> arguments) {
  SharedList shared;
  for (Value<F> &argument : arguments)
    shared.push_back(std::make_shared<const Value<F>>(std::move(argument)));
  running.clear();
  Expected<SharedList> results = runFunction(function, std::move(shared));
  if (!results)
    return makeError("@{0}: {1}", function.getName(), toString(results.takeError()));
  std::vector<Value<F>> values;
  for (const Shared &result : *results)
    values.push_back(*result);
  return values;
}

template <class F> Expected<mlir::func::FuncOp> Interpreter<F>::findFunction(StringRef name) const {
  mlir::ModuleOp root = module;
  if (!name.empty()) {
    auto function = root.lookupSymbol<mlir::func::FuncOp>(name);
    if (!function)
      return makeError("expected a function @{0}, found none", name);
    return function;
  }
  SmallVector<mlir::func::FuncOp> entries;
  for (auto function : root.getOps<mlir::func::FuncOp>())
    if (function.isPublic() && !function.isExternal())
      entries.push_back(function);
  if (entries.size() != 1)
    return makeError("expected exactly one public function, found {0}", entries.size());
  return entries.front();
}

template <class F>
Expected<typename Interpreter<F>::SharedList> Interpreter<F>::runFunction(mlir::func::FuncOp function,
                                                                          SharedList arguments) {
  if (function.isExternal())
    return makeError("expected a function with a body, found a declaration");
  if (!function.getBody().hasOneBlock())
    return makeError("expected a function of one block, found {0}", function.getBody().getBlocks().size());
  if (arguments.size() != function.getNumArguments())
    return makeError("expected {0} arguments, got {1}", function.getNumArguments(), arguments.size());
  for (auto [index, argument] : enumerate(arguments))
    if (Error error = checkType("argument " + std::to_string(index), function.getArgumentTypes()[index], *argument))
      return error;
  if (!running.insert(function).second)
    return makeError("expected no recursion");
  Expected<SharedList> results = runBlock(function.getBody().front(), std::move(arguments));
  running.erase(function);
  return results;
}

template <class F>
Expected<typename Interpreter<F>::SharedList> Interpreter<F>::runBlock(mlir::Block &block, SharedList arguments) {
  Environment environment;
  for (auto [value, argument] : zip_equal(block.getArguments(), arguments))
    environment[value] = argument;
  for (mlir::Operation &op : block) {
    if (isa<mlir::func::ReturnOp, YieldOp>(op)) {
      SharedList results;
      for (mlir::Value value : op.getOperands())
        results.push_back(environment.at(value));
      return results;
    }
    Expected<SharedList> results = runOperation(&op, environment);
    if (!results)
      return results.takeError();
    for (auto [value, result] : zip_equal(op.getResults(), *results)) {
      if (Error error = checkType("result " + std::to_string(value.getResultNumber()), value.getType(), *result))
        return atOperation(&op, op.getName().getStringRef(), std::move(error));
      environment[value] = result;
    }
  }
  return makeError("expected a return at the end of the block, found none");
}

template <class F>
Expected<typename Interpreter<F>::SharedList> Interpreter<F>::runOperation(mlir::Operation *op,
                                                                           Environment &environment) {
  auto operands = [&] {
    return SharedList(map_range(op->getOperands(), [&](mlir::Value value) { return environment.at(value); }));
  };
  if (auto call = dyn_cast<mlir::func::CallOp>(op)) {
    auto callee = mlir::SymbolTable::lookupNearestSymbolFrom<mlir::func::FuncOp>(op, call.getCalleeAttr());
    Expected<SharedList> results =
        callee ? runFunction(callee, operands()) : makeError("expected a function of this name, found none");
    if (!results)
      return atOperation(op, "in @" + call.getCallee(), results.takeError());
    return results;
  }
  if (auto kernel = dyn_cast<KernelOp>(op)) {
    Expected<SharedList> results = runBlock(kernel.getBody().front(), operands());
    if (!results)
      return atOperation(op, "in kernel \"" + kernel.getName() + "\"", results.takeError());
    return results;
  }
  if (auto load = dyn_cast<LoadWeightOp>(op)) {
    Expected<Shared> weight = loadWeight(load);
    if (!weight)
      return atOperation(op, op->getName().getStringRef(), weight.takeError());
    return SharedList{*weight};
  }
  if (auto show = dyn_cast<ProbeOp>(op)) {
    if (probe)
      probe(show.getName(), show.getIndex(), *std::get_if<Tensor<F>>(environment.at(show.getX()).get()));
    return SharedList();
  }

  auto lookup = [&](mlir::Value value) -> const Value<F> & { return *environment.at(value); };
  Expected<std::vector<Value<F>>> values =
      isa_and_nonnull<SambaDialect>(op->getDialect()) ? evaluateSamba<F>(op, lookup) : evaluateUpstream<F>(op, lookup);
  if (!values)
    return atOperation(op, op->getName().getStringRef(), values.takeError());
  SharedList results;
  for (Value<F> &value : *values)
    results.push_back(std::make_shared<const Value<F>>(std::move(value)));
  return results;
}

template <class F> Expected<typename Interpreter<F>::Shared> Interpreter<F>::loadWeight(LoadWeightOp op) {
  auto weight = mlir::SymbolTable::lookupNearestSymbolFrom<WeightOp>(op, op.getWeightAttr());
  if (!weight)
    return makeError("expected a samba.weight named '{0}', found none", op.getWeight());
  Shared &value = loaded[weight];
  if (value)
    return value;
  if (!weights)
    return makeError("expected weights to load '{0}' from, got none", op.getWeight());
  Expected<Tensor<F>> tensor = evaluateWeight<F>(weight, *weights);
  if (!tensor)
    return tensor.takeError();
  return value = std::make_shared<const Value<F>>(std::move(*tensor));
}

template class Interpreter<float>;
template class Interpreter<double>;

} // namespace samba::reference

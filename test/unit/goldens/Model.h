//===- Model.h - a model of the golden data in some engine ------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_GOLDENS_MODEL_H
#define TEST_UNIT_GOLDENS_MODEL_H

#include "frontend/Importer.h"
#include "frontend/families/Families.h"
#include "test/unit/goldens/Engine.h"
#include "test/unit/interpreter/Support.h"

namespace samba::reference::test {

/// The tokens of each sequence in one step.
using Batch = std::vector<std::vector<int64_t>>;

/// A model and any number of sequences that it carries on.
class Model {
public:
  using Prepare = void (*)(mlir::ModuleOp module);

  /// `prepare` may change the module before the engine sees it.
  Model(const std::string &directory, llvm::StringRef weightsFile,
        std::unique_ptr<Engine> (*create)(mlir::ModuleOp module, const WeightSource *weights),
        Prepare prepare = nullptr)
      : checkpoint(take(Checkpoint::open(directory, weightsFile))), description(take(describeModel(*checkpoint))),
        module(take(importModel(context, description, *checkpoint))),
        function(mlir::ModuleOp(*module).lookupSymbol<mlir::func::FuncOp>("samba_step")) {
    if (prepare)
      prepare(*module);
    engine = create(*module, checkpoint.get());
  }

  /// Starts `count` fresh sequences in place of all others.
  void start(int64_t count) {
    positions.assign(count, 0);
    states.clear();
    for (mlir::Type type : llvm::drop_begin(function.getArgumentTypes(), 4))
      states.push_back(StateBatch<double>{
          std::vector<Tensor<double>>(count, Tensor<double>(Shape(llvm::cast<StateType>(type).getShape())))});
  }

  /// Carries each sequence on by its tokens, none or more. Returns the logits of all tokens [T, V].
  Tensor<double> step(const Batch &batch) {
    std::vector<int64_t> all;
    for (const std::vector<int64_t> &sequence : batch)
      for (size_t token = 0; token < sequence.size(); ++token)
        all.push_back(all.size());
    return step(batch, all);
  }

  /// The same, but returns the logits of some of the tokens.
  Tensor<double> step(const Batch &batch, std::vector<int64_t> wanted) {
    IntTensor tokens({0}, {}), segments({1}), rows({int64_t(wanted.size())}, std::move(wanted));
    for (const std::vector<int64_t> &sequence : batch) {
      tokens.data.insert(tokens.data.end(), sequence.begin(), sequence.end());
      segments.data.push_back(tokens.data.size());
    }
    tokens.shape = {int64_t(tokens.data.size())};
    segments.shape = {int64_t(segments.data.size())};
    Engine::Values arguments = {tokens, segments, IntTensor({int64_t(positions.size())}, positions), rows};
    arguments.insert(arguments.end(), states.begin(), states.end());
    Engine::Values results = take(engine->run("samba_step", std::move(arguments)));
    states.assign(results.begin() + 1, results.end());
    for (size_t s = 0; s < positions.size(); ++s)
      positions[s] += batch[s].size();
    return as<Tensor<double>>(results[0]);
  }

  /// The state `name` of sequence `s`.
  Tensor<double> state(llvm::StringRef name, size_t s) const {
    for (size_t i = 0; i < states.size(); ++i)
      if (function.getArgAttrOfType<mlir::StringAttr>(i + 4, "samba.name") == name)
        return as<StateBatch<double>>(states[i]).sequences[s];
    ADD_FAILURE() << "no state " << name.str();
    return Tensor<double>({0});
  }

  Engine &getEngine() { return *engine; }
  const ModelDescription &getDescription() const { return description; }

private:
  mlir::MLIRContext context;
  std::unique_ptr<Checkpoint> checkpoint;
  ModelDescription description;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mutable mlir::func::FuncOp function;
  std::unique_ptr<Engine> engine;
  std::vector<int64_t> positions;
  Engine::Values states;
};

} // namespace samba::reference::test

#endif // TEST_UNIT_GOLDENS_MODEL_H

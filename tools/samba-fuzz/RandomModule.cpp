//===- RandomModule.cpp - random models in samba IR -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-fuzz/RandomModule.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "tools/samba-fuzz/RandomBlock.h"

using namespace mlir;
using namespace samba;

namespace {

/// The function that is one step of a model.
class StepBuilder {
public:
  StepBuilder(ModuleOp module, reference::Random &random, const BlockShape &shape)
      : module(module), b(module.getContext()), random(random), loc(b.getUnknownLoc()), shape(shape) {}

  void build(ArrayRef<RandomBlock> layers) {
    int64_t vocabulary = 5 + random.below(30);
    auto vector = [&](Type element) { return RankedTensorType::get({ShapedType::kDynamic}, element); };
    SmallVector<Type> arguments = {vector(b.getI32Type()), vector(b.getI64Type()), vector(b.getI64Type()),
                                   vector(b.getI64Type())};
    b.setInsertionPointToEnd(module.getBody());
    auto step = func::FuncOp::create(b, loc, "step", b.getFunctionType(arguments, {}));
    body = step.addEntryBlock();
    b.setInsertionPointToStart(body);
    Value rows = body->getArgument(3);
    Value embeddings = load(RankedTensorType::get({vocabulary, shape.width}, b.getF32Type()), WeightTransform::None);
    Value x = EmbeddingOp::create(b, loc, rowsType(shape.width), body->getArgument(0), embeddings);
    Value table = RotaryTableOp::create(b, loc, rowsType(shape.headDim), body->getArgument(1), body->getArgument(2),
                                        b.getF64FloatAttr(10000.0));
    bool selected = false;
    for (auto [number, layer] : llvm::enumerate(layers)) {
      if (layer.rows == BlockRows::Selected && !selected)
        x = GatherRowsOp::create(b, loc, x.getType(), x, rows);
      selected |= layer.rows != BlockRows::All;
      x = call(layer, number, x, table);
      ProbeOp::create(b, loc, x, b.getStringAttr("layers." + std::to_string(number)), b.getI32IntegerAttr(number));
    }
    if (!selected)
      x = GatherRowsOp::create(b, loc, x.getType(), x, rows);
    if (random.below(2))
      x = RmsNormOp::create(b, loc, x.getType(), x,
                            load(RankedTensorType::get({shape.width}, b.getF32Type()), WeightTransform::None),
                            b.getF32FloatAttr(1e-5f));
    Value head =
        random.below(2) ? embeddings : load(cast<RankedTensorType>(embeddings.getType()), WeightTransform::None);
    SmallVector<Value> results = {LinearOp::create(b, loc, rowsType(vocabulary), x, head, Value())};
    llvm::append_range(results, states);
    func::ReturnOp::create(b, loc, results);
    step.setFunctionType(b.getFunctionType(body->getArgumentTypes(), ValueRange(results).getTypes()));
  }

private:
  RankedTensorType rowsType(int64_t columns) {
    return RankedTensorType::get({ShapedType::kDynamic, columns}, b.getF32Type());
  }

  Value load(RankedTensorType type, WeightTransform transform) {
    std::string name = "w" + std::to_string(weights++);
    OpBuilder declarations = OpBuilder::atBlockBegin(module.getBody());
    WeightOp::create(declarations, loc, name, name + ".source", type, transform, IntegerAttr());
    return LoadWeightOp::create(b, loc, type, name);
  }

  Value call(const RandomBlock &layer, size_t number, Value x, Value table) {
    func::FuncOp function = layer.function;
    SmallVector<Value> operands = {x,     body->getArgument(1), body->getArgument(2),
                                   table, body->getArgument(3), arith::ConstantIndexOp::create(b, loc, number)};
    SmallVector<size_t> held; // where in `states` those of the function are
    for (BlockArgument argument : function.getArguments().drop_front(RandomBlock::kFirstWeight)) {
      auto type = dyn_cast<RankedTensorType>(argument.getType());
      if (!type) {
        held.push_back(stateFor(layer, cast<StateType>(argument.getType()), held));
        operands.push_back(states[held.back()]);
        continue;
      }
      bool isDecay = llvm::any_of(argument.getUsers(), [&](Operation *user) {
        auto scan = dyn_cast<SelectiveScanOp>(user);
        return scan && scan.getA() == argument;
      });
      operands.push_back(load(type, isDecay ? WeightTransform::NegExp : WeightTransform::None));
    }
    auto call = func::CallOp::create(b, loc, function, operands);
    for (auto [i, index] : llvm::enumerate(held))
      states[index] = call.getResult(1 + i);
    for (const RandomBlock::Ring &ring : layer.rings)
      if (!llvm::is_contained(lenders, held[ring.key]))
        lenders.push_back(held[ring.key]);
    return call.getResult(0);
  }

  /// For the next state of a layer after those in `held`: one that it may borrow, or an argument of its own.
  size_t stateFor(const RandomBlock &layer, StateType type, ArrayRef<size_t> held) {
    for (const RandomBlock::Ring &ring : layer.rings) {
      if (!ring.borrowed || held.size() < ring.key || held.size() > ring.key + 1)
        continue;
      if (held.size() == ring.key + 1) {
        if (llvm::is_contained(lenders, held.back()))
          return held.back() + 1;
        break;
      }
      func::FuncOp function = layer.function;
      Type values = function.getFunctionType().getResult(1 + ring.key + 1);
      for (size_t key : llvm::reverse(lenders))
        if (states[key].getType() == type && states[key + 1].getType() == values && !llvm::is_contained(held, key))
          return key;
    }
    states.push_back(body->addArgument(type, loc));
    return states.size() - 1;
  }

  ModuleOp module;
  OpBuilder b;
  reference::Random &random;
  Location loc;
  BlockShape shape;
  Block *body = nullptr;
  SmallVector<Value> states;   // as far as the step has come
  SmallVector<size_t> lenders; // keys of whole contexts, each followed by its values
  int64_t weights = 0;
};

} // namespace

OwningOpRef<ModuleOp> samba::randomModule(MLIRContext &context, reference::Random &random, bool wide) {
  context.loadDialect<SambaDialect, func::FuncDialect, arith::ArithDialect, tensor::TensorDialect>();
  OpBuilder b(&context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(b.getUnknownLoc());
  int64_t widths[] = {3, 4, 8, 12, 16, 17}, headDims[] = {2, 4, 6, 8};
  int64_t wideWidths[] = {64, 72, 80}; // one group, and one group and a part
  BlockShape shape;
  shape.width = wide ? wideWidths[random.below(std::size(wideWidths))] : widths[random.below(std::size(widths))];
  shape.headDim = headDims[random.below(std::size(headDims))];
  shape.wide = wide;

  if (random.below(8) == 0) {
    b.setInsertionPointToEnd(module->getBody());
    randomOperation(b, random, "operation", shape);
    return module;
  }
  RingTypes rings;
  SmallVector<RandomBlock> layers;
  auto addBlock = [&](BlockRows rows, int64_t calls) {
    b.setInsertionPointToEnd(module->getBody());
    layers.append(calls, randomBlock(b, random, "block" + std::to_string(layers.size()), shape, rows, rings));
  };
  for (int64_t i = 0, count = 1 + random.below(3); i < count; ++i)
    addBlock(BlockRows::All, 1 + random.below(2));
  if (random.below(3) == 0)
    addBlock(BlockRows::Selecting, 1);
  for (int64_t i = 0, count = random.below(3); i < count; ++i)
    addBlock(BlockRows::Selected, 1 + random.below(2));
  StepBuilder(*module, random, shape).build(layers);
  return module;
}

//===- Seeded.cpp - inputs and weights made from a seed -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/Seeded.h"

#include "dialect/StateMemory.h"

#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Support/xxhash.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace llvm;

namespace samba::reference {

namespace {

constexpr int64_t kMaxPosition = 255;
constexpr int64_t kMaxElements = int64_t(1) << 30;

/// What the numbers of a tensor must be like for the operations that use it to behave.
enum Fill : int {
  Rows,   // normal
  Matrix, // normal, scaled by 1/sqrt(last size)
  Norm,   // near 1
  Decay,  // negative: A of a scan
  Step,   // positive: delta of a scan without softplus
};

void visitUses(mlir::Value value, function_ref<void(mlir::OpOperand &)> visit, SmallPtrSetImpl<mlir::Value> &visited) {
  if (!visited.insert(value).second)
    return;
  for (mlir::OpOperand &use : value.getUses()) {
    mlir::Operation *op = use.getOwner();
    if (auto kernel = dyn_cast<KernelOp>(op)) {
      visitUses(kernel.getBody().getArgument(use.getOperandNumber()), visit, visited);
    } else if (auto call = dyn_cast<mlir::func::CallOp>(op)) {
      auto callee = mlir::SymbolTable::lookupNearestSymbolFrom<mlir::func::FuncOp>(op, call.getCalleeAttr());
      if (callee && !callee.isExternal())
        visitUses(callee.getArgument(use.getOperandNumber()), visit, visited);
    } else {
      visit(use);
    }
  }
}

/// Each use by an operation that computes, looking through calls and kernels.
void forEachUse(mlir::Value value, function_ref<void(mlir::OpOperand &)> visit) {
  SmallPtrSet<mlir::Value, 8> visited;
  visitUses(value, visit, visited);
}

Fill fillOf(mlir::Value value) {
  Fill fill = Rows;
  forEachUse(value, [&](mlir::OpOperand &use) {
    mlir::Operation *op = use.getOwner();
    auto is = [&](mlir::Value operand) { return operand == use.get(); };
    if (auto norm = dyn_cast<RmsNormOp>(op); norm && is(norm.getWeight()))
      fill = Norm;
    if (auto norm = dyn_cast<LayerNormOp>(op); norm && is(norm.getWeight()))
      fill = Norm;
    if (auto norm = dyn_cast<DifferentialNormOp>(op)) {
      if (is(norm.getWeight()))
        fill = Norm;
      else if (is(norm.getLambda())) // exponentials are taken of their products
        fill = Matrix;
    }
    if (auto scan = dyn_cast<SelectiveScanOp>(op)) {
      if (is(scan.getA()))
        fill = Decay;
      else if (is(scan.getDelta()) && !scan.getDeltaSoftplus())
        fill = Step;
    }
    if (auto linear = dyn_cast<LinearOp>(op); linear && is(linear.getWeight()))
      fill = Matrix;
    if (auto table = dyn_cast<EmbeddingOp>(op); table && is(table.getTable()))
      fill = Matrix;
    if (auto convolution = dyn_cast<CausalConv1dOp>(op); convolution && is(convolution.getWeight()))
      fill = Matrix;
  });
  return fill;
}

float draw(Random &random, Fill fill, int64_t lastSize) {
  double normal = random.normal();
  switch (fill) {
  case Rows:
    return float(normal);
  case Matrix:
    return float(normal / std::sqrt(double(lastSize)));
  case Norm:
    return float(1 + 0.1 * normal);
  case Decay:
    return float(-0.25 - std::abs(normal));
  case Step:
    return float(0.5 * std::abs(normal));
  }
  llvm_unreachable("unknown fill");
}

uint64_t seedFor(uint64_t seed, StringRef name) { return Random(seed ^ xxh3_64bits(name)).next(); }

/// The sequences of a step, and what follows from them.
struct Batch {
  ArrayRef<int64_t> lengths;
  int64_t tokens;
  SelectedRows selected;

  std::vector<int64_t> selectedRows(Random &random) const {
    std::vector<int64_t> rows;
    if (selected == SelectedRows::All) {
      rows.resize(tokens);
      std::iota(rows.begin(), rows.end(), 0);
    } else if (selected == SelectedRows::Any) {
      for (int64_t i = 0, count = random.below(tokens + 1); i < count; ++i)
        rows.push_back(random.below(tokens));
    } else {
      int64_t end = 0;
      for (int64_t length : lengths)
        if (end += length; length > 0)
          rows.push_back(end - 1);
    }
    return rows;
  }
};

Expected<IntTensor> integerInput(mlir::Value argument, const Batch &batch, Random &random) {
  int64_t vocabulary = 0, capacity = std::numeric_limits<int64_t>::max();
  bool segments = false, positions = false, rows = false;
  forEachUse(argument, [&](mlir::OpOperand &use) {
    mlir::Operation *op = use.getOwner();
    auto is = [&](mlir::Value operand) { return operand == use.get(); };
    if (auto embedding = dyn_cast<EmbeddingOp>(op)) {
      int64_t size = embedding.getTable().getType().getDimSize(0);
      vocabulary = vocabulary ? std::min(vocabulary, size) : size;
    } else if (isa<GatherRowsOp>(op)) {
      rows = true;
    } else if (auto table = dyn_cast<RotaryTableOp>(op)) {
      (is(table.getSegments()) ? segments : positions) = true;
    } else if (auto attention = dyn_cast<SlidingWindowAttentionOp>(op)) {
      (is(attention.getSegments()) ? segments : positions) = true;
      if (!attention.getWindow())
        capacity = std::min(capacity, attention.getCapacity());
    } else if (auto attention = dyn_cast<CrossAttentionOp>(op)) {
      (is(attention.getRows()) ? rows : is(attention.getSegments()) ? segments : positions) = true;
      capacity = std::min(capacity, attention.getCapacity());
    } else if (isa<CausalConv1dOp, SelectiveScanOp>(op)) {
      segments = true;
    }
  });

  std::vector<int64_t> data;
  if (segments) {
    data.push_back(0);
    for (int64_t length : batch.lengths)
      data.push_back(data.back() + length);
  } else if (positions) {
    for (int64_t length : batch.lengths)
      data.push_back(random.below(std::clamp<int64_t>(capacity - length, 0, kMaxPosition) + 1));
  } else if (rows) {
    data = batch.selectedRows(random);
  } else {
    auto type = dyn_cast<mlir::RankedTensorType>(argument.getType());
    if (!type || type.getRank() != 1)
      return makeError("expected an integer argument to be a vector");
    if (!type.isDynamicDim(0) && type.getDimSize(0) > kMaxElements)
      return makeError("expected at most {0} elements", kMaxElements);
    for (int64_t i = 0, size = type.isDynamicDim(0) ? batch.tokens : type.getDimSize(0); i < size; ++i)
      data.push_back(vocabulary ? random.below(vocabulary) : 0);
  }
  return IntTensor({int64_t(data.size())}, data);
}

template <class F>
Expected<Tensor<F>> floatInput(mlir::Value argument, ArrayRef<int64_t> sizes, const Batch &batch, Random &random) {
  Shape shape(sizes);
  int64_t elements = 1;
  for (int64_t &size : shape) {
    if (mlir::ShapedType::isDynamic(size))
      size = batch.tokens;
    if (size > 0 && elements > kMaxElements / size)
      return makeError("expected at most {0} elements", kMaxElements);
    elements *= size;
  }
  Fill fill = fillOf(argument);
  Tensor<F> tensor(shape);
  for (F &element : tensor.data)
    element = F(draw(random, fill, shape.empty() ? 1 : shape.back()));
  return tensor;
}

template <class F> Expected<Value<F>> seededInput(mlir::Value argument, const Batch &batch, Random &random) {
  if (auto state = dyn_cast<StateType>(argument.getType())) {
    StateBatch<F> states;
    for (size_t s = 0; s < batch.lengths.size(); ++s) {
      Expected<Tensor<F>> slice = floatInput<F>(argument, state.getShape(), batch, random);
      if (!slice)
        return slice.takeError();
      roundToState<F>(state, slice->data);
      states.sequences.push_back(std::move(*slice));
    }
    return states;
  }
  auto ranked = dyn_cast<mlir::RankedTensorType>(argument.getType());
  if (mlir::getElementTypeOrSelf(argument.getType()).isIntOrIndex())
    return integerInput(argument, batch, random);
  if (!ranked)
    return makeError("expected a ranked tensor or a state");
  return floatInput<F>(argument, ranked.getShape(), batch, random);
}

} // namespace

uint64_t Random::next() {
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

int64_t Random::below(int64_t bound) { return int64_t(next() % uint64_t(bound)); }

double Random::normal() {
  int64_t sum = 0;
  for (int draws = 0; draws < 3; ++draws)
    for (uint64_t bits = next(), part = 0; part < 4; ++part, bits >>= 16)
      sum += int64_t(bits & 0xffff);
  return double(2 * sum - 12 * 0xffff) / 0x20000;
}

template <class F>
Expected<std::vector<Value<F>>> seededInputs(mlir::func::FuncOp function, ArrayRef<int64_t> lengths, uint64_t seed,
                                             SelectedRows selected) {
  if (function.isExternal())
    return makeError("expected @{0} to have a body", function.getName());
  int64_t tokens = 0;
  for (int64_t length : lengths) {
    if (length < 0 || length > kMaxElements - tokens)
      return makeError("expected segments of 0 to {0} tokens, got {1}", kMaxElements - tokens, length);
    tokens += length;
  }
  Batch batch{lengths, tokens, selected};
  std::vector<Value<F>> inputs;
  for (mlir::BlockArgument argument : function.getArguments()) {
    Random random(seedFor(seed, "argument " + std::to_string(argument.getArgNumber())));
    Expected<Value<F>> input = seededInput<F>(argument, batch, random);
    if (!input)
      return makeError("argument {0} of @{1}: {2}", argument.getArgNumber(), function.getName(),
                       toString(input.takeError()));
    inputs.push_back(std::move(*input));
  }
  return inputs;
}

template Expected<std::vector<Value<float>>> seededInputs(mlir::func::FuncOp, ArrayRef<int64_t>, uint64_t,
                                                          SelectedRows);
template Expected<std::vector<Value<double>>> seededInputs(mlir::func::FuncOp, ArrayRef<int64_t>, uint64_t,
                                                           SelectedRows);

SeededWeights::SeededWeights(mlir::ModuleOp module, uint64_t seed) : seed(seed) {
  for (auto weight : module.getOps<WeightOp>()) {
    Fill fill = weight.getTensorType().getRank() > 1 ? Matrix : Rows;
    for (const WeightOp::Part &part : weight.getParts()) {
      Shape shape(part.shape.begin(), part.shape.end());
      Entry &entry = entries.try_emplace(part.source, Entry{shape, fill, {}}).first->second;
      if (part.firstRow) // a tensor that has the rows of all that take some
        entry.shape[0] = std::max(entry.shape[0], *part.firstRow + shape[0]);
    }
  }
  module.walk([&](LoadWeightOp load) {
    auto weight = mlir::SymbolTable::lookupNearestSymbolFrom<WeightOp>(load, load.getWeightAttr());
    if (!weight || weight.getTransform() != WeightTransform::None)
      return;
    if (Fill fill = fillOf(load); fill != Rows)
      for (const WeightOp::Part &part : weight.getParts())
        entries[part.source].fill = fill;
  });
}

Expected<TensorView> SeededWeights::lookup(StringRef name) const {
  std::lock_guard<std::mutex> lock(mutex);
  auto found = entries.find(name);
  if (found == entries.end())
    return makeError("expected a samba.weight whose source is '{0}', found none", name);
  Entry &entry = found->second;
  if (entry.values.empty()) {
    if (numElements(entry.shape) > kMaxElements)
      return makeError("expected at most {0} elements in '{1}', got shape {2}", kMaxElements, name,
                       shapeText(entry.shape));
    entry.values.resize(numElements(entry.shape));
    Random random(seedFor(seed, name));
    for (float &value : entry.values)
      value = draw(random, Fill(entry.fill), entry.shape.empty() ? 1 : entry.shape.back());
  }
  return TensorView{DType::F32, entry.shape,
                    ArrayRef(reinterpret_cast<const uint8_t *>(entry.values.data()), 4 * entry.values.size())};
}

} // namespace samba::reference

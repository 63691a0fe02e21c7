//===- Rows.cpp - operations on single rows -------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/QuantWeight.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kThreads = 128;

/// A launch with a thread for each vector of `lanes` columns of each row; `body` gets row and column.
void launchElements(StepBuilder &s, llvm::StringRef kind, llvm::StringRef key, const Matrix &result, int64_t lanes,
                    std::vector<LaunchArgument> arguments,
                    llvm::function_ref<void(GpuEmitter &e, ValueRange arguments, Value row, Value column)> body) {
  int64_t perRow = result.width / lanes;
  StepBuilder::Spec spec{kind.str(), llvm::formatv("{0} {1} {2}", key, result.describe(), lanes), kThreads};
  spec.grid[0].times = llvm::divideCeil(perRow, kThreads);
  spec.grid[1].of = result.extent;
  s.launch(spec, std::move(arguments), [&](GpuEmitter &e, ValueRange arguments) {
    Value row = e.block(1), item = e.add(e.mul(e.block(0), kThreads), e.thread());
    auto emit = [&] { body(e, arguments, row, e.mul(item, lanes)); };
    if (perRow % kThreads == 0)
      emit();
    else
      e.when(e.less(item, e.index(perRow)), emit);
  });
}

Value elementAt(GpuEmitter &e, const Matrix &matrix, Value row, Value column) {
  return e.add(e.mul(row, matrix.stride), column);
}

int64_t lanesOf(ArrayRef<const Matrix *> matrices) {
  int64_t lanes = 8;
  for (const Matrix *matrix : matrices)
    lanes = std::min(lanes, matrix->vectorWidth(16 * 8 / matrix->element.getIntOrFloatBitWidth()));
  return lanes;
}

/// A launch that computes each element of the result from those at the same place.
void launchElementwise(StepBuilder &s, llvm::StringRef kind, ArrayRef<const Matrix *> operands, const Matrix &result,
                       llvm::function_ref<Value(GpuEmitter &e, ArrayRef<Value> values)> compute) {
  SmallVector<const Matrix *> all(operands);
  all.push_back(&result);
  std::string key;
  std::vector<LaunchArgument> arguments;
  for (const Matrix *matrix : all) {
    key += matrix->describe() + " ";
    arguments.push_back(matrix->base);
  }
  int64_t lanes = lanesOf(all);
  launchElements(s, kind, key, result, lanes, std::move(arguments),
                 [&](GpuEmitter &e, ValueRange arguments, Value row, Value column) {
                   SmallVector<SmallVector<Value>> loaded;
                   for (auto [matrix, pointer] : llvm::zip(operands, arguments))
                     loaded.push_back(e.load(pointer, matrix->element, elementAt(e, *matrix, row, column), lanes));
                   SmallVector<Value> values;
                   for (int64_t i = 0; i < lanes; ++i) {
                     SmallVector<Value> elements;
                     for (auto &vector : loaded)
                       elements.push_back(vector[i]);
                     values.push_back(compute(e, elements));
                   }
                   e.store(values, arguments.back(), result.element, elementAt(e, result, row, column));
                 });
}

/// A launch that copies the rows named by integers of `bits`.
void launchSelected(StepBuilder &s, llvm::StringRef kind, const Matrix &from, const LaunchArgument &which,
                    unsigned bits, const Matrix &result) {
  int64_t lanes = lanesOf({&from, &result});
  launchElements(s, kind, from.describe(), result, lanes, {from.base, which, result.base},
                 [&](GpuEmitter &e, ValueRange arguments, Value row, Value column) {
                   Value selected = e.loadIndex(arguments[1], bits, row);
                   SmallVector<Value> values =
                       e.load(arguments[0], from.element, elementAt(e, from, selected, column), lanes);
                   e.store(values, arguments[2], result.element, elementAt(e, result, row, column));
                 });
}

/// Rows of a quantised table: a thread takes a word of four elements, or of two times four.
void launchQuantEmbedding(StepBuilder &s, const LaunchArgument &tokens, const Matrix &table, const Matrix &result) {
  QuantWeight weight(table);
  int64_t perRow = weight.groups * weight.words, lanes = result.vectorWidth(4);
  StepBuilder::Spec spec{"embedding_quant", table.describe() + " " + result.describe(), kThreads};
  spec.grid[0].times = llvm::divideCeil(perRow, kThreads);
  spec.grid[1].of = result.extent;
  s.launch(spec, {table.base, tokens, result.base}, [&](GpuEmitter &e, ValueRange arguments) {
    Type byte = e.b.getI8Type(), word = e.b.getI32Type(), f32 = e.b.getF32Type();
    Value row = e.block(1), item = e.add(e.mul(e.block(0), kThreads), e.thread());
    e.when(e.less(item, e.index(perRow)), [&] {
      Value token = e.loadIndex(arguments[1], 32, row), own = e.remainder(token, QuantWeight::kPanel);
      Value group = e.divFloor(item, weight.words), place = e.remainder(item, weight.words);
      Value block = e.address(arguments[0], byte, weight.block(e, e.divFloor(token, QuantWeight::kPanel), group));
      Value scale = e.load(block, f32, own);
      Value inBlock = e.add(e.add(e.mul(place, QuantWeight::kPanel), own), QuantWeight::kScaleBytes / 4);
      Value codes = e.loadRaw(e.address(block, word, inBlock), word, 4);
      for (int64_t half = 0; half < weight.halves; ++half) {
        SmallVector<Value> values;
        for (Value code : weight.widen(e, codes, half))
          values.push_back(e.mulf(code, scale));
        Value column = e.add(e.mul(group, QuantWeight::kGroup), e.mul(e.add(place, half * weight.words), 4));
        for (int64_t i = 0; i < 4; i += lanes)
          e.when(e.less(e.add(column, i), e.index(table.width)), [&] {
            e.store(ArrayRef<Value>(values).slice(i, lanes), arguments[2], result.element,
                    e.add(elementAt(e, result, row, column), i));
          });
      }
    });
  });
}

} // namespace

void samba::launchEmbedding(StepBuilder &s, const LaunchArgument &tokens, const Matrix &table, const Matrix &result) {
  if (table.quant)
    return launchQuantEmbedding(s, tokens, table, result);
  launchSelected(s, "embedding", table, tokens, 32, result);
}

void samba::launchGather(StepBuilder &s, const Matrix &x, const LaunchArgument &rows, const Matrix &result) {
  launchSelected(s, "gather_rows", x, rows, 64, result);
}

void samba::launchCopy(StepBuilder &s, const Matrix &x, const Matrix &result) {
  launchElementwise(s, "copy", {&x}, result, [](GpuEmitter &, ArrayRef<Value> values) { return values[0]; });
}

void samba::launchAdd(StepBuilder &s, const Matrix &x, const Matrix &y, const Matrix &result) {
  launchElementwise(s, "add", {&x, &y}, result,
                    [](GpuEmitter &e, ArrayRef<Value> values) { return e.addf(values[0], values[1]); });
}

void samba::launchSwiglu(StepBuilder &s, const Matrix &gate, const Matrix &up, const Matrix &result) {
  launchElementwise(s, "swiglu", {&gate, &up}, result,
                    [](GpuEmitter &e, ArrayRef<Value> values) { return e.mulf(e.silu(values[0]), values[1]); });
}

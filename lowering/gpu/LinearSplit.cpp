//===- LinearSplit.cpp - products of f32 by bf16 on tensor cores ----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tensor cores multiply bf16. An x of f32 is the sum of two bf16 and a rest below 2^-17 of it: what is nearest to it,
// and what is nearest to the difference. Both are multiplied by the weights, so the result is as exact as if x had 17
// bits, and infinite where x is (also where bf16 has no finite number for it, from 3.39e38 on). That is for the inputs
// of products that a model of bf16 weights does not round; x may be bf16 too.
//
// Slices go through registers, one ahead of that which is multiplied, and may have any alignment.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/TensorTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

namespace {

constexpr TileShape kShapes[] = {{64, 64, 2, 32, 32}, {32, 64, 2, 16, 32}};

class Kernel : TensorTile {
public:
  Kernel(GpuEmitter &e, const TileShape &shape, const LinearOperands &linear, const LinearArguments &places,
         ValueRange arguments)
      : TensorTile(e, shape, linear, places, arguments, linear.x.element.isF32() ? 2 : 1) {}

  void emit() {
    addPieces(linear.x, shape.rows, /*isWeight=*/false);
    addPieces(linear.weight, shape.columns, /*isWeight=*/true);
    put(fetch(e.index(0)), e.index(0));
    e.barrier();
    SmallVector<Value> sums(countSums(), e.scalar(0));
    Value last = e.index(0);
    if (inputs > kSlice) {
      sums.push_back(last);
      sums = e.loop(e.index(kSlice), e.index(inputs), kSlice, sums, [&](Value k, ValueRange values) {
        SmallVector<Value> sums(values.drop_back());
        Value stage = values.back(), next = nextStage(stage);
        SmallVector<SmallVector<Value>> fetched = fetch(k); // arrives while the slice before is multiplied
        multiply(sums, stage);
        put(fetched, next);
        e.barrier(); // the slice is there for all, and the other stage is used up
        sums.push_back(next);
        return sums;
      });
      last = sums.pop_back_val();
    }
    multiply(sums, last);
    store(sums);
  }

private:
  /// Neighbours of one row that this thread takes to shared memory: 16 bytes of them.
  struct Piece {
    bool isWeight;
    Value rowStart, input; // the first element of the row, and the first input of the piece in a slice
    Value target;          // in a stage
  };

  static int64_t elementsOf(const Matrix &matrix) { return kWidestAccess / matrix.element.getIntOrFloatBitWidth(); }

  void addPieces(const Matrix &matrix, int64_t rowsOfTile, bool isWeight) {
    int64_t perRow = kSlice / elementsOf(matrix), perRound = shape.threads() / perRow;
    Value input = e.mul(e.bitAnd(e.thread(), perRow - 1), elementsOf(matrix));
    Value ownRow = e.divFloor(e.thread(), perRow), inChunk = e.mul(e.bitAnd(input, kChunk - 1), 2);
    for (int64_t first = 0; first < rowsOfTile; first += perRound) {
      Value row = e.add(ownRow, first), inStage = isWeight ? e.add(row, weightRow()) : row;
      Value place = e.add(placeOf(inStage, e.shiftRight(input, 3)), inChunk);
      pieces.push_back({isWeight, e.mul(isWeight ? outputOf(row) : rowOf(row), matrix.stride), input, place});
    }
  }

  /// Widened, with zeros beyond the last input.
  SmallVector<SmallVector<Value>> fetch(Value k) {
    SmallVector<SmallVector<Value>> fetched;
    for (const Piece &piece : pieces) {
      const Matrix &matrix = piece.isWeight ? linear.weight : linear.x;
      Value pointer = arguments[piece.isWeight ? places.weight : places.x];
      int64_t elements = elementsOf(matrix), lanes = matrix.vectorWidth(elements);
      SmallVector<Value> &values = fetched.emplace_back();
      for (int64_t i = 0; i < elements; i += lanes) {
        Value at = e.add(e.add(k, piece.input), i), inside;
        if (inputs % kSlice != 0) {
          inside = e.less(at, e.index(inputs));
          at = e.select(inside, at, e.index(0));
        }
        for (Value value : e.load(pointer, matrix.element, e.add(piece.rowStart, at), lanes))
          values.push_back(inside ? e.select(inside, value, e.scalar(0)) : value);
      }
    }
    return fetched;
  }

  void put(ArrayRef<SmallVector<Value>> fetched, Value stage) {
    Type byte = e.b.getI8Type(), bf16 = e.b.getBF16Type();
    for (auto [piece, values] : llvm::zip(pieces, fetched)) {
      Value target = e.address(memory, byte, e.add(stage, piece.target));
      e.store(values, target, bf16, e.index(0));
      if (piece.isWeight || parts == 1)
        continue;
      SmallVector<Value> rest;
      for (size_t i = 0; i < values.size(); i += 2) {
        auto [low, high] = e.unpackPair(e.packPair(values[i], values[i + 1]));
        rest.append({restOf(values[i], low), restOf(values[i + 1], high)});
      }
      e.store(rest, e.address(target, byte, shape.rows * kRowBytes), bf16, e.index(0));
    }
  }

  /// Nothing is left of infinity: the difference of two would make NaN of a product that is infinite.
  Value restOf(Value x, Value nearest) {
    Value finite = arith::CmpFOp::create(e.b, e.loc, arith::CmpFPredicate::OLT, e.absf(nearest),
                                         e.scalar(std::numeric_limits<double>::infinity()));
    return e.select(finite, e.subf(x, nearest), e.scalar(0));
  }

  SmallVector<Piece> pieces;
};

} // namespace

bool samba::fitsLinearSplit(const LinearOperands &linear) {
  return linear.weight.element.isBF16() && (linear.x.element.isF32() || linear.x.element.isBF16());
}

void samba::launchLinearSplit(StepBuilder &s, const LinearOperands &linear) {
  TileShape shape = chooseTile(kShapes, s.limits(), linear);
  LinearArguments places(linear);
  StepBuilder::Spec spec{"linear_split", llvm::formatv("{0} {1}x{2}", describe(linear), shape.rows, shape.columns),
                         shape.threads()};
  spec.grid[0].times = llvm::divideCeil(linear.outputs, shape.columns);
  spec.grid[1] = {linear.result.extent, shape.rows};
  s.launch(spec, places.list,
           [&](GpuEmitter &e, ValueRange arguments) { Kernel(e, shape, linear, places, arguments).emit(); });
}

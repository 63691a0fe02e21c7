//===- LinearTiles.cpp - the tiles of a matrix product --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/LinearTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace samba;

LinearTiles::LinearTiles(Emitter &e, ArrayRef<LinearPart> products, const LinearEpilogue &epilogue, int64_t width,
                         int64_t lanes, int64_t tileRows)
    : e(e), products(products), epilogue(epilogue), outputs(cast<MemRefType>(epilogue.result.getType()).getDimSize(1)),
      width(width), lanes(lanes), tileRows(tileRows) {}

void LinearTiles::emit(Value rows, Multiply multiply) {
  int64_t count = products.size();
  sums = e.threadMemory(MemRefType::get({count, tileRows, width}, e.b.getF32Type()));
  e.parallel({e.index(llvm::divideCeil(outputs, width))}, [&](ValueRange item) {
    block = item[0];
    e.loop(e.index(0), rows, tileRows, [&](Value firstRow) {
      Value height = e.minimum(e.sub(rows, firstRow), e.index(tileRows)), last = e.sub(rows, e.index(1));
      forHeights(height, [&](int64_t tileHeight) {
        SmallVector<Value> tile;
        for (int64_t r = 0; r < tileHeight; ++r)
          tile.push_back(e.minimum(e.add(firstRow, r), last));
        emitTile(tile, multiply);
      });
      finishTile(firstRow, height);
    });
  });
}

void LinearTiles::forHeights(Value height, llvm::function_ref<void(int64_t)> body) {
  // Case 0 is one row, case n 2 n rows.
  auto cases = llvm::to_vector(llvm::seq<int64_t>(0, tileRows / 2));
  Value one = arith::IndexCastUIOp::create(e.b, e.loc, e.b.getIndexType(), e.less(height, e.index(2)));
  Value number = e.sub(e.divFloor(e.add(height, 1), 2), one);
  auto choice = scf::IndexSwitchOp::create(e.b, e.loc, TypeRange{}, number, cases, cases.size());
  OpBuilder::InsertionGuard guard(e.b);
  auto fill = [&](Region &region, int64_t rows) {
    e.b.setInsertionPointToStart(&region.emplaceBlock());
    body(rows);
    scf::YieldOp::create(e.b, e.loc);
  };
  for (auto [region, value] : llvm::zip_equal(choice.getCaseRegions(), cases))
    fill(region, std::max<int64_t>(1, 2 * value));
  fill(choice.getDefaultRegion(), tileRows);
}

// One panel after the other: two streams of weights at once are slower than one.
void LinearTiles::emitTile(ArrayRef<Value> rows, Multiply multiply) {
  int64_t parts = width / lanes, height = rows.size();
  for (auto [i, product] : llvm::enumerate(products)) {
    SmallVector<Value> own = multiply(product, e.add(block, product.firstColumn / width), rows);
    for (int64_t r = 0; r < height; ++r)
      for (int64_t part = 0; part < parts; ++part)
        e.store(own[r * parts + part], sums, {e.index(i), e.index(r), e.index(part * lanes)});
  }
}

void LinearTiles::finishTile(Value firstRow, Value rows) {
  e.strip(block, outputs, width, [&](Value column, int64_t present) {
    e.loop(e.index(0), rows, 1, [&](Value row) {
      for (int64_t done = 0; done < present; done += lanes) {
        SmallVector<Value> own;
        for (size_t i = 0; i < products.size(); ++i)
          own.push_back(e.load(sums, {e.index(i), row, e.index(done)}, lanes));
        epilogue.emit(e, products, e.add(firstRow, row), e.add(column, done), own, std::min(lanes, present - done));
      }
    });
  });
}

void LinearTiles::askAhead(size_t rows, Value weight, ArrayRef<Value> place, int64_t count) {
  if (2 * int64_t(rows) <= tileRows)
    return;
  int64_t bits = cast<MemRefType>(weight.getType()).getElementTypeBitWidth(), ahead = kBytesAhead * 8 / bits;
  SmallVector<Value> line(place);
  for (int64_t done = 0; done < count; done += e.target.lineBytes * 8 / bits) {
    line.back() = e.add(place.back(), ahead + done);
    e.prefetch(weight, line, /*write=*/false, /*level=*/2);
  }
}

void LinearTiles::prefetch(Value row) {
  auto lines = [&](Value memory, bool write) {
    int64_t step = e.target.lineBytes * 8 / cast<MemRefType>(memory.getType()).getElementTypeBitWidth();
    for (int64_t done = 0; done < std::min(width, outputs); done += step) {
      Value column = e.minimum(e.add(e.mul(block, width), done), e.index(outputs - 1));
      e.prefetch(memory, {row, column}, write);
    }
  };
  lines(epilogue.result, /*write=*/true);
  if (epilogue.residual)
    lines(epilogue.residual, /*write=*/false);
}

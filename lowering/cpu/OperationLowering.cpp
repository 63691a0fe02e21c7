//===- OperationLowering.cpp - operations to the code of their kernels ----===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/FunctionLowering.h"

#include "dialect/Numerics.h"
#include "lowering/Slices.h"
#include "lowering/cpu/LoopTable.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace samba;

LogicalResult FunctionLowering::expectLayout(Operation *op, StringRef what, Value weight, LayoutKind kind) {
  if (LayoutAttr layout = layoutOf(weight); layout && layout.getKind() == kind)
    return success();
  return op->emitOpError() << "expected " << what << " in the layout " << stringifyLayoutKind(kind) << ", got "
                           << weight.getType() << " (run samba-pack-weights)";
}

static int64_t rowBytes(Value value) {
  MemRefType type = memoryType(value);
  return type.getDimSize(1) * type.getElementTypeBitWidth() / 8;
}

LogicalResult FunctionLowering::lowerOp(Operation *op) {
  e.loopInfo = isa<CostOpInterface>(op) || isa<arith::ArithDialect>(op->getDialect())
                   ? describeLoops(op, kernelName.empty() ? op->getName().stripDialect() : kernelName)
                   : DictionaryAttr();
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](KernelOp kernel) { return lowerKernel(kernel); })
      .Case([&](func::CallOp call) { return lowerCall(call); })
      .Case([&](func::ReturnOp op) { return lowerReturn(op); })
      .Case([&](ProbeOp probe) { return lowerProbe(probe); })
      .Case([&](tensor::ExtractSliceOp slice) { return lowerSlice(slice); })
      .Case([&](LinearOp linear) { return lowerLinear(linear); })
      .Case([&](YieldOp) { return success(); })
      // Sizes of slices: the lowering of a slice knows them from its source.
      .Case([&](tensor::DimOp) { return success(); })
      .Case([&](arith::ConstantOp op) {
        if (op.getType().isIndex())
          buffers[op.getResult()] = e.index(cast<IntegerAttr>(op.getValue()).getInt());
        return success();
      })
      .Case([&](LoadWeightOp load) -> LogicalResult {
        auto weight = SymbolTable::lookupNearestSymbolFrom<WeightOp>(load, load.getWeightAttr());
        if (!weight || !weight.getOffset())
          return load.emitOpError() << "expected an offset on '" << load.getWeight() << "' (run samba-plan-memory)";
        weightOffsets[load.getResult()] = e.index(*weight.getOffset());
        return success();
      })
      .Case([&](EmbeddingOp op) {
        Value tokens = buffer(op.getTokens());
        e.loopInfo = describeCopy(e.loopInfo, rowBytes(op.getResult()), "rows of the table are looked up");
        emitEmbedding(e, tokens, buffer(op.getTable()), encodingOf(op.getTable()),
                      destination(op.getResult(), e.rows(tokens)));
        return success();
      })
      .Case([&](GatherRowsOp op) {
        Value rows = buffer(op.getRows());
        e.loopInfo = describeCopy(e.loopInfo, rowBytes(op.getResult()), "rows whose logits are wanted are gathered");
        emitGatherRows(e, buffer(op.getX()), rows, destination(op.getResult(), e.rows(rows)));
        return success();
      })
      .Case<RmsNormOp, LayerNormOp, DifferentialNormOp>([&](Operation *op) {
        lowerNorm(op);
        return success();
      })
      .Case([&](QuantizeRowsOp op) {
        if (roundingLoop(op))
          return success();
        Value x = buffer(op.getX());
        emitQuantizeRows(e, x, op.getQuant(), destination(op.getResult(), e.rows(x)));
        return success();
      })
      .Case([&](SwigluOp swiglu) { return lowerSwiglu(swiglu); })
      .Case([&](arith::AddFOp op) -> LogicalResult {
        if (buffers.contains(op.getResult())) // the epilogue of a linear
          return success();
        if (!isRows(op.getResult()))
          return op.emitOpError() << "expected rows of activations, got " << op.getType();
        Value x = buffer(op.getLhs());
        emitAdd(e, x, buffer(op.getRhs()), destination(op.getResult(), e.rows(x)));
        return success();
      })
      .Case([&](arith::TruncFOp op) -> LogicalResult {
        if (buffers.contains(op.getResult()) || roundingLoop(op)) // the value is stored rounded
          return success();
        if (!isRows(op.getResult()))
          return op.emitOpError() << "expected rows of activations, got " << op.getType();
        Value x = buffer(op.getIn());
        e.loopInfo = describeCopy(e.loopInfo, rowBytes(op.getResult()), "it is rounded, and read in both types");
        emitCopy(e, x, destination(op.getResult(), e.rows(x)));
        return success();
      })
      .Case([&](arith::ExtFOp op) -> LogicalResult {
        if (!isRows(op.getResult()))
          return op.emitOpError() << "expected rows of activations, got " << op.getType();
        Value x = buffer(op.getIn());
        emitCopy(e, x, destination(op.getResult(), e.rows(x)));
        return success();
      })
      .Case([&](RotaryTableOp op) {
        Value segments = buffer(op.getSegments());
        Value tokens = e.loadIndex(segments, e.sub(e.rows(segments), e.index(1)));
        emitRotaryTable(e, segments, buffer(op.getPositions()), op.getTheta().convertToDouble(),
                        op->hasAttr(kNarrowAngles), destination(op.getResult(), tokens));
        return success();
      })
      .Case([&](RotaryOp op) { return lowerRotations(op); })
      .Case([&](CausalConv1dOp op) -> LogicalResult {
        if (failed(expectLayout(op, "the weight", op.getWeight(), LayoutKind::Transposed)))
          return failure();
        lowerConvolution(op);
        return success();
      })
      .Case([&](SelectiveScanOp op) -> LogicalResult {
        if (failed(expectLayout(op, "A", op.getA(), LayoutKind::Transposed)))
          return failure();
        lowerScan(op);
        return success();
      })
      .Case([&](SlidingWindowAttentionOp op) {
        lowerAttention(op);
        return success();
      })
      .Case([&](CrossAttentionOp op) {
        lowerCrossAttention(op);
        return success();
      })
      .Default([&](Operation *op) { return op->emitOpError() << "has no lowering to the CPU"; });
}

LogicalResult FunctionLowering::lowerSlice(tensor::ExtractSliceOp slice) {
  FailureOr<int64_t> first = firstColumnOf(slice);
  if (failed(first))
    return failure();
  if (auto linear = slice.getSource().getDefiningOp<LinearOp>(); linear && gateOf(linear))
    return success();
  Value from = buffer(slice.getSource());
  SmallVector<OpFoldResult> zeroAnd{e.b.getIndexAttr(0), e.b.getIndexAttr(*first)};
  SmallVector<OpFoldResult> sizes{e.rows(from), e.b.getIndexAttr(slice.getType().getDimSize(1))};
  SmallVector<OpFoldResult> strides(2, e.b.getIndexAttr(1));
  buffers[slice.getResult()] = memref::SubViewOp::create(e.b, e.loc, from, zeroAnd, sizes, strides);
  return success();
}

LogicalResult FunctionLowering::lowerProducts(ArrayRef<LinearOp> linears, ArrayRef<int64_t> columns, Value residual,
                                              Value result) {
  LinearOp linear = linears.front();
  auto quant = dyn_cast_or_null<QuantAttr>(encodingOf(linear.getWeight()));
  if (quant && !quant.getWidth())
    return linear.emitOpError() << "expected the weight in panels, got " << linear.getWeight().getType()
                                << " (run samba-pack-weights)";
  if (quant && !encodingOf(linear.getX()))
    return linear.emitOpError() << "expected rows quantised like the weight, got " << linear.getX().getType()
                                << " (quantise-rows of samba-set-precision)";
  bool narrow = linear.getWeight().getType().getElementType().isBF16();
  LayoutKind wanted = narrow ? LayoutKind::PanelPairs : LayoutKind::Panel;
  if (!quant && failed(expectLayout(linear, "the weight", linear.getWeight(), wanted)))
    return failure();
  Value x = buffer(linear.getX());
  SmallVector<LinearPart> parts;
  for (auto [i, column] : llvm::enumerate(columns)) {
    LinearOp product = linears[i];
    parts.push_back({buffer(product.getWeight()), buffer(product.getBias()), column});
  }
  LinearEpilogue epilogue{buffer(residual), destination(result, e.rows(x))};
  if (quant)
    emitQuantLinear(e, x, parts, quant, epilogue);
  else
    emitLinear(e, x, parts, layoutOf(linear.getWeight()), epilogue);
  return success();
}

LogicalResult FunctionLowering::lowerLinear(LinearOp linear) {
  if (gateOf(linear)) // computed with the gate
    return success();
  Value residual, result = linear.getResult();
  if (arith::AddFOp addition = fusedAddition(linear)) {
    residual = addition.getLhs() == result ? addition.getRhs() : addition.getLhs();
    result = addition.getResult();
  }
  return lowerProducts(linear, 0, residual, result);
}

LogicalResult FunctionLowering::lowerSwiglu(SwigluOp swiglu) {
  if (std::optional<FusedGate> fused = fusedGate(swiglu)) {
    e.loopInfo = describeGate(*fused, swiglu, kernelName);
    return lowerProducts({fused->gate, fused->up}, {fused->gateColumn, fused->upColumn}, {}, swiglu.getResult());
  }
  Value gate = buffer(swiglu.getGate());
  emitSwiglu(e, gate, buffer(swiglu.getUp()), destination(swiglu.getResult(), e.rows(gate)));
  return success();
}

void FunctionLowering::lowerNorm(Operation *op) {
  Value x = buffer(op->getOperand(0)), rows = e.rows(x), result = op->getResult(0);
  EmitNormOfRow emitRow =
      llvm::TypeSwitch<Operation *, EmitNormOfRow>(op)
          .Case([&](RmsNormOp norm) {
            return rmsNorm(e, x, buffer(norm.getWeight()), norm.getEps().convertToDouble(),
                           norm->hasAttr(kRoundNormalised));
          })
          .Case([&](LayerNormOp norm) {
            return layerNorm(e, x, buffer(norm.getWeight()), buffer(norm.getBias()), norm.getEps().convertToDouble());
          })
          .Case([&](DifferentialNormOp norm) {
            return differentialNorm(e, x, buffer(norm.getLambda()), buffer(norm.getWeight()), buffer(norm.getDepth()),
                                    norm.getPairs(), norm.getEps().convertToDouble());
          });
  Value to = destination(result, rows);
  // Results of a function are written where the caller wants them.
  if (!isPrologue(op) || !cast<MemRefType>(to.getType()).getLayout().isIdentity())
    return emitNorm(e, rows, emitRow, to);
  e.loopInfo = describeCondition(e.loopInfo, "rows", kPrologueRows);
  Value own = emitNormPrologue(e, rows, emitRow, to);
  buffers[result] = own;
  if (arith::TruncFOp rounding = fusedRounding(result))
    buffers[rounding.getResult()] = own;
}

/// A view that stands later in the block than its first reader.
LogicalResult FunctionLowering::lowerSlicesOf(Value value) {
  auto slice = value.getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice || buffers.contains(value))
    return success();
  return failed(lowerSlicesOf(slice.getSource())) ? failure() : lowerSlice(slice);
}

// With the first one of a kernel come others whose rows are there, and the roundings of keys and values.
LogicalResult FunctionLowering::lowerRotations(RotaryOp rotary) {
  if (fusedRotation(rotary))
    return success();
  SmallVector<RotaryPart> parts;
  llvm::DenseMap<Value, size_t> partOf; // rotated values
  for (Operation &op : *rotary->getBlock()) {
    auto other = dyn_cast<RotaryOp>(op);
    bool rotates = other && (other == rotary || fusedRotation(other) == rotary);
    if (!rotates && roundingLoop(&op) != rotary)
      continue;
    Value x = op.getOperand(0), result = op.getResult(0);
    auto known = partOf.find(x);
    if (known == partOf.end() && failed(lowerSlicesOf(x)))
      return failure();
    RotaryPart &part = known == partOf.end() ? parts.emplace_back() : parts[known->second];
    if (known == partOf.end())
      part.x = buffer(x);
    (rotates ? part.rotated : part.rounded) = destination(result, e.rows(part.x));
    if (rotates)
      partOf[result] = parts.size() - 1;
    else
      part.quant = dyn_cast_or_null<QuantAttr>(encodingOf(result));
  }
  emitRotary(e, parts, buffer(rotary.getTable()), rotary->hasAttr(kRoundProducts));
  return success();
}

void FunctionLowering::lowerConvolution(CausalConv1dOp conv) {
  StateBuffer state = stateSlots.lookup(conv.getState());
  Value x = buffer(conv.getX());
  emitCausalConv1d(e, x, buffer(conv.getWeight()), buffer(conv.getBias()), buffer(conv.getSegments()), state,
                   conv.getActivation(), destination(conv.getResult(), e.rows(x)));
  stateSlots[conv.getNewState()] = state;
}

void FunctionLowering::lowerScan(SelectiveScanOp scan) {
  StateBuffer state = stateSlots.lookup(scan.getState());
  ScanBuffers b;
  b.u = buffer(scan.getU());
  b.delta = buffer(scan.getDelta());
  b.A = buffer(scan.getA());
  b.B = buffer(scan.getB());
  b.C = buffer(scan.getC());
  b.segments = buffer(scan.getSegments());
  b.D = buffer(scan.getD());
  b.z = buffer(scan.getZ());
  b.deltaBias = buffer(scan.getDeltaBias());
  b.softplus = scan.getDeltaSoftplus();
  b.plainLog = scan->hasAttr(kPlainLog);
  b.roundState = scan->hasAttr(kRoundState);
  b.roundOutput = scan->hasAttr(kRoundOutput);
  b.result = destination(scan.getResult(), e.rows(b.u));
  emitSelectiveScan(e, b, state);
  stateSlots[scan.getNewState()] = state;
}

void FunctionLowering::lowerAttention(SlidingWindowAttentionOp attention) {
  StateBuffer keys = stateSlots.lookup(attention.getKeyState());
  StateBuffer values = stateSlots.lookup(attention.getValueState());
  AttentionBuffers b;
  b.q = buffer(attention.getQ());
  b.k = buffer(attention.getK());
  b.v = buffer(attention.getV());
  b.segments = buffer(attention.getSegments());
  b.positions = buffer(attention.getPositions());
  b.windowed = attention.getWindow().has_value();
  b.roundWeights = attention->hasAttr(kRoundWeights);
  b.result = destination(attention.getResult(), e.rows(b.q));
  emitAttention(e, b, keys, values);
  stateSlots[attention.getNewKeyState()] = keys;
  stateSlots[attention.getNewValueState()] = values;
}

void FunctionLowering::lowerCrossAttention(CrossAttentionOp attention) {
  StateBuffer keys = stateSlots.lookup(attention.getKeyState());
  StateBuffer values = stateSlots.lookup(attention.getValueState());
  CrossAttentionBuffers b;
  b.roundWeights = attention->hasAttr(kRoundWeights);
  b.q = buffer(attention.getQ());
  b.rows = buffer(attention.getRows());
  b.segments = buffer(attention.getSegments());
  b.positions = buffer(attention.getPositions());
  b.result = destination(attention.getResult(), e.rows(b.q));
  emitCrossAttention(e, b, keys, values);
  stateSlots[attention.getNewKeyState()] = keys;
  stateSlots[attention.getNewValueState()] = values;
}

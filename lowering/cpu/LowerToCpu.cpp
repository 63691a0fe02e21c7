//===- LowerToCpu.cpp - kernels to parallel loops over memory -------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// This file decides where values live and how functions call each other; how an operation is computed stands in the
// files of Kernels.h. A lowered private function takes, in this order:
//
//   team     !llvm.ptr        the calling thread's samba_team
//   states   !llvm.ptr        one pointer per sequence
//   weights  memref<?xi8>     the artefact's weights
//   arena    memref<?xi8>     scratch memory
//   arenaRows, arenaBase, weightBase, stateBase : index
//   a memref for each argument that is neither weight nor state, then one for each result that is not a state.
//
//===----------------------------------------------------------------------===//

#include "lowering/Passes.h"
#include "lowering/cpu/ArenaPlan.h"
#include "lowering/cpu/Kernels.h"
#include "lowering/cpu/LoopTable.h"
#include "passes/MemoryLayout.h"
#include "samba/abi.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/ScopeExit.h"
#include <cstddef>

namespace samba {
#define GEN_PASS_DEF_SAMBALOWERTOCPU
#include "lowering/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

/// How a tensor lies in memory: a weight in its packed shape, anything else row-major.
MemRefType memoryType(RankedTensorType type) {
  if (auto quant = dyn_cast_or_null<QuantAttr>(type.getEncoding())) {
    Type byte = IntegerType::get(type.getContext(), 8);
    if (!quant.getWidth())
      return MemRefType::get({type.getDimSize(0), quant.getRowBytes(type.getDimSize(1))}, byte);
    int64_t panels = llvm::divideCeil(type.getDimSize(0), quant.getWidth());
    return MemRefType::get({panels, quant.groupsOf(type.getDimSize(1)), quant.getBlockBytes()}, byte);
  }
  auto layout = dyn_cast_or_null<LayoutAttr>(type.getEncoding());
  if (!layout)
    return MemRefType::get(type.getShape(), type.getElementType());
  int64_t outputs = type.getDimSize(0), inputs = type.getDimSize(1), width = layout.getWidth();
  if (layout.getKind() == LayoutKind::Transposed)
    return MemRefType::get({inputs, outputs}, type.getElementType());
  int64_t panels = llvm::divideCeil(outputs, width), interleave = layout.getInterleave();
  int64_t groups = llvm::divideCeil(inputs, interleave);
  return MemRefType::get({panels, groups, width * interleave}, type.getElementType());
}

MemRefType memoryType(Value value) { return memoryType(cast<RankedTensorType>(value.getType())); }

Attribute encodingOf(Value value) { return cast<RankedTensorType>(value.getType()).getEncoding(); }

LayoutAttr layoutOf(Value value) { return dyn_cast_or_null<LayoutAttr>(encodingOf(value)); }

/// What every lowered function has at hand.
struct Frame {
  Value call, team, states, weights, arena, arenaRows, arenaBase; // `call` only in public functions
};

class FunctionLowering {
public:
  FunctionLowering(func::FuncOp source, const ArenaPlan &plan, const CpuTarget &target, OpBuilder &builder)
      : source(source), plan(plan), e(builder, source.getLoc(), target) {}

  LogicalResult lower() {
    if (failed(source.isPublic() ? createEntry() : createPrivate()))
      return failure();
    for (Operation &op : source.getBody().front()) {
      e.loc = op.getLoc();
      if (failed(lowerOp(&op)))
        return failure();
    }
    return success();
  }

private:
  // ---- Signatures.
  LogicalResult createPrivate();
  LogicalResult createEntry();
  func::FuncOp createFunction(TypeRange arguments, unsigned teamArgument);

  // ---- Where values live.
  Value buffer(Value value);
  Value destination(Value value, Value rows);
  Value arenaView(int64_t offset, MemRefType type, Value rows);

  // ---- Operations.
  LogicalResult lowerOp(Operation *op);
  LogicalResult lowerKernel(KernelOp kernel);
  LogicalResult lowerCall(func::CallOp call);
  LogicalResult lowerReturn(func::ReturnOp op);
  LogicalResult lowerProbe(ProbeOp probe);
  LogicalResult lowerSlice(tensor::ExtractSliceOp slice);
  LogicalResult lowerLinear(LinearOp linear);
  void lowerConvolution(CausalConv1dOp conv);
  void lowerScan(SelectiveScanOp scan);
  void lowerAttention(SlidingWindowAttentionOp attention);
  LogicalResult expectLayout(Operation *op, StringRef what, Value weight, LayoutKind kind);

  func::FuncOp source;
  const ArenaPlan &plan;
  Emitter e;
  Frame frame;
  SmallVector<Value> resultBuffers;              // by result number; null for states
  llvm::DenseMap<Value, Value> buffers;          // rows and vectors -> memref
  llvm::DenseMap<Value, Value> weightOffsets;    // weights -> byte offset
  llvm::DenseMap<Value, StateBuffer> stateSlots; // states
  StringRef kernelName;                          // of the kernel that is being lowered; else empty
  llvm::DenseMap<Value, Value> sameAs;           // values inside a kernel -> the kernel's result they become
};

//===----------------------------------------------------------------------===//
// Signatures
//===----------------------------------------------------------------------===//

func::FuncOp FunctionLowering::createFunction(TypeRange arguments, unsigned teamArgument) {
  std::string name = source.getSymName().str();
  source.setSymName(name + ".samba"); // gives the name free; the source is erased when all is lowered
  auto function = func::FuncOp::create(e.b, source.getLoc(), name, e.b.getFunctionType(arguments, {}));
  function.setVisibility(source.getVisibility());
  function.setArgAttr(teamArgument, "samba.team", e.b.getUnitAttr());
  e.b.setInsertionPointToStart(function.addEntryBlock());
  return function;
}

LogicalResult FunctionLowering::createPrivate() {
  Type pointer = LLVM::LLVMPointerType::get(e.b.getContext());
  Type bytes = MemRefType::get({ShapedType::kDynamic}, e.b.getI8Type()), index = e.b.getIndexType();
  SmallVector<Type> types{pointer, pointer, bytes, bytes, index, index, index, index};
  constexpr unsigned kFixed = 8;
  ArgumentOffsets offsets = relativeOffsets(source);
  for (auto [i, argument] : llvm::enumerate(source.getArguments()))
    if (!offsets.weights[i] && !offsets.states[i])
      types.push_back(memoryType(argument));
  for (Type type : source.getResultTypes())
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      types.push_back(memoryType(tensor));

  Block &entry = createFunction(types, 0).getBody().front();
  auto argument = [&](unsigned i) -> Value { return entry.getArgument(i); };
  frame = {{}, argument(0), argument(1), argument(2), argument(3), argument(4), argument(5)};
  Value weightBase = argument(6), stateBase = argument(7);
  unsigned next = kFixed;
  for (auto [i, value] : llvm::enumerate(source.getArguments())) {
    if (offsets.weights[i])
      weightOffsets[value] = e.add(weightBase, *offsets.weights[i]);
    else if (offsets.states[i])
      stateSlots[value] = {frame.states, e.add(stateBase, *offsets.states[i]), cast<StateType>(value.getType())};
    else
      buffers[value] = argument(next++);
  }
  for (Type type : source.getResultTypes())
    resultBuffers.push_back(isa<RankedTensorType>(type) ? argument(next++) : Value());
  return success();
}

LogicalResult FunctionLowering::createEntry() {
  Type pointer = LLVM::LLVMPointerType::get(e.b.getContext()), word = e.b.getI64Type();
  auto bytes = MemRefType::get({ShapedType::kDynamic}, e.b.getI8Type());
  Block &entry = createFunction({pointer, pointer}, 1).getBody().front();
  Value call = entry.getArgument(0);
  auto wordField = [&](Value base, size_t offset) -> Value {
    return arith::IndexCastOp::create(e.b, e.loc, e.b.getIndexType(), e.loadField(base, offset, word));
  };
  Value arenaRows = wordField(call, offsetof(samba_call, arena_rows));
  Value weights = e.memrefAt(e.loadField(call, offsetof(samba_call, weights), pointer), bytes, e.index(0));
  Value arena = e.memrefAt(e.loadField(call, offsetof(samba_call, arena), pointer), bytes, e.index(0));
  Value states = e.loadField(call, offsetof(samba_call, states), pointer);
  frame = {call, entry.getArgument(1), states, weights, arena, arenaRows, e.index(0)};

  Value inputs = e.loadField(call, offsetof(samba_call, inputs), pointer);
  Value outputs = e.loadField(call, offsetof(samba_call, outputs), pointer);
  auto bufferAt = [&](Value array, int64_t i, RankedTensorType type) {
    size_t base = i * sizeof(samba_buffer);
    Value data = e.loadField(array, base + offsetof(samba_buffer, data), pointer);
    return e.memrefAt(data, memoryType(type), wordField(array, base + offsetof(samba_buffer, rows)));
  };
  int64_t input = 0, output = 0;
  for (auto [i, argument] : llvm::enumerate(source.getArguments())) {
    if (auto type = dyn_cast<RankedTensorType>(argument.getType())) {
      buffers[argument] = bufferAt(inputs, input++, type);
      continue;
    }
    auto type = dyn_cast<StateType>(argument.getType());
    auto offset = source.getArgAttrOfType<IntegerAttr>(i, "samba.offset");
    if (!type || !offset)
      return source.emitOpError() << "expected a samba.offset on argument " << i << " of type " << argument.getType()
                                  << " (run samba-plan-memory)";
    stateSlots[argument] = {frame.states, e.index(offset.getInt()), type};
  }
  for (Type type : source.getResultTypes()) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    resultBuffers.push_back(tensor ? bufferAt(outputs, output++, tensor) : Value());
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Where values live
//===----------------------------------------------------------------------===//

Value FunctionLowering::buffer(Value value) {
  if (!value)
    return {};
  if (auto offset = weightOffsets.find(value); offset != weightOffsets.end())
    return memref::ViewOp::create(e.b, e.loc, memoryType(value), frame.weights, offset->second, ValueRange{});
  return buffers.lookup(value);
}

Value FunctionLowering::arenaView(int64_t offset, MemRefType type, Value rows) {
  Value place = e.mul(e.add(frame.arenaBase, offset), frame.arenaRows);
  return memref::ViewOp::create(e.b, e.loc, type, frame.arena, place, ValueRange{rows});
}

Value FunctionLowering::destination(Value value, Value rows) {
  if (arith::TruncFOp rounding = fusedRounding(value))
    return buffers[value] = destination(rounding.getResult(), rows);
  Value planned = sameAs.lookup(value);
  if (!planned)
    planned = value;
  auto result = plan.results.find(planned);
  Value memory = result != plan.results.end() ? resultBuffers[result->second]
                                              : arenaView(plan.offsets.lookup(planned), memoryType(value), rows);
  return buffers[value] = memory;
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

LogicalResult FunctionLowering::expectLayout(Operation *op, StringRef what, Value weight, LayoutKind kind) {
  if (LayoutAttr layout = layoutOf(weight); layout && layout.getKind() == kind)
    return success();
  return op->emitOpError() << "expected " << what << " in the layout " << stringifyLayoutKind(kind) << ", got "
                           << weight.getType() << " (run samba-pack-weights)";
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
      .Case([&](arith::ConstantOp) { return success(); })
      .Case([&](LoadWeightOp load) -> LogicalResult {
        auto weight = SymbolTable::lookupNearestSymbolFrom<WeightOp>(load, load.getWeightAttr());
        if (!weight || !weight.getOffset())
          return load.emitOpError() << "expected an offset on '" << load.getWeight() << "' (run samba-plan-memory)";
        weightOffsets[load.getResult()] = e.index(*weight.getOffset());
        return success();
      })
      .Case([&](EmbeddingOp op) {
        Value tokens = buffer(op.getTokens());
        emitEmbedding(e, tokens, buffer(op.getTable()), encodingOf(op.getTable()), destination(op.getResult(), e.rows(tokens)));
        return success();
      })
      .Case([&](GatherRowsOp op) {
        Value rows = buffer(op.getRows());
        emitGatherRows(e, buffer(op.getX()), rows, destination(op.getResult(), e.rows(rows)));
        return success();
      })
      .Case([&](RmsNormOp op) {
        Value x = buffer(op.getX());
        emitRmsNorm(e, x, buffer(op.getWeight()), op.getEps().convertToDouble(),
                    destination(op.getResult(), e.rows(x)));
        return success();
      })
      .Case([&](QuantizeRowsOp op) {
        Value x = buffer(op.getX());
        emitQuantizeRows(e, x, op.getQuant(), destination(op.getResult(), e.rows(x)));
        return success();
      })
      .Case([&](SwigluOp op) {
        Value gate = buffer(op.getGate());
        emitSwiglu(e, gate, buffer(op.getUp()), destination(op.getResult(), e.rows(gate)));
        return success();
      })
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
        if (buffers.contains(op.getResult())) // the value was stored rounded
          return success();
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
                        destination(op.getResult(), tokens));
        return success();
      })
      .Case([&](RotaryOp op) {
        Value x = buffer(op.getX());
        emitRotary(e, x, buffer(op.getTable()), destination(op.getResult(), e.rows(x)));
        return success();
      })
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
      .Case([&](SlidingWindowAttentionOp op) -> LogicalResult {
        if (!op.getKeyState().getType().getElementType().isF32())
          return op.emitOpError() << "expected key and value states of f32, got " << op.getKeyState().getType();
        lowerAttention(op);
        return success();
      })
      .Default([&](Operation *op) { return op->emitOpError() << "has no lowering to the CPU"; });
}

LogicalResult FunctionLowering::lowerKernel(KernelOp kernel) {
  Block &body = kernel.getBody().front();
  for (auto [argument, operand] : llvm::zip(body.getArguments(), kernel.getInputs())) {
    if (auto state = stateSlots.find(operand); state != stateSlots.end())
      stateSlots[argument] = StateBuffer(state->second);
    else if (auto weight = weightOffsets.find(operand); weight != weightOffsets.end())
      weightOffsets[argument] = Value(weight->second);
    else
      buffers[argument] = buffers.lookup(operand);
  }
  kernelName = kernel.getName();
  llvm::scope_exit leave([&] { kernelName = {}; });
  Operation *yield = body.getTerminator();
  for (auto [value, result] : llvm::zip(yield->getOperands(), kernel.getResults()))
    if (isRows(value) && value.getDefiningOp() && !isa<tensor::ExtractSliceOp>(value.getDefiningOp()))
      sameAs.try_emplace(value, result);
  for (Operation &op : body) {
    e.loc = op.getLoc();
    if (failed(lowerOp(&op)))
      return failure();
  }
  for (auto [value, result] : llvm::zip(yield->getOperands(), kernel.getResults())) {
    if (isa<StateType>(value.getType())) {
      stateSlots[result] = StateBuffer(stateSlots.lookup(value));
    } else if (sameAs.lookup(value) == result) {
      buffers[result] = buffer(value);
    } else { // an argument, a view, or yielded twice
      Value from = buffer(value);
      emitCopy(e, from, destination(result, e.rows(from)));
    }
  }
  return success();
}

LogicalResult FunctionLowering::lowerCall(func::CallOp call) {
  Value weightBase = e.index(0), stateBase = e.index(0), rows;
  bool seenWeight = false, seenState = false;
  SmallVector<Value> tensors;
  for (Value operand : call.getOperands()) {
    if (auto state = stateSlots.find(operand); state != stateSlots.end()) {
      stateBase = std::exchange(seenState, true) ? stateBase : state->second.offset;
    } else if (auto weight = weightOffsets.find(operand); weight != weightOffsets.end()) {
      weightBase = std::exchange(seenWeight, true) ? weightBase : weight->second;
    } else {
      Value memory = buffers.lookup(operand);
      auto dense = memoryType(operand);
      if (memory.getType() != dense)
        return call.emitOpError() << "expected a dense argument, got a slice of columns";
      tensors.push_back(memory);
      if (!rows && dense.getRank() == 2)
        rows = e.rows(memory);
    }
  }
  SmallVector<Value> operands{frame.team,
                              frame.states,
                              frame.weights,
                              frame.arena,
                              frame.arenaRows,
                              e.add(frame.arenaBase, plan.calls.lookup(call)),
                              weightBase,
                              stateBase};
  operands.append(tensors);
  // A called function maps rows to rows: its results have as many as its first matrix.
  SmallVector<Value> states;
  for (Value operand : call.getOperands())
    if (stateSlots.contains(operand))
      states.push_back(operand);
  size_t nextState = 0;
  for (Value result : call.getResults()) {
    if (isa<StateType>(result.getType())) {
      if (nextState == states.size() || states[nextState].getType() != result.getType())
        return call.emitOpError() << "expected to return its states in the order of its arguments";
      stateSlots[result] = StateBuffer(stateSlots.lookup(states[nextState++]));
    } else if (!rows) {
      return call.emitOpError() << "expected a matrix among the arguments, to know the rows of the result";
    } else {
      operands.push_back(destination(result, rows));
    }
  }
  func::CallOp::create(e.b, e.loc, call.getCallee(), TypeRange{}, operands);
  return success();
}

LogicalResult FunctionLowering::lowerReturn(func::ReturnOp op) {
  SmallVector<Value> stateArguments;
  for (Value argument : source.getArguments())
    if (isa<StateType>(argument.getType()))
      stateArguments.push_back(argument);
  size_t nextState = 0;
  for (auto [i, value] : llvm::enumerate(op.getOperands())) {
    if (isa<StateType>(value.getType())) {
      // In place: the value returned must be the argument it started from.
      if (nextState == stateArguments.size() ||
          stateSlots.lookup(value).offset != stateSlots.lookup(stateArguments[nextState]).offset)
        return op.emitOpError() << "expected to return the states in the order of the arguments";
      ++nextState;
      continue;
    }
    auto planned = plan.results.find(value);
    if (planned == plan.results.end() || planned->second != i)
      emitCopy(e, buffer(value), resultBuffers[i]);
  }
  func::ReturnOp::create(e.b, e.loc);
  return success();
}

// One thread shows the value; the others wait, because the buffer may be the next kernel's.
LogicalResult FunctionLowering::lowerProbe(ProbeOp probe) {
  Value memory = buffer(probe.getX());
  auto type = cast<MemRefType>(memory.getType());
  if (!frame.call || !type.getLayout().isIdentity())
    return probe.emitOpError() << "expected in a public function, on a value that is no slice";
  Type pointer = LLVM::LLVMPointerType::get(e.b.getContext()), word = e.b.getI64Type(), half = e.b.getI32Type();
  Value callback = e.loadField(frame.call, offsetof(samba_call, probe), pointer);
  Value null = LLVM::ZeroOp::create(e.b, e.loc, pointer);
  Value present = LLVM::ICmpOp::create(e.b, e.loc, LLVM::ICmpPredicate::ne, callback, null);
  e.when(present, [&] {
    e.parallel({e.index(1)}, [&](ValueRange) {
      Value user = e.loadField(frame.call, offsetof(samba_call, probe_user), pointer);
      Value number = LLVM::ConstantOp::create(e.b, e.loc, half, probe.getIndexAttr());
      Value address = memref::ExtractAlignedPointerAsIndexOp::create(e.b, e.loc, memory);
      Value data = LLVM::IntToPtrOp::create(e.b, e.loc, pointer,
                                            arith::IndexCastOp::create(e.b, e.loc, word, address).getResult());
      Value rows = arith::IndexCastOp::create(e.b, e.loc, word, e.rows(memory));
      Value columns = LLVM::ConstantOp::create(e.b, e.loc, word, e.b.getI64IntegerAttr(type.getDimSize(1)));
      auto signature = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(e.b.getContext()),
                                                   {pointer, half, pointer, word, word});
      LLVM::CallOp::create(e.b, e.loc, signature, ValueRange{callback, user, number, data, rows, columns});
    });
  });
  return success();
}

LogicalResult FunctionLowering::lowerSlice(tensor::ExtractSliceOp slice) {
  auto type = slice.getType();
  auto offsets = slice.getStaticOffsets();
  if (type.getRank() != 2 || slice.getSourceType().getRank() != 2 || offsets[0] != 0 ||
      ShapedType::isDynamic(offsets[1]) || slice.getStaticStrides() != ArrayRef<int64_t>({1, 1}) ||
      !type.isDynamicDim(0))
    return slice.emitOpError() << "expected a slice of columns of a matrix of rows";
  Value from = buffer(slice.getSource());
  SmallVector<OpFoldResult> zeroAnd{e.b.getIndexAttr(0), e.b.getIndexAttr(offsets[1])};
  SmallVector<OpFoldResult> sizes{e.rows(from), e.b.getIndexAttr(type.getDimSize(1))};
  SmallVector<OpFoldResult> strides(2, e.b.getIndexAttr(1));
  buffers[slice.getResult()] = memref::SubViewOp::create(e.b, e.loc, from, zeroAnd, sizes, strides);
  return success();
}

LogicalResult FunctionLowering::lowerLinear(LinearOp linear) {
  auto quant = dyn_cast_or_null<QuantAttr>(encodingOf(linear.getWeight()));
  if (quant && !quant.getWidth())
    return linear.emitOpError() << "expected the weight in panels, got " << linear.getWeight().getType()
                                << " (run samba-pack-weights)";
  bool narrow = linear.getWeight().getType().getElementType().isBF16();
  LayoutKind wanted = narrow ? LayoutKind::PanelPairs : LayoutKind::Panel;
  if (!quant && failed(expectLayout(linear, "the weight", linear.getWeight(), wanted)))
    return failure();
  Value x = buffer(linear.getX()), residual, result = linear.getResult();
  if (arith::AddFOp addition = fusedAddition(linear)) {
    residual = buffer(addition.getLhs() == result ? addition.getRhs() : addition.getLhs());
    result = addition.getResult();
  }
  Value weight = buffer(linear.getWeight()), bias = buffer(linear.getBias());
  Value to = destination(result, e.rows(x));
  if (quant)
    emitQuantLinear(e, x, weight, quant, bias, residual, to);
  else
    emitLinear(e, x, weight, layoutOf(linear.getWeight()), bias, residual, to);
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
  b.result = destination(attention.getResult(), e.rows(b.q));
  emitAttention(e, b, keys, values);
  stateSlots[attention.getNewKeyState()] = keys;
  stateSlots[attention.getNewValueState()] = values;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

class LowerToCpu : public samba::impl::SambaLowerToCpuBase<LowerToCpu> {
public:
  using SambaLowerToCpuBase::SambaLowerToCpuBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::Expected<CpuTarget> cpu = CpuTarget::get(target);
    if (!cpu) {
      module.emitError() << llvm::toString(cpu.takeError());
      return signalPassFailure();
    }
    SmallVector<func::FuncOp> functions;
    for (auto function : module.getOps<func::FuncOp>())
      if (!function.isDeclaration())
        functions.push_back(function);

    int64_t arenaBytes = 0;
    for (func::FuncOp function : functions) {
      if (failed(planFunction(function)))
        return signalPassFailure();
      if (function.isPublic())
        arenaBytes = std::max(arenaBytes, plans[function].size);
    }
    for (func::FuncOp function : functions) {
      OpBuilder builder(function);
      if (failed(FunctionLowering(function, plans[function], *cpu, builder).lower()))
        return signalPassFailure();
    }
    for (func::FuncOp function : functions)
      function.erase();
    for (auto weight : llvm::make_early_inc_range(module.getOps<WeightOp>()))
      weight.erase();
    recordLoopTable(module);
    module->setAttr("samba.arena_bytes_per_token", IntegerAttr::get(IntegerType::get(&getContext(), 64), arenaBytes));
  }

private:
  /// Plans a function after those it calls. A function on the way to itself is refused.
  LogicalResult planFunction(func::FuncOp function) {
    if (plans.contains(function))
      return success();
    if (!inProgress.insert(function).second)
      return function.emitOpError() << "expected no recursion";
    auto result = function.walk([&](func::CallOp call) {
      auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(call, call.getCalleeAttr());
      if (!callee || callee.isDeclaration() || callee.isPublic()) {
        call.emitOpError() << "expected '" << call.getCallee() << "' to be a private function of samba IR";
        return WalkResult::interrupt();
      }
      return failed(planFunction(callee)) ? WalkResult::interrupt() : WalkResult::advance();
    });
    if (result.wasInterrupted())
      return failure();
    FailureOr<ArenaPlan> plan = planArena(function, sizes);
    if (failed(plan))
      return failure();
    sizes[function.getSymName()] = plan->size;
    plans[function] = std::move(*plan);
    return success();
  }

  llvm::DenseMap<func::FuncOp, ArenaPlan> plans;
  llvm::DenseSet<func::FuncOp> inProgress;
  llvm::StringMap<int64_t> sizes;
};

} // namespace

//===- FunctionLowering.cpp - one function, from values to memory ---------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/FunctionLowering.h"

#include "lowering/cpu/LoopTable.h"
#include "passes/MemoryLayout.h"
#include "samba/abi.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cstddef>

using namespace mlir;
using namespace samba;

MemRefType samba::memoryType(RankedTensorType type) {
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

MemRefType samba::memoryType(Value value) { return memoryType(cast<RankedTensorType>(value.getType())); }

Attribute samba::encodingOf(Value value) { return cast<RankedTensorType>(value.getType()).getEncoding(); }

LayoutAttr samba::layoutOf(Value value) { return dyn_cast_or_null<LayoutAttr>(encodingOf(value)); }

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
      types.push_back(argument.getType().isIndex() ? argument.getType() : memoryType(argument));
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

// One thread shows the value; the others wait, because the buffer may be the next kernel's.
static void emitProbe(Emitter &e, Value call, Value memory, Value number) {
  auto type = cast<MemRefType>(memory.getType());
  Type pointer = LLVM::LLVMPointerType::get(e.b.getContext()), word = e.b.getI64Type();
  Value callback = e.loadField(call, offsetof(samba_call, probe), pointer);
  Value null = LLVM::ZeroOp::create(e.b, e.loc, pointer);
  Value present = LLVM::ICmpOp::create(e.b, e.loc, LLVM::ICmpPredicate::ne, callback, null);
  e.when(present, [&] {
    e.parallel({e.index(1)}, [&](ValueRange) {
      Value user = e.loadField(call, offsetof(samba_call, probe_user), pointer);
      Value address = memref::ExtractAlignedPointerAsIndexOp::create(e.b, e.loc, memory);
      Value data = LLVM::IntToPtrOp::create(e.b, e.loc, pointer,
                                            arith::IndexCastOp::create(e.b, e.loc, word, address).getResult());
      Value rows = arith::IndexCastOp::create(e.b, e.loc, word, e.rows(memory));
      Value columns = LLVM::ConstantOp::create(e.b, e.loc, word, e.b.getI64IntegerAttr(type.getDimSize(1)));
      auto signature = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(e.b.getContext()),
                                                   {pointer, number.getType(), pointer, word, word});
      LLVM::CallOp::create(e.b, e.loc, signature, ValueRange{callback, user, number, data, rows, columns});
    });
  });
}

void FunctionLowering::copy(Value from, Value to, StringRef why) {
  auto type = cast<MemRefType>(to.getType());
  StringRef name = kernelName.empty() ? source.getSymName() : kernelName;
  name.consume_back(".samba");
  auto number = [&](int64_t value) { return e.b.getI64IntegerAttr(value); };
  DictionaryAttr plain = e.b.getDictionaryAttr({{"name", e.b.getStringAttr(name)},
                                                {"op", e.b.getStringAttr("copy")},
                                                {"flops", number(0)},
                                                {"exps", number(0)},
                                                {"weight_bytes", number(0)}});
  e.loopInfo = describeCopy(plain, type.getDimSize(1) * type.getElementTypeBitWidth() / 8, why);
  emitCopy(e, from, to);
}

//===----------------------------------------------------------------------===//
// Kernels, calls, results and probes
//===----------------------------------------------------------------------===//

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
      copy(from, destination(result, e.rows(from)),
           "a result of the kernel is its argument, a slice, or another result");
    }
  }
  return success();
}

LogicalResult FunctionLowering::lowerCall(func::CallOp call) {
  Value weightBase = e.index(0), stateBase = e.index(0);
  bool seenWeight = false, seenState = false;
  SmallVector<Value> tensors;
  for (Value operand : call.getOperands()) {
    if (auto state = stateSlots.find(operand); state != stateSlots.end()) {
      stateBase = std::exchange(seenState, true) ? stateBase : state->second.offset;
    } else if (auto weight = weightOffsets.find(operand); weight != weightOffsets.end()) {
      weightBase = std::exchange(seenWeight, true) ? weightBase : weight->second;
    } else {
      Value memory = buffers.lookup(operand);
      if (operand.getType().isIndex()) {
        tensors.push_back(memory);
        continue;
      }
      auto dense = memoryType(operand);
      if (memory.getType() != dense)
        return call.emitOpError() << "expected a dense argument, got a slice of columns";
      tensors.push_back(memory);
    }
  }
  SmallVector<Value> operands{frame.team,  frame.states,    frame.weights,
                              frame.arena, frame.arenaRows, e.add(frame.arenaBase, plan.calls.lookup(call)),
                              weightBase,  stateBase};
  operands.append(tensors);
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
    } else if (Value rows = plan.rowsOfResults.lookup(result)) {
      operands.push_back(destination(result, e.rows(buffers.lookup(rows))));
    } else {
      return call.emitOpError() << "expected a matrix among the arguments, to know the rows of the result";
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
      copy(buffer(value), resultBuffers[i], "a result of the function is its argument, a slice, or another result");
  }
  func::ReturnOp::create(e.b, e.loc);
  return success();
}

// A call of a function that all probes of one width share.
LogicalResult FunctionLowering::lowerProbe(ProbeOp probe) {
  Value memory = buffer(probe.getX());
  auto type = cast<MemRefType>(memory.getType());
  if (!frame.call || !type.getLayout().isIdentity())
    return probe.emitOpError() << "expected in a public function, on a value that is no slice";
  std::string name = ("samba_probe_" + Twine(type.getDimSize(1))).str();
  Value number = arith::ConstantOp::create(e.b, e.loc, e.b.getI32IntegerAttr(probe.getIndex()));
  SmallVector<Value> operands{frame.team, frame.call, memory, number};
  if (!SymbolTable::lookupNearestSymbolFrom(source, e.b.getStringAttr(name))) {
    OpBuilder::InsertionGuard guard(e.b);
    e.b.setInsertionPoint(source);
    auto function = func::FuncOp::create(e.b, e.loc, name, e.b.getFunctionType(TypeRange(ValueRange(operands)), {}));
    function.setPrivate();
    function.setArgAttr(0, "samba.team", e.b.getUnitAttr());
    Block *entry = function.addEntryBlock();
    e.b.setInsertionPointToStart(entry);
    emitProbe(e, entry->getArgument(1), entry->getArgument(2), entry->getArgument(3));
    func::ReturnOp::create(e.b, e.loc);
  }
  func::CallOp::create(e.b, e.loc, name, TypeRange{}, operands);
  return success();
}

//===- StepLowering.cpp - a step of a model as a program ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/StepLowering.h"

#include "dialect/Numerics.h"
#include "lowering/Slices.h"
#include "lowering/gpu/QuantWeight.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Epilogues.h"
#include "passes/KernelFusion.h"
#include "passes/MemoryLayout.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace samba;

namespace {

RankedTensorType tensorOf(Value value) { return cast<RankedTensorType>(value.getType()); }

bool isRows(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() == 2 && type.isDynamicDim(0);
}

/// The only user of a value, if there is one and it is of that kind and in the same block.
template <typename Op> Op onlyUser(Value value) {
  if (!value.hasOneUse())
    return {};
  auto user = dyn_cast<Op>(*value.user_begin());
  return user && user->getBlock() == value.getParentBlock() ? user : Op();
}

bool isInKernel(Operation *op) { return isa<KernelOp>(op->getParentOp()); }

/// The convolution that alone reads some of a linear's columns.
CausalConv1dOp convolutionOf(LinearOp linear) {
  for (Operation *user : linear->getUsers())
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(user))
      if (auto conv = onlyUser<CausalConv1dOp>(slice.getResult()); conv && conv.getX() == slice.getResult())
        return conv;
  return {};
}

/// What gates the result of a scan, which has other readers, too.
SwigluOp laterGateOf(SelectiveScanOp scan) {
  for (Operation *user : scan.getResult().getUsers())
    if (auto gate = dyn_cast<SwigluOp>(user); gate && gate->getBlock() == scan->getBlock()) {
      auto slice = gate.getGate().getDefiningOp<tensor::ExtractSliceOp>();
      if (slice && slice.getSource() != scan.getResult() && !scan.getZ() && isInKernel(scan) &&
          slice.getSource().getDefiningOp() && slice.getSource().getDefiningOp()->isBeforeInBlock(scan))
        return gate;
    }
  return {};
}

/// The SwiGLU that a linear's halves go into, and nowhere else.
SwigluOp packedGateOf(LinearOp linear) {
  SwigluOp gate;
  int64_t half = tensorOf(linear.getResult()).getDimSize(1) / 2;
  for (Operation *user : linear->getUsers()) {
    if (isa<tensor::DimOp>(user))
      continue;
    auto slice = dyn_cast<tensor::ExtractSliceOp>(user);
    auto reader = slice ? onlyUser<SwigluOp>(slice.getResult()) : SwigluOp();
    if (!reader || (gate && gate != reader) || slice.getType().getDimSize(1) != half)
      return {};
    int64_t first = reader.getGate() == slice.getResult() ? 0 : half;
    if (slice.getStaticOffset(1) != first || reader.getGate() == reader.getUp())
      return {};
    gate = reader;
  }
  return gate;
}

} // namespace

LogicalResult StepLowering::lower(func::FuncOp entry) {
  if (failed(bindArguments(entry)))
    return failure();
  Block &body = entry.getBody().front();
  unsigned output = 0;
  for (Value value : body.getTerminator()->getOperands())
    if (isa<RankedTensorType>(value.getType())) {
      if (output++ || !isRows(value) || !value.getDefiningOp<KernelOp>())
        return entry.emitOpError() << "expected one result that is no state, "
                                      "computed by a kernel: the logits";
      outputs[value] = "logits";
    }
  if (failed(lowerBlock(body)))
    return failure();
  for (auto [value, name] : outputs)
    if (Matrix logits = matrix(value); logits.element.isF32() && logits.extent == Extent::Rows) {
      s.layer = "argmax";
      launchArgmax(s, logits);
    }
  return success();
}

LogicalResult StepLowering::bindArguments(func::FuncOp entry) {
  static constexpr llvm::StringLiteral kInputs[] = {"tokens", "segments", "positions", "rows"};
  unsigned input = 0;
  for (BlockArgument argument : entry.getArguments()) {
    if (auto state = dyn_cast<StateType>(argument.getType())) {
      auto offset = entry.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), "samba.offset");
      if (!offset)
        return entry.emitOpError() << "expected a samba.offset on argument " << argument.getArgNumber()
                                   << " (run samba-plan-memory)";
      if (!state.getElementType().isF32())
        return entry.emitOpError() << "expected states of f32, got " << state;
      states[argument] = {offset.getInt(), state};
      continue;
    }
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || input == std::size(kInputs) || !type.getElementType().isInteger(input == 0 ? 32 : 64))
      return entry.emitOpError() << "expected tokens, segments, positions and "
                                    "rows before the states, got "
                                 << argument.getType() << " as argument " << argument.getArgNumber();
    integers[argument] = StepBuilder::input(kInputs[input++]);
  }
  return success();
}

LogicalResult StepLowering::lowerBlock(Block &block) {
  for (Operation &op : block)
    if (!done.contains(&op) && failed(lowerOp(&op)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Where values lie
//===----------------------------------------------------------------------===//

Matrix StepLowering::matrix(Value value) { return value ? matrices.lookup(value) : Matrix(); }

Matrix StepLowering::destination(Value value, Extent rows) {
  if (auto rounding = onlyUser<arith::TruncFOp>(value)) {
    done.insert(rounding);
    Matrix place = destinationOf(rounding.getResult(), rows);
    matrices[rounding.getResult()] = place; // not in one expression: the second insertion may move the first
    matrices[value] = place;
    return place;
  }
  return matrices[value] = destinationOf(value, rows);
}

Matrix StepLowering::destinationOf(Value value, Extent rows) {
  RankedTensorType type = tensorOf(value);
  Value outer = value;
  while (Value next = sameAs.lookup(outer))
    outer = next;
  auto output = outputs.find(outer);
  if (output == outputs.end())
    return s.buffer(type.getDimSize(1), type.getElementType(), rows);
  LaunchArgument base{LaunchArgument::Kind::Output, 0, 0, output->second};
  return {base, type.getDimSize(1), type.getDimSize(1), type.getElementType(), rows};
}

std::string StepLowering::layerOf(Operation *op) const {
  std::string name = modelName(op).str();
  if (call.empty())
    return name;
  // "mamba.in_proj" of the call "layers.0.mixer" is "layers.0.mixer.in_proj".
  std::string function = op->getParentOfType<func::FuncOp>().getSymName().str() + ".";
  llvm::StringRef rest = name;
  rest.consume_front(function);
  return call + "." + rest.str();
}

//===----------------------------------------------------------------------===//
// Structure
//===----------------------------------------------------------------------===//

void StepLowering::bind(Value from, Value to) {
  // Copies: a new entry may move the others.
  if (auto state = states.find(from); state != states.end())
    states[to] = StateSlice(state->second);
  else if (auto input = integers.find(from); input != integers.end())
    integers[to] = LaunchArgument(input->second);
  else
    matrices[to] = Matrix(matrices.lookup(from));
}

LogicalResult StepLowering::lowerKernel(KernelOp kernel) {
  Block &body = kernel.getBody().front();
  for (auto [argument, operand] : llvm::zip(body.getArguments(), kernel.getInputs()))
    bind(operand, argument);
  Operation *yield = body.getTerminator();
  for (auto [value, result] : llvm::zip(yield->getOperands(), kernel.getResults()))
    if (isRows(value))
      sameAs[value] = result;
  if (failed(lowerBlock(body)))
    return failure();
  for (auto [value, result] : llvm::zip(yield->getOperands(), kernel.getResults())) {
    if (isRows(value) && !matrices.lookup(value))
      return kernel.emitOpError() << "expected results that the device computes, got " << value.getType();
    bind(value, result);
  }
  return success();
}

LogicalResult StepLowering::lowerCall(func::CallOp op) {
  auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(op, op.getCalleeAttr());
  if (!callee || callee.isDeclaration() || callee.isPublic())
    return op.emitOpError() << "expected '" << op.getCallee() << "' to be a private function of samba IR";
  if (!call.empty())
    return op.emitOpError() << "expected calls in the public function only";
  call = modelName(op).str();
  Block &body = callee.getBody().front();
  // The function may have been lowered for another layer.
  callee.walk([&](Operation *inner) { done.erase(inner); });
  for (auto [argument, operand] : llvm::zip(body.getArguments(), op.getOperands()))
    bind(operand, argument);
  if (failed(lowerBlock(body)))
    return failure();
  for (auto [value, result] : llvm::zip(body.getTerminator()->getOperands(), op.getResults()))
    bind(value, result);
  call.clear();
  return success();
}

LogicalResult StepLowering::lowerProbe(ProbeOp probe) {
  Matrix x = matrix(probe.getX());
  if (!x || x.stride != x.width || !x.element.isF32() || x.base.kind != LaunchArgument::Kind::Buffer)
    return probe.emitOpError() << "expected on rows of f32 that are neither a "
                                  "slice nor a result of the step";
  s.probe(probe.getIndex(), x);
  return success();
}

LogicalResult StepLowering::lowerSlice(tensor::ExtractSliceOp slice) {
  FailureOr<int64_t> first = firstColumnOf(slice);
  if (failed(first))
    return failure();
  Matrix view = matrix(slice.getSource());
  view.base.offset += *first * view.element.getIntOrFloatBitWidth() / 8;
  view.width = slice.getType().getDimSize(1);
  matrices[slice.getResult()] = view;
  return success();
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

LogicalResult StepLowering::lowerOp(Operation *op) {
  s.layer = layerOf(op);
  s.loc = op->getLoc();
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](KernelOp kernel) { return lowerKernel(kernel); })
      .Case([&](func::CallOp call) { return lowerCall(call); })
      .Case([&](ProbeOp probe) { return lowerProbe(probe); })
      .Case([&](tensor::ExtractSliceOp slice) { return lowerSlice(slice); })
      .Case([&](LinearOp linear) { return lowerLinear(linear); })
      .Case([&](RmsNormOp op) { return lowerNorm(op, {matrix(op.getWeight()), {}, op.getEps().convertToDouble()}); })
      .Case([&](LayerNormOp op) {
        return lowerNorm(
            op, {matrix(op.getWeight()), matrix(op.getBias()), op.getEps().convertToDouble(), /*centred=*/true});
      })
      .Case([&](RotaryOp rotary) { return lowerRotary(rotary); })
      .Case([&](CausalConv1dOp conv) { return lowerConvolution(conv); })
      .Case([&](SelectiveScanOp scan) { return lowerScan(scan); })
      .Case([&](SlidingWindowAttentionOp attention) { return lowerAttention(attention); })
      .Case([&](CrossAttentionOp attention) { return lowerCrossAttention(attention); })
      .Case([&](DifferentialNormOp norm) { return lowerDifferentialNorm(norm); })
      .Case<YieldOp, func::ReturnOp, tensor::DimOp>([&](auto) { return success(); })
      .Case([&](arith::ConstantOp constant) {
        if (auto number = dyn_cast<IntegerAttr>(constant.getValue()))
          integers[constant] = {LaunchArgument::Kind::Number, number.getInt()};
        return success();
      })
      .Case([&](LoadWeightOp load) -> LogicalResult {
        auto weight = SymbolTable::lookupNearestSymbolFrom<WeightOp>(load, load.getWeightAttr());
        if (!weight || !weight.getOffset())
          return load.emitOpError() << "expected an offset on '" << load.getWeight() << "' (run samba-plan-memory)";
        RankedTensorType type = weight.getTensorType();
        auto layout = dyn_cast_or_null<LayoutAttr>(type.getEncoding());
        auto quant = dyn_cast_or_null<QuantAttr>(type.getEncoding());
        if (quant && !QuantWeight::isSupported(quant))
          return load.emitOpError() << "expected '" << load.getWeight() << "' in groups of " << QuantWeight::kGroup
                                    << " and panels of " << QuantWeight::kPanel << ", got " << type;
        if (!quant && type.getEncoding() && (!layout || layout.getKind() != LayoutKind::Transposed))
          return load.emitOpError() << "expected '" << load.getWeight() << "' row-major or transposed, got " << type;
        if (type.getNumElements() > INT32_MAX || (quant && packedSizeInBytes(type) > INT32_MAX))
          return load.emitOpError() << "expected '" << load.getWeight() << "' to have fewer than 2^31 elements"
                                    << (quant ? " and bytes" : "") << ", got " << type;
        // The width is that of a row in memory.
        int64_t width = layout ? type.getDimSize(0) : type.getShape().back();
        LaunchArgument place{LaunchArgument::Kind::Weights, int64_t(*weight.getOffset())};
        matrices[load.getResult()] = {place, width, width, type.getElementType(), Extent::One, quant};
        return success();
      })
      .Case([&](EmbeddingOp op) {
        launchEmbedding(s, integers.lookup(op.getTokens()), matrix(op.getTable()),
                        destination(op.getResult(), Extent::Tokens));
        return success();
      })
      .Case([&](GatherRowsOp op) {
        launchGather(s, matrix(op.getX()), integers.lookup(op.getRows()), destination(op.getResult(), Extent::Rows));
        return success();
      })
      .Case([&](SwigluOp op) {
        Matrix gate = matrix(op.getGate());
        launchSwiglu(s, gate, matrix(op.getUp()), destination(op.getResult(), gate.extent));
        return success();
      })
      .Case([&](arith::AddFOp op) -> LogicalResult {
        if (!isRows(op.getResult()))
          return op.emitOpError() << "expected rows of activations, got " << op.getType();
        Matrix x = matrix(op.getLhs());
        launchAdd(s, x, matrix(op.getRhs()), destination(op.getResult(), x.extent));
        return success();
      })
      .Case([&](arith::TruncFOp op) -> LogicalResult {
        if (!isRows(op.getResult()))
          return op.emitOpError() << "expected rows of activations, got " << op.getType();
        Matrix x = matrix(op.getIn());
        launchCopy(s, x, matrices[op.getResult()] = destinationOf(op.getResult(), x.extent));
        return success();
      })
      .Case([&](RotaryTableOp op) -> LogicalResult {
        if (op->hasAttr(kNarrowAngles))
          return op.emitOpError() << "with " << kNarrowAngles
                                  << " has no lowering to the GPU (--numerics=rope_angle=f64)";
        launchRotaryTable(s, op.getTheta().convertToDouble(), destination(op.getResult(), Extent::Tokens));
        return success();
      })
      .Default([&](Operation *op) { return op->emitOpError() << "has no lowering to the GPU"; });
}

LogicalResult StepLowering::lowerNorm(Operation *op, const NormOperands &norm) {
  if (op->hasAttr(kRoundNormalised))
    return op->emitOpError() << "with " << kRoundNormalised
                             << " has no lowering to the GPU (--numerics=norm_cast=fused)";
  Matrix x = matrix(op->getOperand(0));
  auto rounding = onlyUser<arith::TruncFOp>(op->getResult(0));
  Value read = rounding ? rounding.getResult() : op->getResult(0);
  if (norm.weight && s.isDecode() && isInKernel(op) && onlyUser<LinearOp>(read)) {
    if (rounding)
      done.insert(rounding);
    norms[read] = {x, norm};
    return success();
  }
  launchNorm(s, x, norm, destination(op->getResult(0), x.extent));
  return success();
}

LogicalResult StepLowering::lowerRotary(RotaryOp op) {
  if (op->hasAttr(kRoundProducts))
    return op.emitOpError() << "with " << kRoundProducts << " has no lowering to the GPU (--numerics=rope_math=f32)";
  Matrix x = matrix(op.getX()), table = matrix(op.getTable());
  auto attention = onlyUser<SlidingWindowAttentionOp>(op.getResult());
  if (s.isDecode() && isInKernel(op) && attention && attention.getV() != op.getResult()) {
    rotations[op.getResult()] = {x, table};
    return success();
  }
  launchRotary(s, x, table, destination(op.getResult(), x.extent));
  return success();
}

LogicalResult StepLowering::lowerLinear(LinearOp op) {
  if (isa_and_present<QuantAttr>(tensorOf(op.getX()).getEncoding()))
    return op.emitOpError() << "of quantised rows has no lowering to the GPU (quantise-rows of samba-set-precision)";
  LinearOperands linear;
  linear.x = matrix(op.getX());
  linear.weight = matrix(op.getWeight());
  linear.bias = matrix(op.getBias());
  linear.outputs = tensorOf(op.getWeight()).getDimSize(0);
  if (auto norm = norms.find(op.getX()); norm != norms.end()) {
    linear.x = norm->second.x;
    linear.norm = norm->second.how;
    if (!tensorOf(op.getX()).getElementType().isF32())
      linear.roundedTo = tensorOf(op.getX()).getElementType();
  }
  if (linear.weight.width != linear.x.width)
    return op.emitOpError() << "expected a row-major weight, got " << op.getWeight().getType();
  Value result = op.getResult();
  // A warp has whole panels of both halves.
  bool splits = !linear.weight.quant || linear.outputs % (2 * QuantWeight::kPanel) == 0;
  if (SwigluOp gate = splits ? packedGateOf(op) : SwigluOp()) {
    linear.swiglu = true;
    result = gate.getResult();
    done.insert(gate);
    for (Operation *user : op->getUsers())
      done.insert(user);
  } else if (arith::AddFOp addition = fusedAddition(op)) {
    linear.residual = matrix(addition.getLhs() == result ? addition.getRhs() : addition.getLhs());
    result = addition.getResult();
    done.insert(addition);
  } else if (auto scan = onlyUser<SelectiveScanOp>(result);
             scan && isInKernel(op) && scan.getDelta() == result && fitsScanProjection(s, linear)) {
    projections[result] = linear;
    return success();
  } else if (CausalConv1dOp conv = convolutionOf(op); conv && s.isDecode() && isInKernel(op)) {
    joinConvolution(linear, op, conv);
  }
  linear.result = destination(result, linear.x.extent);
  launchLinear(s, linear);
  return success();
}

// The columns that nothing but the convolution reads go through it on their way to memory.
void StepLowering::joinConvolution(LinearOperands &linear, LinearOp op, CausalConv1dOp conv) {
  LinearOperands alone = linear; // with a place, to ask which kernel it would get
  alone.result = {{}, linear.outputs, linear.outputs, Float32Type::get(s.context()), linear.x.extent};
  if (!joinsConvolution(s, alone))
    return;
  auto slice = conv.getX().getDefiningOp<tensor::ExtractSliceOp>();
  linear.convColumn = slice.getStaticOffsets()[1];
  linear.conv = {{}, matrix(conv.getWeight()),       matrix(conv.getBias()),
                 {}, states.lookup(conv.getState()), conv.getActivation()};
  linear.conv->x = {{}, slice.getType().getDimSize(1), linear.outputs, Float32Type::get(s.context()), linear.x.extent};
  linear.conv->result = destination(conv.getResult(), linear.x.extent);
  bind(conv.getState(), conv.getNewState());
  done.insert(conv);
}

LogicalResult StepLowering::lowerConvolution(CausalConv1dOp op) {
  ConvolutionOperands conv{
      matrix(op.getX()), matrix(op.getWeight()), matrix(op.getBias()), {}, states.lookup(op.getState()),
      op.getActivation()};
  conv.result = destination(op.getResult(), conv.x.extent);
  launchConvolution(s, conv);
  bind(op.getState(), op.getNewState());
  return success();
}

LogicalResult StepLowering::lowerScan(SelectiveScanOp op) {
  constexpr int64_t kMostStates = 128; // of a channel, in registers
  if (op.getState().getType().getShape()[0] > kMostStates)
    return op.emitOpError() << "expected at most " << kMostStates << " states per channel, got "
                            << op.getState().getType();
  for (auto [attribute, flag] :
       {std::pair(kRoundState, "ssm_state=f32"), {kRoundOutput, "scan_out=f32"}, {kPlainLog, "softplus=log1p"}})
    if (op->hasAttr(attribute))
      return op.emitOpError() << "with " << attribute << " has no lowering to the GPU (--numerics=" << flag << ")";
  ScanOperands scan;
  scan.u = matrix(op.getU());
  if (auto projection = projections.find(op.getDelta()); projection != projections.end())
    scan.projection = projection->second;
  else
    scan.delta = matrix(op.getDelta());
  scan.A = matrix(op.getA());
  scan.B = matrix(op.getB());
  scan.C = matrix(op.getC());
  scan.D = matrix(op.getD());
  scan.z = matrix(op.getZ());
  scan.deltaBias = matrix(op.getDeltaBias());
  scan.softplus = op.getDeltaSoftplus();
  scan.state = states.lookup(op.getState());
  if (SwigluOp gate = laterGateOf(op)) {
    // The slice may come after the scan.
    if (failed(lowerSlice(gate.getGate().getDefiningOp<tensor::ExtractSliceOp>())))
      return failure();
    scan.z = matrix(gate.getGate());
    scan.kept = destination(op.getResult(), scan.u.extent);
    scan.result = destination(gate.getResult(), scan.u.extent);
    done.insert(gate);
  } else {
    scan.result = destination(op.getResult(), scan.u.extent);
  }
  launchScan(s, scan);
  bind(op.getState(), op.getNewState());
  return success();
}

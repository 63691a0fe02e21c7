//===- CompiledModule.cpp - samba IR, compiled and run in process ---------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/emit/CompiledModule.h"

#include "dialect/StateMemory.h"
#include "lowering/RowSource.h"
#include "lowering/cpu/Pipeline.h"
#include "lowering/emit/DiagnosticCapture.h"
#include "lowering/emit/WeightPacker.h"
#include "passes/Pipelines.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/MathExtras.h"
#include <cstring>

using namespace mlir;
using namespace samba;
using reference::IntTensor;
using reference::StateBatch;
using reference::Tensor;

namespace {

llvm::Error runPasses(ModuleOp module, llvm::function_ref<void(OpPassManager &)> build) {
  DiagnosticCapture diagnostics(module.getContext());
  PassManager pm(module.getContext());
  build(pm);
  if (failed(pm.run(module)))
    return diagnostics.takeError("lowering failed");
  return llvm::Error::success();
}

/// Tokens of a call: the rows of its matrices or of the vector of tokens. If it has neither, a rotary table is all that
/// depends on them, and its segments end with the last one.
int64_t tokensOf(func::FuncOp function, ArrayRef<CompiledModule::Value> arguments, ArrayRef<int64_t> argumentRows) {
  for (auto [type, rows] : llvm::zip(function.getArgumentTypes(), argumentRows))
    if (auto tensor = dyn_cast<RankedTensorType>(type);
        tensor && tensor.isDynamicDim(0) && !tensor.getElementType().isInteger(64))
      return rows;
  int64_t tokens = 0;
  function.walk([&](RotaryTableOp table) {
    if (BlockArgument segments = rowSource(table.getSegments()))
      tokens = std::get<reference::IntTensor>(arguments[segments.getArgNumber()]).data.back();
  });
  return tokens;
}

/// The rows of a value, given the tokens of a call and the rows of its arguments.
int64_t rowsOf(mlir::Value value, int64_t tokens, ArrayRef<int64_t> argumentRows) {
  auto type = cast<RankedTensorType>(value.getType());
  if (!type.isDynamicDim(0))
    return type.getDimSize(0);
  BlockArgument source = rowSource(value);
  return source ? argumentRows[source.getArgNumber()] : tokens;
}

} // namespace

llvm::Expected<CompiledModule> CompiledModule::create(ModuleOp module, const WeightSource *source,
                                                      const Options &options) {
  llvm::Expected<CpuTarget> target = CpuTarget::get(options.target);
  if (!target)
    return target.takeError();
  OwningOpRef<ModuleOp> planned = module.clone();
  if (llvm::Error error = runPasses(*planned, [&](OpPassManager &pm) {
        buildOptimisePipeline(pm, options.precision, !target->bf16Dot.empty(), options.kv);
        buildFusePipeline(pm, options.fusion);
        buildSchedulePipeline(pm, target->panelWidth);
      }))
    return std::move(error);
  OwningOpRef<ModuleOp> lowered = planned->clone();
  if (llvm::Error error = runPasses(*lowered, [&](OpPassManager &pm) { buildCpuLoweringPipeline(pm, options.target); }))
    return std::move(error);
  return fromLowered(std::move(planned), *lowered, source, options);
}

llvm::Expected<CompiledModule> CompiledModule::fromLowered(OwningOpRef<ModuleOp> planned, ModuleOp lowered,
                                                           const WeightSource *source, const Options &options) {
  llvm::Expected<CpuTarget> target = CpuTarget::get(options.target);
  if (!target)
    return target.takeError();
  llvm::Expected<Jit> jit = Jit::create(lowered, *target);
  if (!jit)
    return jit.takeError();

  CompiledModule result(std::move(*jit));
  auto size = [](ModuleOp from, StringRef name) {
    auto attribute = from->getAttrOfType<IntegerAttr>(name);
    return attribute ? attribute.getInt() : 0;
  };
  result.arenaBytesPerToken = size(lowered, "samba.arena_bytes_per_token");
  result.stateBytes = size(*planned, "samba.state_bytes");
  result.chunk = options.chunk;
  result.weights = AlignedBytes(size(*planned, "samba.weight_bytes"));
  if (source) {
    llvm::Expected<WeightPacker> packer = WeightPacker::create(*planned, *source);
    if (!packer)
      return packer.takeError();
    llvm::MutableArrayRef<uint8_t> section(result.weights.data(), packer->sizeInBytes());
    llvm::Expected<uint64_t> checksum = packer->packToMemory(section, {});
    if (!checksum)
      return checksum.takeError();
  }
  planned->walk([&](ProbeOp probe) {
    result.probeNames.resize(std::max<size_t>(result.probeNames.size(), probe.getIndex() + 1));
    result.probeNames[probe.getIndex()] = probe.getName().str();
  });
  result.planned = std::move(planned);
  return std::move(result);
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

/// The arguments of one call, in the form of the C contract.
struct CompiledModule::Call {
  std::vector<samba_buffer> inputs, outputs;
  std::vector<std::vector<int32_t>> narrow; // i32 inputs
  std::vector<AlignedBytes> states;
  std::vector<void *> statePointers;
  std::vector<Tensor<float>> results; // one per tensor result
  SmallVector<int64_t> rows;          // of each argument; 0 for states

  /// Copies states between their own tensors and the places in the sequences' states.
  void addState(StateType type, const StateBatch<float> &batch, int64_t offset, int64_t bytes);
  StateBatch<float> takeState(StateType type, const StateBatch<float> &like, int64_t offset);
};

void CompiledModule::Call::addState(StateType type, const StateBatch<float> &batch, int64_t offset, int64_t bytes) {
  while (states.size() < batch.sequences.size()) {
    states.emplace_back(bytes);
    statePointers.push_back(states.back().data());
  }
  for (auto [state, tensor] : llvm::zip(states, batch.sequences))
    packState(type, tensor.data, state.data() + offset);
}

StateBatch<float> CompiledModule::Call::takeState(StateType type, const StateBatch<float> &like, int64_t offset) {
  StateBatch<float> batch = like;
  for (auto [state, tensor] : llvm::zip(states, batch.sequences))
    unpackState(type, state.data() + offset, tensor.data);
  return batch;
}

llvm::Expected<std::vector<CompiledModule::Value>> CompiledModule::run(llvm::StringRef name,
                                                                       std::vector<Value> arguments) {
  auto function = planned->lookupSymbol<func::FuncOp>(name);
  if (!function || function.getNumArguments() != arguments.size())
    return llvm::createStringError("expected a function '" + name + "' of " + llvm::Twine(arguments.size()) +
                                   " arguments");
  llvm::Expected<samba_entry> entry = jit.entry(name);
  if (!entry)
    return entry.takeError();

  Call call;
  SmallVector<std::pair<const StateBatch<float> *, int64_t>> batches;
  call.narrow.resize(arguments.size());
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    Type type = function.getArgumentTypes()[i];
    call.rows.push_back(0);
    if (auto *batch = std::get_if<StateBatch<float>>(&argument)) {
      int64_t offset = function.getArgAttrOfType<IntegerAttr>(i, "samba.offset").getInt();
      call.addState(cast<StateType>(type), *batch, offset, stateBytes);
      batches.emplace_back(batch, offset);
      continue;
    }
    void *data;
    if (auto *integers = std::get_if<IntTensor>(&argument)) {
      call.rows.back() = integers->shape[0];
      data = integers->data.data();
      if (cast<ShapedType>(type).getElementType().isInteger(32)) {
        call.narrow[i].assign(integers->data.begin(), integers->data.end());
        data = call.narrow[i].data();
      }
    } else {
      auto &tensor = std::get<Tensor<float>>(argument);
      call.rows.back() = tensor.shape[0];
      data = tensor.data.data();
    }
    call.inputs.push_back({data, call.rows.back()});
  }

  int64_t tokens = tokensOf(function, arguments, call.rows);
  Operation *terminator = function.getBody().front().getTerminator();
  for (mlir::Value value : terminator->getOperands()) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type)
      continue;
    reference::Shape shape(type.getShape().begin(), type.getShape().end());
    shape[0] = rowsOf(value, tokens, call.rows);
    call.results.emplace_back(shape);
  }
  for (Tensor<float> &result : call.results)
    call.outputs.push_back({result.data.data(), result.shape[0]});

  int64_t arenaRows = llvm::alignTo(std::max<int64_t>(1, *llvm::max_element(call.rows)), 16);
  AlignedBytes arena(arenaRows * arenaBytesPerToken);
  samba_call arg = {};
  arg.inputs = call.inputs.data();
  arg.outputs = call.outputs.data();
  arg.states = call.statePointers.data();
  arg.weights = weights.data();
  arg.arena = arena.data();
  arg.arena_rows = arenaRows;
  if (probe) {
    arg.probe_user = this;
    arg.probe = [](void *user, int32_t index, const float *data, int64_t rows, int64_t columns) {
      auto *self = static_cast<CompiledModule *>(user);
      Tensor<float> x({rows, columns}, std::vector<float>(data, data + rows * columns));
      self->probe(self->probeNames[index], index, x);
    };
  }
  SoloTeam team(chunk);
  (*entry)(&arg, team.get());

  std::vector<Value> results;
  size_t nextTensor = 0, nextState = 0;
  for (Type type : function.getResultTypes()) {
    if (isa<RankedTensorType>(type)) {
      results.emplace_back(std::move(call.results[nextTensor++]));
    } else {
      auto [batch, offset] = batches[nextState++];
      results.emplace_back(call.takeState(cast<StateType>(type), *batch, offset));
    }
  }
  return results;
}

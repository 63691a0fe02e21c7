//===- PlanMemory.cpp - gives weights and states their places -------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/Builders.h"
#include "passes/MemoryLayout.h"
#include "passes/Passes.h"
#include "llvm/ADT/MapVector.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAPLANMEMORY
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

/// A growing run of aligned places.
class Space {
public:
  /// Takes the next place of that size.
  int64_t allocate(int64_t bytes) {
    int64_t offset = size;
    size = std::min(size + alignedSize(bytes), kTooManyBytes);
    return offset;
  }
  int64_t getSize() const { return size; }
  bool isFull() const { return size >= kTooManyBytes; }

private:
  int64_t size = 0;
};

/// How messages call a state: by the model's name for it, else by its number.
std::string stateName(BlockArgument state) {
  auto function = cast<func::FuncOp>(state.getOwner()->getParentOp());
  if (auto name = function.getArgAttrOfType<StringAttr>(state.getArgNumber(), "samba.name"))
    return "'" + name.str() + "'";
  return "#" + std::to_string(state.getArgNumber()) + " of '" + function.getSymName().str() + "'";
}

/// The argument that a state is, or was before calls that returned it; null if it is none. A call returns its states in
/// their order.
BlockArgument argumentBehind(Value state) {
  while (auto call = state.getDefiningOp<func::CallOp>()) {
    auto isState = [](Value value) { return isa<StateType>(value.getType()); };
    auto given = llvm::make_filter_range(call.getOperands(), isState);
    auto returned = llvm::make_filter_range(call.getResults(), isState);
    if (std::distance(given.begin(), given.end()) != std::distance(returned.begin(), returned.end()))
      return {};
    state = *std::next(given.begin(), std::distance(returned.begin(), llvm::find(returned, state)));
  }
  return dyn_cast<BlockArgument>(state);
}

struct PlanMemory : public samba::impl::SambaPlanMemoryBase<PlanMemory> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<func::FuncOp> entries;
    for (auto function : module.getOps<func::FuncOp>())
      if (function.isPublic() && !function.isDeclaration())
        entries.push_back(function);

    if (failed(checkCallers()))
      return signalPassFailure();
    FailureOr<Space> weights = planWeights(entries);
    if (failed(weights))
      return signalPassFailure();
    FailureOr<Space> states = planStates(entries);
    if (failed(states))
      return signalPassFailure();
    for (Space *space : {&*weights, &*states})
      if (space->isFull()) {
        emitError(module.getLoc()) << "expected " << (space == &*weights ? "weights" : "states") << " of less than "
                                   << kTooManyBytes << " bytes in all";
        return signalPassFailure();
      }

    Builder builder(&getContext());
    module->setAttr("samba.weight_bytes", builder.getI64IntegerAttr(weights->getSize()));
    module->setAttr("samba.state_bytes", builder.getI64IntegerAttr(states->getSize()));
  }

private:
  LogicalResult checkCallers();
  FailureOr<Space> planWeights(ArrayRef<func::FuncOp> entries);
  FailureOr<Space> planStates(ArrayRef<func::FuncOp> entries);
};

/// What a shared function passes on would have to lie together both for its own call and for the inner one.
LogicalResult PlanMemory::checkCallers() {
  WalkResult result = getOperation().walk([&](func::CallOp call) {
    auto caller = call->getParentOfType<func::FuncOp>();
    if (!caller || caller.isPublic())
      return WalkResult::advance();
    for (auto [index, type] : llvm::enumerate(call.getOperandTypes()))
      if (isWeightArgument(type) || isa<StateType>(type)) {
        call.emitError() << "expected only public functions to pass weights and states to calls; '"
                         << caller.getSymName() << "' passes " << type << " as argument #" << index << " of '"
                         << call.getCallee() << "'";
        return WalkResult::interrupt();
      }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

/// Those of each call first, in the order of the calls; then those that the entry points use themselves; last those
/// that nobody uses.
FailureOr<Space> PlanMemory::planWeights(ArrayRef<func::FuncOp> entries) {
  ModuleOp module = getOperation();
  SymbolTable symbols(module);
  Space space;
  llvm::DenseMap<Operation *, func::CallOp> placed; // a null call says that no call needs the weight in its place
  auto place = [&](WeightOp weight) {
    if (placed.try_emplace(weight).second)
      weight.setOffset(space.allocate(packedSizeInBytes(weight.getTensorType())));
  };

  for (func::FuncOp entry : entries) {
    WalkResult result = entry.walk([&](func::CallOp call) {
      ArgumentOffsets offsets = relativeOffsets(call.getOperandTypes());
      int64_t base = space.allocate(offsets.weightBytes);
      for (auto [index, operand] : llvm::enumerate(call.getOperands())) {
        if (!offsets.weights[index])
          continue;
        auto load = operand.getDefiningOp<LoadWeightOp>();
        auto weight = load ? symbols.lookup<WeightOp>(load.getWeight()) : WeightOp();
        if (!weight) {
          call.emitError() << "expected a samba.load_weight as argument #" << index << " of '" << call.getCallee()
                           << "', because it has a static shape: " << operand.getType();
          return WalkResult::interrupt();
        }
        if (auto [other, inserted] = placed.try_emplace(weight, call); !inserted) {
          InFlightDiagnostic error = call.emitError() << "expected weight '" << weight.getSymName()
                                                      << "' to be an argument of one call, once";
          error.attachNote(other->second.getLoc()) << "here it is an argument too";
          return WalkResult::interrupt();
        }
        weight.setOffset(base + *offsets.weights[index]);
      }
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      return failure();
  }
  module.walk([&](LoadWeightOp load) {
    if (auto weight = symbols.lookup<WeightOp>(load.getWeight()))
      place(weight);
  });
  for (auto weight : module.getOps<WeightOp>())
    place(weight);
  return space;
}

/// Those of each call first, in the order of the calls; then the others in the order of the arguments.
FailureOr<Space> PlanMemory::planStates(ArrayRef<func::FuncOp> entries) {
  Space space;
  func::FuncOp owner;
  for (func::FuncOp entry : entries) {
    SmallVector<BlockArgument> states;
    for (BlockArgument argument : entry.getArguments())
      if (isa<StateType>(argument.getType()))
        states.push_back(argument);
    if (states.empty())
      continue;
    if (owner)
      return entry.emitError() << "expected one public function with states, got '" << owner.getSymName() << "' and '"
                               << entry.getSymName() << "'";
    owner = entry;

    for (BlockArgument state : states)
      if (!state.hasOneUse())
        return entry.emitError() << "expected state " << stateName(state) << " to be passed on once, got "
                                 << std::distance(state.use_begin(), state.use_end()) << " uses";

    llvm::DenseMap<Value, int64_t> placed;
    auto place = [&](BlockArgument state, int64_t offset) {
      entry.setArgAttr(state.getArgNumber(), "samba.offset", Builder(&getContext()).getI64IntegerAttr(offset));
      placed[state] = offset;
    };
    WalkResult result = entry.walk([&](func::CallOp call) {
      ArgumentOffsets offsets = relativeOffsets(call.getOperandTypes());
      std::optional<int64_t> base; // where the first state lies
      bool borrowed = false;
      for (auto [index, operand] : llvm::enumerate(call.getOperands())) {
        if (!offsets.states[index])
          continue;
        BlockArgument state = argumentBehind(operand);
        if (!state || state.getOwner() != &entry.front()) {
          call.emitError() << "expected argument #" << index << " of '" << call.getCallee() << "', a state, to be an "
                           << "argument of '" << entry.getSymName() << "'";
          return WalkResult::interrupt();
        }
        // States that a call before has returned stay where they are.
        auto known = placed.find(state);
        if (!base) {
          borrowed = known != placed.end();
          base = borrowed ? known->second - *offsets.states[index] : space.allocate(offsets.stateBytes);
        }
        int64_t offset = *base + *offsets.states[index];
        if (borrowed != (known != placed.end()) || (borrowed && known->second != offset) || !operand.hasOneUse()) {
          call.emitError() << "expected the states of '" << call.getCallee()
                           << "' to be new, or those of one call before, in that order and passed on once; argument #"
                           << index << " is not";
          return WalkResult::interrupt();
        }
        place(state, offset);
      }
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      return failure();
    for (BlockArgument state : states)
      if (!placed.contains(state))
        place(state, space.allocate(cast<StateType>(state.getType()).getSizeInBytes()));
  }
  return space;
}

} // namespace

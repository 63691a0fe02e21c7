//===- KernelFusion.cpp - merging kernels ---------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/KernelFusion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace samba;

namespace {

/// The slice of columns that `value` is, if it is one: all rows, and columns that are known.
tensor::ExtractSliceOp columnSlice(Value value) {
  auto slice = value.getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice || slice.getType().getRank() != 2 || slice.getSourceType().getRank() != 2)
    return {};
  ArrayRef<int64_t> offsets = slice.getStaticOffsets(), sizes = slice.getStaticSizes();
  bool allRows = offsets[0] == 0 && ShapedType::isDynamic(sizes[0]) && slice.getSizes().size() == 1 &&
                 slice.getSizes().front().getDefiningOp<tensor::DimOp>();
  bool unitStrides = llvm::all_of(slice.getStaticStrides(), [](int64_t stride) { return stride == 1; });
  return allRows && unitStrides && slice.getOffsets().empty() ? slice : tensor::ExtractSliceOp();
}

/// The result of a kernel that `value` is or slices.
Value sourceOf(Value value) {
  while (auto slice = columnSlice(value))
    value = slice.getSource();
  return value;
}

bool readsResultOf(Value operand, KernelOp producer) { return sourceOf(operand).getDefiningOp() == producer; }

/// Operations without effect that can go up to where their operands are.
bool isMovable(Operation *op) {
  return isa<LoadWeightOp, arith::ConstantOp, tensor::DimOp, tensor::ExtractSliceOp>(op);
}

/// Whether `value` is there, or can be made to be there, before `place`.
bool availableBefore(Value value, Operation *place) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getBlock() != place->getBlock() || op->isBeforeInBlock(place))
    return true;
  return isMovable(op) &&
         llvm::all_of(op->getOperands(), [&](Value operand) { return availableBefore(operand, place); });
}

void moveBefore(Value value, Operation *place) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getBlock() != place->getBlock() || op->isBeforeInBlock(place))
    return;
  for (Value operand : op->getOperands())
    moveBefore(operand, place);
  op->moveBefore(place);
}

/// Readers of the producer's results other than the consumer. Slices and sizes count as what reads them: they go
/// wherever their source goes.
void otherReaders(ValueRange results, KernelOp consumer, SmallVectorImpl<Operation *> &readers) {
  for (Value result : results)
    for (Operation *user : result.getUsers()) {
      if (user == consumer)
        continue;
      if (isa<tensor::ExtractSliceOp, tensor::DimOp>(user))
        otherReaders(user->getResults(), consumer, readers);
      else
        readers.push_back(user);
    }
}

/// The first reader, in the block's order, that needs the producer before the consumer runs.
Operation *readerInBetween(KernelOp producer, KernelOp consumer) {
  SmallVector<Operation *> readers;
  otherReaders(producer.getResults(), consumer, readers);
  Operation *first = nullptr;
  for (Operation *reader : readers) {
    Operation *inBlock = producer->getBlock()->findAncestorOpInBlock(*reader);
    if (inBlock && inBlock->isBeforeInBlock(consumer) && (!first || inBlock->isBeforeInBlock(first)))
      first = inBlock;
  }
  return first;
}

/// Whether everything else that the consumer reads is there before the producer.
bool consumerCanMoveUp(KernelOp producer, KernelOp consumer) {
  return llvm::all_of(consumer.getInputs(),
                      [&](Value input) { return readsResultOf(input, producer) || availableBefore(input, producer); });
}

/// Another operation between the two through which the consumer also depends on the producer.
Operation *detour(KernelOp producer, KernelOp consumer) {
  llvm::DenseSet<Operation *> dependent = {producer};
  for (Operation *op = producer->getNextNode(); op && op != consumer; op = op->getNextNode())
    if (llvm::any_of(op->getOperands(), [&](Value operand) { return dependent.contains(operand.getDefiningOp()); }))
      dependent.insert(op);
  for (Value input : consumer.getInputs()) {
    Operation *op = input.getDefiningOp();
    if (op && op != producer && dependent.contains(op) && !readsResultOf(input, producer))
      return op;
  }
  return nullptr;
}

std::string describe(Operation *op) {
  auto kernel = dyn_cast<KernelOp>(op);
  return kernel ? "kernel '" + kernel.getName().str() + "'" : op->getName().getStringRef().str();
}

/// "mlp.gate_proj" and "mlp.swiglu" are "mlp.gate_proj+swiglu" together.
std::string joinNames(StringRef first, StringRef second) {
  auto [block, part] = first.split('.');
  if (!part.empty())
    second.consume_front((block + ".").str());
  return (first + "+" + second).str();
}

/// The new kernel stands where one of the two stands. The two are still there: `commit` or `erase` decides.
class Merger {
public:
  Merger(KernelOp producer, KernelOp consumer) : producer(producer), consumer(consumer) {}

  KernelOp build() {
    place = readerInBetween(producer, consumer) ? producer : consumer;
    for (Value input : producer.getInputs())
      inputs.insert(input);
    for (Value input : consumer.getInputs())
      if (!readsResultOf(input, producer))
        inputs.insert(input);
    for (Value input : inputs)
      moveBefore(input, place);

    SmallVector<Type> types;
    for (OpResult result : producer.getResults())
      if (leaves(result)) {
        kept.push_back(result);
        types.push_back(result.getType());
      }
    llvm::append_range(types, consumer.getResultTypes());

    OpBuilder builder(place);
    Location loc = builder.getFusedLoc({producer.getLoc(), consumer.getLoc()});
    merged =
        KernelOp::create(builder, loc, types, joinNames(producer.getName(), consumer.getName()), inputs.getArrayRef());
    Block &block = merged.getBody().emplaceBlock();
    for (Value input : inputs)
      block.addArgument(input.getType(), input.getLoc());
    builder.setInsertionPointToEnd(&block);

    SmallVector<Value> produced = copyBody(builder, producer, inputsOf(producer));
    IRMapping outer; // what the producer yields, by the results of its kernel
    outer.map(producer.getResults(), produced);
    SmallVector<Value> consumed;
    for (Value input : consumer.getInputs())
      consumed.push_back(readsResultOf(input, producer) ? inside(builder, input, outer) : argument(input));
    SmallVector<Value> results;
    for (OpResult result : kept)
      results.push_back(produced[result.getResultNumber()]);
    llvm::append_range(results, copyBody(builder, consumer, consumed));
    YieldOp::create(builder, loc, results);
    return merged;
  }

  void commit() {
    if (place == consumer)
      sinkViews();
    for (auto [old, replacement] : llvm::zip(kept, merged.getResults()))
      old.replaceAllUsesWith(replacement);
    consumer->replaceAllUsesWith(merged.getResults().drop_front(kept.size()));
    SmallVector<Value> sources(producer.getResults());
    llvm::append_range(sources, consumer.getInputs());
    llvm::SetVector<Operation *> views = viewsOf(sources);
    consumer->erase();
    // A view goes after those of it.
    for (bool changed = true; changed;) {
      changed = false;
      views.remove_if([&](Operation *view) {
        if (!view->use_empty())
          return false;
        view->erase();
        return changed = true;
      });
    }
    producer->erase();
  }

  void erase() { merged->erase(); }

private:
  SmallVector<Value> inputsOf(KernelOp kernel) {
    return llvm::map_to_vector(kernel.getInputs(), [&](Value input) { return argument(input); });
  }

  Value argument(Value input) {
    return merged.getBody().getArgument(std::distance(inputs.begin(), llvm::find(inputs, input)));
  }

  /// Whether anybody but the consumer reads the result. A state that nobody reads leaves too.
  bool leaves(OpResult result) {
    if (isa<StateType>(result.getType()))
      return !llvm::is_contained(result.getUsers(), consumer);
    SmallVector<Operation *> readers;
    otherReaders(ValueRange(result), consumer, readers);
    return !readers.empty();
  }

  SmallVector<Value> copyBody(OpBuilder &builder, KernelOp kernel, ArrayRef<Value> arguments) {
    IRMapping map;
    map.map(kernel.getBody().getArguments(), arguments);
    Block &body = kernel.getBody().front();
    for (Operation &op : body.without_terminator())
      builder.clone(op, map);
    return llvm::map_to_vector(body.getTerminator()->getOperands(), [&](Value value) { return map.lookup(value); });
  }

  /// The value inside the new kernel, slices made anew.
  Value inside(OpBuilder &builder, Value value, IRMapping &outer) {
    if (Value known = outer.lookupOrNull(value))
      return known;
    auto slice = columnSlice(value);
    Value source = inside(builder, slice.getSource(), outer);
    Value rows = tensor::DimOp::create(builder, slice.getLoc(), source, 0);
    SmallVector<OpFoldResult> sizes = slice.getMixedSizes();
    sizes[0] = rows;
    Value copy = tensor::ExtractSliceOp::create(builder, slice.getLoc(), slice.getType(), source,
                                                slice.getMixedOffsets(), sizes, slice.getMixedStrides());
    outer.map(value, copy);
    return copy;
  }

  /// Slices and sizes of results that stay come after the new kernel.
  void sinkViews() {
    SmallVector<Operation *> early;
    for (Operation *view : viewsOf(SmallVector<Value>(kept.begin(), kept.end())))
      if (view->getBlock() == merged->getBlock() && view->isBeforeInBlock(merged))
        early.push_back(view);
    llvm::sort(early, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
    for (Operation *view : llvm::reverse(early))
      view->moveAfter(merged);
  }

  /// Slices and sizes of the values, and of their slices, and what computes the values if that is one.
  static llvm::SetVector<Operation *> viewsOf(ArrayRef<Value> values) {
    llvm::SetVector<Operation *> views;
    SmallVector<Value> worklist(values);
    for (Value value : values)
      if (Operation *op = columnSlice(value))
        views.insert(op);
    while (!worklist.empty())
      for (Operation *user : worklist.pop_back_val().getUsers())
        if (isa<tensor::ExtractSliceOp, tensor::DimOp>(user) && views.insert(user))
          llvm::append_range(worklist, user->getResults());
    return views;
  }

  KernelOp producer, consumer, merged;
  Operation *place = nullptr;
  llvm::SetVector<Value> inputs;
  SmallVector<OpResult> kept; // results of the producer that leave the new kernel too
};

} // namespace

StringRef samba::modelName(Operation *op) {
  StringRef name = op->getName().stripDialect();
  op->getLoc()->walk([&](Location location) {
    auto named = dyn_cast<NameLoc>(location);
    if (!named)
      return WalkResult::advance();
    name = named.getName().getValue();
    return WalkResult::interrupt();
  });
  return name;
}

KernelOp samba::formKernel(ArrayRef<Operation *> ops) {
  auto isInside = [&](Operation *op) { return llvm::is_contained(ops, op); };
  llvm::SetVector<Value> inputs;
  for (Operation *op : ops)
    for (Value operand : op->getOperands())
      if (!isInside(operand.getDefiningOp()))
        inputs.insert(operand);
  Operation *last = ops.back();
  SmallVector<Value> results;
  for (Operation *op : ops)
    for (Value result : op->getResults())
      if (op == last || !llvm::all_of(result.getUsers(), isInside))
        results.push_back(result);

  OpBuilder builder(last);
  auto kernel = KernelOp::create(builder, ops.front()->getLoc(), TypeRange(ValueRange(results)), modelName(ops.front()),
                                 inputs.getArrayRef());
  for (auto [result, replacement] : llvm::zip(results, kernel.getResults()))
    result.replaceUsesWithIf(replacement, [&](OpOperand &use) { return !isInside(use.getOwner()); });

  Block &block = kernel.getBody().emplaceBlock();
  for (Value input : inputs)
    block.addArgument(input.getType(), input.getLoc());
  for (Operation *op : ops) {
    op->moveBefore(&block, block.end());
    for (OpOperand &operand : op->getOpOperands()) {
      auto it = llvm::find(inputs, operand.get());
      if (it != inputs.end())
        operand.set(block.getArgument(std::distance(inputs.begin(), it)));
    }
  }
  builder.setInsertionPointToEnd(&block);
  YieldOp::create(builder, last->getLoc(), results);
  return kernel;
}

KernelOp samba::kernelBehind(Value value) { return sourceOf(value).getDefiningOp<KernelOp>(); }

void FuseAction::print(llvm::raw_ostream &os) const { os << "fuse '" << producer << "' into '" << consumer << "'"; }

FusionPolicy FusionPolicy::of(bool force, int64_t minSaved, int64_t cache, int64_t tokens, int64_t segments) {
  FusionPolicy policy;
  policy.force = force;
  policy.minSaved = minSaved;
  policy.cache = cache;
  policy.workload.tokens = tokens;
  policy.workload.segments = policy.workload.rows = segments;
  return policy;
}

std::string KernelFuser::whyIllegal(KernelOp producer, KernelOp consumer) {
  if (producer->getBlock() != consumer->getBlock())
    return "they are in different blocks";
  if (Operation *op = detour(producer, consumer))
    return "the second also depends on the first through " + describe(op);
  if (Operation *reader = readerInBetween(producer, consumer); reader && !consumerCanMoveUp(producer, consumer))
    return describe(reader) + " needs the first before the second can run";
  return "";
}

bool KernelFuser::pays(KernelOp merged, const KernelCost &before, const KernelCost &after, std::string &reason) const {
  int64_t saved = before.bytes() - after.bytes(), live = after.internalBytes * policy.machine.tileRows;
  if (saved < policy.minSaved)
    reason = llvm::formatv("it saves {0} bytes, less than {1}", saved, policy.minSaved);
  else if (live > policy.cache)
    reason = llvm::formatv("{0} rows take {1} bytes inside, more than {2} of cache", policy.machine.tileRows, live,
                           policy.cache);
  return reason.empty();
}

KernelOp KernelFuser::tryFuse(KernelOp producer, KernelOp consumer) {
  remark::RemarkOpts options = remark::RemarkOpts::name(pass).category("samba-fusion").function(function.getSymName());
  std::string first = producer.getName().str(), second = consumer.getName().str();
  auto names = [&](remark::detail::InFlightRemark &remark) {
    remark << remark::metric("Producer", first) << remark::metric("Consumer", second);
  };
  if (std::string reason = whyIllegal(producer, consumer); !reason.empty()) {
    auto failed = remark::failed(consumer.getLoc(), options);
    names(failed);
    failed << remark::reason("{0}", reason);
    return {};
  }

  KernelCost before = model.costOf(producer);
  before.add(model.costOf(consumer));
  Merger merger(producer, consumer);
  KernelOp merged = merger.build();
  KernelCost after = model.costOf(merged);
  std::string reason;
  bool worthIt = pays(merged, before, after, reason);
  auto numbers = [&](remark::detail::InFlightRemark &remark) {
    remark << remark::metric("BytesBefore", before.bytes()) << remark::metric("BytesAfter", after.bytes())
           << remark::metric("BytesSaved", before.bytes() - after.bytes());
  };
  if (!worthIt && !policy.force) {
    merger.erase();
    auto missed = remark::missed(consumer.getLoc(), options);
    names(missed);
    numbers(missed);
    missed << remark::reason("{0}", reason);
    return {};
  }
  Location loc = consumer.getLoc();
  bool executed = false;
  auto commit = [&] {
    merger.commit();
    executed = true;
  };
  function.getContext()->executeAction<FuseAction>(commit, {IRUnit(merged.getOperation())}, first, second);
  if (!executed) {
    merger.erase();
    auto missed = remark::missed(loc, options);
    names(missed);
    missed << remark::reason("the action was skipped");
    return {};
  }
  auto passed = remark::passed(loc, options);
  names(passed);
  numbers(passed);
  passed << remark::metric("BarriersBefore", before.barriers) << remark::metric("BarriersAfter", after.barriers);
  if (worthIt)
    passed << remark::reason("a step of {0} token{1} saves {2} bytes", policy.workload.tokens,
                             policy.workload.tokens == 1 ? "" : "s", before.bytes() - after.bytes());
  else
    passed << remark::reason("forced, although {0}", reason);
  return merged;
}

int64_t KernelFuser::fuse(llvm::function_ref<bool(const FusionEdge &)> wants) {
  // The first edge of the first kernel, in the block's order, that is wanted and not rejected yet.
  auto findPair = [&]() -> std::pair<KernelOp, KernelOp> {
    for (KernelOp consumer : function.getOps<KernelOp>())
      for (auto [input, argument] : llvm::zip(consumer.getInputs(), consumer.getBody().getArguments())) {
        KernelOp producer = kernelBehind(input);
        if (!producer || rejected.contains({producer, consumer}))
          continue;
        unsigned number = cast<OpResult>(sourceOf(input)).getResultNumber();
        Operation *inner = producer.getBody().front().getTerminator()->getOperand(number).getDefiningOp();
        // The rounding of what comes from outside is an operation like any other.
        while (isa_and_present<tensor::ExtractSliceOp>(inner) ||
               (isa_and_present<arith::TruncFOp>(inner) && inner->getOperand(0).getDefiningOp()))
          inner = inner->getOperand(0).getDefiningOp();
        if (!inner)
          continue;
        SmallVector<Value> values = {argument};
        while (!values.empty())
          for (OpOperand &use : values.pop_back_val().getUses()) {
            if (isa<tensor::ExtractSliceOp>(use.getOwner()))
              values.push_back(use.getOwner()->getResult(0));
            else if (wants({inner, &use}))
              return {producer, consumer};
          }
      }
    return {};
  };

  int64_t merged = 0;
  for (auto pair = findPair(); pair.first; pair = findPair()) {
    if (tryFuse(pair.first, pair.second)) {
      ++merged;
      // The two are gone, and new kernels may have their addresses.
      SmallVector<std::pair<Operation *, Operation *>> stale;
      for (auto known : rejected)
        for (Operation *gone : {pair.first.getOperation(), pair.second.getOperation()})
          if (known.first == gone || known.second == gone)
            stale.push_back(known);
      for (auto known : stale)
        rejected.erase(known);
    } else {
      rejected.insert(pair);
    }
  }
  return merged;
}

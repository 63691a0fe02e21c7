//===- FuseProjections.cpp - projections of the same rows become one ------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"
#include "passes/KernelFusion.h"
#include "passes/Passes.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAFUSEPROJECTIONS
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

/// "layers.1.mixer.q_proj" and "layers.1.mixer.k_proj" are "layers.1.mixer.q_proj.k_proj" together.
std::string joinNames(ArrayRef<StringRef> names, StringRef separator) {
  std::string joined = names.front().str();
  for (StringRef name : names.drop_front()) {
    size_t common = 0;
    for (size_t i = 0; i < std::min(name.size(), names.front().size()) && name[i] == names.front()[i]; ++i)
      if (name[i] == '.')
        common = i + 1;
    joined += (separator + name.drop_front(common)).str();
  }
  return joined;
}

/// One run over a module.
class ProjectionFuser {
public:
  ProjectionFuser(ModuleOp module, StringRef pass, const FusionPolicy &policy)
      : module(module), pass(pass), policy(policy), symbols(module) {
    module.walk([&](func::CallOp call) { callers[symbols.lookup(call.getCallee())].push_back(call); });
    module.walk([&](func::ConstantOp constant) { addressTaken.insert(symbols.lookup(constant.getValue())); });
    module.walk([&](LoadWeightOp load) { ++loads[load.getWeightAttr().getAttr()]; });
  }

  void run() {
    for (auto function : module.getOps<func::FuncOp>())
      for (SmallVector<LinearOp> &group : siblingsOf(function))
        fuseGroup(function, group);
  }

private:
  /// Linears outside of kernels that read the same rows, in the order of the block.
  std::vector<SmallVector<LinearOp>> siblingsOf(func::FuncOp function) {
    llvm::MapVector<Value, SmallVector<LinearOp>> byInput;
    if (!function.isDeclaration())
      for (auto linear : function.getBody().front().getOps<LinearOp>())
        byInput[linear.getX()].push_back(linear);
    std::vector<SmallVector<LinearOp>> groups;
    for (auto &[x, linears] : byInput)
      if (linears.size() > 1)
        groups.push_back(linears);
    return groups;
  }

  /// The declaration that a value loads, if nothing else loads or reads it.
  WeightOp soleWeight(Value value) {
    auto load = value.getDefiningOp<LoadWeightOp>();
    if (!load || !load->hasOneUse() || loads[load.getWeightAttr().getAttr()] != 1)
      return {};
    return symbols.lookup<WeightOp>(load.getWeight());
  }

  /// The declarations behind a value of the function: one for each call if it is an argument. Fails with the reason.
  std::string weightsBehind(func::FuncOp function, Value value, SmallVectorImpl<WeightOp> &weights) {
    if (!value.hasOneUse())
      return "a weight is read more than once";
    auto argument = dyn_cast<BlockArgument>(value);
    SmallVector<Value> values;
    if (!argument)
      values.push_back(value);
    else if (function.isPublic() || addressTaken.contains(function))
      return "a weight is an argument that others choose";
    else
      for (func::CallOp call : callers.lookup(function))
        values.push_back(call.getOperand(argument.getArgNumber()));
    for (Value source : values) {
      WeightOp weight = soleWeight(source);
      if (!weight)
        return "a weight has other readers or is no samba.load_weight";
      // Groups of a quantised matrix lie within its rows, so rows can be put together.
      Attribute encoding = weight.getTensorType().getEncoding();
      auto quant = dyn_cast_or_null<QuantAttr>(encoding);
      bool packed = encoding && (!quant || quant.getWidth());
      if (weight.getTransform() != WeightTransform::None || packed || weight.getOffset())
        return "a weight is transformed, packed or placed already";
      weights.push_back(weight);
    }
    return "";
  }

  std::string whyIllegal(func::FuncOp function, ArrayRef<LinearOp> group) {
    LinearOp first = group.front();
    for (LinearOp linear : group) {
      RankedTensorType type = linear.getWeight().getType(), firstType = first.getWeight().getType();
      if (type.getElementType() != firstType.getElementType() || type.getEncoding() != firstType.getEncoding())
        return "the weights have different types";
      if (bool(linear.getBias()) != bool(first.getBias()))
        return "some have a bias and some have none";
      if (linear->hasOneUse() && isa<arith::AddFOp>(*linear->user_begin()))
        return "an addition would lose its linear";
      for (Value operand : {Value(linear.getWeight()), Value(linear.getBias())}) {
        if (!operand)
          continue;
        SmallVector<WeightOp> weights;
        if (isa<BlockArgument>(operand) != isa<BlockArgument>(Value(first.getWeight())))
          return "some weights are arguments and some are not";
        if (std::string reason = weightsBehind(function, operand, weights); !reason.empty())
          return reason;
      }
    }
    return "";
  }

  void fuseGroup(func::FuncOp function, ArrayRef<LinearOp> group) {
    SmallVector<StringRef> names = llvm::map_to_vector(group, [](LinearOp linear) { return modelName(linear); });
    std::string name = joinNames(names, "+");
    LinearOp first = group.front();
    int64_t saved = (group.size() - 1) * policy.workload.tokens * xBytes(first);
    Location loc = first.getLoc();
    auto options = remark::RemarkOpts::name(pass).category("samba-fusion").function(function.getSymName());
    if (std::string reason = whyIllegal(function, group); !reason.empty()) {
      remark::failed(loc, options) << remark::metric("Projections", name) << remark::reason("{0}", reason);
      return;
    }
    if (saved < policy.minSaved && !policy.force) {
      remark::missed(loc, options) << remark::metric("Projections", name) << remark::metric("BytesSaved", saved)
                                   << remark::reason("it saves {0} bytes, less than {1}", saved, policy.minSaved);
      return;
    }
    remark::passed(loc, options) << remark::metric("Projections", name) << remark::metric("BytesSaved", saved)
                                 << remark::metric("BarriersSaved", int64_t(group.size()) - 1)
                                 << remark::reason("{0} projections read the same rows once instead of {0} times",
                                                   group.size());
    rewrite(function, group, name);
  }

  static int64_t xBytes(LinearOp linear) {
    auto type = cast<RankedTensorType>(linear.getX().getType());
    return type.getDimSize(1) * type.getElementTypeBitWidth() / 8;
  }

  void rewrite(func::FuncOp function, ArrayRef<LinearOp> group, StringRef name) {
    LinearOp first = group.front();
    SmallVector<Value> weights, biases;
    for (LinearOp linear : group) {
      weights.push_back(linear.getWeight());
      if (linear.getBias())
        biases.push_back(linear.getBias());
    }
    OpBuilder builder(first);
    Location loc = NameLoc::get(builder.getStringAttr(name), first.getLoc());
    Value weight = concatenate(function, weights, first);
    Value bias = biases.empty() ? Value() : concatenate(function, biases, first);
    int64_t outputs = cast<RankedTensorType>(weight.getType()).getDimSize(0);
    auto rows = RankedTensorType::get({ShapedType::kDynamic, outputs}, builder.getF32Type());
    Value all = LinearOp::create(builder, loc, rows, first.getX(), weight, bias);
    Value tokens = tensor::DimOp::create(builder, loc, all, 0);
    int64_t column = 0;
    for (LinearOp linear : group) {
      int64_t width = cast<RankedTensorType>(linear.getType()).getDimSize(1);
      SmallVector<OpFoldResult> offsets = {builder.getIndexAttr(0), builder.getIndexAttr(column)};
      SmallVector<OpFoldResult> sizes = {tokens, builder.getIndexAttr(width)};
      SmallVector<OpFoldResult> strides(2, builder.getIndexAttr(1));
      Value slice = tensor::ExtractSliceOp::create(builder, linear.getLoc(), cast<RankedTensorType>(linear.getType()),
                                                   all, offsets, sizes, strides);
      linear.getResult().replaceAllUsesWith(slice);
      column += width;
    }
    SmallVector<Operation *> loadOps;
    for (Value value : llvm::concat<Value>(weights, biases))
      if (Operation *load = value.getDefiningOp())
        loadOps.push_back(load);
    for (LinearOp linear : group)
      linear.erase();
    for (Operation *load : loadOps)
      load->erase();
    eraseArguments(function);
  }

  /// One value in place of several: a wider argument, which all calls pass, or a new load before `place`. Arguments
  /// that become superfluous are remembered for `eraseArguments`.
  Value concatenate(func::FuncOp function, ArrayRef<Value> values, LinearOp place) {
    auto sizes = [](Value value) { return cast<RankedTensorType>(value.getType()).getShape(); };
    SmallVector<int64_t> shape(sizes(values.front()));
    shape[0] = 0;
    for (Value value : values)
      shape[0] += sizes(value)[0];
    auto firstType = cast<RankedTensorType>(values.front().getType());
    auto type = RankedTensorType::get(shape, firstType.getElementType(), firstType.getEncoding());

    auto argument = dyn_cast<BlockArgument>(values.front());
    if (!argument)
      return loadAll(values, type, OpBuilder(place));
    for (func::CallOp call : callers.lookup(function)) {
      SmallVector<Value> passed = llvm::map_to_vector(
          values, [&](Value value) { return call.getOperand(cast<BlockArgument>(value).getArgNumber()); });
      call.setOperand(argument.getArgNumber(), loadAll(passed, type, OpBuilder(call)));
      passed.front().getDefiningOp()->erase(); // the others go with their arguments
    }
    argument.setType(type);
    for (Value value : values.drop_front())
      superfluous.push_back(cast<BlockArgument>(value).getArgNumber());
    return argument;
  }

  /// Declares and loads the rows of several weights as one; the declarations go, the loads lose their last reader.
  Value loadAll(ArrayRef<Value> values, RankedTensorType type, OpBuilder builder) {
    SmallVector<WeightOp> weights;
    SmallVector<StringRef> names;
    SmallVector<WeightOp::Part> parts;
    for (Value value : values) {
      weights.push_back(symbols.lookup<WeightOp>(value.getDefiningOp<LoadWeightOp>().getWeight()));
      names.push_back(weights.back().getSymName());
      llvm::append_range(parts, weights.back().getParts());
    }
    std::string name = joinNames(names, ".");
    Location loc =
        FusedLoc::get(builder.getContext(),
                      llvm::map_to_vector(weights, [](WeightOp weight) -> Location { return weight.getLoc(); }));
    OpBuilder declarations(weights.front());
    auto all = WeightOp::create(declarations, loc, StringRef(name), ArrayRef(parts), type, WeightTransform::None);
    symbols.insert(all, Block::iterator(weights.front()));
    loads[all.getSymNameAttr()] = 1;
    Value load = LoadWeightOp::create(builder, loc, type, all.getSymName());
    for (WeightOp weight : weights)
      symbols.erase(weight);
    return load;
  }

  void eraseArguments(func::FuncOp function) {
    if (superfluous.empty())
      return;
    llvm::BitVector indices(function.getNumArguments());
    for (unsigned index : superfluous)
      indices.set(index);
    for (func::CallOp call : callers.lookup(function)) {
      SmallVector<Value> dropped;
      for (unsigned index : superfluous)
        dropped.push_back(call.getOperand(index));
      // The first of each group was replaced before.
      call->eraseOperands(indices);
      for (Value value : dropped)
        value.getDefiningOp()->erase();
    }
    function.setFunctionType(
        FunctionType::get(module.getContext(), function.getBody().getArgumentTypes(), function.getResultTypes()));
    (void)function.eraseArguments(indices);
    superfluous.clear();
  }

  ModuleOp module;
  StringRef pass;
  FusionPolicy policy;
  SymbolTable symbols;
  llvm::DenseMap<Operation *, SmallVector<func::CallOp>> callers;
  llvm::DenseSet<Operation *> addressTaken;
  llvm::DenseMap<StringAttr, int64_t> loads; // of each weight
  SmallVector<unsigned> superfluous;         // arguments, of the function being rewritten
};

struct FuseProjections : public samba::impl::SambaFuseProjectionsBase<FuseProjections> {
  using SambaFuseProjectionsBase::SambaFuseProjectionsBase;

  void runOnOperation() override {
    FusionPolicy policy = FusionPolicy::of(force, minSaved, cache, tokens, segments);
    ProjectionFuser(getOperation(), getArgument(), policy).run();
  }
};

} // namespace

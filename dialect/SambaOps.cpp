//===- SambaOps.cpp - verifiers, folders and syntax of the operations -----===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Constraint numbers (C1), (C2), ... are those of the descriptions in SambaOps.td.
//
//===----------------------------------------------------------------------===//

#include "dialect/Samba.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace samba;

/// In `source_first`: the source gives all its rows.
static constexpr int64_t kWholeTensor = -1;

/// `"name"`, or `["name" : rows, "name" at first : rows, ...]` for rows of several tensors.
static ParseResult parseSources(OpAsmParser &parser, StringAttr &source, ArrayAttr &others, DenseI64ArrayAttr &rows,
                                DenseI64ArrayAttr &first) {
  if (failed(parser.parseOptionalLSquare()))
    return parser.parseAttribute(source, NoneType::get(parser.getContext()));
  SmallVector<Attribute> names;
  SmallVector<int64_t> counts, starts;
  bool anyStart = false;
  do {
    StringAttr name;
    if (parser.parseAttribute(name, NoneType::get(parser.getContext())))
      return failure();
    int64_t start = kWholeTensor;
    if (succeeded(parser.parseOptionalKeyword("at"))) {
      SMLoc place = parser.getCurrentLocation();
      if (parser.parseInteger(start))
        return failure();
      if (start < 0)
        return parser.emitError(place, "expected a first row that is not negative");
      anyStart = true;
    }
    if (parser.parseColon() || parser.parseInteger(counts.emplace_back()))
      return failure();
    names.push_back(name);
    starts.push_back(start);
  } while (succeeded(parser.parseOptionalComma()));
  source = cast<StringAttr>(names.front());
  others = parser.getBuilder().getArrayAttr(ArrayRef(names).drop_front());
  rows = parser.getBuilder().getDenseI64ArrayAttr(counts);
  if (anyStart)
    first = parser.getBuilder().getDenseI64ArrayAttr(starts);
  return parser.parseRSquare();
}

static void printSources(OpAsmPrinter &printer, WeightOp weight, StringAttr source, ArrayAttr others,
                         DenseI64ArrayAttr rows, DenseI64ArrayAttr first) {
  size_t sources = others ? others.size() + 1 : 1;
  if (!rows || rows.size() != static_cast<int64_t>(sources) || (first && first.size() != rows.size())) {
    printer << source;
    return;
  }
  printer << "[";
  for (int64_t i = 0; i < rows.size(); ++i) {
    printer << (i ? ", " : "") << (i ? cast<StringAttr>(others[i - 1]) : source);
    if (first && first[i] != kWholeTensor)
      printer << " at " << first[i];
    printer << " : " << rows[i];
  }
  printer << "]";
}

/// `key state`, and `, value state -> result` if those are not of the types of the key state and of q.
static ParseResult parseRingTypes(OpAsmParser &parser, Type q, Type &keyState, Type &valueState, Type &result) {
  StateType keys, values;
  if (parser.parseCustomTypeWithFallback(keys))
    return failure();
  keyState = valueState = keys;
  result = q;
  if (failed(parser.parseOptionalComma()))
    return success();
  if (parser.parseCustomTypeWithFallback(values) || parser.parseArrow() || parser.parseType(result))
    return failure();
  valueState = values;
  return success();
}

static void printRingTypes(OpAsmPrinter &printer, Operation *, Type q, Type keyState, Type valueState, Type result) {
  printer.printStrippedAttrOrType(cast<StateType>(keyState));
  if (valueState == keyState && result == q)
    return;
  printer << ", ";
  printer.printStrippedAttrOrType(cast<StateType>(valueState));
  printer << " -> " << result;
}

#define GET_OP_CLASSES
#include "dialect/SambaOps.cpp.inc"

namespace {

constexpr int64_t kAny = ShapedType::kDynamic;

std::string shapeText(ArrayRef<int64_t> shape) {
  std::string text = "[";
  llvm::raw_string_ostream os(text);
  llvm::interleave(shape, os, [&](int64_t size) { size == kAny ? os << "?" : os << size; }, ", ");
  return text + "]";
}

/// Checks the shape of one operand or result. `kAny` in `expected` matches any size; a dynamic size in the value
/// matches any expectation.
LogicalResult expectShape(Operation *op, StringRef what, Type type, ArrayRef<int64_t> expected) {
  ArrayRef<int64_t> actual = cast<ShapedType>(type).getShape();
  bool same = actual.size() == expected.size();
  for (size_t i = 0; same && i < expected.size(); ++i)
    same = expected[i] == kAny || actual[i] == kAny || expected[i] == actual[i];
  if (same)
    return success();
  return op->emitOpError() << "expected " << what << " of shape " << shapeText(expected) << ", got "
                           << shapeText(actual);
}

LogicalResult expectState(Operation *op, StringRef what, StateType type, ArrayRef<int64_t> expected) {
  bool same = type.getShape().size() == expected.size();
  for (size_t i = 0; same && i < expected.size(); ++i)
    same = expected[i] == kAny || type.getShape()[i] == expected[i];
  if (!same)
    return op->emitOpError() << "expected " << what << " of shape " << shapeText(expected) << ", got "
                             << shapeText(type.getShape());
  return success();
}

LogicalResult expectF32State(Operation *op, StringRef what, StateType type) {
  if (type.getElementType().isF32())
    return success();
  return op->emitOpError() << "expected " << what << " of f32, got " << type.getElementType();
}

/// A state is updated in place, so whoever consumes it must be its only user.
LogicalResult expectOnlyUse(Operation *op, StringRef what, Value state) {
  if (state.hasOneUse())
    return success();
  int64_t uses = std::distance(state.use_begin(), state.use_end());
  return op->emitOpError() << "expected " << what << " to have one use, because it is updated in place; it has "
                           << uses;
}

int64_t sizeOf(Value value, unsigned dimension) {
  auto type = cast<RankedTensorType>(value.getType());
  return dimension < type.getRank() ? type.getDimSize(dimension) : kAny;
}

/// Rows are `[T, D]` with a static width: everything but the number of tokens is known at compile time.
LogicalResult expectRows(Operation *op, StringRef what, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getRank() != 2)
    return op->emitOpError() << "expected " << what << " of shape [T, D], got " << shapeText(type.getShape());
  if (type.isDynamicDim(1) || type.getDimSize(1) < 1)
    return op->emitOpError() << "expected " << what << " of a static positive width, got "
                             << shapeText(type.getShape());
  return success();
}

LogicalResult expectStatic(Operation *op, StringRef what, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  if (!type.hasStaticShape())
    return op->emitOpError() << "expected " << what << " of a static shape, got " << shapeText(type.getShape());
  return success();
}

} // namespace

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

LogicalResult WeightOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getType());
  if (!type || !type.hasStaticShape())
    return emitOpError() << "expected a tensor type of static shape, got " << getType();
  int64_t elements = 1;
  for (int64_t size : type.getShape()) {
    if (size < 1 || size > (int64_t(1) << 40) / elements)
      return emitOpError() << "expected between 1 and 2^40 elements, got shape " << shapeText(type.getShape());
    elements *= size;
  }
  if (!type.getElementType().isF32() && !type.getElementType().isBF16() && !type.getElementType().isF16())
    return emitOpError() << "expected f32, bf16 or f16 elements, got " << type.getElementType();
  if (type.getEncoding()) {
    if (!isa<LayoutAttr, QuantAttr>(type.getEncoding()))
      return emitOpError() << "expected a #samba.layout or #samba.quant encoding, got " << type.getEncoding();
    if (type.getRank() != 2)
      return emitOpError() << "expected a matrix for a packed layout, got shape " << shapeText(type.getShape());
  }
  if (getTransform() == WeightTransform::NegExp && !type.getElementType().isF32())
    return emitOpError() << "expected f32 for the transform neg_exp, got " << type.getElementType();
  if (auto offset = static_cast<int64_t>(getOffset().value_or(0)); offset < 0)
    return emitOpError() << "expected a non-negative offset, got " << offset;

  if (!getMoreSources() && !getSourceRows() && !getSourceFirst())
    return success();
  ArrayRef<int64_t> rows = getSourceRows().value_or(ArrayRef<int64_t>());
  size_t sources = getMoreSources() ? getMoreSources()->size() + 1 : 1;
  if (rows.size() != sources || type.getRank() < 1)
    return emitOpError() << "expected rows for each of " << sources << " sources, got " << rows.size();
  if (std::optional<ArrayRef<int64_t>> first = getSourceFirst()) {
    if (first->size() != sources)
      return emitOpError() << "expected first rows for each of " << sources << " sources, got " << first->size();
    for (int64_t row : *first)
      if (row < kWholeTensor || row > int64_t(1) << 40)
        return emitOpError() << "expected first rows between 0 and 2^40, got " << row;
  }
  int64_t left = type.getDimSize(0);
  for (int64_t count : rows) {
    if (count < 1 || count > left)
      return emitOpError() << "expected sources with " << type.getDimSize(0) << " rows together, got "
                           << shapeText(rows);
    left -= count;
  }
  if (left != 0)
    return emitOpError() << "expected sources with " << type.getDimSize(0) << " rows together, got " << shapeText(rows);
  return success();
}

void WeightOp::build(OpBuilder &builder, OperationState &state, StringRef name, ArrayRef<WeightPart> parts,
                     RankedTensorType type, WeightTransform transform) {
  ArrayAttr others;
  DenseI64ArrayAttr rows, first;
  if (parts.size() > 1 || parts.front().firstRow) {
    SmallVector<StringRef> names;
    SmallVector<int64_t> counts, starts;
    for (const WeightPart &part : parts) {
      names.push_back(part.source);
      counts.push_back(part.shape.front());
      starts.push_back(part.firstRow.value_or(kWholeTensor));
    }
    others = builder.getStrArrayAttr(ArrayRef(names).drop_front());
    rows = builder.getDenseI64ArrayAttr(counts);
    if (llvm::any_of(parts, [](const WeightPart &part) { return part.firstRow.has_value(); }))
      first = builder.getDenseI64ArrayAttr(starts);
  }
  build(builder, state, name, parts.front().source, type, transform, IntegerAttr(), others, rows, first);
}

SmallVector<WeightOp::Part> WeightOp::getParts() {
  ArrayRef<int64_t> shape = getTensorType().getShape();
  if (!getSourceRows())
    return {{getSource(), SmallVector<int64_t>(shape), std::nullopt}};
  SmallVector<Part> parts;
  for (auto [i, rows] : llvm::enumerate(*getSourceRows())) {
    StringRef source = i == 0 ? getSource() : cast<StringAttr>((*getMoreSources())[i - 1]).getValue();
    parts.push_back({source, SmallVector<int64_t>(shape), std::nullopt});
    parts.back().shape[0] = rows;
    if (getSourceFirst() && (*getSourceFirst())[i] != kWholeTensor)
      parts.back().firstRow = (*getSourceFirst())[i];
  }
  return parts;
}

std::optional<int64_t> WeightPart::firstElementIn(ArrayRef<int64_t> actual) const {
  auto proper = [](ArrayRef<int64_t> sizes) {
    return llvm::make_filter_range(sizes, [](int64_t size) { return size != 1; });
  };
  if (!firstRow)
    return llvm::equal(proper(actual), proper(shape)) ? std::optional<int64_t>(0) : std::nullopt;
  if (actual.empty() || shape.empty() || *firstRow > actual[0] || shape[0] > actual[0] - *firstRow ||
      !llvm::equal(proper(actual.drop_front()), proper(ArrayRef(shape).drop_front())))
    return std::nullopt;
  int64_t perRow = 1;
  for (int64_t size : ArrayRef(shape).drop_front())
    perRow *= size;
  return *firstRow * perRow;
}

LogicalResult LoadWeightOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  auto weight = symbolTable.lookupNearestSymbolFrom<WeightOp>(*this, getWeightAttr());
  if (!weight)
    return emitOpError() << "expected a samba.weight named '" << getWeight() << "', found none";
  if (weight.getType() != getType())
    return emitOpError() << "expected the type of '" << getWeight() << "', " << weight.getType() << ", got "
                         << getType();
  return success();
}

//===----------------------------------------------------------------------===//
// Row-wise operations
//===----------------------------------------------------------------------===//

LogicalResult EmbeddingOp::verify() {
  if (failed(expectShape(*this, "tokens", getTokens().getType(), {kAny})) ||
      failed(expectRows(*this, "table", getTable())) || failed(expectStatic(*this, "table", getTable())))
    return failure();
  return expectShape(*this, "result", getResult().getType(), {sizeOf(getTokens(), 0), sizeOf(getTable(), 1)});
}

LogicalResult GatherRowsOp::verify() {
  if (failed(expectRows(*this, "x", getX())) || failed(expectShape(*this, "rows", getRows().getType(), {kAny})))
    return failure();
  return expectShape(*this, "result", getResult().getType(), {sizeOf(getRows(), 0), sizeOf(getX(), 1)});
}

/// A norm divides by what eps keeps from zero.
static LogicalResult expectPositiveEps(Operation *op, FloatAttr attribute) {
  APFloat eps = attribute.getValue();
  if (eps.isFinite() && !eps.isNegative() && !eps.isZero())
    return success();
  return op->emitOpError() << "expected a positive eps, got " << attribute;
}

LogicalResult RmsNormOp::verify() {
  if (failed(expectRows(*this, "x", getX())) ||
      (getWeight() && failed(expectShape(*this, "weight", getWeight().getType(), {sizeOf(getX(), 1)}))))
    return failure();
  return expectPositiveEps(*this, getEpsAttr());
}

LogicalResult LayerNormOp::verify() {
  if (failed(expectRows(*this, "x", getX())) ||
      failed(expectShape(*this, "weight", getWeight().getType(), {sizeOf(getX(), 1)})) ||
      (getBias() && failed(expectShape(*this, "bias", getBias().getType(), {sizeOf(getX(), 1)}))))
    return failure();
  return expectPositiveEps(*this, getEpsAttr());
}

LogicalResult DifferentialNormOp::verify() {
  if (failed(expectRows(*this, "x", getX())) || failed(expectStatic(*this, "weight", getWeight())) ||
      failed(expectStatic(*this, "lambda", getLambda())) ||
      failed(expectShape(*this, "weight", getWeight().getType(), {kAny})) ||
      failed(expectShape(*this, "lambda", getLambda().getType(), {kAny})))
    return failure();
  int64_t width = sizeOf(getX(), 1), lanes = sizeOf(getWeight(), 0), pairs = getPairs();
  if (sizeOf(getLambda(), 0) < 4 || sizeOf(getLambda(), 0) % 4)
    return emitOpError() << "expected a lambda of four vectors of one size, got " << sizeOf(getLambda(), 0)
                         << " elements";
  if (pairs < 1 || pairs > width)
    return emitOpError() << "expected between 1 and " << width << " pairs, got " << pairs;
  if (lanes < 1 || width % lanes || width / lanes % (2 * pairs))
    return emitOpError() << "expected x to have a multiple of " << 2 * pairs << " heads of " << lanes
                         << " lanes, got a width of " << width;
  if (failed(expectShape(*this, "result", getResult().getType(), {sizeOf(getX(), 0), width / 2})))
    return failure();
  return expectPositiveEps(*this, getEpsAttr());
}

LogicalResult LinearOp::verify() {
  if (failed(expectRows(*this, "x", getX())) || failed(expectStatic(*this, "weight", getWeight())) ||
      failed(expectShape(*this, "weight", getWeight().getType(), {kAny, sizeOf(getX(), 1)})) ||
      failed(expectShape(*this, "result", getResult().getType(), {sizeOf(getX(), 0), sizeOf(getWeight(), 0)})))
    return failure();
  auto quantOf = [](Value value) {
    return dyn_cast_or_null<QuantAttr>(cast<RankedTensorType>(value.getType()).getEncoding());
  };
  QuantAttr x = quantOf(getX()), weight = quantOf(getWeight());
  if (x && (!weight || x.getGroup() != weight.getGroup()))
    return emitOpError() << "expected quantised rows only with a weight quantised in groups of the same size, got "
                         << getX().getType() << " and " << getWeight().getType();
  if (getBias())
    return expectShape(*this, "bias", getBias().getType(), {sizeOf(getWeight(), 0)});
  return success();
}

LogicalResult QuantizeRowsOp::verify() {
  if (failed(expectRows(*this, "x", getX())) ||
      failed(expectShape(*this, "result", getResult().getType(), {sizeOf(getX(), 0), sizeOf(getX(), 1)})))
    return failure();
  auto quant = dyn_cast_or_null<QuantAttr>(cast<RankedTensorType>(getType()).getEncoding());
  if (!quant || quant.getBits() != 8 || quant.getWidth() != 0)
    return emitOpError() << "expected a result of the encoding #samba.quant<8, group>, got " << getType();
  return success();
}

LogicalResult SwigluOp::verify() { return expectRows(*this, "gate and up", getGate()); }

//===----------------------------------------------------------------------===//
// Rotary embedding
//===----------------------------------------------------------------------===//

LogicalResult RotaryTableOp::verify() {
  if (failed(expectShape(*this, "segments", getSegments().getType(), {kAny})) ||
      failed(expectShape(*this, "positions", getPositions().getType(), {kAny})) ||
      failed(expectRows(*this, "result", getResult())))
    return failure();
  if (sizeOf(getResult(), 1) % 2)
    return emitOpError() << "expected an even head dimension, got " << sizeOf(getResult(), 1);
  if (!getTheta().isFinite() || getTheta().isNegative() || getTheta().isZero())
    return emitOpError() << "expected a positive theta, got " << getThetaAttr();
  return success();
}

LogicalResult RotaryOp::verify() {
  if (failed(expectRows(*this, "x", getX())) || failed(expectRows(*this, "table", getTable())))
    return failure();
  int64_t width = sizeOf(getX(), 1), headDim = sizeOf(getTable(), 1);
  if (headDim % 2 || width % headDim)
    return emitOpError() << "expected an even head dimension (the width of the table) that divides the width of x, "
                         << width << "; got " << headDim;
  return success();
}

//===----------------------------------------------------------------------===//
// Operations along time
//===----------------------------------------------------------------------===//

LogicalResult CausalConv1dOp::inferReturnTypes(MLIRContext *context, std::optional<Location> location, Adaptor adaptor,
                                               SmallVectorImpl<Type> &types) {
  types.assign({adaptor.getX().getType(), adaptor.getState().getType()});
  return success();
}

LogicalResult CausalConv1dOp::verify() {
  if (failed(expectRows(*this, "x", getX())) || failed(expectStatic(*this, "weight", getWeight())) ||
      failed(expectShape(*this, "weight", getWeight().getType(), {sizeOf(getX(), 1), kAny})))
    return failure();
  int64_t taps = sizeOf(getWeight(), 1);
  if (taps < 2)
    return emitOpError() << "expected at least 2 taps, got " << taps;
  if (getBias() && failed(expectShape(*this, "bias", getBias().getType(), {sizeOf(getX(), 1)})))
    return failure();
  if (failed(expectShape(*this, "segments", getSegments().getType(), {kAny})) ||
      failed(expectState(*this, "state", getState().getType(), {taps - 1, sizeOf(getX(), 1)})) ||
      failed(expectF32State(*this, "state", getState().getType())))
    return failure();
  return expectOnlyUse(*this, "state", getState());
}

LogicalResult SelectiveScanOp::verify() {
  if (failed(expectRows(*this, "u", getU())) || failed(expectStatic(*this, "A", getA())) ||
      failed(expectShape(*this, "A", getA().getType(), {sizeOf(getU(), 1), kAny})))
    return failure();
  int64_t tokens = sizeOf(getU(), 0), channels = sizeOf(getU(), 1), states = sizeOf(getA(), 1);
  if (failed(expectShape(*this, "B", getB().getType(), {tokens, states})) ||
      failed(expectShape(*this, "C", getC().getType(), {tokens, states})) || failed(expectRows(*this, "B", getB())) ||
      failed(expectRows(*this, "C", getC())))
    return failure();
  if (getD() && failed(expectShape(*this, "D", getD().getType(), {channels})))
    return failure();
  if (getDeltaBias() && failed(expectShape(*this, "delta_bias", getDeltaBias().getType(), {channels})))
    return failure();
  if (getZ() && failed(expectShape(*this, "z", getZ().getType(), {tokens, channels})))
    return failure();
  if (failed(expectShape(*this, "segments", getSegments().getType(), {kAny})) ||
      failed(expectState(*this, "state", getState().getType(), {states, channels})) ||
      failed(expectF32State(*this, "state", getState().getType())))
    return failure();
  return expectOnlyUse(*this, "state", getState());
}

RankedTensorType samba::heldRows(RankedTensorType rows, StateType ring) {
  if (!ring.isQuantised())
    return RankedTensorType::get(rows.getShape(), ring.getElementType());
  MLIRContext *context = ring.getContext();
  int64_t headDim = ring.getShape().back();
  if (!QuantAttr::isGroup(headDim))
    return {};
  return RankedTensorType::get(rows.getShape(), Float32Type::get(context), QuantAttr::get(context, 8, headDim, 0));
}

/// The heads of `q`, `[T, H P]`, and of the states, `[G, W, P]` and `[Gv, W, V]`; the result, `[T, H V]`.
static LogicalResult verifyHeads(Operation *op, Value q, StateType keys, StateType values, Value result) {
  if (failed(expectState(op, "states", keys, {kAny, kAny, kAny})) || failed(expectRows(op, "q", q)))
    return failure();
  int64_t kvHeads = keys.getShape()[0], headDim = keys.getShape()[2], width = sizeOf(q, 1);
  if (width % (kvHeads * headDim))
    return op->emitOpError() << "expected the width of q to be a multiple of " << kvHeads * headDim << " (" << kvHeads
                             << " key/value heads of " << headDim << " lanes), got " << width;
  if (failed(expectState(op, "the value state", values, {kAny, keys.getShape()[1], kAny})))
    return failure();
  int64_t valueHeads = values.getShape()[0], lanes = values.getShape()[2];
  if (kvHeads % valueHeads || lanes != headDim * (kvHeads / valueHeads) ||
      values.getElementType() != keys.getElementType())
    return op->emitOpError() << "expected a value state of heads that hold one or several of " << kvHeads
                             << " key heads of " << headDim << " lanes, got " << values;
  if (keys.isQuantised() && valueHeads != kvHeads)
    return op->emitOpError() << "expected one value head for each of " << kvHeads << " key heads in states of i8, got "
                             << valueHeads;
  return expectShape(op, "result", result.getType(), {sizeOf(q, 0), width / headDim * lanes});
}

LogicalResult SlidingWindowAttentionOp::verify() {
  StateType state = getKeyState().getType();
  if (failed(verifyHeads(*this, getQ(), state, getValueState().getType(), getResult())) ||
      failed(expectRows(*this, "k and v", getK())))
    return failure();
  int64_t kvHeads = state.getShape()[0], slots = state.getShape()[1], headDim = state.getShape()[2];
  if (failed(expectShape(*this, "k and v", getK().getType(), {sizeOf(getQ(), 0), kvHeads * headDim})))
    return failure();
  if (getWindow() && static_cast<int64_t>(*getWindow()) < 1)
    return emitOpError() << "expected a positive window, got " << static_cast<int64_t>(*getWindow());
  if (getWindow() && static_cast<int64_t>(*getWindow()) != slots)
    return emitOpError() << "expected as many ring slots as the window, " << static_cast<int64_t>(*getWindow())
                         << ", got " << slots;
  auto rows = cast<RankedTensorType>(getK().getType());
  RankedTensorType held = heldRows(rows, state);
  if (!held)
    return emitOpError() << "expected heads of a multiple of 8 lanes between 8 and 1024 for states of i8, got "
                         << headDim;
  if (rows != held)
    return emitOpError() << "expected k and v as the states hold them, " << held << ", got " << rows;
  if (failed(expectShape(*this, "segments", getSegments().getType(), {kAny})) ||
      failed(expectShape(*this, "positions", getPositions().getType(), {kAny})) ||
      failed(expectOnlyUse(*this, "key_state", getKeyState())))
    return failure();
  return expectOnlyUse(*this, "value_state", getValueState());
}

LogicalResult CrossAttentionOp::verify() {
  if (failed(verifyHeads(*this, getQ(), getKeyState().getType(), getValueState().getType(), getResult())) ||
      failed(expectShape(*this, "rows", getRows().getType(), {sizeOf(getQ(), 0)})) ||
      failed(expectShape(*this, "segments", getSegments().getType(), {kAny})) ||
      failed(expectShape(*this, "positions", getPositions().getType(), {kAny})) ||
      failed(expectOnlyUse(*this, "key_state", getKeyState())))
    return failure();
  return expectOnlyUse(*this, "value_state", getValueState());
}

//===----------------------------------------------------------------------===//
// KernelOp
//===----------------------------------------------------------------------===//

void KernelOp::getAsmBlockArgumentNames(Region &region, OpAsmSetValueNameFn setName) {}

ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &result) {
  StringAttr name;
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  SmallVector<OpAsmParser::Argument> arguments;
  SmallVector<Type> types;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseAttribute(name, "name", result.attributes) || parser.parseKeyword("ins"))
    return failure();
  auto parseInput = [&]() -> ParseResult {
    OpAsmParser::Argument &argument = arguments.emplace_back();
    if (parser.parseArgument(argument) || parser.parseEqual() || parser.parseOperand(operands.emplace_back()) ||
        parser.parseColonType(argument.type))
      return failure();
    types.push_back(argument.type);
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, parseInput) ||
      parser.resolveOperands(operands, types, loc, result.operands) ||
      parser.parseOptionalArrowTypeList(result.types) || parser.parseOptionalAttrDictWithKeyword(result.attributes) ||
      parser.parseRegion(*result.addRegion(), arguments))
    return failure();
  return success();
}

void KernelOp::print(OpAsmPrinter &printer) {
  printer << ' ' << getNameAttr() << " ins(";
  llvm::interleaveComma(llvm::zip(getBody().getArguments(), getInputs()), printer, [&](auto pair) {
    printer << std::get<0>(pair) << " = " << std::get<1>(pair) << " : " << std::get<1>(pair).getType();
  });
  printer << ')';
  printer.printOptionalArrowTypeList(getResultTypes());
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs(), {"name"});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

LogicalResult KernelOp::verify() {
  // Diagnostics print an empty list as nothing.
  auto text = [](TypeRange types) {
    std::string text;
    llvm::raw_string_ostream os(text);
    llvm::interleaveComma(types, os, [&](Type type) { os << '\'' << type << '\''; });
    return types.empty() ? "none" : text;
  };
  Block &block = getBody().front();
  if (block.getArgumentTypes() != getInputs().getTypes())
    return emitOpError() << "expected block arguments of the operands' types " << text(getInputs().getTypes())
                         << ", got " << text(block.getArgumentTypes());
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  if (!yield)
    return emitOpError() << "expected a samba.yield at the end, got " << block.getTerminator()->getName();
  if (yield.getValues().getTypes() != getResultTypes())
    return emitOpError() << "expected to yield the results' types " << text(getResultTypes()) << ", got "
                         << text(yield.getValues().getTypes());
  return success();
}

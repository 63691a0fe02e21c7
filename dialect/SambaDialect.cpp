//===- SambaDialect.cpp - registration, types and attributes --------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Samba.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace samba;

#include "dialect/SambaDialect.cpp.inc"
#include "dialect/SambaEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/SambaAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialect/SambaTypes.cpp.inc"

void SambaDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/SambaAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/SambaTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/SambaOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// StateType
//===----------------------------------------------------------------------===//

Type StateType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type elementType;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseDimensionList(shape, /*allowDynamic=*/false) || parser.parseType(elementType) ||
      parser.parseGreater())
    return {};
  return parser.getChecked<StateType>(loc, parser.getContext(), shape, elementType);
}

void StateType::print(AsmPrinter &printer) const {
  printer << '<';
  for (int64_t size : getShape())
    printer << size << 'x';
  printer << getElementType() << '>';
}

LogicalResult StateType::verify(function_ref<InFlightDiagnostic()> emitError, ArrayRef<int64_t> shape,
                                Type elementType) {
  // The element count is bounded so that sizes in bytes, and sums of them over layers, never overflow.
  int64_t elements = 1;
  for (int64_t size : shape) {
    if (size < 1)
      return emitError() << "expected positive sizes in a state, got " << size;
    if (size > (int64_t(1) << 40) / elements)
      return emitError() << "expected at most 2^40 elements in a state";
    elements *= size;
  }
  if (shape.empty())
    return emitError() << "expected a state of at least one dimension";
  if (!elementType.isF32() && !elementType.isBF16() && !elementType.isInteger(8))
    return emitError() << "expected f32, bf16 or i8 elements in a state, got " << elementType;
  return success();
}

int64_t StateType::getNumElements() const {
  int64_t elements = 1;
  for (int64_t size : getShape())
    elements *= size;
  return elements;
}

SmallVector<int64_t> StateType::getMemoryShape() const {
  SmallVector<int64_t> shape(getShape());
  if (isQuantised())
    shape.back() += sizeof(float);
  return shape;
}

int64_t StateType::getSizeInBytes() const {
  int64_t bytes = getElementType().getIntOrFloatBitWidth() / 8;
  for (int64_t size : getMemoryShape())
    bytes *= size;
  return bytes;
}

//===----------------------------------------------------------------------===//
// QuantAttr
//===----------------------------------------------------------------------===//

LogicalResult QuantAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t bits, int64_t group,
                                int64_t width) {
  if (bits != 4 && bits != 8)
    return emitError() << "expected 4 or 8 bits, got " << bits;
  if (!isGroup(group))
    return emitError() << "expected a group of a multiple of 8 between 8 and 1024 elements, got " << group;
  if (width < 0 || width > 4096)
    return emitError() << "expected a panel width between 0 and 4096, got " << width;
  return success();
}

//===----------------------------------------------------------------------===//
// LayoutAttr
//===----------------------------------------------------------------------===//

LogicalResult LayoutAttr::verify(function_ref<InFlightDiagnostic()> emitError, LayoutKind kind, int64_t width) {
  if (kind != LayoutKind::Transposed && (width < 1 || width > 4096))
    return emitError() << "expected a panel width between 1 and 4096, got " << width;
  if (kind == LayoutKind::Transposed && width != 0)
    return emitError() << "expected no width in a transposed layout, got " << width;
  return success();
}

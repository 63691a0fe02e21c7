//===- MapsByValue.cpp - descriptions of matrices as parameters -----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/Passes.h"
#include "lowering/gpu/Program.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAMAPSBYVALUE
#include "lowering/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

// The conversion from gpu to NVVM drops these attributes, so they are set behind it.
class MapsByValue : public samba::impl::SambaMapsByValueBase<MapsByValue> {
public:
  void runOnOperation() override {
    Builder b(&getContext());
    auto bytes = LLVM::LLVMArrayType::get(b.getI8Type(), MatrixMap::bytes);
    for (auto function : getOperation().getOps<LLVM::LLVMFuncOp>()) {
      if (!function->hasAttr(NVVM::NVVMDialect::getKernelFuncAttrName()))
        continue;
      for (unsigned i = 0; i < function.getNumArguments(); ++i) {
        auto alignment = function.getArgAttrOfType<IntegerAttr>(i, LLVM::LLVMDialect::getAlignAttrName());
        if (!alignment || alignment.getInt() != MatrixMap::alignment)
          continue;
        function.setArgAttr(i, LLVM::LLVMDialect::getByValAttrName(), TypeAttr::get(bytes));
        function.setArgAttr(i, NVVM::NVVMDialect::getGridConstantAttrName(), b.getUnitAttr());
      }
    }
  }
};

} // namespace

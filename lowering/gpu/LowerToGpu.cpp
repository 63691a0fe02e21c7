//===- LowerToGpu.cpp - kernels to device code and a launch table ---------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/Passes.h"
#include "lowering/gpu/StepLowering.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace samba {
#define GEN_PASS_DEF_SAMBALOWERTOGPU
#include "lowering/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

class LowerToGpu : public samba::impl::SambaLowerToGpuBase<LowerToGpu> {
public:
  using SambaLowerToGpuBase::SambaLowerToGpuBase;

  // The conversion to NVVM asks dialects for their patterns; those that kernels are made of have to know them.
  void getDependentDialects(DialectRegistry &registry) const override {
    SambaLowerToGpuBase::getDependentDialects(registry);
    arith::registerConvertArithToLLVMInterface(registry);
    cf::registerConvertControlFlowToLLVMInterface(registry);
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    func::FuncOp entry;
    SmallVector<func::FuncOp> functions;
    for (auto function : module.getOps<func::FuncOp>()) {
      functions.push_back(function);
      if (function.isDeclaration() || !function.isPublic())
        continue;
      if (entry) {
        function.emitOpError() << "expected one public function, got '" << entry.getSymName() << "' too";
        return signalPassFailure();
      }
      entry = function;
    }
    if (!entry) {
      module.emitError() << "expected a public function";
      return signalPassFailure();
    }

    if (failed(lowerTo("kernels", 0, entry)) || (hopper && failed(lowerTo("kernels_sm_90a", 90, entry))))
      return signalPassFailure();
    for (func::FuncOp function : functions)
      function.erase();
    for (auto weight : llvm::make_early_inc_range(module.getOps<WeightOp>()))
      weight.erase();
    Builder b(&getContext());
    module->setAttr("samba.programs", b.getArrayAttr(programs));
    module->setAttr("samba.gpu_arena_bytes", b.getI64IntegerAttr(arenaBytes));
  }

private:
  /// Adds the kernels and programs for one kind of device; none if they would be those that all devices have.
  LogicalResult lowerTo(StringRef name, int64_t exact, func::FuncOp entry) {
    ModuleOp module = getOperation();
    OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
    auto kernels = gpu::GPUModuleOp::create(b, module.getLoc(), name);
    llvm::StringMap<std::string> known;
    llvm::StringSet<> names;
    SmallVector<Attribute> made;
    int64_t most = 0;
    bool differs = exact == 0;
    for (GpuProgram &program : programsFor()) {
      program.exact = exact;
      StepBuilder builder(kernels, program, known, names);
      if (failed(StepLowering(builder).lower(entry)))
        return failure();
      int64_t bytes = 0;
      std::vector<int64_t> offsets = program.plan(bytes);
      most = std::max(most, bytes);
      made.push_back(program.toAttribute(&getContext(), offsets));
      differs |= program.needsExact;
    }
    if (!differs) {
      kernels.erase();
      return success();
    }
    arenaBytes = std::max(arenaBytes, most);
    llvm::append_range(programs, made);
    return success();
  }

  /// From the smallest steps to the largest: generation for one sequence and for some, and everything else.
  std::vector<GpuProgram> programsFor() {
    constexpr int64_t kFew = 16;
    std::vector<GpuProgram> programs;
    programs.push_back({"decode1", {1, 1, 1, 1}, {}, {}});
    programs.push_back({"decode", {kFew, kFew, kFew, 1}, {}, {}});
    programs.push_back({"prefill", {tokens, std::min<int64_t>(tokens, 64), tokens, std::nullopt}, {}, {}});
    return programs;
  }

  SmallVector<Attribute> programs;
  int64_t arenaBytes = 0;
};

} // namespace

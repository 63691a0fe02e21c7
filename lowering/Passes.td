//===- Passes.td - lowering passes ----------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SAMBA_LOWERING_PASSES_TD
#define SAMBA_LOWERING_PASSES_TD

include "mlir/Pass/PassBase.td"

def SambaLowerToCpu : Pass<"samba-lower-to-cpu", "::mlir::ModuleOp"> {
  let summary = "turns kernels into parallel loops over memory";
  let description = [{
    Rewrites every function of samba IR that `samba-plan-memory` has prepared. Values become buffers: function
    arguments and results of the caller, everything else at planned places of one arena (no allocation, no copy);
    weights and states are views into the artefact's weights and the sequences' states. Each kernel becomes
    `scf.forall` loops of vector code, one for each barrier it needs.

    A public function becomes an entry point of the C contract (`runtime/include/samba/abi.h`); a private one is
    called with buffers and base offsets.
  }];
  let options = [
    Option<"target", "target", "std::string", "\"x86-64-v4\"", "CPU to generate code for: native, x86-64-v3, x86-64-v4 or a name that LLVM knows">
  ];
  let dependentDialects = ["::samba::SambaDialect", "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def SambaRollLayers : Pass<"samba-roll-layers", "::mlir::func::FuncOp"> {
  let summary = "turns the repeated calls of a step into a loop";
  let description = [{
    The lowered step of a model calls the functions of its blocks once for each layer, with the same buffers and with
    places of weights and states that grow by the same amount from layer to layer. The longest such repetition of a run
    of calls becomes an `scf.for`, so that the size of the code does not depend on the number of layers. A function
    without one is left alone.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::scf::SCFDialect"];
}

def SambaTeamLoops : Pass<"samba-team-loops", "::mlir::ModuleOp"> {
  let summary = "turns parallel loops into chunks claimed by a team of threads";
  let description = [{
    Each outermost `scf.forall` becomes a loop in which the calling thread claims chunks of the iteration space from
    the team (`samba_team.claim`) until none is left, followed by the team's barrier. Loops of one function see the
    team as its first argument. Functions without `scf.forall` are left alone.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::scf::SCFDialect", "::mlir::arith::ArithDialect"];
}

def SambaLowerToGpu : Pass<"samba-lower-to-gpu", "::mlir::ModuleOp"> {
  let summary = "turns a step into kernels for a GPU and a table of launches";
  let description = [{
    Rewrites the public function of samba IR that `samba-plan-memory` has prepared, with what it calls. Weight matrices
    are row-major (`samba-pack-weights` with `panel-width=0`).

    The functions become kernels in the `gpu.module` `@kernels`, one for each kind of operation and shape, shared by all
    layers, and the module attribute `samba.programs`: for steps of different sizes a list of launches, each with the
    kernel, the layer's name, the grid as a function of the step's sizes, and its arguments, which are places in the
    arena of intermediate values, the weights or the states, or inputs and outputs of the step (docs/formats.md).
    What one `samba.kernel` holds becomes one launch where there is a kernel for it, else a few.

    With `hopper` the programs are made once more with the kernels of sm_90a, in the `gpu.module` `@kernels_sm_90a`; those
    have `exact = 90`. If no kernel of theirs needs sm_90a they are left out.
  }];
  let options = [
    Option<"hopper", "hopper", "bool", "false", "also make kernels for sm_90a (copy engine and warpgroup products)">,
    Option<"tokens", "tokens", "int64_t", "512", "tokens of the largest step, for which the arena is planned">
  ];
  let dependentDialects = ["::samba::SambaDialect", "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::math::MathDialect", "::mlir::NVVM::NVVMDialect",
    "::mlir::scf::SCFDialect"];
}

def SambaMapsByValue : Pass<"samba-maps-by-value", "::mlir::gpu::GPUModuleOp"> {
  let summary = "lets kernels take descriptions of matrices by value";
  let description = [{
    The copy engine of sm_90 reads the description of a matrix, 128 bytes that the host has made, from the parameters of
    the kernel. `samba-lower-to-gpu` writes such a parameter as a pointer with `llvm.align = 64`; in a kernel of the LLVM
    dialect it becomes a constant of the grid that is passed by value. Other parameters are left alone.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect"];
}

#endif // SAMBA_LOWERING_PASSES_TD

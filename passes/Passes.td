//===- Passes.td - target-independent passes over samba IR ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SAMBA_PASSES_TD
#define SAMBA_PASSES_TD

include "mlir/Pass/PassBase.td"

def SambaSetPrecision : Pass<"samba-set-precision", "::mlir::ModuleOp"> {
  let summary = "stores weight matrices in a narrower type";
  let description = [{
    Gives every weight that is used only as the matrix of a `samba.linear` or the table of a `samba.embedding` the
    element type of `precision`, in its declaration and wherever its value flows (through calls into the functions that
    blocks share). All other weights (norms, A, D, convolutions, biases) stay f32, as do activations and state, and a
    weight with a transform, which is computed in f32. A type that a matrix has already is left alone, so the pass is a
    no-op the second time.

    Fails if a shared function would be called with both types for one argument.
  }];
  let options = [
    Option<"precision", "precision", "std::string", "\"f32\"", "element type of weight matrices: f32 or bf16">
  ];
  let dependentDialects = ["::samba::SambaDialect"];
}

def SambaFormKernels : Pass<"samba-form-kernels", "::mlir::func::FuncOp"> {
  let summary = "puts every operation into a kernel";
  let description = [{
    Wraps each operation that computes into a `samba.kernel` of its own, named after the operation and its location.
    An addition whose one operand is the result of a linear used nowhere else joins that linear's kernel: it becomes
    the epilogue and saves a pass over the rows. Operations already in a kernel, slices (which are views) and calls
    are left alone.
  }];
  let dependentDialects = ["::samba::SambaDialect"];
}

def SambaPackWeights : Pass<"samba-pack-weights", "::mlir::ModuleOp"> {
  let summary = "chooses the memory layout of weights";
  let description = [{
    Decides from its uses how each weight lies in the artefact and writes the decision into its type, in the
    declaration and wherever the value flows: the matrix of a `samba.linear` in panels of `panel-width` outputs,
    the table of a `samba.embedding` in panels if it is also the matrix of a linear (tied embeddings) and row-major
    otherwise, `A` of a scan and the taps of a convolution transposed, so that channels are contiguous.
    Any other use wants row-major. A weight that nobody uses stays as it is.

    Fails if the uses of a weight want different layouts, or if a shared function would be called with two layouts for
    one argument.
  }];
  let options = [
    Option<"panelWidth", "panel-width", "int64_t", "32", "outputs per panel of a linear's matrix">
  ];
  let dependentDialects = ["::samba::SambaDialect"];
}

def SambaPlanMemory : Pass<"samba-plan-memory", "::mlir::ModuleOp"> {
  let summary = "gives weights and states their places";
  let description = [{
    Assigns every weight its `offset` in the artefact and every state argument of a public function its
    `samba.offset` in a sequence's state. All are 64-byte aligned. The weights of one call of a shared function lie
    one after another in the order of the arguments, and so do its states, so that the function needs only two base
    offsets, whatever the depth of the model. Sets the module attributes `samba.weight_bytes` and
    `samba.state_bytes`.

    Weights that a public function uses itself follow those of the calls; those that nobody uses come last.

    A call's weights are its operands of static shape. Fails if one of them is not a `samba.load_weight`, if a weight is
    an argument of two calls, if a state is not passed on exactly once, if more than one public function has states, or
    if a private function passes weights or states to a call.
  }];
  let dependentDialects = ["::samba::SambaDialect"];
}

#endif // SAMBA_PASSES_TD

//===- Passes.td - target-independent passes over samba IR ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SAMBA_PASSES_TD
#define SAMBA_PASSES_TD

include "mlir/Pass/PassBase.td"

def SambaApplyNumerics : Pass<"samba-apply-numerics", "::mlir::ModuleOp"> {
  let summary = "puts the roundings of the model's numerics profile into the IR";
  let description = [{
    Reads the module attribute `samba.numerics` (`docs/numerics.md` has the flags) and carries it out, then removes it:
    roundings become `arith.truncf` followed by `arith.extf`; the bias of dt_proj moves into the product
    (`dt_bias = fused`); the gate of a scan becomes a `samba.swiglu` of its rounded result (`gate_on = rounded`); what
    happens inside an operation becomes a discardable attribute of it, `samba.round_normalised`, `samba.round_state`,
    `samba.round_weights` and so on or, of a weight, `samba.round_source`. With all flags at their defaults nothing
    changes.

    Fails if a flag or its value is not known.
  }];
  let options = [
    Option<"flags", "flags", "std::string", "\"\"", "flag=value,... in place of what the attribute says">
  ];
  let dependentDialects = ["::samba::SambaDialect", "::mlir::arith::ArithDialect"];
}

def SambaSetPrecision : Pass<"samba-set-precision", "::mlir::ModuleOp"> {
  let summary = "stores weight matrices in a narrower type";
  let description = [{
    Gives every weight that is used only as the matrix of a `samba.linear` or the table of a `samba.embedding` the
    element type of `precision`, in its declaration and wherever its value flows (through calls into the functions that
    blocks share). All other weights (norms, A, D, convolutions, biases) stay f32, as do activations and state, and a
    weight with a transform, which is computed in f32. A type that a matrix has already is left alone, so the pass is a
    no-op the second time.

    With int8 or int4 the matrices of linears of at least 64 inputs and outputs become `#samba.quant` of `group`
    elements, and the rows that are multiplied with them pass through `samba.quantize_rows`, once for all linears that
    share them. Without `quantise-rows` they stay as they are, or are rounded to bf16 like those of the other matrices,
    which are all stored in bf16.

    Fails if a shared function would be called with both types for one argument.
  }];
  let options = [
    Option<"precision", "precision", "std::string", "\"f32\"", "of weight matrices: f32, bf16, int8 or int4">,
    Option<"group", "group", "int64_t", "0",
           "elements of a quantised matrix that share a scale; 0: 64, or 256 or 128 for int8 where this pads no row further">,
    Option<"roundActivations", "round-activations", "bool", "false",
           "also round the activations that enter a product with such a matrix, where their producer can store them so">,
    Option<"quantiseRows", "quantise-rows", "bool", "true",
           "also quantise the activations that enter a product with a quantised matrix">
  ];
  let dependentDialects = ["::samba::SambaDialect"];
}

def SambaQuantizeKv : Pass<"samba-quantize-kv", "::mlir::ModuleOp"> {
  let summary = "keeps keys and values of attention in a narrower type";
  let description = [{
    Gives the states of every `samba.sliding_window_attention` the element type of `type`, wherever their values go
    (through kernels and calls), and rounds keys and values before attention reads them: to bf16 with `arith.truncf`, or
    with `samba.quantize_rows` to integers of 8 bits with a scale for each row and head. So the tokens of a step and
    those of earlier steps are seen with the same values, and in how many steps a text is read changes nothing.

    States that are narrow already are left alone, so the pass is a no-op the second time.

    Fails if heads cannot be groups of `#samba.quant`, or if anything but attention, kernels and calls uses a state of
    keys or values.
  }];
  let options = [
    Option<"type", "type", "std::string", "\"f32\"", "of keys and values: f32, bf16 or int8">
  ];
  let dependentDialects = ["::samba::SambaDialect", "::mlir::arith::ArithDialect"];
}

def SambaFormKernels : Pass<"samba-form-kernels", "::mlir::func::FuncOp"> {
  let summary = "puts every operation into a kernel";
  let description = [{
    Wraps each operation that computes into a `samba.kernel` of its own, named after the operation and its location.
    A rounding (`arith.truncf`) of a value used nowhere else joins the kernel of that value, which is then stored
    narrow. Operations already in a kernel, slices (which are views) and calls are left alone. Everything else about
    which operations share a kernel is the business of the fusion passes.
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
    Option<"panelWidth", "panel-width", "int64_t", "32", "outputs per panel of a linear's matrix; 0 leaves it row-major, a quantised one in panels of 8">
  ];
  let dependentDialects = ["::samba::SambaDialect"];
}

def SambaPlanMemory : Pass<"samba-plan-memory", "::mlir::ModuleOp"> {
  let summary = "gives weights and states their places";
  let description = [{
    Assigns every weight its `offset` in the artefact and every state argument of a public function its
    `samba.offset` in a sequence's state. All are 64-byte aligned. The weights of one call of a shared function lie
    one after another in the order of the arguments, and so do its states, so that the function needs only two base
    offsets, whatever the depth of the model. A later call may be passed the states that such a call has returned. Sets the module attributes `samba.weight_bytes` and
    `samba.state_bytes`.

    Weights that a public function uses itself follow those of the calls; those that nobody uses come last.

    A call's weights are its operands of static shape. Fails if one of them is not a `samba.load_weight`, if a weight is
    an argument of two calls, if a state is not passed on exactly once, if more than one public function has states, or
    if a private function passes weights or states to a call.
  }];
  let dependentDialects = ["::samba::SambaDialect"];
}

def SambaApplySchedule : Pass<"samba-apply-schedule", "::mlir::ModuleOp"> {
  let summary = "applies a script of the transform dialect";
  let description = [{
    Reads a module of the transform dialect from `file` and applies its named sequence `entry` to the module. A script
    says in IR what a pipeline says in text, and more: which operations a pass is for (`transform.structured.match`,
    `transform.apply_registered_pass "samba-fuse-norm" to %function`), in what order, and what to do if something is not
    there. All passes of the project, of upstream and of plugins can be applied.

    Fails if there is no such file or sequence, or if a transformation fails.
  }];
  let options = [
    Option<"file", "file", "std::string", "\"\"", "the script">,
    Option<"entry", "entry", "std::string", "\"__transform_main\"", "the named sequence">
  ];
  let dependentDialects = ["::mlir::transform::TransformDialect"];
}

//===----------------------------------------------------------------------===//
// Costs
//===----------------------------------------------------------------------===//

def SambaPrintCost : Pass<"samba-print-cost", "::mlir::ModuleOp"> {
  let summary = "prints the predicted cost of kernels";
  let description = [{
    For each kernel, and for each operation in no kernel: the bytes that cross its border (activations, weights, carried
    state), arithmetic and exponentials, barriers, and the time that they take on the machine described by the options:
    the slower of memory and arithmetic, and the barriers. A function's sum is for one call; the step's counts the
    calls. The module stays as it is. Each kernel is also a remark of the kind *Analysis* and the category
    "samba-cost".
  }];
  let options = [
    Option<"tokens", "tokens", "int64_t", "1", "tokens of the step, evenly spread over the segments">,
    Option<"segments", "segments", "int64_t", "1", "sequences of the step">,
    Option<"context", "context", "int64_t", "1024", "tokens that each sequence has seen before">,
    Option<"rows", "rows", "int64_t", "-1", "rows of logits (default: one for each sequence)">,
    Option<"bandwidth", "bandwidth", "double", "20", "GB/s that can be read from memory">,
    Option<"flops", "flops", "double", "100", "GFLOP/s of multiply-adds">,
    Option<"exps", "exps", "double", "4", "10^9 exponentials per second">,
    Option<"barrier", "barrier", "double", "2", "microseconds of a barrier">,
    Option<"format", "format", "std::string", "\"text\"", "text or json">
  ];
}

//===----------------------------------------------------------------------===//
// Fusion
//===----------------------------------------------------------------------===//

// Each fusion says in its predicate which values it keeps inside a kernel. All of them merge only what may be merged
// (KernelFusion.h), and only if the cost model says that it pays. Every decision is a remark of the category
// "samba-fusion", named after the pass: passed, missed (it does not pay) or failed (it may not be).
class SambaFusion<string name, string op> : Pass<name, op> {
  list<Option> policy = [
    Option<"force", "force", "bool", "false", "fuse whatever may be fused, whether it pays or not">,
    Option<"minSaved", "min-saved", "int64_t", "1", "bytes that a fusion must save in a step">,
    Option<"cache", "cache", "int64_t", "1048576", "bytes that the rows a core works on may take inside a kernel">,
    Option<"tokens", "tokens", "int64_t", "1", "tokens of the step that fusion is to pay for">,
    Option<"segments", "segments", "int64_t", "1", "sequences of that step">
  ];
  let options = policy;
  let dependentDialects = ["::samba::SambaDialect", "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
}

def SambaFuseProjections : SambaFusion<"samba-fuse-projections", "::mlir::ModuleOp"> {
  let summary = "makes projections of the same rows one";
  let description = [{
    Linears that read the same rows (q, k and v; gate and up) become one linear whose weight is the rows of theirs, one
    after another (`samba.weight @w from ["q" : 192, "k" : 64, ...]`), and slices of its columns. The rows are read
    once, and of several barriers one is left. Looks at linears outside of kernels, so it runs before
    `samba-form-kernels`.

    The weights must have no other readers, transforms or layouts, and all of the linears or none must have a bias.
  }];
}

def SambaFuseNorm : SambaFusion<"samba-fuse-norm", "::mlir::func::FuncOp"> {
  let summary = "the norm joins the projection that reads it";
  let description = [{
    Merges the kernel of an `rms_norm` with that of the linear that reads it. Public functions are left alone: the norm
    before the logits belongs to `samba-fuse-head`.
  }];
}

def SambaFuseSwiglu : SambaFusion<"samba-fuse-swiglu", "::mlir::func::FuncOp"> {
  let summary = "projections join the gate that reads them";
  let description = [{
    Merges the kernels of the gate and up projections with that of their `swiglu`. After `samba-fuse-projections` this
    is one linear, two slices of its columns and the `swiglu`.
  }];
}

def SambaFuseConv : SambaFusion<"samba-fuse-conv", "::mlir::func::FuncOp"> {
  let summary = "the convolution joins the projection that reads it";
  let description = [{
    Merges the kernel of a `causal_conv1d` with that of the linear that reads it (`x_proj`). The convolution's rows leave
    the kernel too if others read them, as the scan does.
  }];
}

def SambaFuseScan : SambaFusion<"samba-fuse-scan", "::mlir::func::FuncOp"> {
  let summary = "the projection of delta joins the scan";
  let description = [{
    Merges the kernel of the linear that computes `delta` (`dt_proj`) with that of its `selective_scan`.
  }];
}

def SambaFuseRotary : SambaFusion<"samba-fuse-rotary", "::mlir::func::FuncOp"> {
  let summary = "rotations join the attention or the projections";
  let description = [{
    Merges the kernels of `rotary` with that of the `sliding_window_attention` that reads them, or with those of the
    linears that they read. What rounds keys and values for attention goes along: it shares the loop of the rotation.
  }];
  let options = policy # [
    Option<"into", "into", "std::string", "\"attention\"", "what rotations join: attention or projection">
  ];
}

def SambaFuseAttention : SambaFusion<"samba-fuse-attention", "::mlir::func::FuncOp"> {
  let summary = "attention joins its output projection";
  let description = [{
    Merges the kernel of a `sliding_window_attention` or `cross_attention` with that of the linear that reads it, or
    with that of the `differential_norm` in between.
  }];
}

def SambaFuseResidual : SambaFusion<"samba-fuse-residual", "::mlir::func::FuncOp"> {
  let summary = "an addition joins the linear before it";
  let description = [{
    An addition whose one operand is the result of a linear that nothing else reads joins the kernel of that linear: it
    becomes the epilogue of its loop, and a barrier and a pass over the rows are saved. Of two such linears the one on
    the right is taken, which in `x + mixer(x)` is the later one.
  }];
}

def SambaFuseHead : SambaFusion<"samba-fuse-head", "::mlir::func::FuncOp"> {
  let summary = "what makes the logits becomes one kernel";
  let description = [{
    In public functions: merges the kernels of `gather_rows`, of the last `rms_norm` and of the linear whose result is
    returned.
  }];
}

def SambaFuseBlock : SambaFusion<"samba-fuse-block", "::mlir::func::FuncOp"> {
  let summary = "all kernels of a block become one";
  let description = [{
    In private functions: merges every kernel with the kernels whose results it reads, as long as the rows that a core
    works on stay in its cache.
  }];
}

#endif // SAMBA_PASSES_TD

//===- SambaBase.td - the samba dialect, its types and attributes ---------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SAMBA_BASE_TD
#define SAMBA_BASE_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def Samba_Dialect : Dialect {
  let name = "samba";
  let summary = "SAMBA language models: selective scan, sliding-window attention, SwiGLU";
  let description = [{
    Model-level operations with value semantics on tensors.

    Conventions used by all operations:

    * Sequences are *ragged*. The tokens of all sequences of a step lie in one flat run of `T` rows; row-wise operations
      (`samba.linear`, `samba.rms_norm`, ...) see only the rows. Operations that look along time take
      `segments : tensor<?xi64>` with `S+1` entries: sequence `s` owns the rows `segments[s] .. segments[s+1]-1`.
      A segment may be empty. `positions : tensor<?xi64>` has `S` entries: the number of tokens of each sequence seen
      before this step.
    * What a sequence carries from step to step is a `!samba.state`, consumed by the operation that advances it and
      returned as a new value. A state value has at most one use, so it is always updated in place.
    * Weight matrices are `[out, in]`, as checkpoints store them.
    * "SPEC 1.5" and the like name sections of `docs/spec.md`.
    * The meaning of an operation is its formula evaluated in exact arithmetic. The reference interpreter
      (`dialect/interpreter`) is that formula in plain C++, in `float` or `double`.
  }];
  let cppNamespace = "::samba";
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
}

class Samba_Type<string name, string typeMnemonic, list<Trait> traits = []> : TypeDef<Samba_Dialect, name, traits> {
  let mnemonic = typeMnemonic;
}

def Samba_StateType : Samba_Type<"State", "state"> {
  let summary = "one fixed-size slice of carried state per sequence of the step";
  let description = [{
    A batch of `S` equally shaped dense tensors, one for each sequence of the step, in memory that outlives the step.
    `S` is dynamic and not part of the type. Example: `!samba.state<3x384xf32>` is the tail of a convolution with
    4 taps over 384 channels.

    Elements are f32, bf16 or i8. With i8 the last dimension is a row of integers in -127 .. 127 with a scale of its own
    (f32), which follows the integers in memory: the values are their products.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape, "::mlir::Type":$elementType);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Number of elements of one sequence's slice.
    int64_t getNumElements() const;
    /// Bytes of one sequence's slice, unpadded.
    int64_t getSizeInBytes() const;
    /// Whether rows are integers with a scale.
    bool isQuantised() const { return getElementType().isInteger(8); }
    /// The shape of a slice in elements of memory: rows of integers are longer by the bytes of their scale.
    ::llvm::SmallVector<int64_t> getMemoryShape() const;
  }];
}

def Samba_LayoutKind : I32EnumAttr<"LayoutKind", "how a packed weight lies in memory", [
    I32EnumAttrCase<"Panel", 0, "panel">,
    I32EnumAttrCase<"Transposed", 1, "transposed">,
    I32EnumAttrCase<"PanelPairs", 2, "panel_pairs">
  ]> {
  let cppNamespace = "::samba";
  let genSpecializedAttr = 0;
}

def Samba_LayoutAttr : AttrDef<Samba_Dialect, "Layout"> {
  let mnemonic = "layout";
  let summary = "memory layout of a packed weight, used as a tensor encoding";
  let description = [{
    The logical value and shape of the tensor do not change; only the order of its elements in the artefact does.

    * `#samba.layout<panel, W>`: a matrix `[N, K]` stored as `[ceil(N/W), K, W]`, that is in panels of `W` outputs,
      the tail panel filled with zeros.
    * `#samba.layout<panel_pairs, W>`: a matrix `[N, K]` stored as `[ceil(N/W), ceil(K/2), W, 2]`: panels of `W`
      outputs in which two inputs lie side by side, as dot-product instructions on narrow types want them. What is
      missing at the tails is zero.
    * `#samba.layout<transposed>`: a matrix `[N, K]` stored as `[K, N]`.

    A tensor without an encoding is row-major.
  }];
  let parameters = (ins EnumParameter<Samba_LayoutKind>:$kind, DefaultValuedParameter<"int64_t", "0">:$width);
  let assemblyFormat = "`<` $kind (`,` $width^)? `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Whether the layout is one of panels.
    bool isPanels() const { return getKind() != LayoutKind::Transposed; }
    /// Inputs that lie side by side in a panel.
    int64_t getInterleave() const { return getKind() == LayoutKind::PanelPairs ? 2 : 1; }
  }];
}

def Samba_QuantAttr : AttrDef<Samba_Dialect, "Quant"> {
  let mnemonic = "quant";
  let summary = "values on a grid of integers with a scale per group, used as a tensor encoding";
  let description = [{
    The elements of an f32 matrix of K columns are the products of small integers with a scale, one scale for each group
    of `group` neighbouring elements of a row (the last group of a row may be short). What the integers and the scale
    of a group are stands in `dialect/Quantisation.h`.

    * Weights: `#samba.quant<8, G>` and `#samba.quant<4, G>`. With a third parameter `W` the weight `[N, K]` is packed in
      panels: for each panel of `W` outputs and each group, `W` scales (f32), then the integers as `[G/4, W, 4]` bytes
      with 128 added (8 bits), or two such blocks of the halved group in the low and high halves of the bytes, with 8
      added (4 bits). What is missing at the tails is zero.
    * Rows of activations (`samba.quantize_rows`): 8 bits, no third parameter. In memory a row is its integers, padded
      to whole groups, then the scales (f32), then the sums of the integers (i32) of its groups.
  }];
  let parameters = (ins "int64_t":$bits, "int64_t":$group, DefaultValuedParameter<"int64_t", "0">:$width);
  let assemblyFormat = "`<` $bits `,` $group (`,` $width^)? `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Whether groups can have this size.
    static bool isGroup(int64_t group) { return group >= 8 && group <= 1024 && group % 8 == 0; }
    int64_t groupsOf(int64_t columns) { return (columns + getGroup() - 1) / getGroup(); }
    /// Bytes of one group of a packed panel.
    int64_t getBlockBytes() { return getWidth() * (4 + getGroup() * getBits() / 8); }
    /// Bytes of a row of activations in memory.
    int64_t getRowBytes(int64_t columns) { return groupsOf(columns) * (getGroup() + 8); }
  }];
}

def Samba_Activation : I32EnumAttr<"Activation", "an elementwise activation", [
    I32EnumAttrCase<"None", 0, "none">,
    I32EnumAttrCase<"Silu", 1, "silu">
  ]> {
  let cppNamespace = "::samba";
}

def Samba_WeightTransform : I32EnumAttr<"WeightTransform", "an elementwise change made when a weight is packed", [
    I32EnumAttrCase<"None", 0, "none">,
    I32EnumAttrCase<"NegExp", 1, "neg_exp">
  ]> {
  let cppNamespace = "::samba";
}

#endif // SAMBA_BASE_TD

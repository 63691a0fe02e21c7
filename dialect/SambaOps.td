//===- SambaOps.td - operations of the samba dialect ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SAMBA_OPS_TD
#define SAMBA_OPS_TD

include "dialect/CostInterface.td"
include "dialect/SambaBase.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Samba_Op<string opMnemonic, list<Trait> traits = []> : Op<Samba_Dialect, opMnemonic, traits>;

// An operation that computes says what it costs.
def Samba_Cost : DeclareOpInterfaceMethods<Samba_CostOpInterface>;
def Samba_GatherCost : DeclareOpInterfaceMethods<Samba_CostOpInterface, ["readsWhole"]>;

// Activations are f32 rows; weights may be stored narrower.
def Samba_Rows : RankedTensorOf<[F32]>;
def Samba_NarrowRows : RankedTensorOf<[F32, BF16]>; // also rounded, for narrow products
def Samba_Matrix : RankedTensorOf<[F32, BF16, F16]>;
def Samba_Vector : RankedTensorOf<[F32]>;
def Samba_Tokens : RankedTensorOf<[I32]>;
def Samba_Index : RankedTensorOf<[I64]>;

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

def Samba_WeightOp : Samba_Op<"weight", [Symbol]> {
  let summary = "names a tensor of the checkpoint";
  let description = [{
    Declares a weight: where it comes from (`source`, the tensor's name in the checkpoint), the elementwise
    `transform` made when it is packed, and the shape, element type and layout in which the artefact holds it. The
    values never enter the IR. A source of the same element count but with unit sizes more (`[D, 1, K]` for `[D, K]`)
    is accepted.

    A weight may also be made of rows of several tensors, one after another. Each source then says how many rows it
    gives, and from which row on (`at`) if they are not all that the tensor has. A tensor may occur several times: so
    heads that a checkpoint interleaves are put in order.

    `offset` (bytes from the start of the artefact's weights) is set by `samba-plan-memory`.

    Constraints:
    * (C1) the type has a static shape, of at least one element.
    * (C2) a layout needs a matrix.
    * (C3) `neg_exp` (`-exp(x)`, which makes A of `A_log`; SPEC 1.5) needs f32.
    * (C4) several sources give a positive number of rows each, together those of the type; first rows are not
      negative.

    ```mlir
    samba.weight @layers.0.mixer.A from "backbone.layers.0.mixer.A_log" transform neg_exp
      : tensor<384x16xf32>
    samba.weight @layers.1.mixer.qkv from ["q.weight" : 192, "k.weight" : 64, "v.weight" : 64] : tensor<320x192xf32>
    samba.weight @layers.1.mlp.up from ["gate_up.weight" at 512 : 512] : tensor<512x192xf32>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$source, TypeAttrOf<AnyRankedTensor>:$type,
    DefaultValuedAttr<Samba_WeightTransform, "::samba::WeightTransform::None">:$transform,
    OptionalAttr<I64Attr>:$offset, OptionalAttr<StrArrayAttr>:$more_sources,
    OptionalAttr<DenseI64ArrayAttr>:$source_rows, OptionalAttr<DenseI64ArrayAttr>:$source_first);
  let assemblyFormat = [{
    $sym_name `from` custom<Sources>($source, $more_sources, $source_rows, $source_first) (`transform` $transform^)?
    attr-dict `:` $type
  }];
  let hasVerifier = 1;
  let builders = [
    OpBuilder<(ins "::llvm::StringRef":$name, "::llvm::StringRef":$source, "::mlir::RankedTensorType":$type,
      "::samba::WeightTransform":$transform, "::mlir::IntegerAttr":$offset), [{
        build($_builder, $_state, name, source, type, transform, offset, ::mlir::ArrayAttr(),
              ::mlir::DenseI64ArrayAttr(), ::mlir::DenseI64ArrayAttr());
      }]>,
    OpBuilder<(ins "::llvm::StringRef":$name, "::llvm::ArrayRef<::samba::WeightPart>":$parts, "::mlir::RankedTensorType":$type,
      "::samba::WeightTransform":$transform)>];
  let extraClassDeclaration = [{
    using Part = WeightPart;
    /// In the order of the rows; one for a weight of one source.
    ::llvm::SmallVector<Part> getParts();
    ::mlir::RankedTensorType getTensorType() { return ::mlir::cast<::mlir::RankedTensorType>(getType()); }
  }];
}

def Samba_LoadWeightOp : Samba_Op<"load_weight", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a weight";
  let description = [{
    Constraints:
    * (C1) `weight` names a `samba.weight`, whose type is the result's.
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}

//===----------------------------------------------------------------------===//
// Row-wise operations
//===----------------------------------------------------------------------===//

def Samba_EmbeddingOp : Samba_Op<"embedding", [Samba_GatherCost, Pure]> {
  let summary = "rows of a table";
  let description = [{
    `y[t, :] = table[tokens[t], :]` (SPEC 1.2).

    Constraints:
    * (C1) `tokens` is `[T]`, `table` is `[V, D]`, the result is `[T, D]`.

    A token outside `0 .. V-1` is undefined; the runtime refuses it before the step.
  }];
  let arguments = (ins Samba_Tokens:$tokens, Samba_Matrix:$table);
  let results = (outs Samba_Rows:$result);
  let assemblyFormat = "$tokens `,` $table attr-dict `:` type($tokens) `,` type($table) `->` type($result)";
  let hasVerifier = 1;
}

def Samba_GatherRowsOp : Samba_Op<"gather_rows", [Samba_GatherCost, Pure]> {
  let summary = "selected rows of a matrix";
  let description = [{
    `y[r, :] = x[rows[r], :]`. Selects the tokens whose logits are wanted.

    Constraints:
    * (C1) `x` is `[T, D]`, `rows` is `[R]`, the result is `[R, D]`.

    A row outside `0 .. T-1` is undefined.
  }];
  let arguments = (ins Samba_Rows:$x, Samba_Index:$rows);
  let results = (outs Samba_Rows:$result);
  let assemblyFormat = "$x `,` $rows attr-dict `:` type($x) `,` type($rows) `->` type($result)";
  let hasVerifier = 1;
}

def Samba_RmsNormOp : Samba_Op<"rms_norm", [Samba_Cost, Pure, AllTypesMatch<["x", "result"]>]> {
  let summary = "root-mean-square normalisation";
  let description = [{
    `y[t, i] = x[t, i] / sqrt(mean_j(x[t, j]^2) + eps) * weight[i]` (SPEC 1.2; arXiv 1910.07467); without `weight`,
    that factor is one.

    Constraints:
    * (C1) `x` is `[T, D]`; `weight`, if present, is `[D]`.
    * (C2) `eps` is positive.
  }];
  let arguments = (ins Samba_Rows:$x, Optional<Samba_Vector>:$weight, F32Attr:$eps);
  let results = (outs Samba_Rows:$result);
  let assemblyFormat = "$x (`,` $weight^)? attr-dict `:` type($x) (`,` type($weight)^)?";
  let hasVerifier = 1;
}

def Samba_LayerNormOp : Samba_Op<"layer_norm", [Samba_Cost, Pure, AllTypesMatch<["x", "result"]>]> {
  let summary = "normalisation to mean zero and variance one";
  let description = [{
    `y[t, i] = (x[t, i] - m[t]) / sqrt(mean_j((x[t, j] - m[t])^2) + eps) * weight[i] + bias[i]` with
    `m[t] = mean_j(x[t, j])` (SPEC 3; arXiv 1607.06450).

    Constraints:
    * (C1) `x` is `[T, D]`; `weight` is `[D]`, and `bias`, if present, is `[D]`.
    * (C2) `eps` is positive.
  }];
  let arguments = (ins Samba_Rows:$x, Samba_Vector:$weight, Optional<Samba_Vector>:$bias, F32Attr:$eps);
  let results = (outs Samba_Rows:$result);
  let assemblyFormat = "$x `,` $weight (`bias` $bias^ `:` type($bias))? attr-dict `:` type($x) `,` type($weight)";
  let hasVerifier = 1;
}

def Samba_DifferentialNormOp : Samba_Op<"differential_norm", [Samba_Cost, Pure]> {
  let summary = "differences of pairs of attention heads, normalised";
  let description = [{
    `x` holds heads of `V` lanes side by side, in runs of `2 pairs` heads: `pairs` first ones, then the second ones
    that belong to them. With `a` and `b` the two heads of a pair (SPEC 3.5; arXiv 2410.05258):

    ```
    l0   = 0.8 - 0.6 exp(-0.3 depth)
    l    = exp(q1 . k1) - exp(q2 . k2) + l0           lambda = [q1, k1, q2, k2]
    d[i] = a[i] - l b[i]
    y[i] = d[i] / sqrt(mean_j(d[j]^2) + eps) * weight[i] * (1 - l0)
    ```

    Constraints:
    * (C1) `lambda` is `[4 P]`, `weight` is `[V]`.
    * (C2) `x` is `[T, H V]` with `H` a multiple of `2 pairs`; the result is `[T, H/2 V]`, in the order of the pairs.
    * (C3) `pairs` and `eps` are positive.

    `depth` is the number of the layer. It is an operand so that layers can share a function.
  }];
  let arguments = (ins Samba_Rows:$x, Samba_Vector:$lambda, Samba_Vector:$weight, Index:$depth, I64Attr:$pairs,
    F32Attr:$eps);
  let results = (outs Samba_Rows:$result);
  let assemblyFormat = [{
    $x `,` $lambda `,` $weight `depth` $depth `pairs` $pairs attr-dict
    `:` type($x) `,` type($lambda) `,` type($weight) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Samba_LinearOp : Samba_Op<"linear", [Samba_Cost, Pure]> {
  let summary = "matrix product with a weight, and an optional bias";
  let description = [{
    `y[t, n] = sum_k x[t, k] * weight[n, k] + bias[n]` (SPEC, notation).

    Constraints:
    * (C1) `x` is `[T, K]`, `weight` is `[N, K]`, the result is `[T, N]`.
    * (C2) `bias`, if present, is `[N]`.

    * (C3) if `x` has an encoding `#samba.quant`, `weight` has one of the same group. `weight` may have one alone.

    `x` may be rows that were rounded to bf16; products and sums are exact in the interpreter and f32 in code.
  }];
  let arguments = (ins Samba_NarrowRows:$x, Samba_Matrix:$weight, Optional<Samba_Vector>:$bias);
  let results = (outs Samba_Rows:$result);
  let assemblyFormat = [{
    $x `,` $weight (`bias` $bias^ `:` type($bias))? attr-dict `:` type($x) `,` type($weight) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Samba_SwigluOp : Samba_Op<"swiglu", [Samba_Cost, Pure, AllTypesMatch<["gate", "up", "result"]>]> {
  let summary = "gated linear unit with SiLU";
  let description = [{
    `y[t, i] = silu(gate[t, i]) * up[t, i]`, `silu(v) = v / (1 + exp(-v))` (SPEC 1.4; arXiv 2002.05202).

    Constraints:
    * (C1) all are `[T, F]`.
  }];
  let arguments = (ins Samba_Rows:$gate, Samba_Rows:$up);
  let results = (outs Samba_Rows:$result);
  let assemblyFormat = "$gate `,` $up attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Samba_QuantizeRowsOp : Samba_Op<"quantize_rows", [Samba_Cost, Pure]> {
  let summary = "rounds rows to integers with a scale per group";
  let description = [{
    `y[t, k] = s q` with `s = max |x| / 127` over the group of `k` in row `t`, and `q` the integer nearest to
    `x[t, k] / s`, ties to even (0 if `s` is 0).

    Constraints:
    * (C1) the result has the shape of `x` and an encoding `#samba.quant<8, group>`.
  }];
  let arguments = (ins Samba_Rows:$x);
  let results = (outs Samba_Rows:$result);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($result)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    QuantAttr getQuant() {
      return ::mlir::cast<QuantAttr>(::mlir::cast<::mlir::RankedTensorType>(getType()).getEncoding());
    }
  }];
}

//===----------------------------------------------------------------------===//
// Rotary embedding
//===----------------------------------------------------------------------===//

def Samba_RotaryTableOp : Samba_Op<"rotary_table", [Samba_Cost, Pure]> {
  let summary = "cosines and sines of the rotary embedding, one row per token";
  let description = [{
    Token `t` of sequence `s` stands at `p = positions[s] + (t - segments[s])`. With `P = head_dim`, for `i < P/2`:
    `y[t, i] = cos(a)` and `y[t, P/2 + i] = sin(a)`, `a = p * theta^(-2i/P)` (SPEC 1.3; arXiv 2104.09864). Angles are
    formed and reduced in double precision; the table is rounded to f32.

    Constraints:
    * (C1) `segments` is `[S+1]`, `positions` is `[S]`, the result is `[T, P]`; `T` is the last entry of `segments`.
    * (C2) `P` is even and positive.
    * (C3) `theta` is positive.
  }];
  let arguments = (ins Samba_Index:$segments, Samba_Index:$positions, F64Attr:$theta);
  let results = (outs Samba_Rows:$result);
  let assemblyFormat = "$segments `,` $positions attr-dict `:` type($segments) `,` type($positions) `->` type($result)";
  let hasVerifier = 1;
}

def Samba_RotaryOp : Samba_Op<"rotary", [Samba_Cost, Pure, AllTypesMatch<["x", "result"]>]> {
  let summary = "rotates the heads of queries or keys";
  let description = [{
    `x` holds `H` heads of `P` lanes side by side. Half-split pairing (SPEC 1.3): with `c = table[t, i]`,
    `s = table[t, P/2 + i]`, `a = x[t, h, i]`, `b = x[t, h, i + P/2]`, for `i < P/2`:
    `y[t, h, i] = a c - b s`, `y[t, h, i + P/2] = a s + b c`.

    Constraints:
    * (C1) `x` is `[T, H P]`, `table` is `[T, P]`; `P` is even and divides the width of `x`.
  }];
  let arguments = (ins Samba_Rows:$x, Samba_Rows:$table);
  let results = (outs Samba_Rows:$result);
  let assemblyFormat = "$x `,` $table attr-dict `:` type($x) `,` type($table)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Operations along time
//===----------------------------------------------------------------------===//

// The result types are inferred by hand: what AllTypesMatch generates counts operands as if the bias were always there.
def Samba_CausalConv1dOp : Samba_Op<"causal_conv1d", [Samba_Cost, Pure, InferTypeOpAdaptor]> {
  let summary = "depthwise causal convolution over time";
  let description = [{
    Within each sequence, with `x[-K+1 .. -1]` from the state (zeros for a fresh one):
    `y[t, c] = act(bias[c] + sum_{m<K} weight[c, m] * x[t - K + 1 + m, c])`; tap `K-1` meets the current token
    (SPEC 1.5). The new state holds the last `K-1` inputs, oldest first.

    Constraints:
    * (C1) `x` is `[T, D]`, `weight` is `[D, K]` with `K >= 2`; `bias`, if present, is `[D]`.
    * (C2) `segments` is `[S+1]`.
    * (C3) the state is `[K-1, D]` in f32.
  }];
  let arguments = (ins Samba_Rows:$x, Samba_Vector:$weight, Optional<Samba_Vector>:$bias, Samba_Index:$segments,
    Samba_StateType:$state, DefaultValuedAttr<Samba_Activation, "::samba::Activation::None">:$activation);
  let results = (outs Samba_Rows:$result, Samba_StateType:$new_state);
  let assemblyFormat = [{
    $x `,` $weight (`bias` $bias^ `:` type($bias))? `segments` $segments `state` $state
    (`activation` $activation^)? attr-dict `:` type($x) `,` type($weight) `,` type($segments) `,` type($state)
  }];
  let hasVerifier = 1;
}

def Samba_SelectiveScanOp : Samba_Op<"selective_scan",
    [Samba_Cost, Pure, AttrSizedOperandSegments, AllTypesMatch<["u", "delta", "result"]>, AllTypesMatch<["state", "new_state"]>]> {
  let summary = "Mamba-1 selective scan";
  let description = [{
    Within each sequence, from its state `h` (SPEC 1.5; arXiv 2312.00752):

    ```
    dt[t, c]   = softplus(delta[t, c] + delta_bias[c])        softplus only with delta_softplus, bias only if present
    h[t][n, c] = exp(dt[t, c] * A[c, n]) * h[t-1][n, c] + dt[t, c] * u[t, c] * B[t, n]
    y[t, c]    = (sum_n C[t, n] * h[t][n, c] + D[c] * u[t, c]) * silu(z[t, c])    D and z only if present
    ```
    `softplus(v) = max(v, 0) + log(1 + exp(-|v|))`. The new state is `h` after the last token.

    Constraints:
    * (C1) `u` and `delta` are `[T, E]`, `A` is `[E, N]`, `B` and `C` are `[T, N]`.
    * (C2) `D` and `delta_bias`, if present, are `[E]`; `z`, if present, is `[T, E]`.
    * (C3) `segments` is `[S+1]`; the state is `[N, E]` in f32.
  }];
  let arguments = (ins Samba_Rows:$u, Samba_Rows:$delta, Samba_Vector:$A, Samba_Rows:$B, Samba_Rows:$C,
    Samba_Index:$segments, Samba_StateType:$state, Optional<Samba_Vector>:$D, Optional<Samba_Rows>:$z,
    Optional<Samba_Vector>:$delta_bias, UnitAttr:$delta_softplus);
  let results = (outs Samba_Rows:$result, Samba_StateType:$new_state);
  let assemblyFormat = [{
    $u `,` $delta `,` $A `,` $B `,` $C `segments` $segments `state` $state
    (`skip` $D^ `:` type($D))? (`gate` $z^ `:` type($z))? (`delta_bias` $delta_bias^ `:` type($delta_bias))?
    attr-dict `:` type($u) `,` type($A) `,` type($B) `,` type($C) `,` type($segments) `,` type($state)
  }];
  let hasVerifier = 1;
}

def Samba_SlidingWindowAttentionOp : Samba_Op<"sliding_window_attention",
    [Samba_Cost, Pure, AllTypesMatch<["k", "v"]>, AllTypesMatch<["key_state", "new_key_state"]>,
     AllTypesMatch<["value_state", "new_value_state"]>]> {
  let summary = "causal attention over a window of tokens, or over all";
  let description = [{
    `q` holds `H` heads of `P` lanes, `k` holds `G` heads; query head `h` uses key head `g = h / (H/G)`. `v` holds `G`
    heads of `P` lanes too, or `Gv` wider ones of `V = P G/Gv` lanes, which neighbouring key heads share: head
    `u = g / (G/Gv)`. A query at position `i` of its sequence sees the keys at positions `max(0, i - window + 1) .. i`,
    itself included (SPEC 1.3); without `window` it sees `0 .. i`:
    `y[i, h] = sum_j softmax_j(q[i, h] . k[j, g] / sqrt(P)) v[j, u]`.

    The states are rings: the key of position `j` lies in slot `j mod W`. Tokens of earlier steps are read from them;
    afterwards they hold the last `W` tokens. Keys are cached as they come, that is after rotation. What a ring cannot
    hold exactly is rounded before it comes here, so that it makes no difference in which step a token was seen.

    The types of the value state and of the result are written only if they are not those of the key state and of `q`.

    Constraints:
    * (C1) `q` is `[T, H P]`, `k` and `v` are `[T, G P]`, `H` a multiple of `G`.
    * (C2) the states are `[G, W, P]` and `[Gv, W, V]` with `Gv V = G P`, `G` a multiple of `Gv`; the result is
      `[T, H V]`.
    * (C3) `window`, if present, is positive and equals `W`. Without it `W` is the capacity: a position `>= W` is
      undefined, and the runtime refuses it before the step.
    * (C4) `segments` is `[S+1]`, `positions` is `[S]`.
    * (C5) `k` and `v` are of the type that the states hold: f32, bf16, or, for i8, rows with the encoding
      `#samba.quant<8, P>`.
  }];
  let arguments = (ins Samba_Rows:$q, Samba_NarrowRows:$k, Samba_NarrowRows:$v, Samba_Index:$segments,
    Samba_Index:$positions, Samba_StateType:$key_state, Samba_StateType:$value_state, OptionalAttr<I64Attr>:$window);
  let results = (outs Samba_Rows:$result, Samba_StateType:$new_key_state, Samba_StateType:$new_value_state);
  let assemblyFormat = [{
    $q `,` $k `,` $v `segments` $segments `positions` $positions `state` $key_state `,` $value_state attr-dict
    `:` type($q) `,` type($k) `,` type($segments) `,` type($positions) `,`
    custom<RingTypes>(ref(type($q)), type($key_state), type($value_state), type($result))
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Lanes per head (P), key heads (G), query heads (H) and ring slots (W).
    int64_t getHeadDim() { return getKeyState().getType().getShape()[2]; }
    int64_t getNumKvHeads() { return getKeyState().getType().getShape()[0]; }
    int64_t getNumHeads() {
      return ::mlir::cast<::mlir::RankedTensorType>(getQ().getType()).getDimSize(1) / getHeadDim();
    }
    int64_t getCapacity() { return getKeyState().getType().getShape()[1]; }
    /// Lanes of a value (V).
    int64_t getValueDim() { return getValueState().getType().getShape()[2]; }
  }];
}

def Samba_CrossAttentionOp : Samba_Op<"cross_attention",
    [Samba_Cost, Pure, AllTypesMatch<["key_state", "new_key_state"]>,
     AllTypesMatch<["value_state", "new_value_state"]>]> {
  let summary = "attention of selected tokens to keys and values that another layer has written";
  let description = [{
    Row `r` of `q` belongs to the token `rows[r]` of the step. If that stands in sequence `s`, its position is
    `i = positions[s] + rows[r] - segments[s]`, and it sees all keys at the positions `0 .. i`. Heads are as in
    `samba.sliding_window_attention`: `y[r, h] = sum_j softmax_j(q[r, h] . k[j, g] / sqrt(P)) v[j, u]` (SPEC 3.5).

    The states are those that a `samba.sliding_window_attention` without a window has written in this step: the key of
    position `j` lies in slot `j`. They are read only, and returned as they came.

    Constraints:
    * (C1) `q` is `[R, H P]`, `rows` is `[R]`.
    * (C2) the states are `[G, W, P]` and `[Gv, W, V]`, `H` a multiple of `G`, `G` a multiple of `Gv`; the result is
      `[R, H V]`.
    * (C3) `segments` is `[S+1]`, `positions` is `[S]`.

    A row outside `0 .. T-1` and a position `>= W` are undefined.
  }];
  let arguments = (ins Samba_Rows:$q, Samba_Index:$rows, Samba_Index:$segments, Samba_Index:$positions,
    Samba_StateType:$key_state, Samba_StateType:$value_state);
  let results = (outs Samba_Rows:$result, Samba_StateType:$new_key_state, Samba_StateType:$new_value_state);
  let assemblyFormat = [{
    $q `rows` $rows `segments` $segments `positions` $positions `state` $key_state `,` $value_state attr-dict
    `:` type($q) `,` type($rows) `,` type($segments) `,` type($positions) `,`
    custom<RingTypes>(ref(type($q)), type($key_state), type($value_state), type($result))
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    int64_t getHeadDim() { return getKeyState().getType().getShape()[2]; }
    int64_t getNumHeads() {
      return ::mlir::cast<::mlir::RankedTensorType>(getQ().getType()).getDimSize(1) / getHeadDim();
    }
    int64_t getCapacity() { return getKeyState().getType().getShape()[1]; }
    int64_t getValueDim() { return getValueState().getType().getShape()[2]; }
  }];
}

//===----------------------------------------------------------------------===//
// Structure
//===----------------------------------------------------------------------===//

def Samba_ProbeOp : Samba_Op<"probe"> {
  let summary = "shows a value to whoever debugs the model";
  let description = [{
    Hands `x` to the caller's probe, if there is one. `index` numbers the probes of the model, `name` is for people.
    Has no effect on the computation and is never removed.
  }];
  let arguments = (ins Samba_Rows:$x, StrAttr:$name, I32Attr:$index);
  let assemblyFormat = "$x `,` $name `,` $index attr-dict `:` type($x)";
}

def Samba_KernelOp : Samba_Op<"kernel",
    [IsolatedFromAbove, SingleBlock, RecursiveMemoryEffects, DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "a fused group of operations: one parallel loop nest, one launch";
  let description = [{
    An isolated region. Its operands are the block's arguments; what it yields are its results. Only operands and
    results are memory traffic; values inside stay in registers or cache. Forming and merging kernels is fusion.

    Constraints:
    * (C1) the block's arguments have the types of the operands, the terminator's operands those of the results.

    ```mlir
    %y = samba.kernel "mlp.down_proj" ins(%a = %h : tensor<?x512xf32>, ...) -> tensor<?x192xf32> {
      ...
      samba.yield %r : tensor<?x192xf32>
    }
    ```
  }];
  let arguments = (ins StrAttr:$name, Variadic<AnyType>:$inputs);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}

def Samba_YieldOp : Samba_Op<"yield", [Pure, Terminator, HasParent<"KernelOp">, ReturnLike]> {
  let summary = "results of a kernel";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

#endif // SAMBA_OPS_TD

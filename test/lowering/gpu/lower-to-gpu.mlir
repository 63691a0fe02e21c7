// RUN: samba-opt %s --samba-lower-to-gpu | sed 's/{args/\n{args/g' | FileCheck %s
// RUN: samba-opt %s --samba-lower-to-gpu='tokens=128' | FileCheck %s --check-prefix=TOKENS
// RUN: samba-opt %s --samba-lower-to-gpu --samba-gpu-to-nvvm | FileCheck %s --check-prefix=NVVM

// Three programs. The same norm in two layers is one kernel; what is known of a step at compile time is in the grid.
// CHECK-LABEL: module @two_norms
// CHECK-SAME: samba.gpu_arena_bytes = 1048576 : i64
// CHECK-SAME: {launches = [
// CHECK-NEXT: {args = [{weights = 0 : i64}, {input = "tokens"}, {arena = 0 : i64}]
// CHECK-SAME: grid = [{of = "one"}, {of = "tokens"}, {of = "one"}], kernel = "embedding", name = "embed"
// CHECK-SAME: {arena = 0 : i64, of = "tokens", probe = 0 : i64, width = 256 : i64}
// CHECK-NEXT: {args = [{arena = 0 : i64}, {weights = 102400 : i64}, {arena = 1024 : i64}], block = array<i64: 32, 1, 1>
// CHECK-SAME: kernel = "rms_norm", name = "layers.0.norm", shared = 0 : i64
// CHECK-NEXT: {args = [{arena = 1024 : i64}, {weights = 103424 : i64}, {arena = 0 : i64}]
// CHECK-SAME: kernel = "rms_norm", name = "layers.1.norm"
// CHECK-NEXT: {{.*}}kernel = "gather_rows", name = "rows"
// The bias is added and the result written by the product.
// CHECK-NEXT: {args = [{arena = {{[0-9]+}} : i64}, {weights = 104448 : i64}, {weights = 155648 : i64}, {output = "logits"}, {input = "sizes"}]
// CHECK-SAME: kernel = "linear_decode", name = "head"
// A step of which the token is wanted goes on to look for it.
// CHECK-NEXT: {args = [{output = "logits"}, {output = "argmax"}]
// CHECK-SAME: chooses = true, grid = [{of = "one"}, {of = "rows"}, {of = "one"}], kernel = "argmax", name = "argmax"
// CHECK-SAME: longest = 1 : i64, max_rows = 1 : i64, max_sequences = 1 : i64, max_tokens = 1 : i64, name = "decode1"
// CHECK: kernel = "linear_decode_1", name = "head"
// CHECK: kernel = "argmax"
// CHECK-SAME: longest = 1 : i64, max_rows = 16 : i64, max_sequences = 16 : i64, max_tokens = 16 : i64, name = "decode"
// CHECK: grid = [{of = "one"}, {of = "rows", per = 64 : i64}, {of = "one"}], kernel = "linear_tile", name = "head"
// CHECK: kernel = "argmax"
// CHECK-SAME: max_rows = 512 : i64, max_sequences = 64 : i64, max_tokens = 512 : i64, name = "prefill"
// CHECK: gpu.module @kernels
// CHECK: gpu.func @embedding(%{{.*}}: !llvm.ptr<1>, %{{.*}}: !llvm.ptr<1>, %{{.*}}: !llvm.ptr<1>) kernel attributes {known_block_size = array<i32: 128, 1, 1>}
// CHECK: gpu.func @rms_norm(
// CHECK-COUNT-5: nvvm.shfl.sync
// CHECK: llvm.nvvm.rsqrt.approx.ftz.f
// CHECK: gpu.func @linear_decode(
// CHECK: gpu.func @linear_decode_1(
// CHECK: gpu.func @linear_tile(
// CHECK: gpu.barrier
// CHECK-NOT: func.func
// CHECK-NOT: samba.weight

// TOKENS: samba.gpu_arena_bytes = 262144 : i64
// TOKENS-SAME: max_tokens = 128 : i64

// NVVM: llvm.mlir.global internal @linear_tile_shared0() {addr_space = 3 : i32, alignment = 16 : i64}
// NVVM: llvm.func @linear_tile({{.*}}) attributes {gpu.kernel, gpu.known_block_size = array<i32: 256, 1, 1>, nvvm.kernel
module @two_norms attributes {samba.weight_bytes = 156160 : i64} {
  samba.weight @embed from "embed" {offset = 0 : i64} : tensor<100x256xf32>
  samba.weight @norm0 from "norm0" {offset = 102400 : i64} : tensor<256xf32>
  samba.weight @norm1 from "norm1" {offset = 103424 : i64} : tensor<256xf32>
  samba.weight @head from "head" {offset = 104448 : i64} : tensor<50x256xf32>
  samba.weight @bias from "bias" {offset = 155648 : i64} : tensor<50xf32>
  func.func private @norm(%x: tensor<?x256xf32>, %w: tensor<256xf32>) -> tensor<?x256xf32> {
    %y = samba.kernel "norm" ins(%a = %x : tensor<?x256xf32>, %b = %w : tensor<256xf32>) -> tensor<?x256xf32> {
      %0 = samba.rms_norm %a, %b {eps = 1.0e-5 : f32} : tensor<?x256xf32>, tensor<256xf32> loc("norm")
      samba.yield %0 : tensor<?x256xf32>
    }
    return %y : tensor<?x256xf32>
  }
  func.func @samba_step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %rows: tensor<?xi64>) -> tensor<?x50xf32> {
    %table = samba.load_weight @embed : tensor<100x256xf32>
    %x = samba.kernel "embed" ins(%a = %tokens : tensor<?xi32>, %b = %table : tensor<100x256xf32>) -> tensor<?x256xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<100x256xf32> -> tensor<?x256xf32> loc("embed")
      samba.yield %0 : tensor<?x256xf32>
    }
    samba.probe %x, "embed", 0 : tensor<?x256xf32>
    %norm0 = samba.load_weight @norm0 : tensor<256xf32>
    %norm1 = samba.load_weight @norm1 : tensor<256xf32>
    %head = samba.load_weight @head : tensor<50x256xf32>
    %bias = samba.load_weight @bias : tensor<50xf32>
    %y = call @norm(%x, %norm0) : (tensor<?x256xf32>, tensor<256xf32>) -> tensor<?x256xf32> loc("layers.0")
    %z = call @norm(%y, %norm1) : (tensor<?x256xf32>, tensor<256xf32>) -> tensor<?x256xf32> loc("layers.1")
    %r = samba.kernel "rows" ins(%a = %z : tensor<?x256xf32>, %b = %rows : tensor<?xi64>) -> tensor<?x256xf32> {
      %0 = samba.gather_rows %a, %b : tensor<?x256xf32>, tensor<?xi64> -> tensor<?x256xf32> loc("rows")
      samba.yield %0 : tensor<?x256xf32>
    }
    %logits = samba.kernel "head" ins(%a = %r : tensor<?x256xf32>, %b = %head : tensor<50x256xf32>, %c = %bias : tensor<50xf32>) -> tensor<?x50xf32> {
      %0 = samba.linear %a, %b bias %c : tensor<50xf32> : tensor<?x256xf32>, tensor<50x256xf32> -> tensor<?x50xf32> loc("head")
      samba.yield %0 : tensor<?x50xf32>
    }
    return %logits : tensor<?x50xf32>
  }
}

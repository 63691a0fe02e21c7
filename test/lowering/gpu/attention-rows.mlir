// Attention in f32: a block for each token and key head; groups of lanes share a key.
// RUN: samba-opt %s --samba-lower-to-gpu | FileCheck %s

// Both query heads share the key head.
// CHECK-DAG: grid = [{of = "one"}, {of = "sequences"}, {of = "one"}], kernel = "attention_decode", name = "attention"
// CHECK-DAG: grid = [{of = "one"}, {of = "tokens"}, {of = "one"}], kernel = "attention_rows", name = "attention"
// CHECK-DAG: kernel = "ring_update", name = "attention"
// CHECK-DAG: grid = [{of = "one", times = 2 : i64}, {of = "rows"}, {of = "one"}], kernel = "attention_cross", name = "cross"
// In generation: the keys of the ring, then the token's own, which goes to its slot. One barrier, when warps are merged.
// CHECK-LABEL: gpu.func @attention_decode(
// CHECK-SAME: known_block_size = array<i32: 256, 1, 1>
// CHECK: scf.for
// CHECK-NOT: gpu.barrier
// CHECK: nvvm.shfl.sync bfly
// CHECK: scf.yield
// CHECK-COUNT-2: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
// CHECK-COUNT-1: gpu.barrier
// CHECK-NOT: gpu.barrier
// CHECK: gpu.return
// Two key heads of 16 lanes share a value head of 32: a thread has twice as many lanes of the value as of the key, and
// of the blocks of both heads the first one stores the value of the token.
// CHECK-LABEL: gpu.func @attention_decode_1(
// CHECK: scf.for
// CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
// CHECK: scf.if
// CHECK-COUNT-2: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
// Weights that are rounded: two walks over the ring and the own key. Totals are shared before the second.
// CHECK-LABEL: gpu.func @attention_decode_2(
// CHECK: scf.for
// CHECK-NOT: truncf
// CHECK: gpu.barrier
// CHECK: llvm.nvvm.rcp.approx.ftz.f
// CHECK: scf.for
// CHECK: arith.truncf %{{.*}} : f32 to bf16
// CHECK: gpu.barrier
// Cross-attention goes through a ring that it does not change, for the tokens that are wanted.
// CHECK-LABEL: gpu.func @attention_cross(
// CHECK-SAME: known_block_size = array<i32: 256, 1, 1>
// CHECK: scf.while
// CHECK: scf.for
// CHECK-NOT: scf.for
// CHECK: gpu.barrier
// CHECK-NOT: scf.for {{.*}}iter_args
// CHECK: gpu.return
// A prompt: the keys of the ring, then those of the step.
// CHECK-LABEL: gpu.func @attention_rows(
// CHECK-COUNT-2: scf.for
// CHECK-COUNT-1: gpu.barrier
// CHECK-NOT: gpu.barrier
// CHECK: gpu.return
// The last 32 tokens of a segment go to the ring.
// CHECK-LABEL: gpu.func @ring_update(
// CHECK-COUNT-2: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
module attributes {samba.weight_bytes = 25600 : i64, samba.state_bytes = 16384 : i64} {
  samba.weight @embed from "embed" {offset = 0 : i64} : tensor<100x64xf32>
  func.func @samba_step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %rows: tensor<?xi64>, %k: !samba.state<1x32x32xf32> {samba.name = "key", samba.offset = 0 : i64}, %v: !samba.state<1x32x32xf32> {samba.name = "value", samba.offset = 4096 : i64}, %k1: !samba.state<2x32x16xf32> {samba.name = "key1", samba.offset = 8192 : i64}, %v1: !samba.state<1x32x32xf32> {samba.name = "value1", samba.offset = 12288 : i64}) -> (tensor<?x64xf32>, !samba.state<1x32x32xf32>, !samba.state<1x32x32xf32>) {
    %table = samba.load_weight @embed : tensor<100x64xf32>
    %x = samba.kernel "x" ins(%a = %tokens : tensor<?xi32>, %b = %table : tensor<100x64xf32>) -> tensor<?x64xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<100x64xf32> -> tensor<?x64xf32> loc("embed")
      samba.yield %0 : tensor<?x64xf32>
    }
    %y:3 = samba.kernel "y" ins(%a = %x : tensor<?x64xf32>, %b = %segments : tensor<?xi64>, %c = %positions : tensor<?xi64>, %d = %k : !samba.state<1x32x32xf32>, %e = %v : !samba.state<1x32x32xf32>) -> (tensor<?x64xf32>, !samba.state<1x32x32xf32>, !samba.state<1x32x32xf32>) {
      %c0 = arith.constant 0 : index
      %dim = tensor.dim %a, %c0 : tensor<?x64xf32>
      %key = tensor.extract_slice %a[0, 0] [%dim, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
      %value = tensor.extract_slice %a[0, 32] [%dim, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
      %result, %keys, %values = samba.sliding_window_attention %a, %key, %value segments %b positions %c state %d, %e {window = 32 : i64} : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, <1x32x32xf32> loc("attention")
      samba.yield %result, %keys, %values : tensor<?x64xf32>, !samba.state<1x32x32xf32>, !samba.state<1x32x32xf32>
    }
    %z:3 = samba.kernel "z" ins(%a = %x : tensor<?x64xf32>, %b = %segments : tensor<?xi64>, %c = %positions : tensor<?xi64>, %d = %k1 : !samba.state<2x32x16xf32>, %e = %v1 : !samba.state<1x32x32xf32>) -> (tensor<?x128xf32>, !samba.state<2x32x16xf32>, !samba.state<1x32x32xf32>) {
      %c0 = arith.constant 0 : index
      %dim = tensor.dim %a, %c0 : tensor<?x64xf32>
      %key = tensor.extract_slice %a[0, 0] [%dim, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
      %value = tensor.extract_slice %a[0, 32] [%dim, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
      %result, %keys, %values = samba.sliding_window_attention %a, %key, %value segments %b positions %c state %d, %e : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, <2x32x16xf32>, <1x32x32xf32> -> tensor<?x128xf32> loc("wide")
      samba.yield %result, %keys, %values : tensor<?x128xf32>, !samba.state<2x32x16xf32>, !samba.state<1x32x32xf32>
    }
    samba.probe %z#0, "wide", 0 : tensor<?x128xf32>
    %w:3 = samba.kernel "w" ins(%a = %x : tensor<?x64xf32>, %b = %segments : tensor<?xi64>, %c = %positions : tensor<?xi64>, %d = %z#1 : !samba.state<2x32x16xf32>, %e = %z#2 : !samba.state<1x32x32xf32>) -> (tensor<?x128xf32>, !samba.state<2x32x16xf32>, !samba.state<1x32x32xf32>) {
      %c0 = arith.constant 0 : index
      %dim = tensor.dim %a, %c0 : tensor<?x64xf32>
      %key = tensor.extract_slice %a[0, 0] [%dim, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
      %value = tensor.extract_slice %a[0, 32] [%dim, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
      %result, %keys, %values = samba.sliding_window_attention %a, %key, %value segments %b positions %c state %d, %e {samba.round_weights} : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, <2x32x16xf32>, <1x32x32xf32> -> tensor<?x128xf32> loc("rounded")
      samba.yield %result, %keys, %values : tensor<?x128xf32>, !samba.state<2x32x16xf32>, !samba.state<1x32x32xf32>
    }
    samba.probe %w#0, "rounded", 1 : tensor<?x128xf32>
    %u = samba.kernel "u" ins(%a = %x : tensor<?x64xf32>, %b = %segments : tensor<?xi64>, %c = %positions : tensor<?xi64>, %d = %z#1 : !samba.state<2x32x16xf32>, %e = %z#2 : !samba.state<1x32x32xf32>, %r = %rows : tensor<?xi64>) -> tensor<?x128xf32> {
      %q = samba.gather_rows %a, %r : tensor<?x64xf32>, tensor<?xi64> -> tensor<?x64xf32> loc("rows")
      %result, %keys, %values = samba.cross_attention %q rows %r segments %b positions %c state %d, %e : tensor<?x64xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, <2x32x16xf32>, <1x32x32xf32> -> tensor<?x128xf32> loc("cross")
      samba.yield %result : tensor<?x128xf32>
    }
    samba.probe %u, "cross", 2 : tensor<?x128xf32>
    return %y#0, %y#1, %y#2 : tensor<?x64xf32>, !samba.state<1x32x32xf32>, !samba.state<1x32x32xf32>
  }
}

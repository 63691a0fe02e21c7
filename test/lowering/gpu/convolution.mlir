// Causal convolution: thread = channel. In steps of many tokens the states change in a launch of their own.
// RUN: samba-opt %s --samba-lower-to-gpu | FileCheck %s

// One token a sequence: what was read of the state is moved on by the same thread.
// CHECK-DAG: grid = [{of = "one"}, {of = "sequences"}, {of = "one"}], kernel = "causal_conv1d_decode", name = "conv"
// CHECK-DAG: grid = [{of = "one"}, {of = "tokens"}, {of = "one"}], kernel = "causal_conv1d", name = "conv"
// CHECK-DAG: grid = [{of = "one"}, {of = "sequences"}, {of = "one"}], kernel = "causal_conv1d_state", name = "conv"
// CHECK-LABEL: gpu.func @causal_conv1d_decode(
// CHECK: llvm.inttoptr
// CHECK-COUNT-3: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> f32
// CHECK-COUNT-4: math.fma
// CHECK: llvm.nvvm.ex2.approx.ftz.f
// CHECK-COUNT-4: llvm.store %{{.*}} : f32, !llvm.ptr<1>
// CHECK-NOT: llvm.store
// CHECK: gpu.return
// Inputs before the segment's start are those of the state.
// CHECK-LABEL: gpu.func @causal_conv1d(
// CHECK: scf.while
// CHECK-COUNT-3: scf.if
// CHECK-COUNT-4: math.fma
// CHECK-COUNT-1: llvm.store
// CHECK-NOT: llvm.store
// CHECK: gpu.return
// All are read before one is written.
// CHECK-LABEL: gpu.func @causal_conv1d_state(
// CHECK-COUNT-6: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> f32
// CHECK-COUNT-3: llvm.store %{{.*}} : f32, !llvm.ptr<1>
module attributes {samba.weight_bytes = 27648 : i64, samba.state_bytes = 768 : i64} {
  samba.weight @embed from "embed" {offset = 0 : i64} : tensor<100x64xf32>
  samba.weight @conv from "conv" {offset = 25600 : i64} : tensor<64x4xf32, #samba.layout<transposed>>
  func.func @samba_step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %rows: tensor<?xi64>, %s: !samba.state<3x64xf32> {samba.name = "conv", samba.offset = 0 : i64}) -> (tensor<?x64xf32>, !samba.state<3x64xf32>) {
    %w = samba.load_weight @conv : tensor<64x4xf32, #samba.layout<transposed>>
    %table = samba.load_weight @embed : tensor<100x64xf32>
    %x = samba.kernel "x" ins(%a = %tokens : tensor<?xi32>, %b = %table : tensor<100x64xf32>) -> tensor<?x64xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<100x64xf32> -> tensor<?x64xf32> loc("embed")
      samba.yield %0 : tensor<?x64xf32>
    }
    %y:2 = samba.kernel "y" ins(%a = %x : tensor<?x64xf32>, %b = %w : tensor<64x4xf32, #samba.layout<transposed>>, %c = %segments : tensor<?xi64>, %d = %s : !samba.state<3x64xf32>) -> (tensor<?x64xf32>, !samba.state<3x64xf32>) {
      %result, %state = samba.causal_conv1d %a, %b segments %c state %d activation silu : tensor<?x64xf32>, tensor<64x4xf32, #samba.layout<transposed>>, tensor<?xi64>, <3x64xf32> loc("conv")
      samba.yield %result, %state : tensor<?x64xf32>, !samba.state<3x64xf32>
    }
    return %y#0, %y#1 : tensor<?x64xf32>, !samba.state<3x64xf32>
  }
}

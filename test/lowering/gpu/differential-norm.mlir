// Pairs of heads are subtracted and normalised; the depth of the layer is an argument, so layers share the kernel.
// RUN: samba-opt %s --samba-lower-to-gpu | FileCheck %s

// Six pairs of 32 lanes: eight threads for each, so a block is enough for a row. The second pairs of the two runs lie
// 128 elements behind the first ones.
// CHECK-DAG: args = [{{[^]]*}}{i64 = 3 : i64}], block = array<i64: 128, 1, 1>, grid = [{of = "one"}, {of = "tokens"}, {of = "one"}], kernel = "differential_norm", name = "norm"
// CHECK-DAG: args = [{{[^]]*}}{i64 = 5 : i64}], block = array<i64: 128, 1, 1>, grid = [{of = "one"}, {of = "tokens"}, {of = "one"}], kernel = "differential_norm", name = "norm2"
// CHECK-LABEL: gpu.func @differential_norm(
// CHECK-SAME: i64) kernel
// CHECK: arith.select
// CHECK: arith.sitofp %{{.*}} : i64 to f32
// Two products of the parts of lambda, over eight threads.
// CHECK-COUNT-3: nvvm.shfl.sync bfly
// CHECK: llvm.nvvm.ex2.approx.ftz.f
// CHECK-COUNT-3: nvvm.shfl.sync bfly
// CHECK: llvm.nvvm.ex2.approx.ftz.f
// CHECK: %[[SECOND:.*]] = arith.constant 96 : index
// CHECK-COUNT-3: nvvm.shfl.sync bfly
// CHECK: llvm.nvvm.rsqrt.approx.ftz.f
// CHECK: scf.if
// CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
// CHECK-NOT: gpu.barrier
// CHECK: gpu.return
// CHECK-NOT: gpu.func @differential_norm
module attributes {samba.weight_bytes = 154112 : i64} {
  samba.weight @embed from "embed" {offset = 0 : i64} : tensor<100x384xf32>
  samba.weight @lambda from "lambda" {offset = 153600 : i64} : tensor<64xf32>
  samba.weight @norm from "norm" {offset = 153856 : i64} : tensor<32xf32>
  func.func @samba_step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %rows: tensor<?xi64>) -> tensor<?x192xf32> {
    %table = samba.load_weight @embed : tensor<100x384xf32>
    %lambda = samba.load_weight @lambda : tensor<64xf32>
    %norm = samba.load_weight @norm : tensor<32xf32>
    %c3 = arith.constant 3 : index
    %c5 = arith.constant 5 : index
    %x = samba.kernel "x" ins(%a = %tokens : tensor<?xi32>, %b = %table : tensor<100x384xf32>) -> tensor<?x384xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<100x384xf32> -> tensor<?x384xf32> loc("embed")
      samba.yield %0 : tensor<?x384xf32>
    }
    %y = samba.kernel "y" ins(%a = %x : tensor<?x384xf32>, %b = %lambda : tensor<64xf32>, %c = %norm : tensor<32xf32>, %d = %c3 : index) -> tensor<?x192xf32> {
      %0 = samba.differential_norm %a, %b, %c depth %d pairs 3 {eps = 1.0e-5 : f32} : tensor<?x384xf32>, tensor<64xf32>, tensor<32xf32> -> tensor<?x192xf32> loc("norm")
      samba.yield %0 : tensor<?x192xf32>
    }
    samba.probe %y, "y", 0 : tensor<?x192xf32>
    %z = samba.kernel "z" ins(%a = %x : tensor<?x384xf32>, %b = %lambda : tensor<64xf32>, %c = %norm : tensor<32xf32>, %d = %c5 : index) -> tensor<?x192xf32> {
      %0 = samba.differential_norm %a, %b, %c depth %d pairs 3 {eps = 1.0e-5 : f32} : tensor<?x384xf32>, tensor<64xf32>, tensor<32xf32> -> tensor<?x192xf32> loc("norm2")
      samba.yield %0 : tensor<?x192xf32>
    }
    return %z : tensor<?x192xf32>
  }
}

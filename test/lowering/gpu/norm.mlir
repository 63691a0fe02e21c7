// A block for each row, which stays in registers between the sum of its squares and the result.
// RUN: samba-opt %s --samba-lower-to-gpu | FileCheck %s

// 160 columns are 40 vectors of four for 32 threads: in the second round the threads from 8 on count nothing.
// CHECK: kernel = "rms_norm", name = "norm"
// CHECK-LABEL: gpu.func @rms_norm(
// CHECK-SAME: known_block_size = array<i32: 32, 1, 1>
// CHECK: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
// CHECK: arith.cmpi slt
// CHECK: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
// CHECK: arith.select
// CHECK-COUNT-5: nvvm.shfl.sync bfly
// CHECK: %[[EPS:.*]] = arith.constant {{1.*E-05|9.99.*E-6}} : f32
// CHECK: llvm.nvvm.rsqrt.approx.ftz.f
// CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
// CHECK: scf.if
// CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
// CHECK-NOT: gpu.barrier
// CHECK: gpu.return

// More warps leave their sums in shared memory.
// CHECK-LABEL: gpu.func @rms_norm_1(
// CHECK-SAME: known_block_size = array<i32: 256, 1, 1>
// CHECK: llvm.mlir.addressof @rms_norm_1_shared0 : !llvm.ptr<3>
// CHECK-COUNT-1: gpu.barrier
// CHECK-COUNT-3: nvvm.shfl.sync bfly

// Without a weight: the row and the result are all there is. A linear that follows does not take it over.
// CHECK-LABEL: gpu.func @rms_norm_2(
// CHECK-SAME: %{{[a-z0-9]*}}: !llvm.ptr<1>, %{{[a-z0-9]*}}: !llvm.ptr<1>) kernel
// CHECK: llvm.nvvm.rsqrt.approx.ftz.f
// CHECK: arith.mulf
// CHECK-NOT: llvm.load
// CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
// CHECK: gpu.return

// LayerNorm: the mean is known before the squares are summed, and the bias is added with the product.
// CHECK-LABEL: gpu.func @layer_norm(
// CHECK-COUNT-5: nvvm.shfl.sync bfly
// CHECK: arith.subf
// CHECK-COUNT-5: nvvm.shfl.sync bfly
// CHECK: llvm.nvvm.rsqrt.approx.ftz.f
// CHECK: math.fma
// CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
// CHECK: gpu.return
module attributes {samba.weight_bytes = 877440 : i64} {
  samba.weight @embed from "embed" {offset = 0 : i64} : tensor<100x160xf32>
  samba.weight @norm from "norm" {offset = 64000 : i64} : tensor<160xf32>
  samba.weight @wide from "wide" {offset = 64768 : i64} : tensor<100x2048xf32>
  samba.weight @wide_norm from "wide_norm" {offset = 883968 : i64} : tensor<2048xf32>
  func.func @samba_step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %rows: tensor<?xi64>) -> (tensor<?x160xf32>) {
    %table = samba.load_weight @embed : tensor<100x160xf32>
    %norm = samba.load_weight @norm : tensor<160xf32>
    %wide = samba.load_weight @wide : tensor<100x2048xf32>
    %wide_norm = samba.load_weight @wide_norm : tensor<2048xf32>
    %y = samba.kernel "y" ins(%a = %tokens : tensor<?xi32>, %b = %table : tensor<100x160xf32>, %c = %norm : tensor<160xf32>) -> tensor<?x160xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<100x160xf32> -> tensor<?x160xf32> loc("embed")
      %1 = samba.rms_norm %0, %c {eps = 1.0e-5 : f32} : tensor<?x160xf32>, tensor<160xf32> loc("norm")
      samba.yield %1 : tensor<?x160xf32>
    }
    %z = samba.kernel "z" ins(%a = %tokens : tensor<?xi32>, %b = %wide : tensor<100x2048xf32>, %c = %wide_norm : tensor<2048xf32>) -> tensor<?x2048xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<100x2048xf32> -> tensor<?x2048xf32> loc("wide")
      %1 = samba.rms_norm %0, %c {eps = 1.0e-5 : f32} : tensor<?x2048xf32>, tensor<2048xf32> loc("wide_norm")
      samba.yield %1 : tensor<?x2048xf32>
    }
    samba.probe %z, "wide", 0 : tensor<?x2048xf32>
    %w = samba.kernel "w" ins(%a = %y : tensor<?x160xf32>, %b = %table : tensor<100x160xf32>) -> tensor<?x100xf32> {
      %0 = samba.rms_norm %a {eps = 1.0e-5 : f32} : tensor<?x160xf32> loc("plain")
      %1 = samba.linear %0, %b : tensor<?x160xf32>, tensor<100x160xf32> -> tensor<?x100xf32> loc("after")
      samba.yield %1 : tensor<?x100xf32>
    }
    samba.probe %w, "after", 1 : tensor<?x100xf32>
    %l = samba.kernel "l" ins(%a = %y : tensor<?x160xf32>, %b = %norm : tensor<160xf32>) -> tensor<?x160xf32> {
      %0 = samba.layer_norm %a, %b bias %b : tensor<160xf32> {eps = 1.0e-5 : f32} : tensor<?x160xf32>, tensor<160xf32> loc("layer")
      samba.yield %0 : tensor<?x160xf32>
    }
    samba.probe %l, "layer", 2 : tensor<?x160xf32>
    return %y : tensor<?x160xf32>
  }
}

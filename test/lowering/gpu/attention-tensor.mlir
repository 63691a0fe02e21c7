// Attention of bf16 models on tensor cores, 64 tokens by 64 keys.
// RUN: samba-opt %s --samba-lower-to-gpu | FileCheck %s

// CHECK: grid = [{of = "one", times = 2 : i64}, {of = "sequences"}, {of = "longest", per = 64 : i64}], kernel = "attention_tensor", name = "attention"
// CHECK: grid = [{of = "one"}, {of = "tokens"}, {of = "one"}], kernel = "ring_update", name = "attention"
// CHECK-DAG: llvm.mlir.global internal @attention_tensor_shared0() {{.*}}!llvm.array<4096 x i8>
// CHECK-DAG: llvm.mlir.global internal @attention_tensor_shared1() {{.*}}!llvm.array<4096 x i8>
// CHECK: gpu.func @attention_tensor(
// Queries are loaded and rounded once; then tile after tile of keys.
// CHECK: llvm.nvvm.ff2bf16x2.rn
// CHECK: scf.for
// CHECK: gpu.barrier
// Keys and values go to shared memory as bf16, in pieces of four.
// CHECK: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
// CHECK: llvm.store %{{.*}} {alignment = 8 : i64} : vector<2xi32>, !llvm.ptr<3>
// CHECK: gpu.barrier
// 64 scores, from two slices of the head; the edges of the window are masked.
// CHECK: nvvm.ldmatrix {{.*}}mma_layout<row>
// CHECK-COUNT-16: nvvm.mma.sync
// CHECK: scf.if
// CHECK: nvvm.shfl.sync bfly
// CHECK-COUNT-17: llvm.nvvm.ex2.approx.ftz.f
// CHECK: nvvm.ldmatrix {{.*}}mma_layout<col>
// CHECK-COUNT-16: nvvm.mma.sync
// CHECK-NOT: nvvm.mma.sync
// CHECK: scf.yield
// Threads exchange pieces, so that eight of them write a sector.
// CHECK: llvm.nvvm.rcp.approx.ftz.f
// CHECK: nvvm.shfl.sync bfly {{.*}} : i32
// CHECK: llvm.store %{{.*}} {alignment = 4 : i64} : i32, !llvm.ptr<1>
module attributes {samba.weight_bytes = 25600 : i64, samba.state_bytes = 8192 : i64} {
  samba.weight @embed from "embed" {offset = 0 : i64} : tensor<100x64xf32>
  func.func @samba_step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %rows: tensor<?xi64>, %k: !samba.state<1x32x32xf32> {samba.name = "key", samba.offset = 0 : i64}, %v: !samba.state<1x32x32xf32> {samba.name = "value", samba.offset = 4096 : i64}) -> (tensor<?x64xbf16>, !samba.state<1x32x32xf32>, !samba.state<1x32x32xf32>) {
    %table = samba.load_weight @embed : tensor<100x64xf32>
    %x = samba.kernel "x" ins(%a = %tokens : tensor<?xi32>, %b = %table : tensor<100x64xf32>) -> tensor<?x64xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<100x64xf32> -> tensor<?x64xf32> loc("embed")
      samba.yield %0 : tensor<?x64xf32>
    }
    %y:3 = samba.kernel "y" ins(%a = %x : tensor<?x64xf32>, %b = %segments : tensor<?xi64>, %c = %positions : tensor<?xi64>, %d = %k : !samba.state<1x32x32xf32>, %e = %v : !samba.state<1x32x32xf32>) -> (tensor<?x64xbf16>, !samba.state<1x32x32xf32>, !samba.state<1x32x32xf32>) {
      %c0 = arith.constant 0 : index
      %dim = tensor.dim %a, %c0 : tensor<?x64xf32>
      %key = tensor.extract_slice %a[0, 0] [%dim, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
      %value = tensor.extract_slice %a[0, 32] [%dim, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
      %result, %keys, %values = samba.sliding_window_attention %a, %key, %value segments %b positions %c state %d, %e {window = 32 : i64} : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, <1x32x32xf32> loc("attention")
      %rounded = arith.truncf %result : tensor<?x64xf32> to tensor<?x64xbf16> loc("attention")
      samba.yield %rounded, %keys, %values : tensor<?x64xbf16>, !samba.state<1x32x32xf32>, !samba.state<1x32x32xf32>
    }
    return %y#0, %y#1, %y#2 : tensor<?x64xbf16>, !samba.state<1x32x32xf32>, !samba.state<1x32x32xf32>
  }
}

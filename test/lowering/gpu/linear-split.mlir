// f32 by bf16 on tensor cores: x is the sum of two bf16.
// RUN: samba-opt %s --samba-lower-to-gpu | FileCheck %s

// CHECK: kernel = "linear_split", name = "head"
// Two stages of 32 rows of x, twice, and 64 of the weight, with 64 bytes each.
// CHECK: llvm.mlir.global internal @linear_split_shared0() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<16384 x i8>
// CHECK-LABEL: gpu.func @linear_split(
// The first slice: what is nearest to x, then what is nearest to the difference.
// CHECK: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
// CHECK: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>
// CHECK: llvm.nvvm.ff2bf16x2.rn
// CHECK: llvm.store %{{.*}} {alignment = 8 : i64} : vector<2xi32>, !llvm.ptr<3>
// CHECK: arith.subf
// CHECK: llvm.store %{{.*}} {alignment = 8 : i64} : vector<2xi32>, !llvm.ptr<3>
// CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<3>
// CHECK: gpu.barrier
// The next slice is loaded before this one is multiplied, and stored after.
// CHECK: scf.for
// CHECK: llvm.load %{{.*}} !llvm.ptr<1> -> vector<4xf32>
// CHECK: llvm.load %{{.*}} !llvm.ptr<1> -> vector<4xi32>
// The weights are loaded once for both parts.
// CHECK-COUNT-3: nvvm.ldmatrix
// CHECK-COUNT-4: nvvm.mma.sync
// CHECK-COUNT-1: nvvm.ldmatrix
// CHECK-COUNT-4: nvvm.mma.sync
// CHECK: llvm.store %{{.*}} !llvm.ptr<3>
// CHECK: gpu.barrier
// CHECK: scf.yield
// CHECK-COUNT-16: nvvm.mma.sync
// CHECK-NOT: nvvm.mma.sync
// CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
module attributes {samba.cuda, samba.weight_bytes = 35840 : i64} {
  samba.weight @embed from "embed" {offset = 0 : i64} : tensor<100x64xf32>
  samba.weight @head from "head" {offset = 25600 : i64} : tensor<80x64xbf16>
  func.func @samba_step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %rows: tensor<?xi64>) -> tensor<?x80xf32> {
    %table = samba.load_weight @embed : tensor<100x64xf32>
    %head = samba.load_weight @head : tensor<80x64xbf16>
    %logits = samba.kernel "k" ins(%a = %tokens : tensor<?xi32>, %b = %table : tensor<100x64xf32>, %c = %head : tensor<80x64xbf16>) -> tensor<?x80xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<100x64xf32> -> tensor<?x64xf32> loc("embed")
      %2 = samba.linear %0, %c : tensor<?x64xf32>, tensor<80x64xbf16> -> tensor<?x80xf32> loc("head")
      samba.yield %2 : tensor<?x80xf32>
    }
    return %logits : tensor<?x80xf32>
  }
}

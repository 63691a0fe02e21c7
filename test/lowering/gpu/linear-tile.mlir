// f32 by f32: 64 x 64 tiles from slices of 16 inputs in shared memory.
// RUN: samba-opt %s --samba-lower-to-gpu | FileCheck %s

// CHECK: grid = [{of = "one", times = 2 : i64}, {of = "tokens", per = 64 : i64}, {of = "one"}], kernel = "linear_tile", name = "head"
// CHECK-LABEL: gpu.func @linear_tile(
// CHECK-SAME: known_block_size = array<i32: 256, 1, 1>
// CHECK: scf.for
// Four threads read the 64 bytes of a row.
// CHECK-COUNT-2: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
// CHECK: gpu.barrier
// CHECK-COUNT-8: llvm.store %{{.*}} {alignment = 4 : i64} : f32, !llvm.ptr<3>
// CHECK: gpu.barrier
// CHECK-COUNT-2: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
// CHECK-COUNT-16: math.fma
// CHECK-NOT: nvvm.mma.sync
// CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
module attributes {samba.weight_bytes = 46080 : i64} {
  samba.weight @embed from "embed" {offset = 0 : i64} : tensor<100x64xf32>
  samba.weight @head from "head" {offset = 25600 : i64} : tensor<80x64xf32>
  func.func @samba_step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %rows: tensor<?xi64>) -> tensor<?x80xf32> {
    %table = samba.load_weight @embed : tensor<100x64xf32>
    %head = samba.load_weight @head : tensor<80x64xf32>
    %logits = samba.kernel "k" ins(%a = %tokens : tensor<?xi32>, %b = %table : tensor<100x64xf32>, %c = %head : tensor<80x64xf32>) -> tensor<?x80xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<100x64xf32> -> tensor<?x64xf32> loc("embed")
      %2 = samba.linear %0, %c : tensor<?x64xf32>, tensor<80x64xf32> -> tensor<?x80xf32> loc("head")
      samba.yield %2 : tensor<?x80xf32>
    }
    return %logits : tensor<?x80xf32>
  }
}

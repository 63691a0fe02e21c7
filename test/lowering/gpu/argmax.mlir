// The greatest logit of a row: a block takes 2048 of them, and a warp chooses among what several blocks have found.
// RUN: samba-opt %s --samba-lower-to-gpu | FileCheck %s

// What the blocks found lies in the arena, a value and an id for each.
// CHECK: {args = [{output = "logits"}, {arena = [[VALUES:[0-9]+]] : i64}, {arena = [[IDS:[0-9]+]] : i64}], block = array<i64: 256, 1, 1>
// CHECK-SAME: chooses = true, grid = [{of = "one", times = 3 : i64}, {of = "rows"}, {of = "one"}], kernel = "argmax", name = "argmax"
// CHECK-SAME: {args = [{arena = [[VALUES]] : i64}, {arena = [[IDS]] : i64}, {output = "argmax"}], block = array<i64: 32, 1, 1>
// CHECK-SAME: chooses = true, grid = [{of = "rows"}, {of = "one"}, {of = "one"}], kernel = "argmax_merge", name = "argmax"

// Logits are loaded four at once, and compared so that NaN never wins: by value, then by id.
// CHECK-LABEL: gpu.func @argmax(
// CHECK: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
// CHECK: arith.cmpf oeq
// CHECK: arith.cmpf ogt
// CHECK: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
// CHECK-NOT: !llvm.ptr<1> -> vector
// CHECK-COUNT-10: nvvm.shfl.sync
// CHECK: gpu.barrier
// CHECK-COUNT-6: nvvm.shfl.sync
// CHECK-LABEL: gpu.func @argmax_merge(
// CHECK: scf.for
// CHECK-COUNT-10: nvvm.shfl.sync
// CHECK-NOT: nvvm.shfl.sync
// CHECK: gpu.return
module attributes {samba.cuda, samba.weight_bytes = 345600 : i64} {
  samba.weight @embed from "embed" {offset = 0 : i64} : tensor<100x16xf32>
  samba.weight @head from "head" {offset = 6400 : i64} : tensor<5300x16xf32>
  func.func @samba_step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %rows: tensor<?xi64>) -> tensor<?x5300xf32> {
    %table = samba.load_weight @embed : tensor<100x16xf32>
    %head = samba.load_weight @head : tensor<5300x16xf32>
    %logits = samba.kernel "k" ins(%a = %tokens : tensor<?xi32>, %b = %table : tensor<100x16xf32>, %c = %head : tensor<5300x16xf32>, %r = %rows : tensor<?xi64>) -> tensor<?x5300xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<100x16xf32> -> tensor<?x16xf32> loc("embed")
      %1 = samba.gather_rows %0, %r : tensor<?x16xf32>, tensor<?xi64> -> tensor<?x16xf32> loc("rows")
      %2 = samba.linear %1, %c : tensor<?x16xf32>, tensor<5300x16xf32> -> tensor<?x5300xf32> loc("head")
      samba.yield %2 : tensor<?x5300xf32>
    }
    return %logits : tensor<?x5300xf32>
  }
}

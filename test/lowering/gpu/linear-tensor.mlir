// bf16 by bf16 on tensor cores: slices of 32 inputs are copied some ahead of that which is multiplied.
// RUN: samba-opt %s --samba-lower-to-gpu | FileCheck %s

// 32 x 64 tiles, because larger ones would leave most of a device idle. Of four stages three are under way.
// CHECK: grid = [{of = "one", times = 2 : i64}, {of = "tokens", per = 32 : i64}, {of = "one"}], kernel = "linear_tensor", name = "head"
// CHECK: llvm.mlir.global internal @linear_tensor_shared0() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<24576 x i8>
// CHECK-LABEL: gpu.func @linear_tensor(
// CHECK-SAME: known_block_size = array<i32: 128, 1, 1>
// CHECK-COUNT-3: nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 16, cache = cg
// CHECK: nvvm.cp.async.commit.group
// CHECK-COUNT-3: nvvm.cp.async.shared.global
// CHECK: nvvm.cp.async.commit.group
// CHECK-NOT: nvvm.cp.async.shared.global
// CHECK: nvvm.cp.async.commit.group
// CHECK: scf.for
// CHECK: nvvm.cp.async.wait.group 2
// CHECK-NEXT: gpu.barrier
// CHECK: scf.if
// CHECK-COUNT-3: nvvm.cp.async.shared.global
// CHECK: nvvm.cp.async.commit.group
// Twice 16 inputs: one piece of x and two of the weight for four products.
// CHECK-COUNT-3: nvvm.ldmatrix {{.*}}num = 4 : i32
// CHECK-COUNT-4: nvvm.mma.sync
// CHECK-COUNT-3: nvvm.ldmatrix
// CHECK-COUNT-4: nvvm.mma.sync
// CHECK-NOT: nvvm.mma.sync
// CHECK-NOT: nvvm.cp.async.wait.group
// CHECK: scf.yield
// Four neighbours are stored at once, if their row and their column exist.
// CHECK: scf.if
// CHECK: scf.if
// CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
module attributes {samba.weight_bytes = 23040 : i64} {
  samba.weight @embed from "embed" {offset = 0 : i64} : tensor<100x64xbf16>
  samba.weight @head from "head" {offset = 12800 : i64} : tensor<80x64xbf16>
  func.func @samba_step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %rows: tensor<?xi64>) -> tensor<?x80xf32> {
    %table = samba.load_weight @embed : tensor<100x64xbf16>
    %head = samba.load_weight @head : tensor<80x64xbf16>
    %logits = samba.kernel "k" ins(%a = %tokens : tensor<?xi32>, %b = %table : tensor<100x64xbf16>, %c = %head : tensor<80x64xbf16>) -> tensor<?x80xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<100x64xbf16> -> tensor<?x64xf32> loc("embed")
      %1 = arith.truncf %0 : tensor<?x64xf32> to tensor<?x64xbf16> loc("round")
      %2 = samba.linear %1, %c : tensor<?x64xbf16>, tensor<80x64xbf16> -> tensor<?x80xf32> loc("head")
      samba.yield %2 : tensor<?x80xf32>
    }
    return %logits : tensor<?x80xf32>
  }
}

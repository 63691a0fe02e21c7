// Few rows: a warp, or some, for each output.
// RUN: samba-opt %s --samba-lower-to-gpu | FileCheck %s

// One token: 32 lanes read 16 bytes of a row of the weight each, and two rounds are whole.
// CHECK: grid = [{of = "one", times = 20 : i64}, {of = "tokens"}, {of = "one"}], kernel = "linear_decode", name = "head"
// CHECK: grid = [{of = "one", times = 20 : i64}, {of = "tokens", per = 4 : i64}, {of = "one"}], kernel = "linear_decode_1", name = "head"
// CHECK-LABEL: gpu.func @linear_decode(
// CHECK-SAME: known_block_size = array<i32: 256, 1, 1>
// CHECK: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
// CHECK-COUNT-5: nvvm.shfl.sync bfly
// Two warps share an output: they meet in shared memory.
// CHECK: llvm.store %{{.*}} : f32, !llvm.ptr<3>
// CHECK: gpu.barrier
// CHECK-COUNT-2: llvm.load %{{.*}} !llvm.ptr<3> -> f32
// CHECK: scf.if
// CHECK: llvm.store %{{.*}} {alignment = 4 : i64} : f32, !llvm.ptr<1>
// CHECK-NOT: llvm.store
// CHECK: gpu.return
// Of up to 16 tokens four are multiplied by what a lane has read, and stored if they exist.
// CHECK-LABEL: gpu.func @linear_decode_1(
// CHECK: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
// CHECK-COUNT-20: nvvm.shfl.sync bfly
// CHECK-COUNT-4: llvm.store %{{.*}} {alignment = 4 : i64} : f32, !llvm.ptr<1>
module attributes {samba.weight_bytes = 184320 : i64} {
  samba.weight @embed from "embed" {offset = 0 : i64} : tensor<100x256xf32>
  samba.weight @head from "head" {offset = 102400 : i64} : tensor<80x256xf32>
  func.func @samba_step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %rows: tensor<?xi64>) -> tensor<?x80xf32> {
    %table = samba.load_weight @embed : tensor<100x256xf32>
    %head = samba.load_weight @head : tensor<80x256xf32>
    %logits = samba.kernel "k" ins(%a = %tokens : tensor<?xi32>, %b = %table : tensor<100x256xf32>, %c = %head : tensor<80x256xf32>) -> tensor<?x80xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<100x256xf32> -> tensor<?x256xf32> loc("embed")
      %2 = samba.linear %0, %c : tensor<?x256xf32>, tensor<80x256xf32> -> tensor<?x80xf32> loc("head")
      samba.yield %2 : tensor<?x80xf32>
    }
    return %logits : tensor<?x80xf32>
  }
}

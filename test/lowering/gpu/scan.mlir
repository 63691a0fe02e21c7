// Selective scan. One token a sequence: thread = channel. More: threads share time, too.
// RUN: samba-opt %s --samba-lower-to-gpu | FileCheck %s

// CHECK-DAG: grid = [{of = "one"}, {of = "sequences"}, {of = "one"}], kernel = "selective_scan_decode", name = "scan"
// CHECK-DAG: grid = [{of = "one", times = 4 : i64}, {of = "sequences"}, {of = "one"}], kernel = "selective_scan", name = "scan"
// All that a thread needs is loaded before it stores anything; its 4 states take one exponential each.
// CHECK-LABEL: gpu.func @selective_scan_decode(
// CHECK-NOT: llvm.store
// CHECK-COUNT-4: llvm.nvvm.ex2.approx.ftz.f
// CHECK-NOT: llvm.nvvm.ex2
// CHECK-NOT: llvm.load
// CHECK-COUNT-5: llvm.store %{{.*}} : f32, !llvm.ptr<1>
// CHECK-NOT: llvm.store
// CHECK: gpu.return

// Two channels and 8 tokens a thread, 16 channels a block; 4 states of 128 tokens for each of B and C.
// CHECK-DAG: llvm.mlir.global internal @selective_scan_shared2() {{.*}}!llvm.array<2048 x i8>
// CHECK-DAG: llvm.mlir.global internal @selective_scan_shared3() {{.*}}!llvm.array<2048 x i8>
// CHECK: gpu.func @selective_scan(
// CHECK-SAME: known_block_size = array<i32: 128, 1, 1>
// The first state, then chunks, for each of which the rows of B and C are brought.
// CHECK: scf.for
// CHECK: llvm.store %{{.*}} : f32, !llvm.ptr<3>
// CHECK: scf.for
// CHECK: gpu.barrier
// CHECK-COUNT-2: scf.for
// CHECK: gpu.barrier
// State after state: 16 exponentials, products among lanes 8 and 16 apart, then among warps.
// CHECK: scf.for
// CHECK-COUNT-16: llvm.nvvm.ex2.approx.ftz.f
// CHECK-NOT: llvm.nvvm.ex2
// CHECK-COUNT-12: nvvm.shfl.sync up
// CHECK: gpu.barrier
// CHECK-NOT: nvvm.shfl.sync
// CHECK: scf.yield
// CHECK: llvm.store %{{.*}} {alignment = 8 : i64} : vector<2xf32>, !llvm.ptr<1>
// The last state.
// CHECK: gpu.barrier
// CHECK: scf.for
// CHECK: llvm.load %{{.*}} : !llvm.ptr<3> -> f32
// CHECK: llvm.store %{{.*}} : f32, !llvm.ptr<1>
module attributes {samba.weight_bytes = 26624 : i64, samba.state_bytes = 1024 : i64} {
  samba.weight @embed from "embed" {offset = 0 : i64} : tensor<100x64xf32>
  samba.weight @A from "A" {offset = 25600 : i64} : tensor<64x4xf32, #samba.layout<transposed>>
  func.func @samba_step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %rows: tensor<?xi64>, %s: !samba.state<4x64xf32> {samba.name = "ssm", samba.offset = 0 : i64}) -> (tensor<?x64xf32>, !samba.state<4x64xf32>) {
    %w = samba.load_weight @A : tensor<64x4xf32, #samba.layout<transposed>>
    %table = samba.load_weight @embed : tensor<100x64xf32>
    %x = samba.kernel "x" ins(%a = %tokens : tensor<?xi32>, %b = %table : tensor<100x64xf32>) -> tensor<?x64xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<100x64xf32> -> tensor<?x64xf32> loc("embed")
      samba.yield %0 : tensor<?x64xf32>
    }
    %y:2 = samba.kernel "y" ins(%a = %x : tensor<?x64xf32>, %b = %w : tensor<64x4xf32, #samba.layout<transposed>>, %c = %segments : tensor<?xi64>, %d = %s : !samba.state<4x64xf32>) -> (tensor<?x64xf32>, !samba.state<4x64xf32>) {
      %c0 = arith.constant 0 : index
      %dim = tensor.dim %a, %c0 : tensor<?x64xf32>
      %B = tensor.extract_slice %a[0, 0] [%dim, 4] [1, 1] : tensor<?x64xf32> to tensor<?x4xf32>
      %C = tensor.extract_slice %a[0, 4] [%dim, 4] [1, 1] : tensor<?x64xf32> to tensor<?x4xf32>
      %result, %state = samba.selective_scan %a, %a, %b, %B, %C segments %c state %d : tensor<?x64xf32>, tensor<64x4xf32, #samba.layout<transposed>>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xi64>, <4x64xf32> loc("scan")
      samba.yield %result, %state : tensor<?x64xf32>, !samba.state<4x64xf32>
    }
    return %y#0, %y#1 : tensor<?x64xf32>, !samba.state<4x64xf32>
  }
}

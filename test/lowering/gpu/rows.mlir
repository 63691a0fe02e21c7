// Kernels of a thread for each vector of 16 bytes: embedding, rows, sums, SwiGLU, rounding.
// RUN: samba-opt %s --samba-lower-to-gpu | FileCheck %s

// Four bf16 of the table are loaded at once, by the token of the block's row, and stored as four f32.
// CHECK-LABEL: gpu.func @embedding(
// CHECK-SAME: known_block_size = array<i32: 128, 1, 1>
// CHECK: %[[ROW:.*]] = gpu.block_id y
// CHECK: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> i32
// CHECK: llvm.load %{{.*}} {alignment = 8 : i64} : !llvm.ptr<1> -> vector<2xi32>
// CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>

// CHECK-LABEL: gpu.func @add(
// CHECK-COUNT-2: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
// CHECK-COUNT-4: arith.addf
// CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>

// CHECK-LABEL: gpu.func @swiglu(
// CHECK: llvm.nvvm.ex2.approx.ftz.f
// CHECK: llvm.nvvm.rcp.approx.ftz.f

// Rows are 64 bits wide.
// CHECK-LABEL: gpu.func @gather_rows(
// CHECK: llvm.load %{{.*}} {alignment = 8 : i64} : !llvm.ptr<1> -> i64

// CHECK-LABEL: gpu.func @copy(
// CHECK: llvm.nvvm.ff2bf16x2.rn
// CHECK: llvm.store %{{.*}} {alignment = 8 : i64} : vector<2xi32>, !llvm.ptr<1>
module attributes {samba.weight_bytes = 12800 : i64} {
  samba.weight @embed from "embed" {offset = 0 : i64} : tensor<100x64xbf16>
  func.func @samba_step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %rows: tensor<?xi64>) -> tensor<?x64xbf16> {
    %table = samba.load_weight @embed : tensor<100x64xbf16>
    %x = samba.kernel "x" ins(%a = %tokens : tensor<?xi32>, %b = %table : tensor<100x64xbf16>) -> tensor<?x64xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<100x64xbf16> -> tensor<?x64xf32> loc("embed")
      samba.yield %0 : tensor<?x64xf32>
    }
    %y = samba.kernel "y" ins(%a = %x : tensor<?x64xf32>) -> tensor<?x64xf32> {
      %0 = arith.addf %a, %a : tensor<?x64xf32> loc("twice")
      samba.yield %0 : tensor<?x64xf32>
    }
    %z = samba.kernel "z" ins(%a = %x : tensor<?x64xf32>, %b = %y : tensor<?x64xf32>) -> tensor<?x64xf32> {
      %0 = samba.swiglu %a, %b : tensor<?x64xf32> loc("swiglu")
      samba.yield %0 : tensor<?x64xf32>
    }
    %r = samba.kernel "rows" ins(%a = %z : tensor<?x64xf32>, %b = %rows : tensor<?xi64>) -> tensor<?x64xf32> {
      %0 = samba.gather_rows %a, %b : tensor<?x64xf32>, tensor<?xi64> -> tensor<?x64xf32> loc("rows")
      samba.yield %0 : tensor<?x64xf32>
    }
    %w = samba.kernel "w" ins(%a = %r : tensor<?x64xf32>) -> tensor<?x64xbf16> {
      %0 = arith.truncf %a : tensor<?x64xf32> to tensor<?x64xbf16> loc("round")
      samba.yield %0 : tensor<?x64xbf16>
    }
    return %w : tensor<?x64xbf16>
  }
}

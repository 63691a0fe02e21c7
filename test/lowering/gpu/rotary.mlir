// Rotary embedding: angles in f64, for positions of 64 bits; then a thread for each pair.
// RUN: samba-opt %s --samba-lower-to-gpu | FileCheck %s

// CHECK-DAG: grid = [{of = "tokens"}, {of = "one"}, {of = "one"}], kernel = "rotary_table", name = "table"
// CHECK-DAG: grid = [{of = "one"}, {of = "tokens"}, {of = "one"}], kernel = "rotary", name = "rotary"
// Frequencies begin with a sector.
// CHECK: llvm.mlir.global internal constant @rotary_table_constants({{.*}}) {addr_space = 1 : i32, alignment = 32 : i64}
// CHECK-LABEL: gpu.func @rotary_table(
// CHECK: scf.while
// CHECK: arith.addi %{{.*}} : i64
// CHECK: arith.sitofp %{{.*}} : i64 to f64
// CHECK: arith.mulf %{{.*}} : f64
// CHECK-COUNT-2: llvm.store %{{.*}} {alignment = 4 : i64} : f32, !llvm.ptr<1>
// CHECK-LABEL: gpu.func @rotary(
// CHECK-COUNT-4: llvm.load %{{.*}} : !llvm.ptr<1> -> f32
// CHECK-COUNT-2: llvm.store %{{.*}} : f32, !llvm.ptr<1>
module attributes {samba.weight_bytes = 25600 : i64} {
  samba.weight @embed from "embed" {offset = 0 : i64} : tensor<100x64xf32>
  func.func @samba_step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %rows: tensor<?xi64>) -> tensor<?x64xf32> {
    %table = samba.load_weight @embed : tensor<100x64xf32>
    %x = samba.kernel "x" ins(%a = %tokens : tensor<?xi32>, %b = %table : tensor<100x64xf32>) -> tensor<?x64xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<100x64xf32> -> tensor<?x64xf32> loc("embed")
      samba.yield %0 : tensor<?x64xf32>
    }
    %t = samba.kernel "t" ins(%a = %segments : tensor<?xi64>, %b = %positions : tensor<?xi64>, %c = %x : tensor<?x64xf32>) -> tensor<?x64xf32> {
      %0 = samba.rotary_table %a, %b {theta = 1.000000e+04 : f64} : tensor<?xi64>, tensor<?xi64> -> tensor<?x16xf32> loc("table")
      %1 = samba.rotary %c, %0 : tensor<?x64xf32>, tensor<?x16xf32> loc("rotary")
      samba.yield %1 : tensor<?x64xf32>
    }
    return %t : tensor<?x64xf32>
  }
}

// RUN: samba-opt %s -samba-fuse-projections --remarks-filter=samba-fusion 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK < %t.remarks
// Twice is no different from once.
// RUN: samba-opt %s -samba-fuse-projections > %t.once && samba-opt %t.once -samba-fuse-projections | diff %t.once -
// RUN: samba-opt %s -samba-fuse-projections=min-saved=100000 | FileCheck %s --check-prefix=THRESHOLD
// THRESHOLD-NOT: from [

// CHECK: samba.weight @l.0.gate.up from ["g.0" : 16, "u.0" : 16] : tensor<32x32xf32>
// CHECK: samba.weight @l.1.gate.up from ["g.1" : 16, "u.1" : 16] : tensor<32x32xf32>
// CHECK: samba.weight @q.k.v from ["q" : 16, "k" : 8, "v" : 8] : tensor<32x32xf32>
// CHECK: samba.weight @q_bias.k_bias.v_bias from ["qb" : 16, "kb" : 8, "vb" : 8] : tensor<32xf32>
samba.weight @l.0.gate from "g.0" : tensor<16x32xf32>
samba.weight @l.0.up from "u.0" : tensor<16x32xf32>
samba.weight @l.1.gate from "g.1" : tensor<16x32xf32>
samba.weight @l.1.up from "u.1" : tensor<16x32xf32>
samba.weight @q from "q" : tensor<16x32xf32>
samba.weight @k from "k" : tensor<8x32xf32>
samba.weight @v from "v" : tensor<8x32xf32>
samba.weight @q_bias from "qb" : tensor<16xf32>
samba.weight @k_bias from "kb" : tensor<8xf32>
samba.weight @v_bias from "vb" : tensor<8xf32>
samba.weight @tied from "tied" : tensor<16x32xf32>
samba.weight @other from "other" : tensor<16x32xf32>

// The arguments of a shared function become one, in all calls.
// CHECK-LABEL: func.func private @mlp
// CHECK-SAME: (%[[X:.*]]: tensor<?x32xf32>, %[[W:.*]]: tensor<32x32xf32>) -> tensor<?x16xf32> {
// CHECK-NEXT: %[[Y:.*]] = samba.linear %[[X]], %[[W]] : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
// CHECK: %[[T:.*]] = tensor.dim %[[Y]]
// CHECK-NEXT: %[[G:.*]] = tensor.extract_slice %[[Y]][0, 0] [%[[T]], 16] [1, 1]
// CHECK-NEXT: %[[U:.*]] = tensor.extract_slice %[[Y]][0, 16] [%[[T]], 16] [1, 1]
// CHECK-NEXT: samba.swiglu %[[G]], %[[U]]
// REMARK: [Passed] samba-fuse-projections {{.*}}Function=mlp{{.*}}BarriersSaved=1, BytesSaved=128{{.*}}Reason="2 projections read the same rows once instead of 2 times"
func.func private @mlp(%x: tensor<?x32xf32>, %gate: tensor<16x32xf32>, %up: tensor<16x32xf32>) -> tensor<?x16xf32> {
  %0 = samba.linear %x, %gate : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  %1 = samba.linear %x, %up : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  %2 = samba.swiglu %0, %1 : tensor<?x16xf32>
  return %2 : tensor<?x16xf32>
}
// CHECK-LABEL: func.func @calls
func.func @calls(%x: tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>) {
  // CHECK-DAG: %[[A:.*]] = samba.load_weight @l.0.gate.up : tensor<32x32xf32>
  // CHECK-DAG: call @mlp(%{{.*}}, %[[A]])
  // CHECK-DAG: %[[B:.*]] = samba.load_weight @l.1.gate.up : tensor<32x32xf32>
  // CHECK-DAG: call @mlp(%{{.*}}, %[[B]])
  %g0 = samba.load_weight @l.0.gate : tensor<16x32xf32>
  %u0 = samba.load_weight @l.0.up : tensor<16x32xf32>
  %0 = call @mlp(%x, %g0, %u0) : (tensor<?x32xf32>, tensor<16x32xf32>, tensor<16x32xf32>) -> tensor<?x16xf32>
  %g1 = samba.load_weight @l.1.gate : tensor<16x32xf32>
  %u1 = samba.load_weight @l.1.up : tensor<16x32xf32>
  %1 = call @mlp(%x, %g1, %u1) : (tensor<?x32xf32>, tensor<16x32xf32>, tensor<16x32xf32>) -> tensor<?x16xf32>
  return %0, %1 : tensor<?x16xf32>, tensor<?x16xf32>
}

// Of weights that the function loads itself, and with their biases.
// CHECK-LABEL: func.func @own
func.func @own(%x: tensor<?x32xf32>) -> (tensor<?x16xf32>, tensor<?x8xf32>, tensor<?x8xf32>) {
  // CHECK-DAG: %[[W:.*]] = samba.load_weight @q.k.v
  // CHECK-DAG: %[[B:.*]] = samba.load_weight @q_bias.k_bias.v_bias
  // CHECK: samba.linear %{{.*}}, %[[W]] bias %[[B]] : tensor<32xf32>
  // CHECK-NOT: samba.linear
  %q = samba.load_weight @q : tensor<16x32xf32>
  %k = samba.load_weight @k : tensor<8x32xf32>
  %v = samba.load_weight @v : tensor<8x32xf32>
  %qb = samba.load_weight @q_bias : tensor<16xf32>
  %kb = samba.load_weight @k_bias : tensor<8xf32>
  %vb = samba.load_weight @v_bias : tensor<8xf32>
  %0 = samba.linear %x, %q bias %qb : tensor<16xf32> : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  %1 = samba.linear %x, %k bias %kb : tensor<8xf32> : tensor<?x32xf32>, tensor<8x32xf32> -> tensor<?x8xf32>
  %2 = samba.linear %x, %v bias %vb : tensor<8xf32> : tensor<?x32xf32>, tensor<8x32xf32> -> tensor<?x8xf32>
  return %0, %1, %2 : tensor<?x16xf32>, tensor<?x8xf32>, tensor<?x8xf32>
}

// A weight that others read too stays what it is.
// CHECK-LABEL: func.func @tied_weight
// CHECK-COUNT-2: samba.linear
// REMARK: [Failure] samba-fuse-projections {{.*}}Function=tied_weight{{.*}}Reason="a weight has other readers or is no samba.load_weight"
func.func @tied_weight(%tokens: tensor<?xi32>) -> (tensor<?x16xf32>, tensor<?x16xf32>) {
  %again = samba.load_weight @tied : tensor<16x32xf32>
  %x = samba.embedding %tokens, %again : tensor<?xi32>, tensor<16x32xf32> -> tensor<?x32xf32>
  %tied = samba.load_weight @tied : tensor<16x32xf32>
  %other = samba.load_weight @other : tensor<16x32xf32>
  %0 = samba.linear %x, %other : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  %1 = samba.linear %x, %tied : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  return %0, %1 : tensor<?x16xf32>, tensor<?x16xf32>
}

// CHECK-LABEL: func.func @others_choose
// CHECK-COUNT-2: samba.linear
// REMARK: [Failure] samba-fuse-projections {{.*}}Function=others_choose{{.*}}Reason="a weight is an argument that others choose"
func.func @others_choose(%x: tensor<?x32xf32>, %v: tensor<16x32xf32>, %w: tensor<16x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>) {
  %0 = samba.linear %x, %v : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  %1 = samba.linear %x, %w : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  return %0, %1 : tensor<?x16xf32>, tensor<?x16xf32>
}

// REMARK: [Failure] samba-fuse-projections {{.*}}Function=some_bias{{.*}}Reason="some have a bias and some have none"
func.func private @some_bias(%x: tensor<?x32xf32>, %v: tensor<16x32xf32>, %w: tensor<16x32xf32>, %b: tensor<16xf32>)
    -> (tensor<?x16xf32>, tensor<?x16xf32>) {
  %0 = samba.linear %x, %v bias %b : tensor<16xf32> : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  %1 = samba.linear %x, %w : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  return %0, %1 : tensor<?x16xf32>, tensor<?x16xf32>
}

// REMARK: [Failure] samba-fuse-projections {{.*}}Function=residual{{.*}}Reason="an addition would lose its linear"
func.func private @residual(%x: tensor<?x32xf32>, %v: tensor<32x32xf32>, %w: tensor<16x32xf32>)
    -> (tensor<?x32xf32>, tensor<?x16xf32>) {
  %0 = samba.linear %x, %v : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  %1 = arith.addf %x, %0 : tensor<?x32xf32>
  %2 = samba.linear %x, %w : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  return %1, %2 : tensor<?x32xf32>, tensor<?x16xf32>
}

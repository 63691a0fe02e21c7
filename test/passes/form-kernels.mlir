// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels))' | FileCheck %s
// Twice is no different from once.
// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels))' -mlir-print-debuginfo > %t.once
// RUN: samba-opt %t.once -pass-pipeline='builtin.module(func.func(samba-form-kernels))' -mlir-print-debuginfo \
// RUN:   | diff %t.once -

samba.weight @w from "w" : tensor<32x32xf32>

// Only what computes is wrapped, and each kernel takes what it uses, once.
// CHECK-LABEL: func.func @each
// CHECK-SAME: (%[[TOKENS:.*]]: tensor<?xi32>, %[[TABLE:.*]]: tensor<64x32xf32>, %[[ROWS:.*]]: tensor<?xi64>)
func.func @each(%tokens: tensor<?xi32>, %table: tensor<64x32xf32>, %rows: tensor<?xi64>) -> tensor<?x16xf32> {
  // CHECK-NEXT: %[[X:.*]] = samba.kernel "embedding" ins(%[[A:.*]] = %[[TOKENS]] : tensor<?xi32>, %[[B:.*]] = %[[TABLE]] : tensor<64x32xf32>) -> tensor<?x32xf32> {
  // CHECK-NEXT: %[[R:.*]] = samba.embedding %[[A]], %[[B]]
  // CHECK-NEXT: samba.yield %[[R]]
  // CHECK-NEXT: }
  %x = samba.embedding %tokens, %table : tensor<?xi32>, tensor<64x32xf32> -> tensor<?x32xf32>
  // CHECK-NEXT: samba.probe %[[X]], "embeddings", 0
  samba.probe %x, "embeddings", 0 : tensor<?x32xf32>
  // CHECK-NEXT: %[[W:.*]] = samba.load_weight @w
  %w = samba.load_weight @w : tensor<32x32xf32>
  // CHECK-NEXT: %[[Y:.*]] = samba.kernel "linear" ins(%{{.*}} = %[[X]] : tensor<?x32xf32>, %{{.*}} = %[[W]] : tensor<32x32xf32>)
  // CHECK-NEXT: samba.linear
  // CHECK-NEXT: samba.yield
  // CHECK-NEXT: }
  %y = samba.linear %x, %w : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  // CHECK-NEXT: arith.constant
  %c0 = arith.constant 0 : index
  // CHECK-NEXT: %[[T:.*]] = tensor.dim %[[Y]]
  %t = tensor.dim %y, %c0 : tensor<?x32xf32>
  // CHECK-NEXT: %[[SLICE:.*]] = tensor.extract_slice %[[Y]]
  %slice = tensor.extract_slice %y[0, 16] [%t, 16] [1, 1] : tensor<?x32xf32> to tensor<?x16xf32>
  // CHECK-NEXT: %[[S:.*]] = samba.kernel "swiglu" ins(%[[C:.*]] = %[[SLICE]] : tensor<?x16xf32>)
  // CHECK-NEXT: samba.swiglu %[[C]], %[[C]]
  // CHECK-NEXT: samba.yield
  // CHECK-NEXT: }
  %s = samba.swiglu %slice, %slice : tensor<?x16xf32>
  // CHECK-NEXT: %[[G:.*]] = samba.kernel "gather_rows" ins(%{{.*}} = %[[S]] : tensor<?x16xf32>, %{{.*}} = %[[ROWS]] : tensor<?xi64>)
  // CHECK: }
  %g = samba.gather_rows %s, %rows : tensor<?x16xf32>, tensor<?xi64> -> tensor<?x16xf32>
  // CHECK-NEXT: return %[[G]]
  return %g : tensor<?x16xf32>
}

// Every addition has a kernel of its own: what shares one is for the fusion passes to say.
// CHECK-LABEL: func.func @addition
func.func @addition(%x: tensor<?x32xf32>, %w: tensor<32x32xf32>) -> tensor<?x32xf32> {
  // CHECK: %[[L:.*]] = samba.kernel "linear"
  // CHECK: samba.kernel "addf" ins(%[[A:.*]] = %{{.*}} : tensor<?x32xf32>, %[[B:.*]] = %[[L]] : tensor<?x32xf32>)
  // CHECK-NEXT: arith.addf %[[A]], %[[B]]
  %0 = samba.linear %x, %w : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  %1 = arith.addf %x, %0 : tensor<?x32xf32>
  return %1 : tensor<?x32xf32>
}

// All results are results of the kernel; states come and go through it.
// CHECK-LABEL: func.func @states
func.func @states(%x: tensor<?x32xf32>, %taps: tensor<32x4xf32>, %segments: tensor<?xi64>, %state: !samba.state<3x32xf32>)
    -> (tensor<?x32xf32>, !samba.state<3x32xf32>) {
  // CHECK-NEXT: %[[R:.*]]:2 = samba.kernel "causal_conv1d" ins({{.*}} : !samba.state<3x32xf32>) -> (tensor<?x32xf32>, !samba.state<3x32xf32>) {
  // CHECK-NEXT: samba.causal_conv1d
  // CHECK-NEXT: samba.yield %{{.*}}, %{{.*}} : tensor<?x32xf32>, !samba.state<3x32xf32>
  // CHECK-NEXT: }
  // CHECK-NEXT: return %[[R]]#0, %[[R]]#1
  %0, %1 = samba.causal_conv1d %x, %taps segments %segments state %state
    : tensor<?x32xf32>, tensor<32x4xf32>, tensor<?xi64>, !samba.state<3x32xf32>
  return %0, %1 : tensor<?x32xf32>, !samba.state<3x32xf32>
}

// The model's own name is the kernel's, wherever in the location it stands.
// CHECK-LABEL: func.func @names
func.func @names(%x: tensor<?x32xf32>, %w: tensor<32x32xf32>) -> tensor<?x32xf32> {
  // CHECK: samba.kernel "mamba.in_proj"
  %0 = samba.linear %x, %w : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32> loc("mamba.in_proj")
  // CHECK: samba.kernel "mamba.x_proj"
  %1 = samba.linear %0, %w : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32> loc(fused["m.py":1:1, "mamba.x_proj"("m.py":2:1)])
  // CHECK: samba.kernel "mamba.out_proj"
  // CHECK: samba.linear
  // CHECK: samba.kernel "mamba.residual"
  // CHECK: arith.addf
  %2 = samba.linear %1, %w : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32> loc("mamba.out_proj")
  %3 = arith.addf %x, %2 : tensor<?x32xf32> loc("mamba.residual")
  return %3 : tensor<?x32xf32>
}

func.func private @block(%x: tensor<?x32xf32>) -> tensor<?x32xf32>

// Nothing to do: calls, scalars, and what is in a kernel already.
// CHECK-LABEL: func.func @nothing
func.func @nothing(%x: tensor<?x32xf32>, %a: f32) -> (tensor<?x32xf32>, f32) {
  // CHECK-NEXT: call @block
  // CHECK-NEXT: arith.addf
  // CHECK-NEXT: samba.kernel "mine"
  // CHECK-NEXT: samba.swiglu
  // CHECK-NEXT: samba.swiglu
  // CHECK-NEXT: samba.yield
  // CHECK-NEXT: }
  // CHECK-NEXT: return
  %0 = call @block(%x) : (tensor<?x32xf32>) -> tensor<?x32xf32>
  %1 = arith.addf %a, %a : f32
  %2 = samba.kernel "mine" ins(%i = %0 : tensor<?x32xf32>) -> tensor<?x32xf32> {
    %3 = samba.swiglu %i, %i : tensor<?x32xf32>
    %4 = samba.swiglu %3, %i : tensor<?x32xf32>
    samba.yield %4 : tensor<?x32xf32>
  }
  return %2, %1 : tensor<?x32xf32>, f32
}

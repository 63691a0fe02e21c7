// RUN: samba-opt %s -samba-set-precision="precision=bf16 round-activations=true" | FileCheck %s
// RUN: samba-opt %s -samba-set-precision="precision=bf16" | FileCheck %s --check-prefix=KEEP
// RUN: samba-opt %s -samba-set-precision="precision=bf16 round-activations=true" -samba-form-kernels | FileCheck %s --check-prefix=KERNELS
// RUN: samba-opt %s -samba-set-precision="precision=bf16 round-activations=true" \
// RUN:   -samba-interpret="tokens=2 weights=seeded" -o /dev/null | FileCheck %s --check-prefix=VALUES
// RUN: samba-opt %s -samba-set-precision="precision=bf16 round-activations=true" -samba-form-kernels \
// RUN:   -samba-interpret="tokens=2 weights=seeded" -o /dev/null | FileCheck %s --check-prefix=VALUES

// What several linears share is rounded once. What nobody can store rounded (an argument) is left alone.

// CHECK-LABEL: func.func @f
// CHECK: %[[NORM:.*]] = samba.rms_norm
// CHECK-NEXT: %[[ROUNDED:.*]] = arith.truncf %[[NORM]] : tensor<?x8xf32> to tensor<?x8xbf16>
// CHECK: samba.linear %[[ROUNDED]], %{{.*}} : tensor<?x8xbf16>, tensor<4x8xbf16>
// CHECK: samba.linear %[[ROUNDED]], %{{.*}} : tensor<?x8xbf16>, tensor<4x8xbf16>
// CHECK: samba.linear %{{.*}}, %{{.*}} : tensor<?x8xf32>, tensor<4x8xbf16>

// KEEP-NOT: arith.truncf

// KERNELS: samba.kernel "rms_norm" ins({{.*}}) -> tensor<?x8xbf16>
// KERNELS-NEXT: samba.rms_norm
// KERNELS-NEXT: arith.truncf
// KERNELS-NEXT: samba.yield

// The same rounding in and out of kernels; without it the first value is -0.149955.
// VALUES: [2, 4]
// VALUES-NEXT: [-0.151624, 3.08081, -5.88891, -1.10779]
module {
  samba.weight @norm from "norm" : tensor<8xf32>
  samba.weight @a from "a" : tensor<4x8xf32>
  samba.weight @b from "b" : tensor<4x8xf32>
  func.func @f(%x: tensor<?x8xf32>) -> tensor<?x4xf32> {
    %norm = samba.load_weight @norm : tensor<8xf32>
    %wa = samba.load_weight @a : tensor<4x8xf32>
    %wb = samba.load_weight @b : tensor<4x8xf32>
    %n = samba.rms_norm %x, %norm {eps = 1.0e-5 : f32} : tensor<?x8xf32>, tensor<8xf32>
    %0 = samba.linear %n, %wa : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32>
    %1 = samba.linear %n, %wb : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32>
    %2 = samba.linear %x, %wb : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32>
    %3 = arith.addf %0, %1 : tensor<?x4xf32>
    %4 = arith.addf %3, %2 : tensor<?x4xf32>
    return %4 : tensor<?x4xf32>
  }
}

// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-block))' | FileCheck %s
// Twice is no different from once.
// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-block))' -mlir-print-debuginfo > %t.once
// RUN: samba-opt %t.once -pass-pipeline='builtin.module(func.func(samba-fuse-block))' -mlir-print-debuginfo | diff %t.once -

// What a core works on has to stay in its cache: 8 rows of 32+16+16 floats are 2048 bytes.
// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-block{cache=2047}))' \
// RUN:   --remarks-filter=samba-fusion -o /dev/null 2>&1 | FileCheck %s --check-prefix=CACHE
// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-block{cache=2047 force=true}))' \
// RUN:   --remarks-filter=samba-fusion 2>%t.forced | FileCheck %s
// RUN: FileCheck %s --check-prefix=FORCED < %t.forced
// CACHE: [Missed] samba-fuse-block {{.*}}Reason="8 rows take 2048 bytes inside, more than 2047 of cache"
// FORCED: [Passed] samba-fuse-block {{.*}}Reason="forced, although 8 rows take 2048 bytes inside, more than 2047 of cache"

// CHECK-LABEL: func.func private @mlp
func.func private @mlp(%x: tensor<?x32xf32>, %n: tensor<32xf32>, %g: tensor<16x32xf32>, %d: tensor<32x16xf32>) -> tensor<?x32xf32> {
  // CHECK-NEXT: %[[K:.*]] = samba.kernel "rms_norm+linear+swiglu+linear+addf"
  // CHECK-NOT: samba.kernel
  // CHECK: return %[[K]]
  %0 = samba.rms_norm %x, %n {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  %1 = samba.linear %0, %g : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  %2 = samba.swiglu %1, %1 : tensor<?x16xf32>
  %3 = samba.linear %2, %d : tensor<?x16xf32>, tensor<32x16xf32> -> tensor<?x32xf32>
  %4 = arith.addf %x, %3 : tensor<?x32xf32>
  return %4 : tensor<?x32xf32>
}

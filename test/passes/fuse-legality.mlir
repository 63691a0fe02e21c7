// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-norm,samba-fuse-residual))' \
// RUN:   --remarks-filter=samba-fusion 2>%t.remarks | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK < %t.remarks
// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-norm{min-saved=1000}))' \
// RUN:   --remarks-filter=samba-fusion -o /dev/null 2>&1 | FileCheck %s --check-prefix=PROFIT
// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-norm{min-saved=1000 tokens=4}))' \
// RUN:   --remarks-filter=samba-fusion -o /dev/null 2>&1 | FileCheck %s --check-prefix=TOKENS

// The linear reads the norm directly and through the call.
// REMARK: [Failure] samba-fuse-norm {{.*}}Function=call_between{{.*}}Consumer=linear, Producer=rms_norm, Reason="the second also depends on the first through func.call"
// CHECK-LABEL: func.func private @call_between
func.func private @call_between(%x: tensor<?x32xf32>, %n: tensor<32xf32>) -> tensor<?x32xf32> {
  // CHECK: samba.kernel "rms_norm"
  // CHECK: call @weights
  // CHECK: samba.kernel "linear"
  %0 = samba.rms_norm %x, %n {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  %1 = call @weights(%0) : (tensor<?x32xf32>) -> tensor<32x32xf32>
  %2 = samba.linear %0, %1 : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  return %2 : tensor<?x32xf32>
}
func.func private @weights(tensor<?x32xf32>) -> tensor<32x32xf32>

// The probe is there before the matrix is: the linear can go neither down nor up.
// REMARK: [Failure] samba-fuse-norm {{.*}}Function=probe_between{{.*}}Reason="samba.probe needs the first before the second can run"
// CHECK-LABEL: func.func private @probe_between
func.func private @probe_between(%x: tensor<?x32xf32>, %n: tensor<32xf32>) -> tensor<?x32xf32> {
  // CHECK: samba.kernel "rms_norm"
  // CHECK: samba.probe
  // CHECK: call @weights
  // CHECK: samba.kernel "linear"
  %0 = samba.rms_norm %x, %n {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  samba.probe %0, "norm", 0 : tensor<?x32xf32>
  %1 = call @weights(%x) : (tensor<?x32xf32>) -> tensor<32x32xf32>
  %2 = samba.linear %0, %1 : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  return %2 : tensor<?x32xf32>
}

// The addition reads the linear directly and through the swiglu.
// REMARK: [Failure] samba-fuse-residual {{.*}}Function=detour{{.*}}Reason="the second also depends on the first through kernel 'swiglu'"
// CHECK-LABEL: func.func private @detour
func.func private @detour(%x: tensor<?x32xf32>, %w: tensor<32x32xf32>) -> tensor<?x32xf32> {
  // CHECK: samba.kernel "linear"
  // CHECK: samba.kernel "swiglu"
  // CHECK: samba.kernel "addf"
  %0 = samba.linear %x, %w : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  %1 = samba.swiglu %0, %0 : tensor<?x32xf32>
  %2 = arith.addf %1, %0 : tensor<?x32xf32>
  return %2 : tensor<?x32xf32>
}

// Saves writing and reading 32 floats.
// PROFIT: [Missed] samba-fuse-norm {{.*}}Function=profit{{.*}}BytesSaved=256{{.*}}Reason="it saves 256 bytes, less than 1000"
// TOKENS: [Passed] samba-fuse-norm {{.*}}Function=profit{{.*}}BytesSaved=1024{{.*}}Reason="a step of 4 tokens saves 1024 bytes"
func.func private @profit(%x: tensor<?x32xf32>, %n: tensor<32xf32>, %w: tensor<32x32xf32>) -> tensor<?x32xf32> {
  %0 = samba.rms_norm %x, %n {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  %1 = samba.linear %0, %w : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  return %1 : tensor<?x32xf32>
}

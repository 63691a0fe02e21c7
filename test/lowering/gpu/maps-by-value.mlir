// RUN: samba-opt %s --pass-pipeline='builtin.module(gpu.module(samba-maps-by-value))' | FileCheck %s

gpu.module @kernels {
  // CHECK: llvm.func @described(%{{.*}}: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %{{.*}}: !llvm.ptr<1>, %{{.*}}: i64)
  llvm.func @described(%map: !llvm.ptr {llvm.align = 64 : i64}, %x: !llvm.ptr<1>, %place: i64) attributes {nvvm.kernel} {
    llvm.return
  }
  // Pointers of another alignment, and functions that are no kernels, are left alone.
  // CHECK: llvm.func @plain(%{{.*}}: !llvm.ptr<1> {llvm.align = 16 : i64})
  llvm.func @plain(%x: !llvm.ptr<1> {llvm.align = 16 : i64}) attributes {nvvm.kernel} {
    llvm.return
  }
  // CHECK: llvm.func @called(%{{.*}}: !llvm.ptr {llvm.align = 64 : i64})
  llvm.func @called(%x: !llvm.ptr {llvm.align = 64 : i64}) {
    llvm.return
  }
}

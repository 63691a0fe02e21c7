// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-roll-layers))' | FileCheck %s
// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-roll-layers,samba-roll-layers))' | FileCheck %s

func.func private @mixer(!llvm.ptr, index, index)
func.func private @mlp(!llvm.ptr, index)
func.func private @show(!llvm.ptr, i32)

// Three layers of two calls and a probe; what is computed between the calls moves out of the way.

// CHECK-LABEL: func.func @layers
// CHECK-SAME: %[[X:.*]]: !llvm.ptr
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %c3 step %c1
// CHECK:   %[[STEP:.*]] = arith.constant 300 : index
// CHECK:   %[[FAR:.*]] = arith.muli %[[I]], %[[STEP]]
// CHECK:   %[[PLACE:.*]] = arith.addi %{{.*}}, %[[FAR]]
// CHECK:   call @mixer(%[[X]], %[[PLACE]], %{{.*}})
// CHECK:   call @mlp(%[[X]], %{{.*}})
// CHECK:   arith.index_cast %[[I]] : index to i32
// CHECK:   call @show(%[[X]], %{{.*}})
// CHECK: }
// CHECK-NOT: call
// CHECK: return
func.func @layers(%x: !llvm.ptr) {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %c100 = arith.constant 100 : index
  %one = arith.constant 1 : i32
  call @mixer(%x, %c0, %c64) : (!llvm.ptr, index, index) -> ()
  call @mlp(%x, %c100) : (!llvm.ptr, index) -> ()
  call @show(%x, %one) : (!llvm.ptr, i32) -> ()
  %c300 = arith.constant 300 : index
  %c400 = arith.constant 400 : index
  %two = arith.constant 2 : i32
  call @mixer(%x, %c300, %c64) : (!llvm.ptr, index, index) -> ()
  call @mlp(%x, %c400) : (!llvm.ptr, index) -> ()
  call @show(%x, %two) : (!llvm.ptr, i32) -> ()
  %c600 = arith.constant 600 : index
  %c700 = arith.constant 700 : index
  %three = arith.constant 3 : i32
  call @mixer(%x, %c600, %c64) : (!llvm.ptr, index, index) -> ()
  call @mlp(%x, %c700) : (!llvm.ptr, index) -> ()
  call @show(%x, %three) : (!llvm.ptr, i32) -> ()
  return
}

// The steps are not equal, or the values differ, or something happens in between.

// CHECK-LABEL: func.func @uneven
// CHECK-NOT: scf.for
// CHECK: return
func.func @uneven(%x: !llvm.ptr, %y: !llvm.ptr, %m: memref<4xindex>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  call @mlp(%x, %c0) : (!llvm.ptr, index) -> ()
  call @mlp(%y, %c1) : (!llvm.ptr, index) -> ()
  memref.store %c0, %m[%c0] : memref<4xindex>
  call @mlp(%y, %c1) : (!llvm.ptr, index) -> ()
  return
}

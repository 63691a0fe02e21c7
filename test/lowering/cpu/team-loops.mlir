// RUN: samba-opt %s -samba-team-loops | FileCheck %s

// The thread claims chunks of the whole space until none is left, and waits for the others. The last index runs
// fastest. A loop inside a loop is one thread's own.
// CHECK-LABEL: func.func @two_loops(
// CHECK-SAME: %[[SIZE:.*]]: index, %[[TEAM:[a-z0-9]+]]: !llvm.ptr, %{{.*}}: memref<?x3xf32>)
// CHECK: %[[ALL:.*]] = arith.muli
// CHECK: %[[TOTAL:.*]] = arith.index_cast %{{.*}} : index to i64
// CHECK: scf.while
// CHECK: %[[CLAIM:.*]] = llvm.load {{.*}} -> !llvm.ptr
// CHECK: %[[CHUNK:.*]] = llvm.call %[[CLAIM]](%[[TEAM]], %[[TOTAL]]) : !llvm.ptr, (!llvm.ptr, i64) -> i64
// CHECK: arith.cmpi ne
// CHECK: scf.condition
// CHECK: scf.for %[[ITEM:.*]] = %{{.*}} to %{{.*}} step
// CHECK-DAG: %[[COLUMN:.*]] = arith.remui %[[ITEM]], %{{.*}}
// CHECK-DAG: %[[ROW:.*]] = arith.divui %[[ITEM]], %{{.*}}
// CHECK: memref.store %{{.*}}, %{{.*}}[%[[ROW]], %[[COLUMN]]]
// CHECK: %[[BARRIER:.*]] = llvm.load {{.*}} -> !llvm.ptr
// CHECK: llvm.call %[[BARRIER]](%[[TEAM]]) : !llvm.ptr, (!llvm.ptr) -> ()
// CHECK: scf.while
// CHECK: llvm.call
// CHECK: scf.for
// CHECK: scf.forall
// CHECK: llvm.call %{{.*}}(%[[TEAM]]) : !llvm.ptr, (!llvm.ptr) -> ()
// CHECK-NOT: samba.team
func.func @two_loops(%size: index, %team: !llvm.ptr {samba.team}, %memory: memref<?x3xf32>) {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i, %j) in (%size, 3) {
    memref.store %zero, %memory[%i, %j] : memref<?x3xf32>
  }
  scf.forall (%i) in (%size) {
    scf.forall (%j) in (3) {
      memref.store %zero, %memory[%i, %j] : memref<?x3xf32>
    }
  }
  return
}

// Without a parallel loop there is nothing to do, team or not.
// CHECK-LABEL: func.func @no_loop(
// CHECK-NEXT: %[[SUM:.*]] = arith.addi %arg0, %arg0 : index
// CHECK-NEXT: return %[[SUM]] : index
func.func @no_loop(%size: index) -> index {
  %sum = arith.addi %size, %size : index
  return %sum : index
}

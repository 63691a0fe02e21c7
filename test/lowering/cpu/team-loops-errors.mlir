// RUN: samba-opt %s -split-input-file -verify-diagnostics -samba-team-loops

func.func @no_team(%size: index, %memory: memref<?xf32>) {
  %zero = arith.constant 0.0 : f32
  // expected-error @+1 {{expected an argument of the function marked samba.team}}
  scf.forall (%i) in (%size) {
    memref.store %zero, %memory[%i] : memref<?xf32>
  }
  return
}

// -----

func.func @begins_at_one(%team: !llvm.ptr {samba.team}, %size: index, %memory: memref<?xf32>) {
  %zero = arith.constant 0.0 : f32
  // expected-error @+1 {{expected no shared outputs, and a loop from 0 by 1}}
  scf.forall (%i) = (1) to (%size) step (1) {
    memref.store %zero, %memory[%i] : memref<?xf32>
  }
  return
}

// -----

func.func @tensors(%team: !llvm.ptr {samba.team}, %size: index, %x: tensor<?xf32>) -> tensor<?xf32> {
  // expected-error @+1 {{expected no shared outputs, and a loop from 0 by 1}}
  %y = scf.forall (%i) in (%size) shared_outs(%out = %x) -> tensor<?xf32> {
    %one = tensor.extract_slice %x[%i] [1] [1] : tensor<?xf32> to tensor<1xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %one into %out[%i] [1] [1] : tensor<1xf32> into tensor<?xf32>
    }
  }
  return %y : tensor<?xf32>
}

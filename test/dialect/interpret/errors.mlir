// What the pass refuses, in one line each.
// RUN: not samba-opt %s --samba-interpret=type=f16 2>&1 | FileCheck %s --check-prefix=TYPE
// RUN: not samba-opt %s --samba-interpret=print=loud 2>&1 | FileCheck %s --check-prefix=PRINT
// RUN: not samba-opt %s --samba-interpret 2>&1 | FileCheck %s --check-prefix=WHICH
// RUN: not samba-opt %s --samba-interpret=function=nobody 2>&1 | FileCheck %s --check-prefix=NOBODY
// RUN: not samba-opt %s --samba-interpret="function=one tokens=3 segments=3" 2>&1 | FileCheck %s --check-prefix=BOTH
// RUN: not samba-opt %s --samba-interpret="function=one segments=-1" 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not samba-opt %s --samba-interpret="function=one inputs=%t.none" 2>&1 | FileCheck %s --check-prefix=FILE
// RUN: not samba-opt %s --samba-interpret="function=one inputs=%goldens/ops/swiglu.safetensors" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=INPUT
// RUN: not samba-opt %s --samba-interpret="function=two weights=%goldens/ops/swiglu.safetensors" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=WEIGHT
// RUN: not samba-opt %s --samba-interpret="function=one outputs=%t.none/x" 2>&1 | FileCheck %s --check-prefix=OUTPUT
// RUN: not samba-opt %s --samba-interpret=function=three 2>&1 | FileCheck %s --check-prefix=OPERATION

// TYPE: error: samba-interpret: expected type f32 or f64, got 'f16'
// PRINT: error: samba-interpret: expected print some, all or none, got 'loud'
// WHICH: error: samba-interpret: expected exactly one public function, found 3
// NOBODY: error: samba-interpret: expected a function @nobody, found none
// BOTH: error: samba-interpret: expected either tokens or segments, got both
// NEGATIVE: error: samba-interpret: expected segments of 0 to 1073741824 tokens, got -1
// FILE: error: samba-interpret: {{.*}}.none: No such file or directory
// INPUT: error: samba-interpret: {{.*}}swiglu.safetensors: expected a tensor 'arg0', found none
// INPUT-NOT: func.func
// WEIGHT: error: samba-interpret: @two: {{.*}}errors.mlir:[[#]]:[[#]]: samba.load_weight: {{.*}}swiglu.safetensors: expected a tensor 'model.w', found none
// OUTPUT: error: samba-interpret: {{.*}}.none/x: No such file or directory
// OPERATION: error: samba-interpret: @three: layers.0.mlp: tensor.cast: operation not supported
samba.weight @w from "model.w" : tensor<2xf32>
func.func @one(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  return %x : tensor<?x2xf32>
}
func.func @two() -> tensor<2xf32> {
  %w = samba.load_weight @w : tensor<2xf32>
  return %w : tensor<2xf32>
}
func.func @three(%x: tensor<?xf32>) -> tensor<2xf32> {
  %y = tensor.cast %x : tensor<?xf32> to tensor<2xf32> loc("layers.0.mlp")
  return %y : tensor<2xf32>
}

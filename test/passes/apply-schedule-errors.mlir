// DEFINE: %{file} =
// DEFINE: %{entry} = __transform_main
// DEFINE: %{apply} = not samba-opt %s -samba-apply-schedule="file=%{file} entry=%{entry}" 2>&1 | FileCheck %s --check-prefix

// REDEFINE: %{file} = %t.missing
// RUN: %{apply}=MISSING
// MISSING: error: samba-apply-schedule: expected a file, found none at '{{.*}}.missing'
// REDEFINE: %{file} = %S
// RUN: %{apply}=FOLDER
// FOLDER: error: samba-apply-schedule: expected a file, found none at '{{.*}}passes'
// RUN: not samba-opt %s -samba-apply-schedule 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: error: samba-apply-schedule: expected a file, found none at ''

// RUN: echo "no script" > %t.text
// REDEFINE: %{file} = %t.text
// RUN: %{apply}=TEXT
// TEXT: .text:1:1: error: custom op 'no' is unknown
// TEXT: error: samba-apply-schedule: '{{.*}}.text' is not a transform script

// A module without any script, and one without that.
// REDEFINE: %{file} = %s
// RUN: %{apply}=PLAIN
// PLAIN: error: samba-apply-schedule: '{{.*}}apply-schedule-errors.mlir' has no sequence '@__transform_main'
// REDEFINE: %{file} = %S/Inputs/schedule.mlir
// REDEFINE: %{entry} = other
// RUN: %{apply}=OTHER
// OTHER: error: samba-apply-schedule: '{{.*}}schedule.mlir' has no sequence '@other'

// What a script asks for fails, or is not there.
// REDEFINE: %{entry} = failing
// RUN: %{apply}=FAILING
// FAILING: error: expected the precision f32, bf16, int8 or int4, got 'f7'
// REDEFINE: %{entry} = unknown
// RUN: %{apply}=UNKNOWN
// UNKNOWN: schedule.mlir:{{[0-9]+}}:15: error: unknown pass or pass pipeline: samba-fuse-blob
func.func @step(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = samba.swiglu %x, %x : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

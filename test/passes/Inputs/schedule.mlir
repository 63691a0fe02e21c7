// Scripts for apply-schedule.mlir.
module attributes {transform.with_named_sequence} {
  // All kernels of @mlp become one.
  transform.named_sequence @__transform_main(%module: !transform.any_op) {
    %mlp = transform.structured.match ops{["func.func"]} attributes {sym_name = "mlp"} in %module
      : (!transform.any_op) -> !transform.any_op
    %fused = transform.apply_registered_pass "samba-fuse-block" with options = { "force" = true } to %mlp
      : (!transform.any_op) -> !transform.any_op
    transform.annotate %fused "test.scheduled" : !transform.any_op
    transform.yield
  }
  transform.named_sequence @nothing(%module: !transform.any_op) {
    transform.yield
  }
  // There is no such function, and nothing is done to what is not there.
  transform.named_sequence @absent(%module: !transform.any_op) {
    %none = transform.structured.match ops{["func.func"]} attributes {sym_name = "absent"} in %module
      : (!transform.any_op) -> !transform.any_op
    transform.annotate %none "test.scheduled" : !transform.any_op
    transform.yield
  }
  // What a script asks for may fail.
  transform.named_sequence @failing(%module: !transform.any_op) {
    %broken = transform.apply_registered_pass "samba-set-precision" with options = { "precision" = "f7" } to %module
      : (!transform.any_op) -> !transform.any_op
    transform.yield
  }
  transform.named_sequence @unknown(%module: !transform.any_op) {
    %broken = transform.apply_registered_pass "samba-fuse-blob" to %module : (!transform.any_op) -> !transform.any_op
    transform.yield
  }
}

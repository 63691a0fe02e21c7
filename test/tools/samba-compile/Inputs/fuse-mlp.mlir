// Everything of @mlp becomes one kernel.
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%module: !transform.any_op) {
    %mlp = transform.structured.match ops{["func.func"]} attributes {sym_name = "mlp"} in %module
      : (!transform.any_op) -> !transform.any_op
    %fused = transform.apply_registered_pass "samba-fuse-block" with options = { "force" = true } to %mlp
      : (!transform.any_op) -> !transform.any_op
    transform.annotate %fused "test.scheduled" : !transform.any_op
    transform.yield
  }
}

// Attention of many queries of one sequence, with heads that the loops over their lanes divide evenly, and with heads that
// they do not (50 and 100), behind which nothing may be read.
// RUN: sh -c 'for lanes in 12 50 64 100; do for cpu in native x86-64-v3; do sed s/LANES/$lanes/g %s | samba-opt - -pass-pipeline="builtin.module(samba-plan-memory,samba-lower-to-cpu{target=$cpu})" --check-each-pass --check-segments=9,40 -o /dev/null || exit 1; done; done' 2>&1 | FileCheck %s
// CHECK-COUNT-8: check: samba-lower-to-cpu changed, {{the same|largest error}}
// CHECK-NOT: broke
func.func @step(%q: tensor<?xLANESxf32>, %k: tensor<?xLANESxf32>, %v: tensor<?xLANESxf32>, %segments: tensor<?xi64>,
    %positions: tensor<?xi64>, %keys: !samba.state<1x16xLANESxf32>, %values: !samba.state<1x16xLANESxf32>)
    -> (tensor<?xLANESxf32>, !samba.state<1x16xLANESxf32>, !samba.state<1x16xLANESxf32>) {
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %v segments %segments positions %positions state %keys, %values {window = 16 : i64}
    : tensor<?xLANESxf32>, tensor<?xLANESxf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<1x16xLANESxf32>
  return %0, %1, %2 : tensor<?xLANESxf32>, !samba.state<1x16xLANESxf32>, !samba.state<1x16xLANESxf32>
}

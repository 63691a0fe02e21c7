// RUN: samba-opt %s -split-input-file -verify-diagnostics

func.func @argument_types(%x: tensor<?x32xf32>) {
  // expected-error @+1 {{expected block arguments of the operands' types 'tensor<?x32xf32>', got 'tensor<?x16xf32>'}}
  "samba.kernel"(%x) <{name = "k"}> ({
  ^bb0(%a: tensor<?x16xf32>):
    samba.yield
  }) : (tensor<?x32xf32>) -> ()
  return
}

// -----

func.func @argument_count(%x: tensor<?x32xf32>) {
  // expected-error @+1 {{expected block arguments of the operands' types 'tensor<?x32xf32>', got none}}
  "samba.kernel"(%x) <{name = "k"}> ({
    samba.yield
  }) : (tensor<?x32xf32>) -> ()
  return
}

// -----

func.func @terminator() {
  // expected-error @+1 {{expected a samba.yield at the end, got llvm.unreachable}}
  samba.kernel "k" ins() {
    llvm.unreachable
  }
  return
}

// -----

func.func @yield_types(%x: tensor<?x32xf32>) {
  // expected-error @+1 {{expected to yield the results' types 'tensor<?x16xf32>', got 'tensor<?x32xf32>'}}
  %0 = samba.kernel "k" ins(%a = %x : tensor<?x32xf32>) -> tensor<?x16xf32> {
    samba.yield %a : tensor<?x32xf32>
  }
  return
}

// -----

func.func @yield_count(%x: tensor<?x32xf32>) {
  // expected-error @+1 {{expected to yield the results' types none, got 'tensor<?x32xf32>'}}
  samba.kernel "k" ins(%a = %x : tensor<?x32xf32>) {
    samba.yield %a : tensor<?x32xf32>
  }
  return
}

// -----

func.func @isolated(%x: tensor<?x32xf32>) -> tensor<?x32xf32> {
  // expected-note @+1 {{required by region isolation constraints}}
  %0 = samba.kernel "k" ins() -> tensor<?x32xf32> {
    // expected-error @+1 {{using value defined outside the region}}
    samba.yield %x : tensor<?x32xf32>
  }
  return %0 : tensor<?x32xf32>
}

// -----

func.func @blocks() {
  // expected-error @+1 {{expects region #0 to have 0 or 1 blocks}}
  samba.kernel "k" ins() {
    samba.yield
  ^bb1:
    samba.yield
  }
  return
}

// -----

func.func @yield_parent() {
  // expected-error @+1 {{expects parent op 'samba.kernel'}}
  samba.yield
}

// -----

func.func @no_block() {
  // expected-error @+1 {{region #0 ('body') failed to verify constraint: region with 1 blocks}}
  "samba.kernel"() <{name = "k"}> ({}) : () -> ()
  return
}

// -----

func.func @no_name() {
  // expected-error @+1 {{custom op 'samba.kernel' invalid kind of attribute specified}}
  samba.kernel 3 ins() {
    samba.yield
  }
  return
}

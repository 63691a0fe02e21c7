// RUN: samba-opt %s --samba-lower-to-gpu --split-input-file --verify-diagnostics

// expected-error@+1 {{expected a public function}}
module {
}

// -----

module {
  func.func @first(%tokens: tensor<?xi32>) { return }
  // expected-error@+1 {{expected one public function, got 'first' too}}
  func.func @second(%tokens: tensor<?xi32>) { return }
}

// -----

module {
  // expected-error@+1 {{expected tokens, segments, positions and rows before the states, got 'tensor<?x8xf32>' as argument 0}}
  func.func @step(%x: tensor<?x8xf32>) { return }
}

// -----

module {
  // expected-error@+1 {{expected a samba.offset on argument 0 (run samba-plan-memory)}}
  func.func @step(%s: !samba.state<3x8xf32>) { return }
}

// -----

module {
  samba.weight @table from "table" : tensor<10x8xf32>
  func.func @step(%tokens: tensor<?xi32>) -> tensor<?x8xf32> {
    // expected-error@+1 {{expected an offset on 'table' (run samba-plan-memory)}}
    %t = samba.load_weight @table : tensor<10x8xf32>
    %x = samba.kernel "embed" ins(%a = %tokens : tensor<?xi32>, %b = %t : tensor<10x8xf32>) -> tensor<?x8xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<10x8xf32> -> tensor<?x8xf32>
      samba.yield %0 : tensor<?x8xf32>
    }
    return %x : tensor<?x8xf32>
  }
}

// -----

module {
  samba.weight @table from "table" {offset = 0 : i64} : tensor<10x8xf32, #samba.layout<panel, 32>>
  func.func @step(%tokens: tensor<?xi32>) {
    // expected-error@+1 {{expected 'table' row-major or transposed, got 'tensor<10x8xf32, #samba.layout<panel, 32>>'}}
    %t = samba.load_weight @table : tensor<10x8xf32, #samba.layout<panel, 32>>
    return
  }
}

// -----

module {
  samba.weight @table from "table" {offset = 0 : i64} : tensor<10x8xf32>
  func.func @step(%tokens: tensor<?xi32>) -> tensor<?x8xf32> {
    %t = samba.load_weight @table : tensor<10x8xf32>
    %x = samba.kernel "embed" ins(%a = %tokens : tensor<?xi32>, %b = %t : tensor<10x8xf32>) -> tensor<?x8xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<10x8xf32> -> tensor<?x8xf32>
      // expected-error@+1 {{has no lowering to the GPU}}
      %1 = arith.mulf %0, %0 : tensor<?x8xf32>
      samba.yield %1 : tensor<?x8xf32>
    }
    return %x : tensor<?x8xf32>
  }
}

// -----

module {
  samba.weight @table from "table" {offset = 0 : i64} : tensor<10x8xf32>
  func.func @step(%tokens: tensor<?xi32>) -> tensor<?x8xf32> {
    %t = samba.load_weight @table : tensor<10x8xf32>
    // expected-error@+1 {{expected 'other' to be a private function of samba IR}}
    %x = call @other(%tokens, %t) : (tensor<?xi32>, tensor<10x8xf32>) -> tensor<?x8xf32>
    %y = samba.kernel "copy" ins(%a = %x : tensor<?x8xf32>) -> tensor<?x8xf32> {
      %0 = arith.addf %a, %a : tensor<?x8xf32>
      samba.yield %0 : tensor<?x8xf32>
    }
    return %y : tensor<?x8xf32>
  }
  func.func private @other(tensor<?xi32>, tensor<10x8xf32>) -> tensor<?x8xf32>
}

// -----

module {
  samba.weight @table from "table" {offset = 0 : i64} : tensor<10x8xf32>
  samba.weight @norm from "norm" {offset = 320 : i64} : tensor<8xf32>
  func.func @step(%tokens: tensor<?xi32>) -> tensor<?x8xf32> {
    %t = samba.load_weight @table : tensor<10x8xf32>
    %w = samba.load_weight @norm : tensor<8xf32>
    %x = samba.kernel "embed" ins(%a = %tokens : tensor<?xi32>, %b = %t : tensor<10x8xf32>, %c = %w : tensor<8xf32>) -> tensor<?x8xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<10x8xf32> -> tensor<?x8xf32>
      // expected-error@+1 {{with samba.round_normalised has no lowering to the GPU (--numerics=norm_cast=fused)}}
      %1 = samba.rms_norm %0, %c {eps = 1.0e-5 : f32, samba.round_normalised} : tensor<?x8xf32>, tensor<8xf32>
      samba.yield %1 : tensor<?x8xf32>
    }
    return %x : tensor<?x8xf32>
  }
}

// -----

module {
  samba.weight @table from "table" {offset = 0 : i64} : tensor<10x8xf32>
  func.func @step(%tokens: tensor<?xi32>) -> tensor<?x8xf32> {
    %t = samba.load_weight @table : tensor<10x8xf32>
    %x = samba.kernel "embed" ins(%a = %tokens : tensor<?xi32>, %b = %t : tensor<10x8xf32>) -> tensor<?x8xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<10x8xf32> -> tensor<?x8xf32>
      // expected-error@+1 {{with samba.round_products has no lowering to the GPU (--numerics=rope_math=f32)}}
      %1 = samba.rotary %0, %0 {samba.round_products} : tensor<?x8xf32>, tensor<?x8xf32>
      samba.yield %1 : tensor<?x8xf32>
    }
    return %x : tensor<?x8xf32>
  }
}

// -----

module {
  samba.weight @w from "w" {offset = 0 : i64} : tensor<64x64xf32, #samba.quant<8, 32, 8>>
  func.func @step(%tokens: tensor<?xi32>) {
    // expected-error@+1 {{expected 'w' in groups of 64 and panels of 8, got 'tensor<64x64xf32, #samba.quant<8, 32, 8>>'}}
    %w = samba.load_weight @w : tensor<64x64xf32, #samba.quant<8, 32, 8>>
    return
  }
}

// -----

module {
  samba.weight @table from "table" {offset = 0 : i64} : tensor<10x32xf32>
  samba.weight @norm from "norm" {offset = 1280 : i64} : tensor<8xf32>
  func.func @step(%tokens: tensor<?xi32>, %depth: tensor<?xi64>) -> tensor<?x16xf32> {
    %t = samba.load_weight @table : tensor<10x32xf32>
    %w = samba.load_weight @norm : tensor<8xf32>
    %x = samba.kernel "embed" ins(%a = %tokens : tensor<?xi32>, %b = %t : tensor<10x32xf32>, %c = %w : tensor<8xf32>, %d = %depth : tensor<?xi64>) -> tensor<?x16xf32> {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<10x32xf32> -> tensor<?x32xf32>
      %c0 = arith.constant 0 : index
      %n = tensor.dim %d, %c0 : tensor<?xi64>
      // expected-error@+1 {{expected a depth that is a constant of the public function}}
      %1 = samba.differential_norm %0, %c, %c depth %n pairs 1 {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<8xf32>, tensor<8xf32> -> tensor<?x16xf32>
      samba.yield %1 : tensor<?x16xf32>
    }
    return %x : tensor<?x16xf32>
  }
}

// -----

module {
  samba.weight @table from "table" {offset = 0 : i64} : tensor<10x768xf32>
  func.func @step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>,
      %keys: !samba.state<192x4x4xf32> {samba.offset = 0 : i64}, %values: !samba.state<1x4x768xf32> {samba.offset = 12288 : i64})
      -> (tensor<?x147456xf32>, !samba.state<192x4x4xf32>, !samba.state<1x4x768xf32>) {
    %t = samba.load_weight @table : tensor<10x768xf32>
    %x, %nk, %nv = samba.kernel "attend" ins(%a = %tokens : tensor<?xi32>, %b = %t : tensor<10x768xf32>, %s = %segments : tensor<?xi64>, %p = %positions : tensor<?xi64>, %k = %keys : !samba.state<192x4x4xf32>, %v = %values : !samba.state<1x4x768xf32>) -> (tensor<?x147456xf32>, !samba.state<192x4x4xf32>, !samba.state<1x4x768xf32>) {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<10x768xf32> -> tensor<?x768xf32>
      // expected-error@+1 {{expected values of at most 512 lanes, got 768}}
      %1, %2, %3 = samba.sliding_window_attention %0, %0, %0 segments %s positions %p state %k, %v
        : tensor<?x768xf32>, tensor<?x768xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<192x4x4xf32>, !samba.state<1x4x768xf32> -> tensor<?x147456xf32>
      samba.yield %1, %2, %3 : tensor<?x147456xf32>, !samba.state<192x4x4xf32>, !samba.state<1x4x768xf32>
    }
    return %x, %nk, %nv : tensor<?x147456xf32>, !samba.state<192x4x4xf32>, !samba.state<1x4x768xf32>
  }
}

// -----

module {
  samba.weight @table from "table" {offset = 0 : i64} : tensor<10x768xf32>
  func.func @step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>,
      %keys: !samba.state<2x4x384xf32> {samba.offset = 0 : i64}, %values: !samba.state<2x4x384xf32> {samba.offset = 12288 : i64})
      -> (tensor<?x768xf32>, !samba.state<2x4x384xf32>, !samba.state<2x4x384xf32>) {
    %t = samba.load_weight @table : tensor<10x768xf32>
    %x, %nk, %nv = samba.kernel "attend" ins(%a = %tokens : tensor<?xi32>, %b = %t : tensor<10x768xf32>, %s = %segments : tensor<?xi64>, %p = %positions : tensor<?xi64>, %k = %keys : !samba.state<2x4x384xf32>, %v = %values : !samba.state<2x4x384xf32>) -> (tensor<?x768xf32>, !samba.state<2x4x384xf32>, !samba.state<2x4x384xf32>) {
      %0 = samba.embedding %a, %b : tensor<?xi32>, tensor<10x768xf32> -> tensor<?x768xf32>
      // expected-error@+1 {{expected heads of at most 256 lanes, got 384}}
      %1, %2, %3 = samba.sliding_window_attention %0, %0, %0 segments %s positions %p state %k, %v
        : tensor<?x768xf32>, tensor<?x768xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x4x384xf32>
      samba.yield %1, %2, %3 : tensor<?x768xf32>, !samba.state<2x4x384xf32>, !samba.state<2x4x384xf32>
    }
    return %x, %nk, %nv : tensor<?x768xf32>, !samba.state<2x4x384xf32>, !samba.state<2x4x384xf32>
  }
}

// RUN: samba-opt %s -split-input-file -verify-diagnostics -samba-plan-memory

samba.weight @w from "w" : tensor<4xf32>
func.func private @block(%w: tensor<4xf32>) {
  return
}
func.func @weight_in_two_calls() {
  %w = samba.load_weight @w : tensor<4xf32>
  // expected-note @+1 {{here it is an argument too}}
  call @block(%w) : (tensor<4xf32>) -> ()
  %again = samba.load_weight @w : tensor<4xf32>
  // expected-error @+1 {{expected weight 'w' to be an argument of one call, once}}
  call @block(%again) : (tensor<4xf32>) -> ()
  return
}

// -----

samba.weight @w from "w" : tensor<4xf32>
func.func private @block(%v: tensor<4xf32>, %w: tensor<4xf32>) {
  return
}
func.func @weight_twice_in_a_call() {
  %w = samba.load_weight @w : tensor<4xf32>
  // expected-error @+2 {{expected weight 'w' to be an argument of one call, once}}
  // expected-note @+1 {{here it is an argument too}}
  call @block(%w, %w) : (tensor<4xf32>, tensor<4xf32>) -> ()
  return
}

// -----

func.func private @block(%w: tensor<4xf32>) {
  return
}
func.func @no_weight(%x: tensor<4xf32>) {
  // expected-error @+1 {{expected a samba.load_weight as argument #0 of 'block', because it has a static shape: 'tensor<4xf32>'}}
  call @block(%x) : (tensor<4xf32>) -> ()
  return
}

// -----

samba.weight @w from "w" : tensor<4xf32>
func.func private @inner(%w: tensor<4xf32>) {
  return
}
func.func private @outer(%w: tensor<4xf32>) {
  // expected-error @+1 {{expected only public functions to pass weights and states to calls; 'outer' passes 'tensor<4xf32>' as argument #0 of 'inner'}}
  call @inner(%w) : (tensor<4xf32>) -> ()
  return
}
func.func @nested_call() {
  %w = samba.load_weight @w : tensor<4xf32>
  call @outer(%w) : (tensor<4xf32>) -> ()
  return
}

// -----

func.func private @block(%s: !samba.state<4xf32>) -> !samba.state<4xf32> {
  return %s : !samba.state<4xf32>
}
// expected-error @+1 {{expected state 'layers.0.conv' to be passed on once, got 2 uses}}
func.func @state_in_two_calls(%s: !samba.state<4xf32> {samba.name = "layers.0.conv"}) {
  call @block(%s) : (!samba.state<4xf32>) -> !samba.state<4xf32>
  call @block(%s) : (!samba.state<4xf32>) -> !samba.state<4xf32>
  return
}

// -----

// expected-error @+1 {{expected state #1 of 'state_dropped' to be passed on once, got 0 uses}}
func.func @state_dropped(%x: tensor<?xi64>, %s: !samba.state<4xf32>) {
  return
}

// -----

func.func private @block(%s: !samba.state<4xf32>) -> !samba.state<4xf32> {
  return %s : !samba.state<4xf32>
}
func.func private @pair(%s: !samba.state<4xf32>, %t: !samba.state<4xf32>)
    -> (!samba.state<4xf32>, !samba.state<4xf32>) {
  return %s, %t : !samba.state<4xf32>, !samba.state<4xf32>
}
func.func @states_of_two_calls(%s: !samba.state<4xf32>, %r: !samba.state<4xf32>, %t: !samba.state<4xf32>)
    -> (!samba.state<4xf32>, !samba.state<4xf32>) {
  %0 = call @block(%s) : (!samba.state<4xf32>) -> !samba.state<4xf32>
  %1 = call @block(%r) : (!samba.state<4xf32>) -> !samba.state<4xf32>
  %2 = call @block(%t) : (!samba.state<4xf32>) -> !samba.state<4xf32>
  // expected-error @+1 {{expected the states of 'pair' to be new, or those of one call before, in that order and passed on once; argument #1 is not}}
  %3, %4 = call @pair(%0, %2)
    : (!samba.state<4xf32>, !samba.state<4xf32>) -> (!samba.state<4xf32>, !samba.state<4xf32>)
  return %3, %4 : !samba.state<4xf32>, !samba.state<4xf32>
}

// -----

func.func private @block(%s: !samba.state<4xf32>) -> !samba.state<4xf32> {
  return %s : !samba.state<4xf32>
}
func.func private @pair(%s: !samba.state<4xf32>, %t: !samba.state<4xf32>)
    -> (!samba.state<4xf32>, !samba.state<4xf32>) {
  return %s, %t : !samba.state<4xf32>, !samba.state<4xf32>
}
func.func @state_beside_a_new_one(%s: !samba.state<4xf32>, %t: !samba.state<4xf32>)
    -> (!samba.state<4xf32>, !samba.state<4xf32>) {
  %0 = call @block(%s) : (!samba.state<4xf32>) -> !samba.state<4xf32>
  // expected-error @+1 {{argument #1 is not}}
  %1, %2 = call @pair(%0, %t)
    : (!samba.state<4xf32>, !samba.state<4xf32>) -> (!samba.state<4xf32>, !samba.state<4xf32>)
  return %1, %2 : !samba.state<4xf32>, !samba.state<4xf32>
}

// -----

func.func private @block(%s: !samba.state<4xf32>) -> !samba.state<4xf32> {
  return %s : !samba.state<4xf32>
}
func.func @state_returned_twice(%s: !samba.state<4xf32>) -> !samba.state<4xf32> {
  %0 = call @block(%s) : (!samba.state<4xf32>) -> !samba.state<4xf32>
  // expected-error @+1 {{argument #0 is not}}
  %1 = call @block(%0) : (!samba.state<4xf32>) -> !samba.state<4xf32>
  %2 = call @block(%0) : (!samba.state<4xf32>) -> !samba.state<4xf32>
  return %1 : !samba.state<4xf32>
}

// -----

func.func private @drop(%s: !samba.state<4xf32>, %t: !samba.state<4xf32>) -> !samba.state<4xf32> {
  return %s : !samba.state<4xf32>
}
func.func private @block(%s: !samba.state<4xf32>) -> !samba.state<4xf32> {
  return %s : !samba.state<4xf32>
}
func.func @state_of_unknown_place(%s: !samba.state<4xf32>, %t: !samba.state<4xf32>) -> !samba.state<4xf32> {
  %0 = call @drop(%s, %t) : (!samba.state<4xf32>, !samba.state<4xf32>) -> !samba.state<4xf32>
  // expected-error @+1 {{expected argument #0 of 'block', a state, to be an argument of 'state_of_unknown_place'}}
  %1 = call @block(%0) : (!samba.state<4xf32>) -> !samba.state<4xf32>
  return %1 : !samba.state<4xf32>
}

// -----

func.func @first(%s: !samba.state<4xf32>) -> !samba.state<4xf32> {
  return %s : !samba.state<4xf32>
}
// expected-error @+1 {{expected one public function with states, got 'first' and 'second'}}
func.func @second(%s: !samba.state<4xf32>) -> !samba.state<4xf32> {
  return %s : !samba.state<4xf32>
}

// -----

// One output in a panel of 4096 takes 4096 times its size: 2^54 bytes each.
// expected-error @+1 {{expected weights of less than 72057594037927936 bytes in all}}
module {
  samba.weight @w0 from "w" : tensor<1x1099511627776xf32, #samba.layout<panel, 4096>>
  samba.weight @w1 from "w" : tensor<1x1099511627776xf32, #samba.layout<panel, 4096>>
  samba.weight @w2 from "w" : tensor<1x1099511627776xf32, #samba.layout<panel, 4096>>
  samba.weight @w3 from "w" : tensor<1x1099511627776xf32, #samba.layout<panel, 4096>>
}

// -----

// The type of an argument alone may be absurd.
func.func private @block(%x: tensor<9223372036854775807x9223372036854775807xf32>) {
  return
}
func.func @huge(%x: tensor<9223372036854775807x9223372036854775807xf32>) {
  // expected-error @+1 {{expected a samba.load_weight as argument #0 of 'block'}}
  call @block(%x) : (tensor<9223372036854775807x9223372036854775807xf32>) -> ()
  return
}

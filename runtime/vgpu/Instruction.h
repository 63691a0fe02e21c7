//===- Instruction.h - decoded instructions and the warp they run on -*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// PTX is decoded once. A register is an array of 32 lanes in the warp's register file, a predicate is a mask. Constants
// and special registers are arrays in the same file, so that an operand is just an offset. The lane handlers
// (Lanes*.cpp) are compiled for more than one instruction set of the host and know only this header.
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_INSTRUCTION_H
#define RUNTIME_VGPU_INSTRUCTION_H

#include "runtime/vgpu/Ptx.h"

#include <cstdint>

namespace samba::vgpu {

constexpr unsigned lanes = 32;
constexpr uint32_t allLanes = 0xffffffffu;

struct Block;
struct Instruction;
struct Warp;
using Handler = void (*)(Warp &, const Instruction &);

/// What the loop over instructions does itself.
enum class Control : uint8_t { None, Branch, Table, Exit };

struct Instruction {
  Handler run = nullptr;
  int32_t guard = -1; // offset of a predicate
  bool guardNegated = false;
  Control control = Control::None;
  uint8_t kind = 0;                               // a Class
  uint8_t operations = 0;                         // of floating point, for each lane
  bool exponential = false;                       // ex2
  bool counted = true;                            // false for the helpers that widen and narrow
  int32_t d = -1, a = -1, b = -1, c = -1, e = -1; // offsets in the register file
  uint32_t more = 0;                              // index of further offsets in Kernel::operands
  uint16_t count = 0;                             // of those, or of vector elements
  uint8_t size = 0;                               // bytes of an element
  uint8_t mode = 0;                               // chosen by the handler's decoder
  uint32_t flags = 0;
  int64_t immediate = 0; // offset of an address
  uint32_t target = 0, reconverge = 0;
  uint32_t line = 0, file = 0, sourceLine = 0;
};

/// A warp as lane handlers see it.
struct Warp {
  uint8_t *file = nullptr; // registers, constants, special registers
  uint32_t active = 0;     // lanes of the current instruction
  uint32_t carry = 0;      // of add.cc
  Block *block = nullptr;

  template <typename T> T *at(int32_t offset) const { return reinterpret_cast<T *>(file + offset); }
  uint32_t &predicate(int32_t offset) const { return *reinterpret_cast<uint32_t *>(file + offset); }
};

/// Operations on lanes alone. Each has a handler for each type it is defined for.
enum class Op : uint8_t {
  Add,
  Sub,
  MulLow,
  MulHigh,
  MulWide,
  MadLow,
  MadHigh,
  MadWide,
  Fma,
  Div,
  Rem,
  Abs,
  Neg,
  Min,
  Max,
  Sad,
  AddCarry,
  SubCarry,
  MadLowCarry,
  MadHighCarry,
  And,
  Or,
  Xor,
  Not,
  Cnot,
  ShiftLeft,
  ShiftRight,
  FunnelLeft,
  FunnelRight,
  Lop3,
  Popc,
  Clz,
  Find,
  Reverse,
  Extract,
  Insert,
  Permute,
  Mask,
  Dot4,
  Dot2,
  Compare,
  Select,
  SelectSign,
  Test,
  CopySign,
  Move,
  Broadcast,
  Widen,
  Narrow,
  PackHalves,
  UnpackHalves,
  Ex2,
  Lg2,
  Rcp,
  Rsqrt,
  Sqrt,
  Sin,
  Cos,
  Tanh,
  Convert,
  ConvertPair,
};

// Flags of operations.
enum : uint32_t {
  FlushSubnormals = 1 << 0, // .ftz
  Saturate = 1 << 1,        // .sat
  PropagateNan = 1 << 2,    // .NaN
  Approximate = 1 << 3,     // .approx, .full
  CarryIn = 1 << 4,
  CarryOut = 1 << 5,
  Clamp = 1 << 6, // shf.clamp
  Relu = 1 << 7,
  ShiftAmount = 1 << 8, // bfind.shiftamt
  UnsignedB = 1 << 9,   // dp4a.s32.u32
  HighHalf = 1 << 10,   // dp2a.hi
  XorSign = 1 << 11,
};

/// Rounding of conversions and of arithmetic, in Instruction::mode.
enum Rounding : uint8_t { ToNearest, ToZero, Down, Up, AwayFromZero /* .rna */ };

/// Comparisons, in Instruction::mode.
enum Comparison : uint8_t { Eq, Ne, Lt, Le, Gt, Ge, Equ, Neu, Ltu, Leu, Gtu, Geu, Num, Nan };

/// How a comparison's result is combined with predicate c, in Instruction::flags.
enum : uint32_t { CombineAnd = 1 << 12, CombineOr = 1 << 13, CombineXor = 1 << 14, CombineNegated = 1 << 15 };

/// Packed types, beside those of PTX text: two halves in 32 bits.
struct LaneType {
  ptx::Type type;
  bool pair = false;
};

struct LaneTable {
  Handler (*integer)(Op, ptx::Type, uint32_t flags);
  Handler (*real)(Op, ptx::Type, uint32_t flags, Rounding);
  Handler (*half)(Op, LaneType, uint32_t flags);
  Handler (*convert)(ptx::Type to, ptx::Type from, uint32_t flags, bool integral);
  /// c[rows][columns] += a[rows][depth] * b[depth][columns], 8 columns at a time.
  void (*multiply)(const float *a, const float *b, float *c, unsigned rows, unsigned columns, unsigned depth);
};
/// The handlers for this host.
const LaneTable &laneTable();

} // namespace samba::vgpu

#endif // RUNTIME_VGPU_INSTRUCTION_H

//===- Atomics.cpp - decodes and runs atomic operations ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lanes of a warp act one after the other, from the lowest. Kernels with atomics on global memory run their blocks in
// order, so that sums of floating-point numbers are the same in every run.
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Access.h"
#include "runtime/vgpu/Half.h"

#include <cmath>

using namespace samba::vgpu;
using ptx::Operand;
using ptx::Space;
using ptx::Type;

namespace {

enum : uint8_t { Add, Min, Max, And, Or, Xor, Exchange, Swap, Increment, Decrement };

template <typename T> T sum(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return a + b;
  else
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

template <typename T> T combined(uint8_t op, T old, T b, T c) {
  switch (op) {
  case Add:
    return sum(old, b);
  case Min:
    return b < old ? b : old;
  case Max:
    return b > old ? b : old;
  case Exchange:
    return b;
  case Swap:
    return old == b ? c : old;
  default:
    break;
  }
  if constexpr (!std::is_floating_point_v<T>) {
    switch (op) {
    case And:
      return old & b;
    case Or:
      return old | b;
    case Xor:
      return old ^ b;
    case Increment:
      return old >= b ? T(0) : sum(old, T(1));
    case Decrement:
      return old == 0 || old > b ? b : sum(old, T(-1));
    default:
      break;
    }
  }
  return old;
}

template <typename T> void atomic(Warp &w, const Instruction &i) {
  uint64_t addresses[lanes];
  addressesOf(w, i, addresses);
  uint8_t op = static_cast<uint8_t>(i.flags);
  for (uint32_t rest = w.active; rest; rest &= rest - 1) {
    unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
    uint8_t *at = pointer(w, i, lane, spaceOf(i), addresses[lane], sizeof(T), Use::Atomic);
    T old, b = w.at<T>(i.b)[lane], c = i.c >= 0 ? w.at<T>(i.c)[lane] : T();
    memcpy(&old, at, sizeof(T));
    T now = combined(op, old, b, c);
    memcpy(at, &now, sizeof(T));
    if (i.d >= 0)
      w.at<T>(i.d)[lane] = old;
  }
  ++w.block->progress;
}

// add.noftz of f16 and bf16, alone and in pairs.
template <typename T, bool bfloat> void atomicHalf(Warp &w, const Instruction &i) {
  uint64_t addresses[lanes];
  addressesOf(w, i, addresses);
  for (uint32_t rest = w.active; rest; rest &= rest - 1) {
    unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
    uint8_t *at = pointer(w, i, lane, spaceOf(i), addresses[lane], sizeof(T), Use::Atomic);
    T old, now = 0, b = w.at<T>(i.b)[lane];
    memcpy(&old, at, sizeof(T));
    for (unsigned shift = 0; shift < sizeof(T) * 8; shift += 16) {
      uint16_t x = static_cast<uint16_t>(old >> shift), y = static_cast<uint16_t>(b >> shift);
      uint16_t sum = bfloat ? toBfloat(fromBfloat(x) + fromBfloat(y)) : toHalf(fromHalf(x) + fromHalf(y));
      now = static_cast<T>(now | T(sum) << shift);
    }
    memcpy(at, &now, sizeof(T));
    if (i.d >= 0)
      w.at<T>(i.d)[lane] = old;
  }
}

Handler handlerOf(Type type, uint8_t op, bool pair) {
  bool half = type.bits == 16 && (type.kind == Type::Float || type.kind == Type::Bfloat);
  if (half && op == Add) {
    bool bfloat = type.kind == Type::Bfloat;
    if (pair)
      return bfloat ? atomicHalf<uint32_t, true> : atomicHalf<uint32_t, false>;
    return bfloat ? atomicHalf<uint16_t, true> : atomicHalf<uint16_t, false>;
  }
  if (type.kind == Type::Float) {
    if (op != Add)
      return nullptr;
    return type.bits == 32 ? atomic<float> : type.bits == 64 ? atomic<double> : nullptr;
  }
  bool isSigned = type.kind == Type::Signed;
  switch (type.bits) {
  case 16:
    return op == Swap ? atomic<uint16_t> : nullptr;
  case 32:
    return isSigned ? atomic<int32_t> : atomic<uint32_t>;
  case 64:
    return isSigned ? atomic<int64_t> : atomic<uint64_t>;
  default:
    return nullptr;
  }
}

void decode(Decoder &d, bool returns) {
  for (const char *word : {"relaxed", "acquire", "release", "acq_rel", "cta", "cluster", "gpu", "sys", "noftz"})
    d.modifiers.take(word);
  Space space = takeSpace(d);
  bool policy = false;
  takeCacheHints(d, policy);
  static const char *names[] = {"add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"};
  uint8_t op = 255;
  for (uint8_t k = 0; k < 10; ++k)
    if (d.modifiers.take(names[k]))
      op = k;
  if (op == 255)
    d.unsupported();
  LaneType lane;
  if (d.modifiers.take("f16x2"))
    lane = {{Type::Float, 16}, true};
  else if (d.modifiers.take("bf16x2"))
    lane = {{Type::Bfloat, 16}, true};
  else
    lane.type = d.type();
  Type stored = lane.pair ? b32 : lane.type;
  size_t first = returns ? 1 : 0, values = op == Swap ? 2 : 1;
  d.expectOperands(first + 1 + values, first + 1 + values + policy);
  Handler handler = handlerOf(lane.type, op, lane.pair);
  if (!handler)
    d.unsupported();
  Place place = placeOf(d, d.operand(first), space);
  int32_t b = d.source(d.operand(first + 1), stored), c = values > 1 ? d.source(d.operand(first + 2), stored) : -1;
  int32_t to = returns ? d.destination(d.operand(0), stored) : -1;
  // Shared memory is of one block; a generic address may be of all.
  if (space != Space::Shared)
    d.kernel.ordered = true;
  Instruction &i = d.emit(handler, Class::Atomic);
  i.d = to;
  i.a = place.address.base;
  i.immediate = place.address.offset;
  i.mode = place.mode;
  i.b = b;
  i.c = c;
  i.flags = op;
}

} // namespace

const Opcode samba::vgpu::atomicOpcodes[] = {
    {"atom", [](Decoder &d) { decode(d, true); }},
    {"red", [](Decoder &d) { decode(d, false); }},
    {nullptr, nullptr},
};

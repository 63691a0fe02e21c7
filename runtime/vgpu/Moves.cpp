//===- Moves.cpp - decodes mov, cvt, cvta --------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Block.h"
#include "runtime/vgpu/Decoder.h"

#include <cstring>

using namespace samba::vgpu;
using ptx::Operand;
using ptx::Space;
using ptx::Type;

namespace {

// mov.b64 d, {a, b} and the like: `size` bytes of each of `count` elements.
void pack(Warp &w, const Instruction &i) {
  const std::vector<int32_t> &operands = w.block->kernel.operands;
  for (unsigned lane = 0; lane < lanes; ++lane) {
    if (!(w.active >> lane & 1))
      continue;
    uint64_t value = 0;
    for (unsigned k = 0; k < i.count; ++k)
      std::memcpy(reinterpret_cast<uint8_t *>(&value) + k * i.size, w.file + operands[i.more + k] + lane * i.size,
                  i.size);
    std::memcpy(w.file + i.d + lane * i.size * i.count, &value, i.size * i.count);
  }
}

void unpack(Warp &w, const Instruction &i) {
  const std::vector<int32_t> &operands = w.block->kernel.operands;
  for (unsigned lane = 0; lane < lanes; ++lane) {
    if (!(w.active >> lane & 1))
      continue;
    uint64_t value = 0;
    std::memcpy(&value, w.file + i.a + lane * i.size * i.count, i.size * i.count);
    for (unsigned k = 0; k < i.count; ++k)
      std::memcpy(w.file + operands[i.more + k] + lane * i.size, reinterpret_cast<uint8_t *>(&value) + k * i.size,
                  i.size);
  }
}

template <typename T> void clock(Warp &w, const Instruction &i) {
  uint64_t now = w.block->state(w).executed;
  for (unsigned lane = 0; lane < lanes; ++lane)
    if (w.active >> lane & 1)
      w.at<T>(i.d)[lane] = static_cast<T>(now);
}

void activemask(Warp &w, const Instruction &i) {
  for (unsigned lane = 0; lane < lanes; ++lane)
    if (w.active >> lane & 1)
      w.at<uint32_t>(i.d)[lane] = w.active;
}

void move(Decoder &d) {
  Type type = d.type();
  if (type.kind == Type::Predicate)
    return movePredicate(d);
  d.expectOperands(2, 2);
  const Operand &to = d.operand(0), &from = d.operand(1);
  bool packs = from.kind == Operand::Vector, unpacks = to.kind == Operand::Vector;
  if (packs || unpacks) {
    const Operand &vector = packs ? from : to;
    size_t count = vector.children.size();
    if (packs == unpacks || (count != 2 && count != 4 && count != 8) || type.bits % (count * 8) || type.bits > 64)
      d.unsupported();
    Type element{Type::Bits, static_cast<uint8_t>(type.bits / count)};
    std::vector<int32_t> offsets;
    for (const Operand &child : vector.children)
      offsets.push_back(packs ? d.source(child, element) : d.destination(child, element));
    int32_t whole = packs ? d.destination(to, type) : d.source(from, type);
    uint32_t more = d.more(offsets);
    Instruction &i = d.emit(packs ? pack : unpack, Class::Move);
    (packs ? i.d : i.a) = whole;
    i.more = more;
    i.count = static_cast<uint16_t>(count);
    i.size = element.bits / 8;
    return;
  }
  if (from.kind == Operand::Special &&
      (from.name == "%clock" || from.name == "%clock64" || from.name == "%globaltimer" || from.name == "%clock_hi")) {
    int32_t d0 = d.destination(to, type);
    d.emit(type.bits == 64 ? clock<uint64_t> : clock<uint32_t>, Class::Move).d = d0;
    return;
  }
  int32_t a = d.source(from, type), d0 = d.destination(to, type);
  Handler handler = laneTable().integer(Op::Move, {Type::Bits, type.bits}, 0);
  if (!handler)
    d.unsupported();
  Instruction &i = d.emit(handler, Class::Move);
  i.d = d0;
  i.a = a;
}

// cvt.rn.bf16x2.f32 d, a, b.
void convertPair(Decoder &d, Type half, uint32_t flags, bool towardsZero) {
  if (!(d.type() == f32))
    d.unsupported();
  d.expectOperands(3, 3);
  int32_t a = d.source(d.operand(1), f32), b = d.source(d.operand(2), f32), to = d.destination(d.operand(0), b32);
  Instruction &i = d.emit(laneTable().half(Op::ConvertPair, {half, true}, flags), Class::Convert);
  i.d = to;
  i.a = a;
  i.b = b;
  i.flags = flags;
  i.mode = towardsZero ? ToZero : ToNearest;
}

// cvt.rna.tf32.f32: 10 bits of mantissa, ties away from zero.
void toTf32(Warp &w, const Instruction &i) {
  const uint32_t *a = w.at<uint32_t>(i.a);
  uint32_t *to = w.at<uint32_t>(i.d);
  for (unsigned lane = 0; lane < lanes; ++lane) {
    if (!(w.active >> lane & 1))
      continue;
    uint32_t bits = a[lane];
    bool finite = (bits & 0x7f800000) != 0x7f800000;
    uint32_t half = i.mode == AwayFromZero ? 0x1000 : i.mode == ToZero ? 0 : 0xfff + (bits >> 13 & 1);
    uint32_t result = finite ? (bits + half) & ~0x1fffu : (bits & 0x7fffff ? 0x7fffffffu : bits);
    to[lane] = i.flags & Relu && result >> 31 ? 0 : result;
  }
}

void convert(Decoder &d) {
  uint32_t flags = 0;
  if (d.modifiers.take("ftz"))
    flags |= FlushSubnormals;
  if (d.modifiers.take("sat"))
    flags |= Saturate;
  if (d.modifiers.take("relu"))
    flags |= Relu;
  const struct {
    const char *name;
    Rounding rounding;
    bool integral;
  } roundings[] = {{"rn", ToNearest, false}, {"rz", ToZero, false},        {"rm", Down, false},
                   {"rp", Up, false},        {"rna", AwayFromZero, false}, {"rni", ToNearest, true},
                   {"rzi", ToZero, true},    {"rmi", Down, true},          {"rpi", Up, true}};
  Rounding rounding = ToNearest;
  bool integral = false, given = false;
  for (const auto &each : roundings)
    if (d.modifiers.take(each.name))
      rounding = each.rounding, integral = each.integral, given = true;
  if (d.modifiers.take("bf16x2"))
    return convertPair(d, {Type::Bfloat, 16}, flags, rounding == ToZero);
  if (d.modifiers.take("f16x2"))
    return convertPair(d, {Type::Float, 16}, flags, rounding == ToZero);
  d.expectOperands(2, 2);
  if (d.modifiers.take("tf32")) {
    if (!(d.type() == f32) || !given)
      d.unsupported();
    int32_t a = d.source(d.operand(1), f32), to = d.destination(d.operand(0), b32);
    Instruction &i = d.emit(toTf32, Class::Convert);
    i.d = to;
    i.a = a;
    i.mode = rounding;
    i.flags = flags;
    return;
  }
  Type to, from;
  if (!ptx::parseType(d.modifiers.next(), to) || !ptx::parseType(d.modifiers.next(), from) ||
      to.kind == Type::Predicate || from.kind == Type::Predicate || to.bits > 64 || from.bits > 64)
    d.unsupported();
  bool realTo = to.kind == Type::Float || to.kind == Type::Bfloat;
  bool realFrom = from.kind == Type::Float || from.kind == Type::Bfloat;
  if (realFrom && !realTo && !integral)
    d.unsupported("no rounding");
  if (rounding == AwayFromZero)
    d.unsupported();
  bool toIntegral = integral && realTo;
  uint32_t key = flags | (rounding != ToNearest ? 1u << 31 : 0);
  Handler handler = laneTable().convert(to, from, key, toIntegral);
  if (!handler)
    d.unsupported();
  int32_t a = d.source(d.operand(1), from), d0 = d.destination(d.operand(0), to);
  Instruction &i = d.emit(handler, Class::Convert);
  i.d = d0;
  i.a = a;
  i.flags = flags;
  i.mode = static_cast<uint8_t>(rounding | (toIntegral ? 8 : 0));
}

uint64_t windowOf(Space space) {
  switch (space) {
  case Space::Shared:
    return sharedWindow;
  case Space::Local:
    return localWindow;
  case Space::Parameter:
    return parameterWindow;
  default:
    return 0;
  }
}

bool takeSpace(Decoder &d, Space &space) {
  const std::pair<const char *, Space> names[] = {{"global", Space::Global},         {"shared", Space::Shared},
                                                  {"shared::cta", Space::Shared},    {"local", Space::Local},
                                                  {"const", Space::Constant},        {"param", Space::Parameter},
                                                  {"param::entry", Space::Parameter}};
  for (auto [name, value] : names)
    if (d.modifiers.take(name)) {
      space = value;
      return true;
    }
  return false;
}

void convertAddress(Decoder &d) {
  bool to = d.modifiers.take("to");
  Space space = Space::Shared;
  // In a cluster of one block the cluster's shared memory is that of the block.
  if (!d.modifiers.take("shared::cluster") && !takeSpace(d, space))
    d.unsupported();
  if (d.type().bits != 64)
    d.unsupported();
  d.expectOperands(2, 2);
  int32_t a = d.source(d.operand(1), b64), d0 = d.destination(d.operand(0), b64);
  uint64_t window = windowOf(space);
  int32_t b = d.constant(to ? -window : window, 64);
  Instruction &i = d.emit(laneTable().integer(Op::Add, u64, 0), Class::Move);
  i.d = d0;
  i.a = a;
  i.b = b;
}

void isSpace(Warp &w, const Instruction &i) {
  const uint64_t *a = w.at<uint64_t>(i.a);
  uint32_t mask = 0;
  for (unsigned lane = 0; lane < lanes; ++lane) {
    uint64_t window = a[lane] >> 40;
    bool other = window >= 1 && window <= 3;
    bool is = i.immediate ? a[lane] - static_cast<uint64_t>(i.immediate) < windowBytes : !other;
    mask |= is ? 1u << lane : 0;
  }
  w.predicate(i.d) = (w.predicate(i.d) & ~w.active) | (mask & w.active);
}

void isSpacep(Decoder &d) {
  Space space;
  if (!takeSpace(d, space))
    d.unsupported();
  d.expectOperands(2, 2);
  int32_t a = d.source(d.operand(1), b64), d0 = d.predicateDestination(d.operand(0));
  Instruction &i = d.emit(isSpace, Class::Move);
  i.d = d0;
  i.a = a;
  i.immediate = static_cast<int64_t>(windowOf(space));
}

void active(Decoder &d) {
  if (!(d.type() == b32))
    d.unsupported();
  int32_t d0 = d.destination(d.operand(0), b32);
  d.emit(activemask, Class::Shuffle).d = d0;
}

} // namespace

const Opcode samba::vgpu::moveOpcodes[] = {
    {"mov", move},          {"cvt", convert},       {"cvta", convertAddress},
    {"isspacep", isSpacep}, {"activemask", active}, {nullptr, nullptr},
};

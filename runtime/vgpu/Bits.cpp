//===- Bits.cpp - decodes operations on bits -----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Decoder.h"

using namespace samba::vgpu;
using ptx::Operand;
using ptx::Type;

namespace {

void emitLane(Decoder &d, Op op, Type type, std::vector<Type> inputs, Type output, uint32_t flags = 0,
              Class kind = Class::Integer) {
  d.expectOperands(inputs.size() + 1, inputs.size() + 1);
  Handler handler = laneTable().integer(op, type, flags);
  if (!handler)
    d.unsupported();
  int32_t sources[4] = {-1, -1, -1, -1};
  for (size_t k = 0; k < inputs.size(); ++k)
    sources[k] = d.source(d.operand(k + 1), inputs[k]);
  int32_t to = d.destination(d.operand(0), output);
  Instruction &i = d.emit(handler, kind);
  i.d = to;
  i.a = sources[0];
  i.b = sources[1];
  i.c = sources[2];
  i.e = sources[3];
  i.flags = flags;
}

// and, or, xor, not on predicates: masks of lanes.
template <Op op> void onPredicates(Warp &w, const Instruction &i) {
  uint32_t a = w.predicate(i.a) ^ (i.flags & 1 ? allLanes : 0);
  uint32_t b = i.b >= 0 ? w.predicate(i.b) ^ (i.flags & 2 ? allLanes : 0) : 0;
  uint32_t r = op == Op::And ? a & b : op == Op::Or ? a | b : op == Op::Xor ? a ^ b : op == Op::Not ? ~a : a;
  w.predicate(i.d) = (w.predicate(i.d) & ~w.active) | (r & w.active);
}

void predicates(Decoder &d, Op op, size_t inputs) {
  d.expectOperands(inputs + 1, inputs + 1);
  bool negatedA = false, negatedB = false;
  int32_t a = d.predicateSource(d.operand(1), negatedA);
  int32_t b = inputs > 1 ? d.predicateSource(d.operand(2), negatedB) : -1;
  int32_t to = d.predicateDestination(d.operand(0));
  Handler handler = op == Op::And   ? onPredicates<Op::And>
                    : op == Op::Or  ? onPredicates<Op::Or>
                    : op == Op::Xor ? onPredicates<Op::Xor>
                    : op == Op::Not ? onPredicates<Op::Not>
                                    : onPredicates<Op::Move>;
  Instruction &i = d.emit(handler, Class::Move);
  i.d = to;
  i.a = a;
  i.b = b;
  i.flags = (negatedA ? 1 : 0) | (negatedB ? 2 : 0);
}

void logic(Decoder &d, Op op, size_t inputs) {
  Type type = d.type();
  if (type.kind == Type::Predicate)
    return predicates(d, op, inputs);
  emitLane(d, op, type, std::vector<Type>(inputs, type), type);
}

void shift(Decoder &d, Op op) {
  Type type = d.type();
  emitLane(d, op, type, {type, u32}, type);
}

void funnel(Decoder &d) {
  bool left = d.modifiers.take("l"), right = d.modifiers.take("r");
  bool clamp = d.modifiers.take("clamp"), wrap = d.modifiers.take("wrap");
  Type type = d.type();
  if (left == right || clamp == wrap || type.bits != 32)
    d.unsupported();
  emitLane(d, left ? Op::FunnelLeft : Op::FunnelRight, b32, {b32, b32, u32}, b32, clamp ? Clamp : 0);
}

void lop3(Decoder &d) {
  if (!(d.type() == b32))
    d.unsupported();
  d.expectOperands(5, 5);
  int64_t table = d.immediate(d.operand(4), 0, 255);
  int32_t a = d.source(d.operand(1), b32), b = d.source(d.operand(2), b32), c = d.source(d.operand(3), b32);
  int32_t to = d.destination(d.operand(0), b32);
  Instruction &i = d.emit(laneTable().integer(Op::Lop3, b32, 0), Class::Integer);
  i.d = to;
  i.a = a;
  i.b = b;
  i.c = c;
  i.immediate = table;
}

void count(Decoder &d, Op op) {
  uint32_t flags = op == Op::Find && d.modifiers.take("shiftamt") ? ShiftAmount : 0;
  Type type = d.type();
  emitLane(d, op, type, {type}, u32, flags);
}

void reverse(Decoder &d) {
  Type type = d.type();
  emitLane(d, Op::Reverse, type, {type}, type);
}

void extract(Decoder &d) {
  Type type = d.type();
  emitLane(d, Op::Extract, type, {type, u32, u32}, type);
}

void insert(Decoder &d) {
  Type type = d.type();
  emitLane(d, Op::Insert, type, {type, type, u32, u32}, type);
}

void permute(Decoder &d) {
  Type type = d.type();
  static const char *names[] = {"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"};
  uint8_t mode = 0;
  for (uint8_t k = 0; k < 6; ++k)
    if (d.modifiers.take(names[k]))
      mode = k + 1;
  if (type.bits != 32)
    d.unsupported();
  emitLane(d, Op::Permute, b32, {b32, b32, b32}, b32);
  d.kernel.code.back().mode = mode;
}

void mask(Decoder &d) {
  bool clamp = d.modifiers.take("clamp"), wrap = d.modifiers.take("wrap");
  if (clamp == wrap || !(d.type() == b32))
    d.unsupported();
  emitLane(d, Op::Mask, b32, {u32, u32}, b32, clamp ? Clamp : 0);
}

void dot(Decoder &d, Op op) {
  uint32_t flags = 0;
  if (op == Op::Dot2) {
    bool high = d.modifiers.take("hi");
    if (!high && !d.modifiers.take("lo"))
      d.unsupported();
    flags |= high ? HighHalf : 0;
  }
  Type a, b;
  if (!ptx::parseType(d.modifiers.next(), a) || !ptx::parseType(d.modifiers.next(), b) || a.bits != 32 || b.bits != 32)
    d.unsupported();
  flags |= b.kind == Type::Unsigned ? UnsignedB : 0;
  emitLane(d, op, a, {b32, b32, b32}, b32, flags);
}

bool comparisonOf(std::string_view word, uint8_t &mode) {
  static const std::map<std::string_view, uint8_t> names = {
      {"eq", Eq},
      {"ne", Ne},
      {"lt", Lt},
      {"le", Le},
      {"gt", Gt},
      {"ge", Ge},
      {"equ", Equ},
      {"neu", Neu},
      {"ltu", Ltu},
      {"leu", Leu},
      {"gtu", Gtu},
      {"geu", Geu},
      {"num", Num},
      {"nan", Nan},
      // Unsigned comparisons of integers.
      {"lo", Lt},
      {"ls", Le},
      {"hi", Gt},
      {"hs", Ge},
  };
  auto found = names.find(word);
  if (found == names.end())
    return false;
  mode = found->second;
  return true;
}

// set and setp: emits the comparison with results in the predicates d and e.
void compare(Decoder &d, int32_t to, int32_t second, size_t firstInput) {
  uint8_t mode = 0;
  if (!comparisonOf(d.modifiers.next(), mode))
    d.unsupported();
  uint32_t flags = d.modifiers.take("ftz") ? FlushSubnormals : 0;
  if (d.modifiers.take("and"))
    flags |= CombineAnd;
  else if (d.modifiers.take("or"))
    flags |= CombineOr;
  else if (d.modifiers.take("xor"))
    flags |= CombineXor;
  LaneType lane;
  if (d.modifiers.take("f16x2"))
    lane = {{Type::Float, 16}, true};
  else if (d.modifiers.take("bf16x2"))
    lane = {{Type::Bfloat, 16}, true};
  else
    lane.type = d.type();
  Type stored = lane.pair ? b32 : lane.type;
  int32_t a = d.source(d.operand(firstInput), stored), b = d.source(d.operand(firstInput + 1), stored), c = -1;
  if (flags & (CombineAnd | CombineOr | CombineXor)) {
    bool negated = false;
    c = d.predicateSource(d.operand(firstInput + 2), negated);
    flags |= negated ? CombineNegated : 0;
  }
  d.expectOperands(firstInput + (c >= 0 ? 3 : 2), firstInput + (c >= 0 ? 3 : 2));
  bool half = lane.type.kind == Type::Bfloat || (lane.type.kind == Type::Float && lane.type.bits == 16);
  Handler handler = half                            ? laneTable().half(Op::Compare, lane, flags)
                    : lane.type.kind == Type::Float ? laneTable().real(Op::Compare, lane.type, flags, ToNearest)
                                                    : laneTable().integer(Op::Compare, lane.type, flags);
  bool whole = !half && lane.type.kind != Type::Float;
  if (!handler || (whole && mode > Ge))
    d.unsupported();
  Instruction &i = d.emit(handler, half ? Class::Half : whole ? Class::Integer : Class::Float);
  i.d = to;
  i.e = second;
  i.a = a;
  i.b = b;
  i.c = c;
  i.mode = mode;
  i.flags = flags;
}

void setPredicate(Decoder &d) {
  const Operand &result = d.operand(0);
  int32_t second = result.second.empty() ? -1 : d.predicateDestination(result.second[0]);
  Operand first = result;
  first.second.clear();
  compare(d, d.predicateDestination(first), second, 1);
}

// set gives all ones, or 1.0.
void set(Decoder &d) {
  int32_t predicate = d.temporary(1);
  // set.CmpOp{.BoolOp}{.ftz}.dtype.stype: the result's type stands before that of the operands.
  std::string_view comparison = d.modifiers.next(), boolean;
  bool ftz = d.modifiers.take("ftz");
  for (std::string_view word : {"and", "or", "xor"})
    if (d.modifiers.take(word))
      boolean = word;
  Type result = d.type(), operands = d.type();
  static const char *kinds[] = {"b", "u", "s", "f", "bf", "pred"};
  std::string form = "setp." + std::string(comparison) + (boolean.empty() ? "" : "." + std::string(boolean)) +
                     (ftz ? ".ftz." : ".") + kinds[operands.kind] + std::to_string(operands.bits);
  d.modifiers.set(form);
  compare(d, predicate, -1, 1);
  bool real = result.kind == Type::Float;
  if (result.bits != 32 && !(result.bits == 16 && !real))
    d.unsupported();
  int32_t one = d.constant(real ? 0x3f800000u : ~uint64_t(0), result.bits), zero = d.constant(0, result.bits);
  int32_t to = d.destination(d.operand(0), result);
  Instruction &i = d.emit(laneTable().integer(Op::Select, {Type::Bits, result.bits}, 0), Class::Move);
  i.counted = false;
  i.d = to;
  i.a = one;
  i.b = zero;
  i.c = predicate;
}

void select(Decoder &d) {
  Type type = d.type();
  d.expectOperands(4, 4);
  int32_t a = d.source(d.operand(1), type), b = d.source(d.operand(2), type);
  bool negated = false;
  int32_t c = d.predicateSource(d.operand(3), negated), to = d.destination(d.operand(0), type);
  Handler handler = laneTable().integer(Op::Select, {Type::Bits, type.bits}, 0);
  if (!handler)
    d.unsupported();
  Instruction &i = d.emit(handler, Class::Move);
  i.d = to;
  i.a = a;
  i.b = b;
  i.c = c;
  i.flags = negated ? CombineNegated : 0;
}

void selectSign(Decoder &d) {
  Type type = d.type(), by = d.type();
  if (!(by == s32))
    d.unsupported();
  emitLane(d, Op::SelectSign, {Type::Bits, type.bits}, {type, type, s32}, type, 0, Class::Move);
}

} // namespace

const Opcode samba::vgpu::bitOpcodes[] = {
    {"and", [](Decoder &d) { logic(d, Op::And, 2); }},
    {"or", [](Decoder &d) { logic(d, Op::Or, 2); }},
    {"xor", [](Decoder &d) { logic(d, Op::Xor, 2); }},
    {"not", [](Decoder &d) { logic(d, Op::Not, 1); }},
    {"cnot", [](Decoder &d) { logic(d, Op::Cnot, 1); }},
    {"shl", [](Decoder &d) { shift(d, Op::ShiftLeft); }},
    {"shr", [](Decoder &d) { shift(d, Op::ShiftRight); }},
    {"shf", funnel},
    {"lop3", lop3},
    {"popc", [](Decoder &d) { count(d, Op::Popc); }},
    {"clz", [](Decoder &d) { count(d, Op::Clz); }},
    {"bfind", [](Decoder &d) { count(d, Op::Find); }},
    {"brev", reverse},
    {"bfe", extract},
    {"bfi", insert},
    {"prmt", permute},
    {"bmsk", mask},
    {"dp4a", [](Decoder &d) { dot(d, Op::Dot4); }},
    {"dp2a", [](Decoder &d) { dot(d, Op::Dot2); }},
    {"setp", setPredicate},
    {"set", set},
    {"selp", select},
    {"slct", selectSign},
    {nullptr, nullptr},
};

void samba::vgpu::movePredicate(Decoder &d) { predicates(d, Op::Move, 1); }

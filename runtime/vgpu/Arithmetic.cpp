//===- Arithmetic.cpp - decodes arithmetic -------------------------------===//
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
using ptx::Type;

namespace {

struct Form {
  LaneType lane;
  uint32_t flags = 0;
  Rounding rounding = ToNearest;
  bool rounded = false;
  Type type() const { return lane.type; }
  bool half() const {
    return lane.pair || lane.type.kind == Type::Bfloat || (lane.type.kind == Type::Float && lane.type.bits == 16);
  }
  bool real() const { return !half() && lane.type.kind == Type::Float; }
  /// As it lies in a register.
  Type stored() const { return lane.pair ? b32 : lane.type; }
};

Form formOf(Decoder &d) {
  Form form;
  if (d.modifiers.take("ftz"))
    form.flags |= FlushSubnormals;
  if (d.modifiers.take("sat"))
    form.flags |= Saturate;
  if (d.modifiers.take("relu"))
    form.flags |= Relu;
  const std::pair<const char *, Rounding> roundings[] = {{"rn", ToNearest}, {"rz", ToZero}, {"rm", Down}, {"rp", Up}};
  for (auto [name, rounding] : roundings)
    if (d.modifiers.take(name))
      form.rounding = rounding, form.rounded = true;
  if (d.modifiers.take("f16x2")) {
    form.lane = {{Type::Float, 16}, true};
  } else if (d.modifiers.take("bf16x2")) {
    form.lane = {{Type::Bfloat, 16}, true};
  } else {
    form.lane.type = d.type();
  }
  return form;
}

Class classOf(const Form &form) {
  if (form.half())
    return Class::Half;
  if (form.real())
    return form.lane.type.bits == 64 ? Class::Double : Class::Float;
  return Class::Integer;
}

void fill(Decoder &d, const Form &form, Handler handler, size_t inputs, Class kind) {
  if (!handler)
    d.unsupported();
  d.expectOperands(inputs + 1, inputs + 1);
  int32_t sources[3] = {-1, -1, -1};
  for (size_t k = 0; k < inputs; ++k)
    sources[k] = d.source(d.operand(k + 1), form.stored());
  int32_t to = d.destination(d.operand(0), form.stored());
  Instruction &i = d.emit(handler, kind);
  i.d = to;
  i.a = sources[0];
  i.b = sources[1];
  i.c = sources[2];
  i.flags = form.flags;
  i.mode = form.rounding;
  if (kind == Class::Float || kind == Class::Half || kind == Class::Double)
    i.operations = static_cast<uint8_t>((inputs == 3 ? 2 : 1) * (form.lane.pair ? 2 : 1));
}

Handler handlerOf(Decoder &d, Op op, const Form &form) {
  const LaneTable &table = laneTable();
  if (form.half()) {
    if (form.rounding != ToNearest)
      d.unsupported();
    return table.half(op, form.lane, form.flags);
  }
  if (form.real())
    return table.real(op, form.type(), form.flags, form.rounding);
  if (form.rounded || form.flags & FlushSubnormals)
    d.unsupported();
  return table.integer(op, form.type(), form.flags);
}

void simple(Decoder &d, Op op, size_t inputs) {
  Form form = formOf(d);
  if (form.type().bits < 16)
    d.unsupported();
  fill(d, form, handlerOf(d, op, form), inputs, classOf(form));
}

void addOrSubtract(Decoder &d, Op op, Op carry) {
  bool out = d.modifiers.take("cc");
  if (!out)
    return simple(d, op, 2);
  Form form = formOf(d);
  form.flags |= CarryOut;
  fill(d, form, laneTable().integer(carry, form.type(), 0), 2, Class::Integer);
}

void withCarry(Decoder &d, Op op) {
  uint32_t out = d.modifiers.take("cc") ? CarryOut : 0;
  Form form = formOf(d);
  form.flags |= CarryIn | out;
  fill(d, form, laneTable().integer(op, form.type(), 0), 2, Class::Integer);
}

void multiply(Decoder &d) {
  bool low = d.modifiers.take("lo"), high = d.modifiers.take("hi"), wide = d.modifiers.take("wide");
  Form form = formOf(d);
  bool whole = !form.real() && !form.half();
  if (whole != (low || high || wide))
    d.unsupported();
  if (!wide)
    return fill(d, form, handlerOf(d, high ? Op::MulHigh : Op::MulLow, form), 2, classOf(form));
  if (form.type().bits > 32)
    d.unsupported();
  d.expectOperands(3, 3);
  int32_t a = d.source(d.operand(1), form.type()), b = d.source(d.operand(2), form.type());
  int32_t to = d.destination(d.operand(0), {form.type().kind, static_cast<uint8_t>(form.type().bits * 2)});
  Instruction &i = d.emit(laneTable().integer(Op::MulWide, form.type(), 0), Class::Integer);
  i.d = to;
  i.a = a;
  i.b = b;
}

void multiplyAdd(Decoder &d, bool carryIn) {
  bool low = d.modifiers.take("lo"), high = d.modifiers.take("hi"), wide = d.modifiers.take("wide");
  bool carryOut = d.modifiers.take("cc");
  Form form = formOf(d);
  bool whole = !form.real() && !form.half();
  if (whole != (low || high || wide) || (carryIn && !whole))
    d.unsupported();
  if (!whole)
    return fill(d, form, handlerOf(d, Op::Fma, form), 3, classOf(form));
  if (carryIn || carryOut) {
    if (wide)
      d.unsupported();
    form.flags |= (carryIn ? CarryIn : 0) | (carryOut ? CarryOut : 0);
    return fill(d, form, laneTable().integer(high ? Op::MadHighCarry : Op::MadLowCarry, form.type(), 0), 3,
                Class::Integer);
  }
  if (!wide)
    return fill(d, form, handlerOf(d, high ? Op::MadHigh : Op::MadLow, form), 3, Class::Integer);
  if (form.type().bits > 32)
    d.unsupported();
  d.expectOperands(4, 4);
  Type wideType{form.type().kind, static_cast<uint8_t>(form.type().bits * 2)};
  int32_t a = d.source(d.operand(1), form.type()), b = d.source(d.operand(2), form.type());
  int32_t c = d.source(d.operand(3), wideType), to = d.destination(d.operand(0), wideType);
  Instruction &i = d.emit(laneTable().integer(Op::MadWide, form.type(), 0), Class::Integer);
  i.d = to;
  i.a = a;
  i.b = b;
  i.c = c;
}

// Integer division by zero gives an unspecified value on devices: no program means it.
void checkDivisor(Warp &w, const Instruction &i) {
  for (unsigned lane = 0; lane < lanes; ++lane) {
    if (!(w.active >> lane & 1))
      continue;
    bool zero = i.size == 8   ? w.at<uint64_t>(i.a)[lane] == 0
                : i.size == 4 ? w.at<uint32_t>(i.a)[lane] == 0
                              : w.at<uint16_t>(i.a)[lane] == 0;
    if (zero)
      fault(w, i, "division-by-zero", "integer division by zero", static_cast<int>(lane));
  }
}

void divide(Decoder &d, Op op) {
  bool approximate = d.modifiers.take("approx"), full = d.modifiers.take("full");
  Form form = formOf(d);
  if (form.real()) {
    if (op == Op::Rem)
      d.unsupported();
    if (approximate || full)
      form.flags |= Approximate;
    if (!full || form.type().bits == 64)
      return fill(d, form, handlerOf(d, op, form), 2, classOf(form));
    // div.full has no range in which it gives zero.
    form.flags &= ~Approximate;
    return fill(d, form, handlerOf(d, op, form), 2, Class::Float);
  }
  if (form.half() || approximate || full)
    d.unsupported();
  d.expectOperands(3, 3);
  int32_t divisor = d.source(d.operand(2), form.type());
  Instruction &check = d.emit(checkDivisor, Class::Integer);
  check.counted = false;
  check.a = divisor;
  check.size = form.type().bits / 8;
  fill(d, form, handlerOf(d, op, form), 2, Class::Integer);
}

void extreme(Decoder &d, Op op) {
  bool nan = d.modifiers.take("NaN"), sign = d.modifiers.take("xorsign"), absolute = d.modifiers.take("abs");
  if (sign != absolute)
    d.unsupported();
  Form form = formOf(d);
  form.flags |= (nan ? PropagateNan : 0) | (sign ? XorSign : 0);
  fill(d, form, handlerOf(d, op, form), 2, classOf(form));
}

// ex2, lg2, sin, cos, tanh, rcp, rsqrt, sqrt.
void special(Decoder &d, Op op) {
  bool approximate = d.modifiers.take("approx");
  Form form = formOf(d);
  bool exact = op == Op::Rcp || op == Op::Sqrt;
  if (form.half()) {
    if (!approximate && op != Op::Ex2)
      d.unsupported();
    fill(d, form, handlerOf(d, op, form), 1, Class::Special);
    d.kernel.code.back().exponential = op == Op::Ex2;
    return;
  }
  if (!form.real() || (!approximate && (!exact || !form.rounded)))
    d.unsupported();
  if (approximate)
    form.flags |= Approximate;
  fill(d, form, handlerOf(d, op, form), 1, Class::Special);
  d.kernel.code.back().exponential = op == Op::Ex2;
}

void test(Decoder &d) {
  static const char *names[] = {"finite", "infinite", "number", "notanumber", "normal", "subnormal"};
  uint8_t mode = 255;
  for (uint8_t k = 0; k < 6; ++k)
    if (d.modifiers.take(names[k]))
      mode = k;
  Form form = formOf(d);
  if (mode == 255 || !form.real())
    d.unsupported();
  d.expectOperands(2, 2);
  int32_t a = d.source(d.operand(1), form.type()), to = d.predicateDestination(d.operand(0));
  Instruction &i = d.emit(laneTable().real(Op::Test, form.type(), 0, ToNearest), Class::Move);
  i.d = to;
  i.a = a;
  i.mode = mode;
}

} // namespace

const Opcode samba::vgpu::arithmeticOpcodes[] = {
    {"add", [](Decoder &d) { addOrSubtract(d, Op::Add, Op::AddCarry); }},
    {"sub", [](Decoder &d) { addOrSubtract(d, Op::Sub, Op::SubCarry); }},
    {"addc", [](Decoder &d) { withCarry(d, Op::AddCarry); }},
    {"subc", [](Decoder &d) { withCarry(d, Op::SubCarry); }},
    {"mul", multiply},
    {"mad", [](Decoder &d) { multiplyAdd(d, false); }},
    {"madc", [](Decoder &d) { multiplyAdd(d, true); }},
    {"fma", [](Decoder &d) { simple(d, Op::Fma, 3); }},
    {"div", [](Decoder &d) { divide(d, Op::Div); }},
    {"rem", [](Decoder &d) { divide(d, Op::Rem); }},
    {"abs", [](Decoder &d) { simple(d, Op::Abs, 1); }},
    {"neg", [](Decoder &d) { simple(d, Op::Neg, 1); }},
    {"min", [](Decoder &d) { extreme(d, Op::Min); }},
    {"max", [](Decoder &d) { extreme(d, Op::Max); }},
    {"sad", [](Decoder &d) { simple(d, Op::Sad, 3); }},
    {nullptr, nullptr},
};

const Opcode samba::vgpu::realOpcodes[] = {
    {"ex2", [](Decoder &d) { special(d, Op::Ex2); }},
    {"lg2", [](Decoder &d) { special(d, Op::Lg2); }},
    {"sin", [](Decoder &d) { special(d, Op::Sin); }},
    {"cos", [](Decoder &d) { special(d, Op::Cos); }},
    {"tanh", [](Decoder &d) { special(d, Op::Tanh); }},
    {"rcp", [](Decoder &d) { special(d, Op::Rcp); }},
    {"rsqrt", [](Decoder &d) { special(d, Op::Rsqrt); }},
    {"sqrt", [](Decoder &d) { special(d, Op::Sqrt); }},
    {"copysign", [](Decoder &d) { simple(d, Op::CopySign, 2); }},
    {"testp", test},
    {nullptr, nullptr},
};

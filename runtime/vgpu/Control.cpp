//===- Control.cpp - branches, calls and the table of opcodes ------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Block.h"
#include "runtime/vgpu/Decoder.h"

#include <algorithm>

using namespace samba::vgpu;
using ptx::Operand;
using ptx::Space;
using ptx::Type;

DecodeFunction samba::vgpu::findOpcode(std::string_view name) {
  static const std::map<std::string_view, DecodeFunction> all = [] {
    std::map<std::string_view, DecodeFunction> result;
    for (const Opcode *table :
         {arithmeticOpcodes, realOpcodes, bitOpcodes, moveOpcodes, controlOpcodes, memoryOpcodes, atomicOpcodes,
          warpOpcodes, barrierOpcodes, asyncOpcodes, matrixOpcodes, tensorOpcodes, mbarrierOpcodes, hopperOpcodes})
      for (; table->name; ++table)
        result[table->name] = table->decode;
    return result;
  }();
  auto found = all.find(name);
  return found == all.end() ? nullptr : found->second;
}

void Decoder::branch() {
  modifiers.take("uni");
  expectOperands(1, 1);
  if (operand(0).kind != Operand::Label)
    unsupported("the target is no label");
  Instruction &i = emit(nullptr, Class::Control);
  i.control = Control::Branch;
  frame->branches.push_back({kernel.code.size() - 1, operand(0).index});
}

void Decoder::branchTable() {
  if (!modifiers.take("idx"))
    unsupported();
  modifiers.take("uni");
  expectOperands(2, 2);
  int32_t index = source(operand(0), u32);
  if (operand(1).kind != Operand::Vector || operand(1).children.empty() || operand(1).children.size() > 65535)
    unsupported("no list of targets");
  // The targets follow as branches that are never executed in turn.
  Instruction &i = emit(nullptr, Class::Control);
  i.control = Control::Table;
  i.a = index;
  i.count = static_cast<uint16_t>(operand(1).children.size());
  i.target = static_cast<uint32_t>(kernel.code.size());
  for (const Operand &target : operand(1).children) {
    Instruction &entry = emit(nullptr, Class::Control);
    entry.control = Control::Branch;
    entry.counted = false;
    entry.guard = -1;
    frame->branches.push_back({kernel.code.size() - 1, target.index});
  }
}

void Decoder::ret(bool wholeThread) {
  modifiers.take("uni");
  expectOperands(0, 0);
  Instruction &i = emit(nullptr, Class::Control);
  if (wholeThread || !frame->caller) {
    i.control = Control::Exit;
    return;
  }
  i.control = Control::Branch;
  frame->ends.push_back(kernel.code.size() - 1);
}

void Decoder::call() {
  modifiers.take("uni");
  if (current->guard >= 0)
    unsupported("under a predicate");
  size_t at = 0;
  const Operand *returns = nullptr, *arguments = nullptr;
  if (operand(0).kind == Operand::Vector)
    returns = &operand(at++);
  const Operand &callee = operand(at++);
  if (at < operandCount())
    arguments = &operand(at++);
  if (callee.kind != Operand::Function || at != operandCount())
    unsupported("indirect calls");
  const ptx::Function *function = program.source.find(callee.name);
  if (!function)
    fail("no function '" + std::string(callee.name) + "'");
  if (!function->body)
    unsupported("'" + std::string(callee.name) + "' has no body");
  for (const Frame *outer = frame; outer; outer = outer->caller)
    if (outer->function == function)
      unsupported("recursion of '" + std::string(callee.name) + "'");
  if (++depth > 32)
    unsupported("calls nest too deep");
  Frame inner;
  inner.function = function;
  inner.caller = frame;
  auto bind = [&](const Operand *list, const std::vector<ptx::Variable> &formals, std::vector<uint32_t> &offsets) {
    size_t count = list ? list->children.size() : 0;
    if (count != formals.size())
      fail("'" + std::string(callee.name) + "' takes " + std::to_string(formals.size()) + " values here, got " +
           std::to_string(count));
    for (size_t k = 0; k < count; ++k) {
      const Operand &actual = list->children[k];
      if (actual.kind != Operand::Variable || frame->function->variables[actual.index].space != Space::Parameter)
        unsupported("arguments other than .param variables");
      const ptx::Variable &variable = frame->function->variables[actual.index];
      if (variable.bytes < formals[k].bytes)
        fail("argument '" + std::string(actual.name) + "' has " + std::to_string(variable.bytes) + " bytes, expected " +
             std::to_string(formals[k].bytes));
      offsets.push_back(frame->variables[actual.index]);
    }
  };
  bind(returns, function->returns, inner.returns);
  bind(arguments, function->parameters, inner.parameters);
  for (Type type : function->registers)
    inner.registers.push_back(allocate(type.bits));
  placeVariables(inner);
  decodeBody(inner);
  --depth;
}

static void trap(Warp &warp, const Instruction &i) { fault(warp, i, "trap", "the kernel gave up"); }

const Opcode samba::vgpu::controlOpcodes[] = {
    {"bra", [](Decoder &d) { d.branch(); }},
    {"brx", [](Decoder &d) { d.branchTable(); }},
    {"call", [](Decoder &d) { d.call(); }},
    {"ret", [](Decoder &d) { d.ret(false); }},
    {"exit", [](Decoder &d) { d.ret(true); }},
    {"trap", [](Decoder &d) { d.emit(trap, Class::Control); }},
    {nullptr, nullptr},
};

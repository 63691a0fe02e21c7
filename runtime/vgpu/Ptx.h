//===- Ptx.h - PTX text as data --------------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the parser makes of PTX: variables and functions, with names resolved and scopes dissolved. Opcodes stay text;
// the decoder gives them meaning. Names point into the text.
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_PTX_H
#define RUNTIME_VGPU_PTX_H

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace samba::vgpu::ptx {

enum class Space : uint8_t { Generic, Global, Shared, Local, Constant, Parameter };

/// "b32" and the like; `bits` is 1 for pred.
struct Type {
  enum Kind : uint8_t { Bits, Unsigned, Signed, Float, Bfloat, Predicate } kind = Bits;
  uint8_t bits = 0;
  bool operator==(const Type &other) const { return kind == other.kind && bits == other.bits; }
};
/// False if the name is no type.
bool parseType(std::string_view name, Type &type);

/// A piece of a variable's initial value: bits, or the address of a variable plus an offset.
struct Initial {
  uint64_t value = 0;
  std::string_view symbol;
};

struct Variable {
  std::string_view name;
  Space space = Space::Global;
  Type type;
  uint32_t align = 0; // as declared, or that of the type
  uint64_t bytes = 0; // 0 for extern arrays without a size
  bool external = false;
  std::vector<Initial> initial;
  uint32_t line = 0;
};

struct Operand {
  enum Kind : uint8_t {
    Register, // index
    Variable, // index into the function's variables
    Global,   // index into the module's variables
    Parameter,
    Return,
    Special,  // name: %tid.x
    Label,    // index of an instruction
    Function, // name
    Integer,
    Single,  // bits of an f32
    Double,  // bits of an f64
    Address, // children: the base, and coordinates of a tensor; offset
    Vector,
    Sink, // _
  } kind = Sink;
  bool negated = false; // !%p
  uint32_t index = 0;
  uint64_t value = 0;
  int64_t offset = 0;
  std::string_view name;
  std::vector<Operand> children;
  std::vector<Operand> second; // the operand after |
};

struct Instruction {
  uint32_t line = 0;
  uint32_t file = 0, sourceLine = 0; // of the .loc before it
  int64_t guard = -1;                // a register
  bool guardNegated = false;
  std::string_view opcode;
  std::vector<Operand> operands;
};

struct Function {
  std::string_view name;
  bool entry = false;
  bool body = false;
  uint32_t line = 0;
  std::vector<Variable> parameters, returns;
  std::vector<Type> registers;
  std::vector<std::string_view> registerNames; // the prefix of %r<10>
  std::vector<Variable> variables;             // local, shared, and parameters of calls
  std::vector<Instruction> instructions;
  uint32_t maxThreads = 1024;
};

struct Module {
  std::unique_ptr<const std::string> text; // names point here
  int version = 0;                         // 80 for 8.0
  std::string_view target;
  std::vector<Variable> variables;
  std::vector<Function> functions;
  std::map<uint32_t, std::string> files;
  const Function *find(std::string_view name) const;
};

/// Throws Error.
Module parse(std::string_view text);

} // namespace samba::vgpu::ptx

#endif // RUNTIME_VGPU_PTX_H

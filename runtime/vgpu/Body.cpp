//===- Body.cpp - PTX text to data: the body of a function ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Memory.h"
#include "runtime/vgpu/Parser.h"

#include <algorithm>

using namespace samba::vgpu;
using namespace samba::vgpu::ptx;

static constexpr uint64_t mostRegisters = 1 << 20;
static constexpr size_t deepestScope = 64;
static constexpr uint32_t unresolved = UINT32_MAX;

// Cuts "%r12" into "%r" and 12. False if there is no number or it has a leading zero.
static bool cutNumber(std::string_view name, std::string_view &prefix, uint32_t &number) {
  size_t end = name.size();
  while (end && name[end - 1] >= '0' && name[end - 1] <= '9')
    --end;
  if (end == name.size() || name.size() - end > 7 || (name[end] == '0' && end + 1 < name.size()))
    return false;
  number = 0;
  for (char c : name.substr(end))
    number = number * 10 + (c - '0');
  prefix = name.substr(0, end);
  return true;
}

bool Parser::findRegister(std::string_view name, uint32_t &index) const {
  std::string_view prefix;
  uint32_t number = 0;
  bool numbered = cutNumber(name, prefix, number);
  for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
    // A name that a scope has both whole and as part of a range is the whole one.
    auto whole = scope->registers.find(name);
    if (whole != scope->registers.end() && !scope->counts.count(name)) {
      index = whole->second;
      return true;
    }
    if (!numbered)
      continue;
    auto range = scope->counts.find(prefix);
    if (range != scope->counts.end() && number < range->second) {
      index = scope->registers.at(prefix) + number;
      return true;
    }
  }
  return false;
}

void Parser::registers(Function &function) {
  Type type;
  std::string_view word = lexer.word("a type");
  if (word == ".align") {
    lexer.integer("an alignment");
    word = lexer.word("a type");
  }
  if (word.substr(0, 1) != "." || !parseType(word.substr(1), type))
    lexer.fail("'" + std::string(word) + "' is no type of a register");
  do {
    std::string_view name = lexer.word("a register");
    uint64_t count = 1;
    if (lexer.accept('<')) {
      count = lexer.integer("a number of registers");
      lexer.expect('>');
      scopes.back().counts[name] = static_cast<uint32_t>(std::min(count, mostRegisters));
    }
    if (count > mostRegisters || function.registers.size() + count > mostRegisters)
      lexer.fail("more than " + std::to_string(mostRegisters) + " registers");
    scopes.back().registers[name] = static_cast<uint32_t>(function.registers.size());
    function.registers.insert(function.registers.end(), count, type);
  } while (lexer.accept(','));
  lexer.expect(';');
}

Operand Parser::name(Function &function, const Token &token) {
  Operand result;
  result.name = token.text;
  if (token.text == "_")
    return result;
  if (findRegister(token.text, result.index)) {
    result.kind = Operand::Register;
    return result;
  }
  for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
    auto found = scope->variables.find(token.text);
    if (found != scope->variables.end()) {
      result.kind = Operand::Variable;
      result.index = found->second;
      return result;
    }
  }
  for (auto &[names, kind] : {std::pair(&parameters, Operand::Parameter), std::pair(&returns, Operand::Return),
                              std::pair(&globals, Operand::Global)}) {
    auto found = names->find(token.text);
    if (found != names->end()) {
      result.kind = kind;
      result.index = found->second;
      return result;
    }
  }
  if (token.text == "WARP_SZ") {
    result.kind = Operand::Integer;
    result.value = 32;
  } else if (token.text[0] == '%') {
    result.kind = Operand::Special;
  } else {
    result.kind = Operand::Label;
    result.index = unresolved;
  }
  return result;
}

Operand Parser::operand(Function &function, unsigned depth) {
  if (depth > 4)
    lexer.fail("operands nest too deep");
  Operand result;
  if (lexer.is('{') || lexer.is('(')) {
    char end = lexer.next().text[0] == '{' ? '}' : ')';
    result.kind = Operand::Vector;
    while (!lexer.accept(end)) {
      result.children.push_back(operand(function, depth + 1));
      if (!lexer.is(end))
        lexer.expect(',');
    }
    return result;
  }
  if (lexer.accept('[')) {
    result.kind = Operand::Address;
    result.children.push_back(operand(function, depth + 1));
    if (result.children[0].kind == Operand::Integer) {
      result.offset = static_cast<int64_t>(result.children[0].value);
      result.children[0].value = 0;
    } else {
      std::swap(result.offset, result.children[0].offset);
    }
    while (lexer.accept(','))
      result.children.push_back(operand(function, depth + 1));
    lexer.expect(']');
    return result;
  }
  bool negated = lexer.accept('!'), negative = !negated && lexer.accept('-');
  const Token token = lexer.peek();
  switch (token.kind) {
  case Token::Word:
    if (negative)
      lexer.unexpected("a number");
    lexer.next();
    result = name(function, token);
    break;
  case Token::Integer:
  case Token::Single:
  case Token::Double:
    lexer.next();
    result.kind = token.kind == Token::Integer  ? Operand::Integer
                  : token.kind == Token::Single ? Operand::Single
                                                : Operand::Double;
    result.value = token.value;
    if (negative)
      result.value = token.kind == Token::Integer  ? -token.value
                     : token.kind == Token::Single ? token.value ^ 0x80000000u
                                                   : token.value ^ uint64_t(1) << 63;
    break;
  default:
    lexer.unexpected("an operand");
  }
  result.negated = negated;
  bool named = result.kind != Operand::Integer && result.kind != Operand::Single && result.kind != Operand::Double;
  if (named && (lexer.is('+') || lexer.is('-'))) {
    bool minus = lexer.next().text[0] == '-';
    int64_t value = static_cast<int64_t>(lexer.integer("an offset"));
    result.offset = minus ? -static_cast<uint64_t>(value) : value;
  }
  if (lexer.accept('|'))
    result.second.push_back(operand(function, depth + 1));
  return result;
}

void Parser::instruction(Function &function) {
  Instruction instruction;
  instruction.line = lexer.peek().line;
  instruction.file = file;
  instruction.sourceLine = sourceLine;
  if (lexer.accept('@')) {
    instruction.guardNegated = lexer.accept('!');
    const Token token = lexer.peek();
    uint32_t index = 0;
    if (token.kind != Token::Word || !findRegister(token.text, index) ||
        function.registers[index].kind != Type::Predicate)
      lexer.unexpected("a predicate register");
    lexer.next();
    instruction.guard = index;
  }
  instruction.opcode = lexer.word("an instruction");
  while (!lexer.accept(';')) {
    instruction.operands.push_back(operand(function));
    if (!lexer.is(';'))
      lexer.expect(',');
  }
  for (const Operand &operand : instruction.operands)
    if (operand.kind == Operand::Label) {
      scopes.back().open.push_back(function.instructions.size());
      break;
    }
  function.instructions.push_back(std::move(instruction));
}

void Parser::directive(Function &function) {
  std::string_view word = lexer.word("a directive");
  if (word == ".reg") {
    registers(function);
  } else if (word == ".loc") {
    file = static_cast<uint32_t>(lexer.integer("a file"));
    sourceLine = static_cast<uint32_t>(lexer.integer("a line"));
    lexer.integer("a column");
    // , function_name $L__info_string0 [+ 4], inlined_at 1 7 41
    while (lexer.accept(',')) {
      if (lexer.word("an attribute of .loc") == "function_name") {
        lexer.word("a label");
        if (lexer.accept('+'))
          lexer.integer("an offset");
      } else {
        for (int i = 0; i < 3; ++i)
          lexer.integer("a number");
      }
    }
  } else if (word == ".pragma") {
    while (!lexer.accept(';')) {
      if (lexer.peek().kind == Token::End)
        lexer.unexpected("';'");
      lexer.next();
    }
  } else if (word == ".file") {
    fileDirective();
  } else {
    lexer.fail("unsupported directive '" + std::string(word) + "' in a function");
  }
}

void Parser::resolveLabel(Function &function, Operand &operand, uint32_t line) {
  Scope &scope = scopes.back();
  auto table = scope.tables.find(operand.name);
  if (table != scope.tables.end()) {
    operand.kind = Operand::Vector;
    for (std::string_view target : table->second) {
      auto found = scope.labels.find(target);
      if (found == scope.labels.end())
        failAt(line, "no label '" + std::string(target) + "'");
      Operand child;
      child.kind = Operand::Label;
      child.name = target;
      child.index = found->second;
      operand.children.push_back(child);
    }
    return;
  }
  auto found = scope.labels.find(operand.name);
  if (found != scope.labels.end())
    operand.index = found->second;
}

void Parser::closeScope(Function &function) {
  std::vector<size_t> stillOpen;
  for (size_t index : scopes.back().open) {
    Instruction &instruction = function.instructions[index];
    bool open = false;
    for (Operand &operand : instruction.operands) {
      if (operand.kind != Operand::Label || operand.index != unresolved)
        continue;
      resolveLabel(function, operand, instruction.line);
      if (operand.kind != Operand::Label || operand.index != unresolved)
        continue;
      if (scopes.size() > 1)
        open = true;
      else if (instruction.opcode.substr(0, 4) == "call")
        operand.kind = Operand::Function;
      else
        failAt(instruction.line, "'" + std::string(operand.name) + "' is no register, variable or label");
    }
    if (open)
      stillOpen.push_back(index);
  }
  scopes.pop_back();
  if (!scopes.empty())
    scopes.back().open.insert(scopes.back().open.end(), stillOpen.begin(), stillOpen.end());
}

void Parser::body(Function &function) {
  lexer.expect('{');
  parameters.clear();
  returns.clear();
  for (size_t i = 0; i < function.parameters.size(); ++i)
    parameters[function.parameters[i].name] = static_cast<uint32_t>(i);
  for (size_t i = 0; i < function.returns.size(); ++i)
    returns[function.returns[i].name] = static_cast<uint32_t>(i);
  scopes.assign(1, {});
  file = sourceLine = 0;
  while (!scopes.empty()) {
    if (lexer.peek().kind == Token::End)
      lexer.unexpected("'}'");
    if (lexer.accept(';'))
      continue;
    if (lexer.accept('{')) {
      if (scopes.size() >= deepestScope)
        lexer.fail("scopes nest too deep");
      scopes.emplace_back();
    } else if (lexer.accept('}')) {
      closeScope(function);
    } else if (startsVariable()) {
      Variable declared = variable(false);
      lexer.expect(';');
      scopes.back().variables[declared.name] = static_cast<uint32_t>(function.variables.size());
      function.variables.push_back(std::move(declared));
    } else if (lexer.peek().kind == Token::Word && lexer.peek().text[0] == '.') {
      directive(function);
    } else if (lexer.is('@')) {
      instruction(function);
    } else {
      // A label or an instruction: the sign after the word tells.
      Lexer ahead = lexer;
      ahead.next();
      if (!ahead.is(':')) {
        instruction(function);
        continue;
      }
      std::string_view label = lexer.word("an instruction");
      lexer.expect(':');
      if (lexer.accept(".branchtargets")) {
        std::vector<std::string_view> &targets = scopes.back().tables[label];
        do
          targets.push_back(lexer.word("a label"));
        while (lexer.accept(','));
        lexer.expect(';');
      } else if (lexer.is(".callprototype") || lexer.is(".calltargets")) {
        lexer.fail("unsupported: indirect calls");
      } else if (!scopes.back().labels.emplace(label, function.instructions.size()).second) {
        lexer.fail("label '" + std::string(label) + "' appears twice");
      }
    }
  }
}

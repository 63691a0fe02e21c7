//===- Parser.h - PTX text to data -----------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_PARSER_H
#define RUNTIME_VGPU_PARSER_H

#include "runtime/vgpu/Lexer.h"
#include "runtime/vgpu/Ptx.h"

#include <unordered_map>

namespace samba::vgpu::ptx {

class Parser {
public:
  explicit Parser(Module &module) : lexer(*module.text), module(module) {}
  void run();

private:
  // Parser.cpp: variables and directives of the module.
  bool startsVariable() const;
  Variable variable(bool external);
  void initial(Variable &variable, unsigned depth);
  void skipBraces();
  void fileDirective();
  void functionDirective(bool entry);

  // Body.cpp: what stands between the braces of a function.
  struct Scope {
    std::unordered_map<std::string_view, uint32_t> registers; // also "%r" of %r<10>
    std::unordered_map<std::string_view, uint32_t> counts;    // 10 of %r<10>
    std::unordered_map<std::string_view, uint32_t> variables;
    std::unordered_map<std::string_view, uint32_t> labels;
    std::unordered_map<std::string_view, std::vector<std::string_view>> tables; // .branchtargets
    std::vector<size_t> open; // instructions with labels not known yet
  };
  void body(Function &function);
  void closeScope(Function &function);
  void registers(Function &function);
  void directive(Function &function);
  void instruction(Function &function);
  void resolveLabel(Function &function, Operand &operand, uint32_t line);
  Operand operand(Function &function, unsigned depth = 0);
  Operand name(Function &function, const Token &token);
  bool findRegister(std::string_view name, uint32_t &index) const;

  Lexer lexer;
  Module &module;
  std::vector<Scope> scopes;
  std::unordered_map<std::string_view, uint32_t> globals;
  std::unordered_map<std::string_view, uint32_t> parameters, returns; // of the function
  uint32_t file = 0, sourceLine = 0;
};

} // namespace samba::vgpu::ptx

#endif // RUNTIME_VGPU_PARSER_H

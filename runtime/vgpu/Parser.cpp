//===- Parser.cpp - PTX text to data: module level -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Parser.h"
#include "runtime/vgpu/Memory.h"

#include <algorithm>
#include <cstdlib>

using namespace samba::vgpu;
using namespace samba::vgpu::ptx;

bool ptx::parseType(std::string_view name, Type &type) {
  static const std::map<std::string_view, Type> types = {
      {"b8", {Type::Bits, 8}},       {"b16", {Type::Bits, 16}},     {"b32", {Type::Bits, 32}},
      {"b64", {Type::Bits, 64}},     {"b128", {Type::Bits, 128}},   {"u8", {Type::Unsigned, 8}},
      {"u16", {Type::Unsigned, 16}}, {"u32", {Type::Unsigned, 32}}, {"u64", {Type::Unsigned, 64}},
      {"s8", {Type::Signed, 8}},     {"s16", {Type::Signed, 16}},   {"s32", {Type::Signed, 32}},
      {"s64", {Type::Signed, 64}},   {"f16", {Type::Float, 16}},    {"f32", {Type::Float, 32}},
      {"f64", {Type::Float, 64}},    {"bf16", {Type::Bfloat, 16}},  {"pred", {Type::Predicate, 1}},
  };
  auto found = types.find(name);
  if (found == types.end())
    return false;
  type = found->second;
  return true;
}

const Function *Module::find(std::string_view name) const {
  const Function *declared = nullptr;
  for (const Function &function : functions)
    if (function.name == name) {
      if (function.body)
        return &function;
      declared = &function;
    }
  return declared;
}

static Space spaceOf(std::string_view word) {
  if (word == ".shared")
    return Space::Shared;
  if (word == ".local")
    return Space::Local;
  if (word == ".const")
    return Space::Constant;
  return word == ".param" ? Space::Parameter : Space::Global;
}

bool Parser::startsVariable() const {
  for (const char *word : {".global", ".shared", ".local", ".const", ".param"})
    if (lexer.is(word))
      return true;
  return false;
}

// Limits that no sensible module reaches, so that nonsense costs neither time nor memory.
static constexpr uint64_t largestVariable = uint64_t(1) << 28;

Variable Parser::variable(bool external) {
  Variable result;
  result.external = external;
  result.line = lexer.peek().line;
  result.space = spaceOf(lexer.next().text);
  bool typed = false;
  uint64_t lanes = 1;
  while (lexer.peek().kind == Token::Word && lexer.peek().text[0] == '.' && !typed) {
    std::string_view word = lexer.next().text.substr(1);
    if (word == "align") {
      uint64_t align = lexer.integer("an alignment");
      if (align == 0 || (align & (align - 1)) || align > 4096)
        lexer.fail("alignment " + std::to_string(align) + " is no power of two up to 4096");
      result.align = static_cast<uint32_t>(align);
    } else if (word == "v2" || word == "v4") {
      lanes = word[1] - '0';
    } else if (word == "attribute") {
      lexer.fail("unsupported: .attribute");
    } else if (parseType(word, result.type)) {
      typed = true;
    } else {
      lexer.fail("'" + std::string(word) + "' is no type");
    }
  }
  if (!typed || result.type.kind == Type::Predicate)
    lexer.unexpected("a type");
  // .param .u64 .ptr .global .align 16 name
  if (lexer.accept(".ptr"))
    while (lexer.peek().kind == Token::Word && lexer.peek().text[0] == '.')
      if (lexer.next().text == ".align")
        lexer.integer("an alignment");
  result.name = lexer.word("a name");
  uint64_t element = result.type.bits / 8 * lanes;
  result.bytes = element;
  if (!result.align)
    result.align = static_cast<uint32_t>(element);
  bool firstDimension = true;
  while (lexer.accept('[')) {
    uint64_t count = 0;
    if (!lexer.is(']'))
      count = lexer.integer("a size");
    else if (!firstDimension)
      lexer.unexpected("a size");
    lexer.expect(']');
    firstDimension = false;
    if (count > largestVariable || result.bytes * count > largestVariable)
      lexer.fail("'" + std::string(result.name) + "' is larger than " + std::to_string(largestVariable) + " bytes");
    result.bytes *= count;
  }
  if (lexer.accept('=')) {
    initial(result, 0);
    if (result.bytes == 0)
      result.bytes = result.initial.size() * element;
    if (result.initial.size() * element > result.bytes)
      lexer.fail("'" + std::string(result.name) + "' has more initial values than elements");
  }
  return result;
}

void Parser::initial(Variable &variable, unsigned depth) {
  if (depth > 8)
    lexer.fail("initial values nest too deep");
  if (lexer.accept('{')) {
    while (!lexer.accept('}')) {
      initial(variable, depth + 1);
      if (!lexer.is('}'))
        lexer.expect(',');
    }
    return;
  }
  Initial value;
  bool negative = lexer.accept('-');
  const Token token = lexer.next();
  if (token.kind == Token::Word) {
    value.symbol = token.text;
    if (token.text == "generic") {
      lexer.expect('(');
      value.symbol = lexer.word("a name");
      lexer.expect(')');
    }
    if (lexer.accept('+'))
      value.value = lexer.integer("an offset");
  } else if (token.kind == Token::Integer) {
    value.value = negative ? -token.value : token.value;
  } else if (token.kind == Token::Single || token.kind == Token::Double) {
    if (negative)
      lexer.fail("expected an initial value, found '-'");
    value.value = token.value;
  } else {
    failAt(token.line, "expected an initial value, found '" + std::string(token.text) + "'");
  }
  variable.initial.push_back(value);
}

void Parser::skipBraces() {
  lexer.expect('{');
  for (unsigned depth = 1; depth;) {
    if (lexer.peek().kind == Token::End)
      lexer.unexpected("'}'");
    const Token token = lexer.next();
    if (token.kind == Token::Sign)
      depth += token.text == "{" ? 1 : token.text == "}" ? -1 : 0;
  }
}

void Parser::fileDirective() {
  uint64_t number = lexer.integer("a number");
  if (lexer.peek().kind != Token::String)
    lexer.unexpected("a file name");
  module.files[static_cast<uint32_t>(number)] = std::string(lexer.next().text);
  while (lexer.accept(','))
    lexer.integer("a number");
}

void Parser::functionDirective(bool entry) {
  Function function;
  function.entry = entry;
  function.line = lexer.peek().line;
  auto list = [&](std::vector<Variable> &variables) {
    if (!lexer.accept('('))
      return;
    while (!lexer.accept(')')) {
      if (!lexer.is(".param"))
        lexer.fail("unsupported: parameters of functions other than .param");
      variables.push_back(variable(false));
      if (!lexer.is(')'))
        lexer.expect(',');
    }
  };
  if (!entry)
    list(function.returns);
  function.name = lexer.word("the name of a function");
  list(function.parameters);
  while (lexer.peek().kind == Token::Word) {
    std::string_view word = lexer.next().text;
    if (word == ".maxntid" || word == ".reqntid") {
      uint64_t threads = lexer.integer("a number of threads");
      while (lexer.accept(','))
        threads *= lexer.integer("a number of threads");
      function.maxThreads = static_cast<uint32_t>(std::min<uint64_t>(threads, 1024));
    } else if (word == ".minnctapersm" || word == ".maxnreg" || word == ".maxnctapersm") {
      lexer.integer("a number");
    } else if (word != ".noreturn") {
      lexer.fail("unsupported directive '" + std::string(word) + "' of a function");
    }
  }
  if (!lexer.accept(';')) {
    function.body = true;
    body(function);
  }
  module.functions.push_back(std::move(function));
}

void Parser::run() {
  while (lexer.peek().kind != Token::End) {
    if (lexer.accept(';'))
      continue;
    bool external = false;
    while (lexer.is(".visible") || lexer.is(".extern") || lexer.is(".weak") || lexer.is(".common"))
      external |= lexer.next().text == ".extern";
    if (startsVariable()) {
      Variable declared = variable(external);
      if (declared.space == Space::Parameter || declared.space == Space::Local)
        failAt(declared.line, "'" + std::string(declared.name) + "' cannot be a variable of the module");
      if (external && declared.space != Space::Shared)
        failAt(declared.line, "external variable '" + std::string(declared.name) + "' has no definition");
      lexer.expect(';');
      globals.emplace(declared.name, module.variables.size());
      module.variables.push_back(std::move(declared));
      continue;
    }
    const Token token = lexer.peek();
    std::string_view word = lexer.word("a directive");
    if (word == ".version") {
      const Token version = lexer.next();
      size_t point = version.text.find('.');
      if (version.kind != Token::Double || point == std::string_view::npos || point + 1 >= version.text.size())
        failAt(version.line, "malformed version '" + std::string(version.text) + "'");
      double number = std::strtod(std::string(version.text).c_str(), nullptr);
      module.version = static_cast<int>(std::clamp(number, 0.0, 1000.0) * 10 + 0.5);
    } else if (word == ".target") {
      module.target = lexer.word("an architecture");
      while (lexer.accept(','))
        lexer.word("a target option");
    } else if (word == ".address_size") {
      if (uint64_t bits = lexer.integer("a number of bits"); bits != 64)
        failAt(token.line, "addresses have " + std::to_string(bits) + " bits, expected 64");
    } else if (word == ".file") {
      fileDirective();
    } else if (word == ".section") {
      lexer.word("a section");
      skipBraces();
    } else if (word == ".entry" || word == ".func") {
      functionDirective(word == ".entry");
    } else {
      failAt(token.line, "unsupported directive '" + std::string(word) + "'");
    }
  }
  if (module.target.empty())
    lexer.fail("no .target");
}

Module ptx::parse(std::string_view text) {
  Module module;
  // A driver is given text that ends with a zero.
  if (!text.empty() && text.back() == 0)
    text.remove_suffix(1);
  module.text = std::make_unique<const std::string>(text);
  Parser(module).run();
  return module;
}

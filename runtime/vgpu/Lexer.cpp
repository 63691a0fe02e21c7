//===- Lexer.cpp - words of PTX ------------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Lexer.h"
#include "runtime/vgpu/Memory.h"

#include <cstdlib>
#include <cstring>

using namespace samba::vgpu;
using namespace samba::vgpu::ptx;

void ptx::failAt(uint32_t line, const std::string &message) {
  throw Error("PTX line " + std::to_string(line) + ": " + message);
}

void Lexer::fail(const std::string &message) const { failAt(current.line, message); }

void Lexer::unexpected(const std::string &expected) const {
  fail("expected " + expected + ", found " +
       (current.kind == Token::End ? "the end" : "'" + std::string(current.text.substr(0, 60)) + "'"));
}

static bool isDigit(char c) { return c >= '0' && c <= '9'; }
static bool startsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c == '%' || c == '.';
}
static int digit(char c) {
  if (isDigit(c))
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

void Lexer::skipSpace() {
  while (at < text.size()) {
    char c = text[at];
    if (c == '\n')
      ++line;
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v') {
      ++at;
    } else if (text.compare(at, 2, "//") == 0) {
      while (at < text.size() && text[at] != '\n')
        ++at;
    } else if (text.compare(at, 2, "/*") == 0) {
      size_t end = text.find("*/", at + 2);
      if (end == std::string_view::npos)
        failAt(line, "comment without an end");
      for (; at < end + 2; ++at)
        line += text[at] == '\n';
    } else {
      return;
    }
  }
}

void Lexer::number() {
  size_t start = at;
  auto fixed = [&](Token::Kind kind, unsigned digits) {
    current.kind = kind;
    for (at += 2; digits--; ++at) {
      if (at >= text.size() || digit(text[at]) > 15)
        failAt(line, "malformed number '" + std::string(text.substr(start, 20)) + "'");
      current.value = current.value << 4 | digit(text[at]);
    }
  };
  char second = at + 1 < text.size() ? text[at + 1] : 0;
  current.value = 0;
  if (text[at] == '0' && (second == 'f' || second == 'F')) {
    fixed(Token::Single, 8);
  } else if (text[at] == '0' && (second == 'd' || second == 'D')) {
    fixed(Token::Double, 16);
  } else {
    unsigned base = 10;
    if (text[at] == '0' && (second == 'x' || second == 'X')) {
      base = 16;
      at += 2;
    } else if (text[at] == '0' && (second == 'b' || second == 'B')) {
      base = 2;
      at += 2;
    } else if (text[at] == '0' && isDigit(second)) {
      base = 8;
    }
    size_t first = at;
    bool overflow = false;
    for (; at < text.size() && unsigned(digit(text[at])) < base; ++at) {
      unsigned __int128 wide = static_cast<unsigned __int128>(current.value) * base + digit(text[at]);
      overflow |= wide >> 64 != 0;
      current.value = static_cast<uint64_t>(wide);
    }
    current.kind = Token::Integer;
    bool exponent = at < text.size() && (text[at] == 'e' || text[at] == 'E');
    if (base == 10 && at < text.size() && (text[at] == '.' || exponent)) {
      std::string copy(text.substr(start, 64));
      char *end = nullptr;
      double value = std::strtod(copy.c_str(), &end);
      at = start + (end - copy.c_str());
      std::memcpy(&current.value, &value, 8);
      current.kind = Token::Double;
    } else if (overflow || at == first) {
      failAt(line, "malformed number '" + std::string(text.substr(start, 20)) + "'");
    } else if (at < text.size() && text[at] == 'U') {
      ++at;
    }
  }
  if (at < text.size() && startsWord(text[at]) && text[at] != '.')
    failAt(line, "malformed number '" + std::string(text.substr(start, at - start + 1)) + "'");
  current.text = text.substr(start, at - start);
}

void Lexer::advance() {
  skipSpace();
  current = {};
  current.line = line;
  if (at >= text.size())
    return;
  size_t start = at;
  char c = text[at];
  if (isDigit(c)) {
    number();
  } else if (startsWord(c)) {
    // "::" belongs to words: .shared::cluster
    while (at < text.size() && (startsWord(text[at]) || isDigit(text[at]) || text.compare(at, 2, "::") == 0))
      at += text[at] == ':' ? 2 : 1;
    current.kind = Token::Word;
    current.text = text.substr(start, at - start);
  } else if (c == '"') {
    for (++at; at < text.size() && text[at] != '"' && text[at] != '\n'; ++at)
      at += text[at] == '\\' && at + 1 < text.size() && text[at + 1] != '\n';
    if (at >= text.size() || text[at] != '"')
      failAt(line, "string without an end");
    current.kind = Token::String;
    current.text = text.substr(start + 1, at - start - 1);
    ++at;
  } else {
    ++at;
    current.kind = Token::Sign;
    current.text = text.substr(start, 1);
  }
}

Token Lexer::next() {
  Token token = current;
  advance();
  return token;
}

bool Lexer::accept(char sign) {
  if (!is(sign))
    return false;
  advance();
  return true;
}

bool Lexer::accept(std::string_view word) {
  if (!is(word))
    return false;
  advance();
  return true;
}

void Lexer::expect(char sign) {
  if (!accept(sign))
    unexpected(std::string("'") + sign + "'");
}

std::string_view Lexer::word(const char *what) {
  if (current.kind != Token::Word)
    unexpected(what);
  return next().text;
}

uint64_t Lexer::integer(const char *what) {
  bool negative = accept('-');
  if (current.kind != Token::Integer)
    unexpected(what);
  uint64_t value = next().value;
  return negative ? -value : value;
}

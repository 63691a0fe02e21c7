//===- Lexer.h - words of PTX ----------------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_LEXER_H
#define RUNTIME_VGPU_LEXER_H

#include <cstdint>
#include <string>
#include <string_view>

namespace samba::vgpu::ptx {

struct Token {
  enum Kind : uint8_t {
    End,
    Word,    // names, opcodes and directives: letters, digits, and any of _ $ % .
    Integer, // value
    Single,  // 0f3F800000: value has the bits
    Double,  // 0d..., and decimal numbers with a point
    String,  // without its quotes
    Sign,    // one character
  } kind = End;
  std::string_view text;
  uint64_t value = 0;
  uint32_t line = 1;
};

/// Cuts a text into tokens, with one token of look-ahead.
class Lexer {
public:
  explicit Lexer(std::string_view text) : text(text) { advance(); }
  const Token &peek() const { return current; }
  Token next();
  bool is(char sign) const { return current.kind == Token::Sign && current.text[0] == sign; }
  bool is(std::string_view word) const { return current.kind == Token::Word && current.text == word; }
  /// Takes the token if it is this one.
  bool accept(char sign);
  bool accept(std::string_view word);
  void expect(char sign);
  std::string_view word(const char *what);
  uint64_t integer(const char *what);
  /// Throws Error: "PTX line 7: expected ..., found ...".
  [[noreturn]] void fail(const std::string &message) const;
  [[noreturn]] void unexpected(const std::string &expected) const;

private:
  void advance();
  void skipSpace();
  void number();

  std::string_view text;
  size_t at = 0;
  uint32_t line = 1;
  Token current;
};

[[noreturn]] void failAt(uint32_t line, const std::string &message);

} // namespace samba::vgpu::ptx

#endif // RUNTIME_VGPU_LEXER_H

//===- Syntax.h - the parts of a chat template -----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_CHAT_SYNTAX_H
#define RUNTIME_CHAT_SYNTAX_H

#include "runtime/chat/Value.h"

namespace samba::runtime::chat {

struct Place {
  int line = 1, column = 1;
};

/// Throws SAMBA_ERROR_TEMPLATE; the message becomes one line.
[[noreturn]] void failAt(const Place &place, const std::string &message);

struct Token {
  enum Kind { Text, PrintBegin, PrintEnd, BlockBegin, BlockEnd, Name, String, Integer, Float, Operator, End };
  Kind kind;
  Place place;
  std::string text; // of a string, its value
};

/// Cuts a template into tokens, with the rules of trim_blocks and lstrip_blocks.
std::vector<Token> lex(const std::string &text);

struct Node;
using NodePtr = std::unique_ptr<Node>;

/// A part of an expression or a statement.
struct Node {
  enum Kind {
    // Expressions:
    Literal,     // value
    Name,        // text
    ListOf,      // parts
    TupleOf,     // parts
    MappingOf,   // parts: key, value, key, value
    Attribute,   // parts[0].text
    Index,       // parts[0][parts[1]]
    Slice,       // parts[0][parts[1]:parts[2]:parts[3]], null ones absent
    Call,        // parts[0](parts[1..], named)
    Filter,      // parts[0] | text(parts[1..], named); parts[0] is null in a filter block
    Test,        // parts[0] is text(parts[1..], named)
    Unary,       // text parts[0]
    Binary,      // parts[0] text parts[1]
    Compare,     // parts[0] names[0] parts[1] names[1] parts[2]
    Conditional, // parts[0] if parts[1] else parts[2], which may be null
    // Statements:
    Sequence,    // body
    Text,        // text
    Print,       // parts[0]
    If,          // if parts[0]: body, else: other
    For,         // for parts[0] in parts[1] if parts[2] (may be null): body, if there was nothing: other
    Set,         // parts[0] = parts[1]
    SetBlock,    // parts[0] = body through the filters parts[1] (may be null)
    Macro,       // text(names = parts, null ones absent): body
    CallBlock,   // parts[0] is a Call, names and parts[1..] are the parameters of its caller(): body
    FilterBlock, // body through parts[0]
    With,        // parts: target, value, ...: body
    Break,
    Continue
  };

  Kind kind;
  Place place;
  std::string text;
  Value value;
  std::vector<NodePtr> parts, body, other;
  std::vector<std::string> names;
  std::vector<std::pair<std::string, NodePtr>> named;
  int depth = 1;
};

NodePtr parse(const std::string &text);

bool isFilter(const std::string &name);
bool isTest(const std::string &name);

} // namespace samba::runtime::chat

#endif // RUNTIME_CHAT_SYNTAX_H

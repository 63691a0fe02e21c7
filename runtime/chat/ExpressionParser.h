//===- ExpressionParser.h - expressions of a chat template ------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_CHAT_EXPRESSIONPARSER_H
#define RUNTIME_CHAT_EXPRESSIONPARSER_H

#include "runtime/chat/Syntax.h"

#include <algorithm>
#include <initializer_list>

namespace samba::runtime::chat {

/// Reads tokens one by one, and the expressions that they make. What is wrong throws with its place.
class ExpressionParser {
protected:
  explicit ExpressionParser(const std::string &text) : tokens(lex(text)) {}

  static constexpr int maxDepth = 300; // of nested parts

  const Token &token() const { return tokens[next]; }
  Place here() const { return token().place; }
  bool isOperator(const char *text) const { return token().kind == Token::Operator && token().text == text; }
  bool isName(const char *text) const { return token().kind == Token::Name && token().text == text; }
  void advance() { next += next + 1 < tokens.size(); }
  bool take(const char *text) {
    if (!isOperator(text))
      return false;
    advance();
    return true;
  }
  bool takeName(const char *text) {
    if (!isName(text))
      return false;
    advance();
    return true;
  }
  std::string shown() const {
    switch (token().kind) {
    case Token::BlockEnd:
      return "%}";
    case Token::PrintEnd:
      return "}}";
    case Token::End:
      return "the end of the template";
    default:
      return "'" + token().text.substr(0, 40) + "'";
    }
  }
  [[noreturn]] void expected(const std::string &what) const {
    failAt(here(), "expected " + what + ", found " + shown());
  }
  void expect(const char *text) {
    if (!take(text))
      expected(std::string("'") + text + "'");
  }
  void expectEnd() {
    if (token().kind != Token::BlockEnd)
      expected("%}");
    advance();
  }
  std::string name() {
    if (token().kind != Token::Name)
      expected("a name");
    std::string text = token().text;
    advance();
    return text;
  }

  static NodePtr make(Node::Kind kind, Place place, std::string text = "") {
    NodePtr node = std::make_unique<Node>();
    node->kind = kind;
    node->place = place;
    node->text = std::move(text);
    return node;
  }
  /// Measures the depth of a node whose parts are all there.
  static NodePtr finish(NodePtr node) {
    auto see = [&](const NodePtr &part) { node->depth = std::max(node->depth, part ? part->depth + 1 : 1); };
    std::for_each(node->parts.begin(), node->parts.end(), see);
    std::for_each(node->body.begin(), node->body.end(), see);
    std::for_each(node->other.begin(), node->other.end(), see);
    for (const auto &[name, part] : node->named)
      see(part);
    if (node->depth > maxDepth)
      failAt(node->place, "nested deeper than " + std::to_string(maxDepth));
    return node;
  }
  template <typename... Parts> static NodePtr make(Node::Kind kind, Place place, std::string text, Parts... parts) {
    NodePtr node = make(kind, place, std::move(text));
    (node->parts.push_back(std::move(parts)), ...);
    return finish(std::move(node));
  }
  struct Level {
    explicit Level(ExpressionParser &parser) : parser(parser) {
      if (++parser.level > maxDepth)
        failAt(parser.here(), "nested deeper than " + std::to_string(maxDepth));
    }
    ~Level() { --parser.level; }
    ExpressionParser &parser;
  };

  // ---- Expressions

  /// One expression, or several with commas between them.
  NodePtr tuple(bool conditions = true);
  NodePtr expression();
  NodePtr disjunction();
  NodePtr negation();
  NodePtr comparison();
  /// Operands with the operations, signs or words, between them; they group to the left.
  template <typename Operand> NodePtr binary(std::initializer_list<const char *> operations, Operand operand) {
    NodePtr left = operand();
    while (true) {
      const char *found = nullptr;
      for (const char *operation : operations)
        if (isOperator(operation) || isName(operation))
          found = operation;
      if (!found)
        return left;
      Place place = here();
      advance();
      NodePtr right = operand();
      left = make(Node::Binary, place, found, std::move(left), std::move(right));
    }
  }
  NodePtr sum();
  NodePtr unary(bool withFilters = true);
  NodePtr primary();
  NodePtr postfix(NodePtr node);
  NodePtr subscript(NodePtr node, Place place);
  /// Adds what stands in brackets to a node that has its other parts.
  NodePtr call(NodePtr callee, Place place);
  void arguments(Node &node);
  /// Filters and tests behind a value, which is null in a filter block. With `first`, a filter without "|" begins.
  NodePtr filters(NodePtr node, bool first = false);
  NodePtr test(NodePtr value, Place place);

  std::vector<Token> tokens;
  size_t next = 0;
  int level = 0;
};

} // namespace samba::runtime::chat

#endif // RUNTIME_CHAT_EXPRESSIONPARSER_H

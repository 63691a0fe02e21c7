//===- Parser.cpp - the parts of a chat template -------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/chat/Syntax.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <initializer_list>

using namespace samba::runtime;
using namespace samba::runtime::chat;

namespace {

constexpr int maxDepth = 300; // of nested parts

class Parser {
public:
  explicit Parser(const std::string &text) : tokens(lex(text)) {}

  NodePtr run() {
    NodePtr root = make(Node::Sequence, here());
    std::string end = body(root->body, {});
    return finish(std::move(root));
  }

private:
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
    explicit Level(Parser &parser) : parser(parser) {
      if (++parser.level > maxDepth)
        failAt(parser.here(), "nested deeper than " + std::to_string(maxDepth));
    }
    ~Level() { --parser.level; }
    Parser &parser;
  };

  // ---- Statements

  /// Statements up to one of the names, which is returned and read.
  std::string body(std::vector<NodePtr> &out, std::initializer_list<const char *> ends) {
    Level guard(*this);
    Place start = here();
    while (true) {
      Place place = here();
      switch (token().kind) {
      case Token::End:
        if (ends.size() == 0)
          return "";
        failAt(start, std::string("there is no ") + *(ends.end() - 1));
      case Token::Text:
        out.push_back(make(Node::Text, place, token().text));
        advance();
        break;
      case Token::PrintBegin: {
        advance();
        NodePtr value = tuple();
        if (token().kind != Token::PrintEnd)
          expected("}}");
        advance();
        out.push_back(make(Node::Print, place, "", std::move(value)));
        break;
      }
      default: {
        advance();
        place = here();
        std::string word = name();
        for (const char *end : ends)
          if (word == end)
            return word;
        if (NodePtr node = statement(word, place))
          out.push_back(std::move(node));
      }
      }
    }
  }

  NodePtr statement(const std::string &word, Place place) {
    if (word == "if")
      return parseIf(place);
    if (word == "for")
      return parseFor(place);
    if (word == "set")
      return parseSet(place);
    if (word == "macro")
      return parseMacro(place);
    if (word == "call") {
      NodePtr node = make(Node::CallBlock, place);
      std::vector<NodePtr> defaults;
      if (isOperator("("))
        parameters(node->names, defaults);
      node->parts.push_back(expression());
      if (node->parts[0]->kind != Node::Call)
        failAt(place, "expected a call");
      std::move(defaults.begin(), defaults.end(), std::back_inserter(node->parts));
      expectEnd();
      body(node->body, {"endcall"});
      expectEnd();
      return finish(std::move(node));
    }
    if (word == "filter") {
      NodePtr node = make(Node::FilterBlock, place);
      node->parts.push_back(filters(nullptr, /*first=*/true));
      expectEnd();
      body(node->body, {"endfilter"});
      expectEnd();
      return finish(std::move(node));
    }
    if (word == "with") {
      NodePtr node = make(Node::With, place);
      while (token().kind != Token::BlockEnd) {
        if (!node->parts.empty())
          expect(",");
        node->parts.push_back(target());
        expect("=");
        node->parts.push_back(expression());
      }
      expectEnd();
      body(node->body, {"endwith"});
      expectEnd();
      return finish(std::move(node));
    }
    if (word == "generation") { // marks what the model has said, for training
      expectEnd();
      NodePtr node = make(Node::Sequence, place);
      body(node->body, {"endgeneration"});
      expectEnd();
      return finish(std::move(node));
    }
    if (word == "break" || word == "continue") {
      if (loops == 0)
        failAt(place, word + " outside of a loop");
      expectEnd();
      return make(word == "break" ? Node::Break : Node::Continue, place);
    }
    failAt(place, "the statement '" + word.substr(0, 40) + "' is not supported");
  }

  NodePtr parseIf(Place place) {
    NodePtr node = make(Node::If, place);
    node->parts.push_back(tuple());
    expectEnd();
    Place end = here();
    std::string word = body(node->body, {"elif", "else", "endif"});
    if (word == "elif") {
      Level guard(*this);
      node->other.push_back(parseIf(end));
      return finish(std::move(node));
    }
    expectEnd();
    if (word == "else") {
      body(node->other, {"endif"});
      expectEnd();
    }
    return finish(std::move(node));
  }

  NodePtr parseFor(Place place) {
    NodePtr node = make(Node::For, place);
    node->parts.push_back(targets());
    if (!takeName("in"))
      expected("'in'");
    node->parts.push_back(tuple(/*conditions=*/false));
    node->parts.push_back(takeName("if") ? expression() : nullptr);
    if (isName("recursive"))
      failAt(here(), "recursive loops are not supported");
    expectEnd();
    ++loops;
    std::string word = body(node->body, {"else", "endfor"});
    --loops;
    expectEnd();
    if (word == "else") {
      body(node->other, {"endfor"});
      expectEnd();
    }
    return finish(std::move(node));
  }

  NodePtr parseSet(Place place) {
    NodePtr to = targets();
    if (take("=")) {
      NodePtr value = tuple();
      expectEnd();
      return make(Node::Set, place, "", std::move(to), std::move(value));
    }
    NodePtr node = make(Node::SetBlock, place);
    node->parts.push_back(std::move(to));
    node->parts.push_back(isOperator("|") ? filters(nullptr) : nullptr);
    expectEnd();
    body(node->body, {"endset"});
    expectEnd();
    return finish(std::move(node));
  }

  NodePtr parseMacro(Place place) {
    NodePtr node = make(Node::Macro, place, name());
    parameters(node->names, node->parts);
    expectEnd();
    int outer = loops;
    loops = 0;
    body(node->body, {"endmacro"});
    loops = outer;
    expectEnd();
    return finish(std::move(node));
  }

  void parameters(std::vector<std::string> &names, std::vector<NodePtr> &defaults) {
    expect("(");
    while (!take(")")) {
      if (!names.empty())
        expect(",");
      names.push_back(name());
      defaults.push_back(take("=") ? expression() : nullptr);
    }
  }

  NodePtr target() {
    Place place = here();
    std::string word = name();
    for (const char *reserved : {"true", "false", "none", "True", "False", "None", "not", "in", "if", "else", "loop"})
      if (word == reserved)
        failAt(place, "cannot assign to '" + word + "'");
    NodePtr node = make(Node::Name, place, word);
    if (take(".")) {
      std::string attribute = name();
      return make(Node::Attribute, place, attribute, std::move(node));
    }
    return node;
  }

  NodePtr targets() {
    Place place = here();
    bool bracket = take("(");
    NodePtr node = make(Node::TupleOf, place);
    node->parts.push_back(target());
    bool many = false;
    while (take(",")) {
      many = true;
      if (token().kind != Token::Name || isName("in"))
        break;
      node->parts.push_back(target());
    }
    if (bracket)
      expect(")");
    return many ? finish(std::move(node)) : std::move(node->parts[0]);
  }

  // ---- Expressions

  /// One expression, or several with commas between them.
  NodePtr tuple(bool conditions = true) {
    Place place = here();
    NodePtr first = conditions ? expression() : disjunction();
    if (!isOperator(","))
      return first;
    NodePtr node = make(Node::TupleOf, place);
    node->parts.push_back(std::move(first));
    while (take(",")) {
      if (token().kind == Token::BlockEnd || token().kind == Token::PrintEnd || isOperator(")") || isOperator("="))
        break;
      node->parts.push_back(conditions ? expression() : disjunction());
    }
    return finish(std::move(node));
  }

  NodePtr expression() {
    Level guard(*this);
    NodePtr node = disjunction();
    while (isName("if")) {
      Place place = here();
      advance();
      NodePtr condition = disjunction();
      NodePtr other = takeName("else") ? expression() : nullptr;
      node = make(Node::Conditional, place, "", std::move(node), std::move(condition), std::move(other));
    }
    return node;
  }

  NodePtr disjunction() {
    return binary({"or"}, [&] { return binary({"and"}, [&] { return negation(); }); });
  }

  NodePtr negation() {
    if (!isName("not"))
      return comparison();
    Level guard(*this);
    Place place = here();
    advance();
    return make(Node::Unary, place, "not", negation());
  }

  NodePtr comparison() {
    Place place = here();
    NodePtr node = make(Node::Compare, place);
    node->parts.push_back(sum());
    while (true) {
      std::string operation;
      if (token().kind == Token::Operator)
        for (const char *candidate : {"==", "!=", "<", ">", "<=", ">="})
          if (token().text == candidate)
            operation = candidate;
      if (isName("in")) {
        operation = "in";
      } else if (isName("not") && tokens[next + 1].kind == Token::Name && tokens[next + 1].text == "in") {
        operation = "not in";
        advance();
      }
      if (operation.empty())
        break;
      advance();
      node->names.push_back(operation);
      node->parts.push_back(sum());
    }
    return node->names.empty() ? std::move(node->parts[0]) : finish(std::move(node));
  }

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

  NodePtr sum() {
    return binary({"+", "-"}, [&] {
      return binary({"~"}, [&] {
        return binary({"*", "/", "//", "%"}, [&] { return binary({"**"}, [&] { return unary(); }); });
      });
    });
  }

  NodePtr unary(bool withFilters = true) {
    Level guard(*this);
    Place place = here();
    NodePtr node;
    if (isOperator("-") || isOperator("+")) {
      std::string sign = token().text;
      advance();
      node = make(Node::Unary, place, sign, unary(/*withFilters=*/false));
    } else {
      node = postfix(primary());
    }
    return withFilters ? filters(std::move(node)) : std::move(node);
  }

  NodePtr primary() {
    Place place = here();
    Token found = token();
    switch (found.kind) {
    case Token::Name: {
      advance();
      std::string word = found.text;
      NodePtr node = make(Node::Literal, place);
      if (word == "true" || word == "True" || word == "false" || word == "False")
        node->value = Value::boolean(word[0] == 't' || word[0] == 'T');
      else if (word == "none" || word == "None")
        node->value = Value::none();
      else if (word == "not" || word == "in" || word == "if" || word == "else" || word == "and" || word == "or")
        failAt(place, "expected a value, found '" + word + "'");
      else
        return make(Node::Name, place, word);
      return node;
    }
    case Token::String: {
      NodePtr node = make(Node::Literal, place);
      std::string text;
      for (; token().kind == Token::String; advance())
        text += token().text;
      node->value = Value::string(text);
      return node;
    }
    case Token::Integer: {
      advance();
      errno = 0;
      long long number = std::strtoll(found.text.c_str(), nullptr, 10);
      if (errno)
        failAt(place, "the number " + found.text.substr(0, 40) + " is too large");
      NodePtr node = make(Node::Literal, place);
      node->value = Value::integer(number);
      return node;
    }
    case Token::Float: {
      advance();
      NodePtr node = make(Node::Literal, place);
      node->value = Value::real(std::strtod(found.text.c_str(), nullptr));
      return node;
    }
    default:
      break;
    }
    if (take("(")) {
      NodePtr node;
      if (isOperator(")"))
        node = make(Node::TupleOf, place);
      else
        node = tuple();
      expect(")");
      return node;
    }
    if (take("[")) {
      NodePtr node = make(Node::ListOf, place);
      while (!take("]")) {
        if (!node->parts.empty())
          expect(",");
        if (take("]"))
          break;
        node->parts.push_back(expression());
      }
      return finish(std::move(node));
    }
    if (take("{")) {
      NodePtr node = make(Node::MappingOf, place);
      while (!take("}")) {
        if (!node->parts.empty())
          expect(",");
        if (take("}"))
          break;
        node->parts.push_back(expression());
        expect(":");
        node->parts.push_back(expression());
      }
      return finish(std::move(node));
    }
    expected("a value");
  }

  NodePtr postfix(NodePtr node) {
    while (true) {
      Place place = here();
      if (take(".")) {
        if (token().kind == Token::Integer) {
          NodePtr index = primary();
          node = make(Node::Index, place, "", std::move(node), std::move(index));
          continue;
        }
        std::string attribute = name();
        node = make(Node::Attribute, place, attribute, std::move(node));
      } else if (take("[")) {
        node = subscript(std::move(node), place);
      } else if (isOperator("(")) {
        NodePtr call = make(Node::Call, place);
        call->parts.push_back(std::move(node));
        arguments(*call);
        node = finish(std::move(call));
      } else {
        return node;
      }
    }
  }

  NodePtr subscript(NodePtr node, Place place) {
    NodePtr limits[3];
    size_t colons = 0;
    while (!isOperator("]")) {
      if (take(":")) {
        if (++colons > 2)
          expected("']'");
        continue;
      }
      if (limits[colons])
        expected("']'");
      limits[colons] = expression();
    }
    expect("]");
    if (colons == 0 && !limits[0])
      failAt(place, "expected an index, found ']'");
    if (colons == 0)
      return make(Node::Index, place, "", std::move(node), std::move(limits[0]));
    return make(Node::Slice, place, "", std::move(node), std::move(limits[0]), std::move(limits[1]),
                std::move(limits[2]));
  }

  /// Adds what stands in brackets to a node that has its other parts.
  void arguments(Node &node) {
    expect("(");
    bool first = true;
    while (!take(")")) {
      if (!first)
        expect(",");
      first = false;
      if (take(")"))
        break;
      if (isOperator("*") || isOperator("**"))
        failAt(here(), "lists of arguments are not supported");
      bool isNamed =
          token().kind == Token::Name && tokens[next + 1].kind == Token::Operator && tokens[next + 1].text == "=";
      if (isNamed) {
        std::string key = name();
        expect("=");
        node.named.emplace_back(key, expression());
      } else {
        if (!node.named.empty())
          failAt(here(), "an argument without a name after one with a name");
        node.parts.push_back(expression());
      }
    }
  }

  /// Filters and tests behind a value, which is null in a filter block. With `first`, a filter without "|" begins.
  NodePtr filters(NodePtr node, bool first = false) {
    while (true) {
      Place place = here();
      if (first || take("|")) {
        first = false;
        std::string filter = name();
        if (!isFilter(filter))
          failAt(place, "there is no filter '" + filter.substr(0, 40) + "'");
        NodePtr applied = make(Node::Filter, place, filter);
        applied->parts.push_back(std::move(node));
        if (isOperator("("))
          arguments(*applied);
        node = finish(std::move(applied));
      } else if (node && takeName("is")) {
        node = test(std::move(node), place);
      } else if (node && isOperator("(")) {
        NodePtr call = make(Node::Call, place);
        call->parts.push_back(std::move(node));
        arguments(*call);
        node = finish(std::move(call));
      } else {
        return node;
      }
    }
  }

  NodePtr test(NodePtr value, Place place) {
    bool negated = takeName("not");
    std::string which = token().kind == Token::Operator ? "" : name();
    if (!isTest(which))
      failAt(place, "there is no test '" + which.substr(0, 40) + "'");
    NodePtr node = make(Node::Test, place, which);
    node->parts.push_back(std::move(value));
    bool follows = token().kind == Token::String || token().kind == Token::Integer || token().kind == Token::Float ||
                   isOperator("[") || isOperator("{");
    if (token().kind == Token::Name)
      follows = !isName("else") && !isName("or") && !isName("and") && !isName("is") && !isName("if") && !isName("in") &&
                !isName("not");
    if (isOperator("("))
      arguments(*node);
    else if (follows)
      node->parts.push_back(postfix(primary()));
    node = finish(std::move(node));
    return negated ? make(Node::Unary, place, "not", std::move(node)) : std::move(node);
  }

  std::vector<Token> tokens;
  size_t next = 0;
  int level = 0, loops = 0;
};

} // namespace

NodePtr chat::parse(const std::string &text) { return Parser(text).run(); }

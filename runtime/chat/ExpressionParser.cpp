//===- ExpressionParser.cpp - expressions of a chat template --------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/chat/ExpressionParser.h"

#include <cerrno>
#include <cstdlib>

using namespace samba::runtime;
using namespace samba::runtime::chat;

NodePtr ExpressionParser::tuple(bool conditions) {
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

NodePtr ExpressionParser::expression() {
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

NodePtr ExpressionParser::disjunction() {
  return binary({"or"}, [&] { return binary({"and"}, [&] { return negation(); }); });
}

NodePtr ExpressionParser::negation() {
  if (!isName("not"))
    return comparison();
  Level guard(*this);
  Place place = here();
  advance();
  return make(Node::Unary, place, "not", negation());
}

NodePtr ExpressionParser::comparison() {
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

NodePtr ExpressionParser::sum() {
  return binary({"+", "-"}, [&] {
    return binary(
        {"~"}, [&] { return binary({"*", "/", "//", "%"}, [&] { return binary({"**"}, [&] { return unary(); }); }); });
  });
}

NodePtr ExpressionParser::unary(bool withFilters) {
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

NodePtr ExpressionParser::primary() {
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

NodePtr ExpressionParser::postfix(NodePtr node) {
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
      node = call(std::move(node), place);
    } else {
      return node;
    }
  }
}

NodePtr ExpressionParser::subscript(NodePtr node, Place place) {
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

NodePtr ExpressionParser::call(NodePtr callee, Place place) {
  NodePtr node = make(Node::Call, place);
  node->parts.push_back(std::move(callee));
  arguments(*node);
  return finish(std::move(node));
}

void ExpressionParser::arguments(Node &node) {
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

NodePtr ExpressionParser::filters(NodePtr node, bool first) {
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
      node = call(std::move(node), place);
    } else {
      return node;
    }
  }
}

NodePtr ExpressionParser::test(NodePtr value, Place place) {
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

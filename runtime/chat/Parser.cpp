//===- Parser.cpp - the parts of a chat template --------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/chat/ExpressionParser.h"

#include <algorithm>

using namespace samba::runtime;
using namespace samba::runtime::chat;

namespace {

/// The statements.
class Parser : ExpressionParser {
public:
  explicit Parser(const std::string &text) : ExpressionParser(text) {}

  NodePtr run() {
    NodePtr root = make(Node::Sequence, here());
    std::string end = body(root->body, {});
    return finish(std::move(root));
  }

private:
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

  int loops = 0;
};

} // namespace

NodePtr chat::parse(const std::string &text) { return Parser(text).run(); }

//===- Lexer.cpp - cuts a chat template into tokens ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Error.h"
#include "runtime/chat/Syntax.h"
#include "runtime/tokenizer/Unicode.h"

#include <cstring>

using namespace samba::runtime;
using namespace samba::runtime::chat;

void chat::failAt(const Place &place, const std::string &message) {
  std::string line;
  for (char c : message.substr(0, 500))
    line += static_cast<uint8_t>(c) < 0x20 || c == 0x7f ? ' ' : c;
  throw Error(SAMBA_ERROR_TEMPLATE, "chat template: line " + std::to_string(place.line) + ", column " +
                                        std::to_string(place.column) + ": " + toUtf8(std::string_view(line)));
}

namespace {

bool isBlank(char c) { return std::strchr(" \t\n\r\v\f", c) && c; }
bool isNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
public:
  explicit Lexer(const std::string &given) {
    for (size_t i = 0; i < given.size(); ++i) { // line ends become \n
      if (given[i] == '\r')
        i += i + 1 < given.size() && given[i + 1] == '\n';
      source += given[i] == '\r' ? '\n' : given[i];
    }
    if (!source.empty() && source.back() == '\n')
      source.pop_back();
  }

  std::vector<Token> run() {
    if (!isUtf8(source))
      failAt(place(), "expected UTF-8");
    while (at < source.size())
      data();
    add(Token::End, "");
    return std::move(tokens);
  }

private:
  bool starts(const char *what) const { return source.compare(at, std::strlen(what), what) == 0; }

  Place place() {
    for (; counted < at; ++counted) {
      if (source[counted] == '\n')
        where = {where.line + 1, 1};
      else if ((static_cast<uint8_t>(source[counted]) & 0xc0) != 0x80)
        ++where.column;
    }
    return where;
  }

  void add(Token::Kind kind, std::string text) { tokens.push_back({kind, place(), std::move(text)}); }

  /// Text up to the next tag, and the tag.
  void data() {
    size_t begin = at, tag = at;
    while (tag < source.size() &&
           !(source[tag] == '{' && tag + 1 < source.size() && std::strchr("{%#", source[tag + 1]) && source[tag + 1]))
      ++tag;
    std::string text = source.substr(begin, tag - begin);
    if (tag == source.size()) {
      addText(text);
      at = tag;
      return;
    }
    char kind = source[tag + 1], sign = tag + 2 < source.size() ? source[tag + 2] : '\0';
    if (sign == '-') {
      while (!text.empty() && isBlank(text.back()))
        text.pop_back();
    } else if (sign != '+' && kind != '{') {
      // A tag that is first on its line takes the blanks before it away.
      size_t line = text.rfind('\n');
      bool whole = line != std::string::npos || lineStarts;
      size_t from = line == std::string::npos ? 0 : line + 1;
      if (whole && text.find_first_not_of(" \t\v\f", from) == std::string::npos)
        text.resize(from);
    }
    addText(text);
    at = tag;
    size_t skip = sign == '-' || sign == '+' ? 3 : 2;
    if (kind == '#') {
      Place start = place();
      size_t end = source.find("#}", at + 2);
      if (end == std::string::npos)
        failAt(start, "the comment has no end");
      bool strip = source[end - 1] == '-' && end - 1 >= at + 2;
      bool keep = source[end - 1] == '+' && end - 1 >= at + 2;
      at = end + 2;
      afterTag(strip, !keep);
      return;
    }
    add(kind == '{' ? Token::PrintBegin : Token::BlockBegin, "");
    at += skip;
    if (kind == '%' && raw())
      return;
    code(kind == '{' ? "}}" : "%}");
  }

  void addText(const std::string &text) {
    if (!text.empty())
      add(Token::Text, text);
  }

  void afterTag(bool strip, bool trim) {
    lineStarts = false;
    if (strip) {
      while (at < source.size() && isBlank(source[at])) {
        lineStarts = source[at] == '\n';
        ++at;
      }
    } else if (trim && at < source.size() && source[at] == '\n') {
      ++at;
      lineStarts = true;
    }
  }

  /// {% raw %} ... {% endraw %}; the begin of the block is read.
  bool raw() {
    size_t from = at;
    auto blanks = [&] {
      while (from < source.size() && isBlank(source[from]))
        ++from;
    };
    auto word = [&](const char *name) {
      blanks();
      if (source.compare(from, std::strlen(name), name) != 0)
        return false;
      from += std::strlen(name);
      blanks();
      return true;
    };
    if (!word("raw"))
      return false;
    bool strip = from < source.size() && source[from] == '-', keep = from < source.size() && source[from] == '+';
    from += strip || keep;
    if (source.compare(from, 2, "%}") != 0)
      return false;
    Place start = place();
    tokens.pop_back();
    at = from + 2;
    afterTag(strip, !keep);
    for (size_t end = source.find("{%", at); end != std::string::npos; end = source.find("{%", end + 2)) {
      from = end + 2;
      bool stripText = from < source.size() && source[from] == '-', plus = from < source.size() && source[from] == '+';
      from += stripText || plus;
      if (!word("endraw"))
        continue;
      bool stripAfter = from < source.size() && source[from] == '-',
           keepAfter = from < source.size() && source[from] == '+';
      from += stripAfter || keepAfter;
      if (source.compare(from, 2, "%}") != 0)
        continue;
      std::string text = source.substr(at, end - at);
      if (stripText) {
        while (!text.empty() && isBlank(text.back()))
          text.pop_back();
      } else if (!plus) {
        size_t line = text.rfind('\n'), begin = line == std::string::npos ? 0 : line + 1;
        if ((line != std::string::npos || lineStarts) && text.find_first_not_of(" \t\v\f", begin) == std::string::npos)
          text.resize(begin);
      }
      addText(text);
      at = from + 2;
      afterTag(stripAfter, !keepAfter);
      return true;
    }
    failAt(start, "raw has no endraw");
  }

  void code(const char *end) {
    Place start = tokens.back().place;
    std::string open; // brackets
    while (true) {
      while (at < source.size() && isBlank(source[at]))
        ++at;
      if (at >= source.size())
        failAt(start, std::string("expected ") + end + ", found the end of the template");
      bool sign = (source[at] == '-' || source[at] == '+') && source.compare(at + 1, 2, end) == 0;
      if (open.empty() && (sign || starts(end))) {
        bool block = end[0] == '%', strip = sign && source[at] == '-', keep = sign && source[at] == '+';
        add(block ? Token::BlockEnd : Token::PrintEnd, "");
        at += sign ? 3 : 2;
        return afterTag(strip, block && !keep);
      }
      char c = source[at];
      if (isNameStart(c)) {
        size_t from = at;
        Place here = place();
        while (at < source.size() && (isNameStart(source[at]) || isDigit(source[at])))
          ++at;
        tokens.push_back({Token::Name, here, source.substr(from, at - from)});
      } else if (isDigit(c)) {
        number();
      } else if (c == '"' || c == '\'') {
        string(c);
      } else {
        operation(open);
      }
    }
  }

  void number() {
    Place here = place();
    std::string digits;
    bool real = false;
    if (source[at] == '0' && at + 1 < source.size() && std::strchr("xXoObB", source[at + 1]) && source[at + 1])
      failAt(here, "numbers are written in decimal");
    auto take = [&] {
      while (at < source.size() && (isDigit(source[at]) || source[at] == '_')) {
        if (source[at] != '_')
          digits += source[at];
        ++at;
      }
    };
    take();
    if (at + 1 < source.size() && source[at] == '.' && isDigit(source[at + 1])) {
      real = true;
      digits += source[at++];
      take();
    }
    if (at + 1 < source.size() && (source[at] == 'e' || source[at] == 'E')) {
      size_t exponent = at + 1 + (source[at + 1] == '-' || source[at + 1] == '+');
      if (exponent < source.size() && isDigit(source[exponent])) {
        real = true;
        digits += source.substr(at, exponent - at);
        at = exponent;
        take();
      }
    }
    tokens.push_back({real ? Token::Float : Token::Integer, here, digits});
  }

  void string(char quote) {
    Place here = place();
    std::string text;
    for (++at;; ++at) {
      if (at >= source.size())
        failAt(here, "the string has no end");
      char c = source[at];
      if (c == quote)
        break;
      if (c != '\\' || at + 1 >= source.size()) {
        text += c;
        continue;
      }
      escape(source[++at], text);
    }
    ++at;
    tokens.push_back({Token::String, here, text});
  }

  void escape(char c, std::string &text) {
    static const char letters[] = "ntr\\'\"abfv0", values[] = "\n\t\r\\'\"\a\b\f\v\0";
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits > 0) {
      std::string hex = source.substr(at + 1, digits);
      if (hex.size() != digits || hex.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
        failAt(place(), "expected " + std::to_string(digits) + " hexadecimal digits");
      unsigned long code = std::stoul(hex, nullptr, 16);
      if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        failAt(place(), "there is no character \\" + (c + hex));
      appendUtf8(text, static_cast<char32_t>(code));
      at += digits;
    } else if (const char *found = std::strchr(letters, c); found && c) {
      text += values[found - letters];
    } else if (c != '\n') {
      text += '\\';
      text += c;
    }
  }

  void operation(std::string &open) {
    static const char *const two[] = {"==", "!=", "<=", ">=", "//", "**"};
    std::string text(1, source[at]);
    for (const char *candidate : two)
      if (starts(candidate))
        text = candidate;
    if (text.size() == 1 && (!std::strchr("+-*/%~<>=()[]{},.:|;", text[0]) || !text[0]))
      failAt(place(), "a character that means nothing here");
    if (std::strchr("([{", text[0]))
      open += text[0];
    if (std::strchr(")]}", text[0])) {
      char match = text[0] == ')' ? '(' : text[0] == ']' ? '[' : '{';
      if (open.empty() || open.back() != match)
        failAt(place(), "'" + text + "' closes nothing");
      open.pop_back();
    }
    add(Token::Operator, text);
    at += text.size();
  }

  std::string source;
  size_t at = 0, counted = 0;
  Place where;
  bool lineStarts = true; // the last tag took the end of its line with it
  std::vector<Token> tokens;
};

} // namespace

std::vector<Token> chat::lex(const std::string &text) { return Lexer(text).run(); }

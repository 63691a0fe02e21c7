//===- Chat.cpp - a conversation at the terminal -------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Chat.h"
#include "tools/samba-run/Console.h"
#include "tools/samba-run/Conversation.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <unistd.h>

using namespace samba;
using namespace samba::run;

namespace {

constexpr const char *help = R"(/help          this
/reset         forget the conversation, but for the system prompt
/save FILE     save it: messages in FILE, the state in FILE.state
/load FILE     go on with a saved one
/quit          end (or Ctrl-D)
Ctrl-C stops an answer. A line that ends in \ goes on in the next one; """ begins and ends a message of several lines.
A message that begins with / is written with //.
)";

/// Standard input by lines, in which Ctrl-C is seen.
class Lines {
public:
  enum Result { Line, End, Interrupted };

  Result next(std::string &line) {
    while (true) {
      if (size_t end = buffer.find('\n'); end != std::string::npos || (atEnd && !buffer.empty())) {
        line = buffer.substr(0, end);
        buffer.erase(0, end == std::string::npos ? end : end + 1);
        return Line;
      }
      if (atEnd)
        return End;
      if (!waitForInput())
        return Interrupted;
      char bytes[1 << 14];
      ssize_t got = ::read(STDIN_FILENO, bytes, sizeof(bytes));
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        throw std::runtime_error(std::string("cannot read standard input: ") + std::strerror(errno));
      atEnd = got == 0;
      buffer.append(bytes, static_cast<size_t>(std::max<ssize_t>(got, 0)));
    }
  }

private:
  std::string buffer;
  bool atEnd = false;
};

class Terminal {
public:
  Terminal(const Model &model, const Options &options)
      : conversation(model, options), interactive(::isatty(STDIN_FILENO) && ::isatty(STDOUT_FILENO)) {}

  void run() {
    catchInterrupts();
    if (interactive)
      print("/help tells what there is besides messages.\n");
    while (std::optional<std::string> message = read()) {
      if (message->empty())
        continue;
      if ((*message)[0] == '/' && message->compare(0, 2, "//") != 0) {
        if (!attempt([&] { return command(*message); }))
          break;
        continue;
      }
      if ((*message)[0] == '/')
        message->erase(0, 1);
      attempt([&] {
        conversation.say(*message, [](const std::string &text) { print(text); });
        print("\n");
        return true;
      });
      takeInterrupt();
    }
  }

private:
  /// False at the end. What fails is told a person, who can go on; a script fails.
  template <typename Action> bool attempt(Action action) {
    try {
      return action();
    } catch (const std::exception &error) {
      if (!interactive)
        throw;
      print("\n");
      std::fprintf(stderr, "%s\n", error.what());
      takeInterrupt();
      return true;
    }
  }

  /// A message, which may be of several lines; none at the end.
  std::optional<std::string> read() {
    std::string message, line;
    enum { Single, Continued, Block } kind = Single;
    while (true) {
      if (interactive)
        print(kind == Single ? "> " : ". ");
      Lines::Result result = lines.next(line);
      if (result == Lines::Interrupted) {
        print("\n(/quit or Ctrl-D ends)\n");
        message.clear();
        kind = Single;
        continue;
      }
      if (result == Lines::End)
        return kind == Single ? std::nullopt : std::optional<std::string>(message);
      const std::string quotes = "\"\"\"";
      if (kind == Single && line.compare(0, 3, quotes) == 0) {
        kind = Block;
        line.erase(0, 3);
        if (line.empty())
          continue;
      }
      bool closes = line.size() >= 3 && line.compare(line.size() - 3, 3, quotes) == 0;
      if (kind == Block) {
        message += closes ? line.substr(0, line.size() - 3) : line + "\n";
        if (!closes)
          continue;
        if (!message.empty() && message.back() == '\n')
          message.pop_back();
        return message;
      }
      if (!line.empty() && line.back() == '\\') {
        message += line.substr(0, line.size() - 1) + "\n";
        kind = Continued;
        continue;
      }
      return message + line;
    }
  }

  bool command(const std::string &text) {
    size_t space = text.find(' ');
    std::string name = text.substr(0, space), file = space == std::string::npos ? "" : text.substr(space + 1);
    bool wantsFile = name == "/save" || name == "/load";
    if (wantsFile && file.empty())
      throw std::runtime_error(name + " needs the name of a file");
    if (name == "/quit")
      return false;
    if (name == "/help")
      print(help);
    else if (name == "/reset")
      conversation.reset();
    else if (name == "/save")
      conversation.save(file);
    else if (name == "/load")
      conversation.load(file);
    else
      throw std::runtime_error("there is no command '" + name + "': /help tells them");
    return true;
  }

  Conversation conversation;
  Lines lines;
  bool interactive;
};

} // namespace

void samba::run::chat(const Model &model, const Options &options) { Terminal(model, options).run(); }

//===- RunChatTest.cpp - conversations of samba-run ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/unit/runtime/RunFixture.h"
#include "tools/samba-run/Console.h"
#include "tools/samba-run/Conversation.h"

#include <csignal>
#include <functional>

using namespace samba;
using namespace samba::run;
using namespace samba::test;

namespace {

class RunChat : public Run {
protected:
  RunChat() {
    useText();
    options.wish.tokens = 6;
    setTemplate("{% for m in messages %}<s>{{ m.role }}: {{ m.content }}\n{% endfor %}"
                "{% if add_generation_prompt %}<s>assistant:{% endif %}");
  }

  void setTemplate(const std::string &text) {
    artefact.manifest["chat"] = {{"template", text}, {"tokens", {{"bos_token", "<s>"}, {"eos_token", "</s>"}}}};
    artefact.write(folder / "model.so");
  }

  static std::string say(Conversation &conversation, const std::string &message) {
    std::string shown;
    conversation.say(message, [&](const std::string &text) { shown += text; });
    EXPECT_EQ(conversation.messages().back()["content"], shown);
    return shown;
  }

  Options options;
};

/// What a conversation gives that reads everything again.
std::string again(const Model &model, const Options &options, const Folder &folder,
                  const nlohmann::ordered_json &messages, const std::string &message) {
  writeBytes(folder / "again.json", nlohmann::ordered_json{{"messages", messages}}.dump());
  Conversation conversation(model, options);
  conversation.load(folder / "again.json");
  std::string shown;
  conversation.say(message, [&](const std::string &text) { shown += text; });
  return shown;
}

TEST_F(RunChat, StateGoesOn) {
  Model model(folder / "model.so");
  Conversation conversation(model, options);
  say(conversation, "Hello, who are you?");
  int64_t first = conversation.fedTokens();
  for (int turn = 0; turn < 3; ++turn) {
    nlohmann::ordered_json before = conversation.messages();
    int64_t fed = conversation.fedTokens();
    std::string answer = say(conversation, "And now?");
    EXPECT_EQ(answer, again(model, options, folder, before, "And now?"));
    EXPECT_LT(conversation.fedTokens() - fed, first + 14); // not what was read before
  }
}

/// A template that shows the last message only, and one that trims answers.
TEST_F(RunChat, RewritingTemplatesAreReadAgain) {
  for (const char *text :
       {"<s>{{ messages[-1].content }}", "{% for m in messages %}<s>{{ m.content | trim | upper }}{% endfor %}<s>"}) {
    setTemplate(text);
    Model model(folder / "model.so");
    Conversation conversation(model, options);
    for (const char *message : {"one two", "three", "four"}) {
      nlohmann::ordered_json before = conversation.messages();
      EXPECT_EQ(say(conversation, message), again(model, options, folder, before, message));
    }
  }
}

TEST_F(RunChat, SavesAndLoads) {
  Model model(folder / "model.so");
  Conversation conversation(model, options);
  say(conversation, "Hello");
  conversation.save(folder / "talk.json");
  std::string answer = say(conversation, "Go on");
  Conversation other(model, options);
  other.load(folder / "talk.json");
  EXPECT_EQ(say(other, "Go on"), answer);
  writeBytes(folder / "bad.json", "[]");
  EXPECT_THROW(other.load(folder / "bad.json"), std::runtime_error);
  const std::string deep = std::string(1000000, '[') + std::string(1000000, ']'); // the stack does not hold that
  writeBytes(folder / "bad.json", R"({"messages": [{"role": "user", "content": )" + deep + "}]}");
  EXPECT_THROW(other.load(folder / "bad.json"), std::runtime_error);
  EXPECT_THROW(other.load(folder / "none.json"), std::runtime_error);
  // Where the text is no text, the state does not count.
  auto document = nlohmann::ordered_json::parse(readBytes(folder / "talk.json"));
  document["text"] = 3;
  writeBytes(folder / "talk.json", document.dump());
  Conversation third(model, options);
  third.load(folder / "talk.json");
  EXPECT_EQ(say(third, "Go on"), again(model, options, folder, document["messages"], "Go on"));
  EXPECT_THROW(other.save(folder / "no/such/folder"), std::exception);
}

TEST_F(RunChat, FailedTurnsLeaveNothing) {
  setTemplate("{% for m in messages %}{% if m.content == 'bad' %}{{ raise_exception('no') }}{% endif %}<s>{{ m.content "
              "}}{% endfor %}<s>");
  Model model(folder / "model.so");
  Conversation conversation(model, options);
  say(conversation, "good");
  nlohmann::ordered_json before = conversation.messages();
  EXPECT_THROW(say(conversation, "bad"), Exception);
  EXPECT_EQ(conversation.messages(), before);
  EXPECT_EQ(say(conversation, "good"), again(model, options, folder, before, "good"));
}

TEST_F(RunChat, Pipes) {
  Result run = shell(
      folder, "printf '%s\\n' 'Hello' '\"\"\"two' 'lines\"\"\"' 'joined\\' 'line' '//x' /reset Hello /quit never | "
              "\"$RUN\" $D/model.so --chat -n 5 --system 'Be brief.'");
  EXPECT_EQ(run.status, 0) << run.err;
  std::vector<std::string> answers = {""};
  EXPECT_FALSE(run.out.empty());
  Model model(folder / "model.so");
  options.wish.tokens = 5;
  options.system = "Be brief.";
  Conversation conversation(model, options);
  std::string expected;
  for (const char *message : {"Hello", "two\nlines", "joined\nline", "/x"})
    expected += say(conversation, message) + "\n";
  conversation.reset();
  expected += say(conversation, "Hello") + "\n";
  EXPECT_EQ(run.out, expected);
  EXPECT_EQ(run.err, "");

  run = shell(folder, "echo /what | \"$RUN\" $D/model.so --chat");
  EXPECT_EQ(run.status, 1);
  EXPECT_EQ(run.err, "samba-run: error: there is no command '/what': /help tells them\n");
  run = shell(folder, "echo /help | \"$RUN\" $D/model.so --chat");
  EXPECT_EQ(run.status, 0);
  EXPECT_NE(run.out.find("/save FILE"), std::string::npos);
  run = shell(folder, "\"$RUN\" $D/model.so --chat --json");
  EXPECT_EQ(run.status, 2);
  run = shell(folder, "\"$RUN\" $D/model.so --system x --prompt y");
  EXPECT_EQ(run.err, "samba-run: error: --system and --chat-template need --chat\n");
}

TEST_F(RunChat, Messages) {
  auto errorOf = [&](const std::function<void()> &action) -> std::string {
    try {
      action();
      return "";
    } catch (const std::exception &error) {
      return error.what();
    }
  };
  samba_options small = SAMBA_OPTIONS_INIT;
  small.chunk = 2;
  Model model(folder / "model.so", small);
  Conversation conversation(model, options);
  catchInterrupts();
  ::raise(SIGINT);
  EXPECT_EQ(errorOf([&] { say(conversation, "Hello, who are you?"); }), "interrupted while reading");
  EXPECT_TRUE(takeInterrupt());
  writeBytes(folder / "bad.json", "[]");
  EXPECT_EQ(errorOf([&] { conversation.load(folder / "bad.json"); }),
            "'" + folder / "bad.json" + "' is not a saved conversation");
  setTemplate("{% if false %}{% endif %}");
  Model silent(folder / "model.so");
  Conversation nothing(silent, options);
  EXPECT_EQ(errorOf([&] { say(nothing, "x"); }), "the chat template makes no text of the conversation");
  EXPECT_EQ(shell(folder, "echo /save | \"$RUN\" $D/model.so --chat").err,
            "samba-run: error: /save needs the name of a file\n");
  EXPECT_EQ(
      shell(folder, "\"$RUN\" $D/model.so --chat --json").err,
      "samba-run: error: --chat cannot be combined with other inputs, --json, --speculate, dumps, states or limits\n");
  FakeArtefact().write(folder / "plain.so");
  EXPECT_EQ(shell(folder, "\"$RUN\" $D/plain.so --chat").err,
            "samba-run: error: model 'fake' has no tokenizer, which --chat needs\n");
}

TEST_F(RunChat, NeedsATemplate) {
  artefact.manifest.erase("chat");
  artefact.write(folder / "model.so");
  Result run = shell(folder, "\"$RUN\" $D/model.so --chat");
  EXPECT_EQ(run.status, 1);
  EXPECT_EQ(run.err, "samba-run: error: model 'fake' has no chat template: give --chat-template\n");
  writeBytes(folder / "t.jinja", "<s>{{ messages[0].content }}");
  run = shell(folder, "echo Hello | \"$RUN\" $D/model.so --chat --chat-template $D/t.jinja -n 3");
  EXPECT_EQ(run.status, 0) << run.err;
  writeBytes(folder / "t.jinja", "{% if %}");
  run = shell(folder, "\"$RUN\" $D/model.so --chat --chat-template $D/t.jinja");
  EXPECT_EQ(run.err, "samba-run: error: chat template: line 1, column 7: expected a value, found %}\n");
}

} // namespace

//===- ChatTest.cpp - chat templates -------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The expected texts are those of Jinja2: test/goldens/chat/make_goldens.py.
//
//===----------------------------------------------------------------------===//

#include "runtime/Error.h"
#include "runtime/chat/Template.h"
#include "samba/samba.hpp"
#include "test/unit/runtime/FakeArtefact.h"

#include <cstdlib>
#include <gtest/gtest.h>

using namespace samba::runtime;
using namespace samba::test;
using nlohmann::ordered_json;

namespace {

constexpr std::time_t noon = 1721995200; // 2024-07-26 12:00 UTC

std::string render(const std::string &text, const ordered_json &variables = ordered_json::object()) {
  return chat::Template(text).render(variables, noon);
}

std::string errorOf(const std::string &text, const ordered_json &variables = ordered_json::object()) {
  try {
    return "rendered: " + render(text, variables);
  } catch (const Error &error) {
    EXPECT_EQ(error.status(), SAMBA_ERROR_TEMPLATE);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
}

TEST(Chat, Goldens) {
  ::setenv("TZ", "UTC", 1);
  ordered_json goldens = ordered_json::parse(readBytes(SAMBA_SOURCE_DIR "/test/goldens/chat/cases.json"));
  ASSERT_GT(goldens["cases"].size(), 300u);
  for (const ordered_json &entry : goldens["cases"]) {
    std::string name = entry[0], text = goldens["templates"].contains(name) ? goldens["templates"][name] : entry[0];
    if (entry[2].is_null())
      EXPECT_EQ(errorOf(text, entry[1]).compare(0, 20, "chat template: line "), 0) << name << errorOf(text, entry[1]);
    else
      try {
        EXPECT_EQ(render(text, entry[1]), entry[2].get<std::string>()) << name << " " << entry[1];
      } catch (const Error &error) {
        ADD_FAILURE() << name << " " << entry[1] << ": " << error.what();
      }
  }
}

TEST(Chat, ErrorsHaveAPlace) {
  EXPECT_EQ(errorOf("a\n {{ x.y }}"), "chat template: line 2, column 6: 'x' is undefined");
  EXPECT_EQ(errorOf("{{ raise_exception('no\nway') }}"), "chat template: line 1, column 19: no way");
  EXPECT_EQ(errorOf("{% if 1 %}x"), "chat template: line 1, column 11: there is no endif");
  EXPECT_EQ(errorOf("{% block a %}"), "chat template: line 1, column 4: the statement 'block' is not supported");
  EXPECT_EQ(errorOf("{{ 1 | nothing }}"), "chat template: line 1, column 6: there is no filter 'nothing'");
  EXPECT_EQ(errorOf("{{ 1 +* 2 }}"), "chat template: line 1, column 7: expected a value, found '*'");
  EXPECT_EQ(errorOf("\xff"), "chat template: line 1, column 1: expected UTF-8");
}

/// What would take for ever, or all memory, ends with an error.
TEST(Chat, Limits) {
  auto contains = [](const std::string &text, const char *part) {
    EXPECT_NE(text.find(part), std::string::npos) << text.substr(0, 300);
  };
  const char *const steps = "it takes too many steps, or too much memory";
  contains(errorOf("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}"), steps);
  contains(errorOf("{{ range(1000000000) }}"), steps);
  contains(errorOf("{{ 'a' * 1000000000000 }}"), "'*' makes too large a value");
  contains(
      errorOf("{% set ns = namespace(a='aaaaaaaa') %}{% for i in range(64) %}{% set ns.a = ns.a + ns.a %}{% endfor %}"),
      steps);
  contains(errorOf("{% set ns = namespace(a=[1]) %}{% for i in range(64) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}"),
           "larger");
  contains(errorOf("{% set ns = namespace(a=[1]) %}{% for i in range(200) %}{% set ns.a = [ns.a] %}{% endfor %}"),
           "deeper");
  contains(errorOf("{% set ns = namespace() %}{% set ns.a = ns %}"), "a namespace cannot be put into another");
  contains(errorOf("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), "calls are nested too deep");
  contains(errorOf("{{ " + std::string(100000, '(') + "1" + std::string(100000, ')') + " }}"),
           "nested deeper than 300");
  contains(errorOf("{{ " + std::string(100000, '-') + "1 }}"), "nested deeper than 300");
  std::string sum = "{{ 1";
  for (int i = 0; i < 10000; ++i)
    sum += "+1";
  contains(errorOf(sum + " }}"), "nested deeper than 300");
  std::string nested;
  for (int i = 0; i < 10000; ++i)
    nested += "{% if 1 %}";
  contains(errorOf(nested), "nested deeper than 300");
  contains(errorOf("{{ 9223372036854775807 + 1 }}"), "an integer is too large");
  contains(errorOf("{{ 99999999999999999999 }}"), "is too large");
}

TEST(Chat, ThroughTheInterface) {
  Folder folder;
  FakeArtefact artefact;
  artefact.write(folder / "plain.so");
  samba::Model plain(folder / "plain.so");
  EXPECT_EQ(samba_chat_template(plain.get()), nullptr);
  size_t size = 0;
  EXPECT_EQ(samba_render_chat(plain.get(), nullptr, "{}", nullptr, 0, &size), SAMBA_ERROR_TEMPLATE);
  EXPECT_STREQ(samba_last_error(), "model 'fake' has no chat template");

  artefact.manifest["chat"] = {{"template", "{{ bos_token }}{{ messages[0].content }}{{ add_generation_prompt }}"},
                               {"tokens", {{"bos_token", "<s>"}}}};
  artefact.manifest["end_tokens"] = {5, 7};
  artefact.write(folder / "chat.so");
  samba::Model model(folder / "chat.so");
  EXPECT_TRUE(model.isEndToken(5) && model.isEndToken(7));
  EXPECT_FALSE(model.isEndToken(6));
  EXPECT_EQ(model.renderChat(R"({"messages":[{"role":"user","content":"hi"}]})"), "<s>hiTrue");
  EXPECT_EQ(model.renderChat(R"({"messages":[],"x":1})", "{{ x }}"), "1");
  EXPECT_EQ(samba_render_chat(model.get(), nullptr, "[]", nullptr, 0, &size), SAMBA_ERROR_ARGUMENT);
  EXPECT_STREQ(samba_last_error(), "samba_render_chat: the variables are not a JSON object");
  std::string deep = "{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}";
  EXPECT_EQ(samba_render_chat(model.get(), nullptr, deep.c_str(), nullptr, 0, &size), SAMBA_ERROR_ARGUMENT);
  EXPECT_EQ(samba_check_template("{{ 1"), SAMBA_ERROR_TEMPLATE);
  EXPECT_EQ(samba_check_template("{{ 1 }}"), SAMBA_OK);
}

} // namespace

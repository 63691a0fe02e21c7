//===- ChatApi.cpp - the C interface, chat templates ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Api.h"
#include "runtime/JsonValue.h"
#include "runtime/chat/Template.h"

using namespace samba::runtime;
using nlohmann::ordered_json;

const char *samba_chat_template(const samba_model *model) {
  const std::string &text = model->model->manifest().chatTemplate;
  return text.empty() ? nullptr : text.c_str();
}

samba_status samba_check_template(const char *text) {
  return guard([&] {
    require(text, "samba_check_template: null argument");
    chat::Template parsed((std::string(text)));
  });
}

static ordered_json parseVariables(const char *text) {
  auto variables = parseJson<ordered_json>(text, "samba_render_chat: the variables", SAMBA_ERROR_ARGUMENT);
  if (!variables.is_object())
    throw Error(SAMBA_ERROR_ARGUMENT, "samba_render_chat: the variables are not a JSON object");
  return variables;
}

samba_status samba_render_chat(const samba_model *model, const char *text, const char *variables, char *buffer,
                               size_t capacity, size_t *bytes) {
  return guard([&] {
    require(model && variables && bytes && (buffer || capacity == 0), "samba_render_chat: null argument");
    const Manifest &manifest = model->model->manifest();
    std::string source = text ? text : manifest.chatTemplate;
    if (source.empty())
      throw Error(SAMBA_ERROR_TEMPLATE, "model '" + manifest.name + "' has no chat template");
    ordered_json all = parseVariables(variables);
    for (const auto &[name, token] : manifest.chatTokens)
      all.emplace(name, token);
    all.emplace("add_generation_prompt", true);
    all.emplace("tools", nullptr);
    all.emplace("documents", nullptr);
    copyOut(chat::Template(source).render(all, std::time(nullptr)), buffer, capacity, bytes);
  });
}

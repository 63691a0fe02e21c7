//===- ConversationFuzz.cpp - fuzzes saved conversations -----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/fuzz/MemoryFile.h"
#include "test/fuzz/TextModel.h"
#include "tools/samba-run/Conversation.h"

#include <cstdlib>

using namespace samba;

// The warnings that there is no state beside the file would fill the log.
extern "C" int LLVMFuzzerInitialize(int *argc, char ***argv) {
  static std::vector<char *> arguments(*argv, *argv + *argc);
  static char mask[] = "-close_fd_mask=2";
  arguments.insert(arguments.begin() + 1, mask);
  *argc = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  *argv = arguments.data();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const run::Options options;
  const Model &model = fuzz::textModel();
  static run::Conversation conversation(model, options);
  fuzz::MemoryFile file(data, size);
  try {
    conversation.load(file.path());
  } catch (const std::runtime_error &) {
    return 0;
  }
  // Whatever the messages are, text is made of them or it is said why not.
  std::string variables = nlohmann::ordered_json{{"messages", conversation.messages()}}.dump(
      -1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  std::string text(4096, '\0');
  size_t bytes = 0;
  samba_render_chat(model.get(), nullptr, variables.c_str(), text.data(), text.size(), &bytes);
  return 0;
}

//===- Template.h - chat templates -----------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_CHAT_TEMPLATE_H
#define RUNTIME_CHAT_TEMPLATE_H

#include "runtime/chat/Value.h"

#include <ctime>

namespace samba::runtime::chat {

struct Node;

/// A chat template in the part of the Jinja language that docs/chat.md describes. Immutable.
class Template {
public:
  /// Throws SAMBA_ERROR_TEMPLATE with line and column.
  explicit Template(const std::string &text);
  ~Template();

  /// `variables` is an object. `now` is what strftime_now tells. Throws SAMBA_ERROR_TEMPLATE with line and column, also
  /// when the template takes too many steps or makes too much text.
  std::string render(const nlohmann::ordered_json &variables, std::time_t now) const;

private:
  std::unique_ptr<Node> root;
};

} // namespace samba::runtime::chat

#endif // RUNTIME_CHAT_TEMPLATE_H

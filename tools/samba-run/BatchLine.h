//===- BatchLine.h - one line of a batch -----------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_BATCHLINE_H
#define TOOLS_SAMBA_RUN_BATCHLINE_H

#include "samba/samba.hpp"
#include "tools/samba-run/Options.h"

#include <nlohmann/json.hpp>
#include <vector>

namespace samba::run {

/// A prompt and how to continue it: a JSON object with "prompt" (text) or "tokens" (ids), and any of "n", "temp",
/// "top_k", "top_p", "min_p", "repeat_penalty", "presence_penalty", "frequency_penalty", "seed", "stop" (a text or a
/// list of them), "logit_bias" ({"ID": number}), "logprobs", "ignore_eos", and "id", which is passed on.
struct BatchLine {
  std::vector<int32_t> prompt;
  Wish wish;
  nlohmann::ordered_json id; // null if there is none

  /// `defaults` are for what the line does not say. Throws std::runtime_error with a message about the line.
  static BatchLine parse(const std::string &text, const Model &model, const Wish &defaults);
};

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_BATCHLINE_H

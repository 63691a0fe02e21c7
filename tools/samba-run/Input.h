//===- Input.h - prompts and token ids from files --------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_INPUT_H
#define TOOLS_SAMBA_RUN_INPUT_H

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace samba::run {

/// The bytes of a file. Throws std::runtime_error.
std::string readFile(const std::string &path);

/// The token ids of a JSON array of integers. Throws std::runtime_error, beginning with `name`, for anything else, and
/// for ids outside a vocabulary of `vocabSize`.
std::vector<int32_t> tokensOf(const nlohmann::ordered_json &array, const std::string &name, int32_t vocabSize);

/// Those of a file.
std::vector<int32_t> readTokens(const std::string &path, int32_t vocabSize);

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_INPUT_H

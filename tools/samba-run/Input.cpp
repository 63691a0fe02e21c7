//===- Input.cpp - prompts and token ids from files ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Input.h"
#include "runtime/JsonValue.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>

using nlohmann::ordered_json;

std::string samba::run::readFile(const std::string &path) {
  auto close = [](std::FILE *file) { std::fclose(file); };
  std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rb"), close);
  std::string bytes;
  char buffer[1 << 16];
  size_t got = 0;
  while (file && (got = std::fread(buffer, 1, sizeof(buffer), file.get())) > 0)
    bytes.append(buffer, got);
  if (!file || std::ferror(file.get()))
    throw std::runtime_error("cannot read '" + path + "': " + std::strerror(errno));
  return bytes;
}

std::vector<int32_t> samba::run::tokensOf(const ordered_json &array, const std::string &name, int32_t vocabSize) {
  if (!array.is_array())
    throw std::runtime_error(name + " is not a JSON array of token ids");
  std::vector<int32_t> tokens;
  tokens.reserve(array.size());
  for (const ordered_json &element : array) {
    // An unsigned number compares as such: one beyond int64_t is not taken for a negative one.
    bool fits = element.is_number_unsigned() && element.get<uint64_t>() < static_cast<uint64_t>(vocabSize);
    if (!fits)
      throw std::runtime_error(name + ": element " + std::to_string(tokens.size()) +
                               ": expected an integer from 0 to " + std::to_string(vocabSize - 1) + ", found " +
                               element.dump(-1, ' ', true, ordered_json::error_handler_t::replace).substr(0, 60));
    tokens.push_back(static_cast<int32_t>(element.get<uint64_t>()));
  }
  return tokens;
}

std::vector<int32_t> samba::run::readTokens(const std::string &path, int32_t vocabSize) {
  std::string name = "'" + path + "'";
  return tokensOf(runtime::parseJson<ordered_json>(readFile(path), name), name, vocabSize);
}

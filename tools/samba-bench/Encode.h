//===- Encode.h - how fast text is made token ids ---------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_BENCH_ENCODE_H
#define TOOLS_SAMBA_BENCH_ENCODE_H

#include "tools/samba-bench/Options.h"

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace samba::bench {

/// Encodes the text of the options with the tokenizer of one file and appends a row for each encoder that can. Ends
/// early after Ctrl-C. Throws std::runtime_error.
void runEncoding(const std::string &path, const Options &options, nlohmann::ordered_json &rows);

/// The table of all rows.
std::string encodingMarkdown(const nlohmann::ordered_json &rows);

} // namespace samba::bench

#endif // TOOLS_SAMBA_BENCH_ENCODE_H

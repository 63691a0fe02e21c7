//===- MarkdownTable.h - tables for people ----------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_BENCH_MARKDOWNTABLE_H
#define TOOLS_SAMBA_BENCH_MARKDOWNTABLE_H

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace samba::bench {

/// printf of one number.
std::string number(const char *how, double value);
/// Three or more digits that say something.
std::string brief(double value);
std::string textOf(const nlohmann::ordered_json &value);
/// The value at a path, scaled; "-" if it is absent or null.
std::string cell(const nlohmann::ordered_json &row, const char *path, double scale = 1);

class MarkdownTable {
public:
  /// A title that begins with '>' is of a column of numbers.
  explicit MarkdownTable(std::vector<std::string> titles);

  void add(std::vector<std::string> row) { rows.push_back(std::move(row)); }
  std::string text() const;

private:
  std::vector<bool> rightAligned;
  std::vector<std::vector<std::string>> rows;
};

} // namespace samba::bench

#endif // TOOLS_SAMBA_BENCH_MARKDOWNTABLE_H

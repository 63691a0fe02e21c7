//===- MarkdownTable.cpp - tables for people ------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/MarkdownTable.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

using namespace samba::bench;
using nlohmann::ordered_json;

std::string samba::bench::number(const char *how, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), how, value);
  return text;
}

std::string samba::bench::brief(double value) {
  double size = std::abs(value);
  return number(size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : size >= 0.1 || size == 0 ? "%.2f" : "%.4f", value);
}

std::string samba::bench::textOf(const ordered_json &value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string samba::bench::cell(const ordered_json &row, const char *path, double scale) {
  const ordered_json::json_pointer pointer(path);
  if (!row.contains(pointer) || row.at(pointer).is_null())
    return "-";
  const ordered_json &value = row.at(pointer);
  return value.is_number_float() ? brief(value.get<double>() * scale) : textOf(value);
}

MarkdownTable::MarkdownTable(std::vector<std::string> titles) {
  for (std::string &title : titles) {
    bool right = title[0] == '>';
    rightAligned.push_back(right);
    title = title.substr(right);
  }
  add(std::move(titles));
}

std::string MarkdownTable::text() const {
  std::vector<size_t> widths(rightAligned.size(), 3);
  for (const std::vector<std::string> &row : rows)
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  std::string result;
  for (size_t r = 0; r < rows.size(); ++r) {
    result += "|";
    for (size_t i = 0; i < rows[r].size(); ++i) {
      std::string space(widths[i] - rows[r][i].size(), ' ');
      result += " " + (rightAligned[i] ? space + rows[r][i] : rows[r][i] + space) + " |";
    }
    result += "\n";
    if (r == 0) {
      result += "|";
      for (size_t i = 0; i < widths.size(); ++i)
        result += " " + std::string(widths[i] - 1, '-') + (rightAligned[i] ? ": |" : "- |");
      result += "\n";
    }
  }
  return result;
}

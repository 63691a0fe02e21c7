//===- Steps.cpp - a pipeline as single passes ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/check/Steps.h"

#include "llvm/ADT/StringExtras.h"

using namespace samba;

namespace {

/// Where the item at the start of `text` ends: at a comma outside of all brackets, or at the end.
size_t endOfItem(llvm::StringRef text) {
  int depth = 0;
  char quote = 0;
  for (auto [i, c] : llvm::enumerate(text)) {
    if (quote)
      quote = c == quote ? 0 : quote;
    else if (c == '"' || c == '\'')
      quote = c;
    else if (c == '(' || c == '{' || c == '[')
      ++depth;
    else if (c == ')' || c == '}' || c == ']')
      --depth;
    else if (c == ',' && depth == 0)
      return i;
  }
  return text.size();
}

llvm::Error collect(llvm::StringRef text, const std::string &prefix, const std::string &suffix,
                    std::vector<PassStep> &steps) {
  while (!(text = text.ltrim()).empty()) {
    size_t end = endOfItem(text);
    llvm::StringRef item = text.take_front(end).rtrim();
    text = text.drop_front(std::min(end + 1, text.size()));
    size_t open = item.find('('), brace = item.find('{');
    if (open != llvm::StringRef::npos && open < brace) {
      if (!item.ends_with(")"))
        return llvm::createStringError("pipeline: expected ')' at the end of '" + item + "'");
      std::string nest = item.take_front(open + 1).str();
      if (llvm::Error error = collect(item.slice(open + 1, item.size() - 1), prefix + nest, ")" + suffix, steps))
        return error;
      continue;
    }
    steps.push_back({item.take_front(brace).rtrim().str(), prefix + item.str() + suffix});
  }
  return llvm::Error::success();
}

} // namespace

llvm::Expected<std::vector<std::string>> samba::itemsOf(llvm::StringRef text) {
  std::vector<std::string> items;
  while (!(text = text.trim()).empty()) {
    size_t end = endOfItem(text);
    llvm::StringRef item = text.take_front(end).rtrim();
    if (item.empty())
      return llvm::createStringError("expected a pass before ','");
    items.push_back(item.str());
    text = text.drop_front(std::min(end + 1, text.size()));
  }
  return items;
}

llvm::Expected<std::vector<PassStep>> samba::stepsOf(llvm::StringRef pipeline) {
  std::vector<PassStep> steps;
  std::string text = pipeline.trim().str();
  if (!llvm::StringRef(text).starts_with("builtin.module("))
    text = "builtin.module(" + text + ")";
  if (llvm::Error error = collect(text, "", "", steps))
    return std::move(error);
  return steps;
}

std::vector<PassStep> samba::stepsOf(mlir::OpPassManager &pm) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  pm.printAsTextualPipeline(stream);
  // A pass manager for any operation prints as "any(...)"; here it runs on modules.
  if (llvm::StringRef(text).starts_with("any("))
    text = "builtin.module" + text.substr(3);
  return llvm::cantFail(stepsOf(text));
}

std::string samba::joinSteps(llvm::ArrayRef<PassStep> steps) {
  llvm::StringRef module = "builtin.module(";
  std::vector<std::string> items;
  for (const PassStep &step : steps)
    items.push_back(llvm::StringRef(step.pipeline).drop_front(module.size()).drop_back().str());
  return module.str() + llvm::join(items, ",") + ")";
}

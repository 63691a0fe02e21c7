//===- PieceTrie.cpp - finds the pieces a text begins with ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/PieceTrie.h"

#include <algorithm>

using namespace samba::runtime;

PieceTrie::PieceTrie(std::vector<std::pair<std::string_view, int32_t>> pieces) {
  std::sort(pieces.begin(), pieces.end());
  struct Range {
    size_t begin, end, depth; // pieces that begin with the bytes on the way to the node
  };
  std::vector<Range> ranges = {{0, pieces.size(), 0}};
  nodes.push_back({0, 0, -1});
  labels.push_back(0);
  for (size_t node = 0; node < nodes.size(); ++node) { // breadth first
    auto [begin, end, depth] = ranges[node];
    if (begin < end && pieces[begin].first.size() == depth)
      nodes[node].id = pieces[begin++].second;
    nodes[node].first = static_cast<uint32_t>(nodes.size());
    while (begin < end) {
      char byte = pieces[begin].first[depth];
      size_t next = begin;
      while (next < end && pieces[next].first[depth] == byte)
        ++next;
      ++nodes[node].children;
      nodes.push_back({0, 0, -1});
      labels.push_back(static_cast<uint8_t>(byte));
      ranges.push_back({begin, next, depth + 1});
      begin = next;
    }
  }
  std::fill(std::begin(fromRoot), std::end(fromRoot), none);
  for (uint32_t i = 0; i < nodes[root].children; ++i)
    fromRoot[labels[nodes[root].first + i]] = nodes[root].first + i;
}

PieceTrie::Found PieceTrie::longest(std::string_view text) const {
  Found longest = {0, -1};
  uint32_t node = root;
  for (size_t i = 0; i < text.size(); ++i) {
    node = child(node, static_cast<uint8_t>(text[i]));
    if (node == none)
      break;
    if (id(node) >= 0)
      longest = {i + 1, id(node)};
  }
  return longest;
}

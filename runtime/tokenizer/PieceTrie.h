//===- PieceTrie.h - finds the pieces a text begins with -------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_PIECETRIE_H
#define RUNTIME_TOKENIZER_PIECETRIE_H

#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace samba::runtime {

/// Walked byte by byte. Immutable.
class PieceTrie {
public:
  static constexpr uint32_t root = 0, none = ~uint32_t(0);

  PieceTrie() : PieceTrie(std::vector<std::pair<std::string_view, int32_t>>()) {}
  /// Pieces with their ids; not empty, no two equal. Their bytes are not kept.
  explicit PieceTrie(std::vector<std::pair<std::string_view, int32_t>> pieces);

  bool empty() const { return nodes.size() == 1; }
  /// The node that a byte leads to, or `none`.
  uint32_t child(uint32_t node, uint8_t byte) const {
    if (node == root)
      return fromRoot[byte];
    const Node &parent = nodes[node];
    const uint8_t *begin = labels.data() + parent.first;
    if (parent.children == 1)
      return *begin == byte ? parent.first : none;
    const void *found = parent.children ? std::memchr(begin, byte, parent.children) : nullptr;
    return found ? parent.first + static_cast<uint32_t>(static_cast<const uint8_t *>(found) - begin) : none;
  }
  /// The piece that ends at a node, or -1.
  int32_t id(uint32_t node) const { return nodes[node].id; }

  struct Found {
    size_t bytes; // 0: no piece
    int32_t id;
  };
  /// The longest piece that the text begins with.
  Found longest(std::string_view text) const;

private:
  struct Node {
    uint32_t first, children; // children of a node are neighbours
    int32_t id;
  };
  std::vector<Node> nodes;
  std::vector<uint8_t> labels; // by node: the byte that leads to it
  uint32_t fromRoot[256];
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_PIECETRIE_H

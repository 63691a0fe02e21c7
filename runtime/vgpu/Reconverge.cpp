//===- Reconverge.cpp - where divergent paths meet -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lanes that part at a branch meet at its immediate post-dominator: the first instruction that every path from the
// branch to the end goes through. It is found with the algorithm of Cooper, Harvey and Kennedy on the reversed graph of
// basic blocks.
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Program.h"

#include <algorithm>

using namespace samba::vgpu;

namespace {

struct Graph {
  std::vector<uint32_t> first;                     // instruction of each basic block
  std::vector<std::vector<uint32_t>> next, before; // the last block is the end of the kernel
};

bool endsBlock(const Instruction &i) { return i.control != Control::None; }

Graph graphOf(const Kernel &kernel, std::vector<uint32_t> &blockOf) {
  size_t count = kernel.code.size();
  std::vector<bool> starts(count + 1, false);
  starts[0] = true;
  for (size_t at = 0; at < count; ++at) {
    const Instruction &i = kernel.code[at];
    if (!endsBlock(i))
      continue;
    starts[at + 1] = true;
    if (i.control == Control::Branch)
      starts[i.target] = true;
  }
  Graph graph;
  blockOf.assign(count + 1, 0);
  for (size_t at = 0; at < count; ++at) {
    if (starts[at])
      graph.first.push_back(static_cast<uint32_t>(at));
    blockOf[at] = static_cast<uint32_t>(graph.first.size() - 1);
  }
  uint32_t end = static_cast<uint32_t>(graph.first.size());
  blockOf[count] = end;
  graph.first.push_back(static_cast<uint32_t>(count));
  graph.next.resize(end + 1);
  graph.before.resize(end + 1);
  auto link = [&](uint32_t from, uint32_t to) {
    graph.next[from].push_back(to);
    graph.before[to].push_back(from);
  };
  for (uint32_t block = 0; block < end; ++block) {
    uint32_t last = graph.first[block + 1] - 1;
    const Instruction &i = kernel.code[last];
    bool falls = i.control == Control::None || i.guard >= 0;
    if (i.control == Control::Branch)
      link(block, blockOf[i.target]);
    else if (i.control == Control::Exit)
      link(block, end);
    else if (i.control == Control::Table)
      for (unsigned k = 0; k < i.count; ++k)
        link(block, blockOf[kernel.code[i.target + k].target]);
    if (falls)
      link(block, blockOf[last + 1]);
  }
  return graph;
}

} // namespace

void samba::vgpu::findReconvergence(Kernel &kernel) {
  std::vector<uint32_t> blockOf;
  Graph graph = graphOf(kernel, blockOf);
  uint32_t end = static_cast<uint32_t>(graph.next.size() - 1);
  // Blocks in post-order of the reversed graph, from the end.
  std::vector<uint32_t> order, rank(end + 1, UINT32_MAX);
  std::vector<std::pair<uint32_t, size_t>> stack{{end, 0}};
  std::vector<bool> seen(end + 1, false);
  seen[end] = true;
  while (!stack.empty()) {
    auto &[block, next] = stack.back();
    if (next < graph.before[block].size()) {
      uint32_t to = graph.before[block][next++];
      if (!seen[to]) {
        seen[to] = true;
        stack.push_back({to, 0});
      }
      continue;
    }
    rank[block] = static_cast<uint32_t>(order.size());
    order.push_back(block);
    stack.pop_back();
  }
  // Blocks that never reach the end, in an endless loop, are left with the end.
  constexpr uint32_t unknown = UINT32_MAX;
  std::vector<uint32_t> dominator(end + 1, unknown);
  dominator[end] = end;
  auto meet = [&](uint32_t a, uint32_t b) {
    while (a != b) {
      while (rank[a] < rank[b])
        a = dominator[a];
      while (rank[b] < rank[a])
        b = dominator[b];
    }
    return a;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t k = order.size(); k--;) {
      uint32_t block = order[k];
      if (block == end)
        continue;
      uint32_t found = unknown;
      for (uint32_t next : graph.next[block])
        if (dominator[next] != unknown)
          found = found == unknown ? next : meet(found, next);
      if (found != unknown && found != dominator[block]) {
        dominator[block] = found;
        changed = true;
      }
    }
  }
  for (uint32_t at = 0; at < kernel.code.size(); ++at) {
    uint32_t meeting = dominator[blockOf[at]];
    kernel.code[at].reconverge = graph.first[meeting == unknown ? end : meeting];
  }
}

//===- PromptCache.h - states of prompts on disk ---------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_PROMPTCACHE_H
#define TOOLS_SAMBA_RUN_PROMPTCACHE_H

#include "samba/samba.hpp"

#include <optional>
#include <string>
#include <vector>

namespace samba::run {

/// A folder of saved states, named for model, number of tokens and a hash of them. Any number of processes may use it
/// at once: a file appears whole, and one that goes away while it is read is still readable.
class PromptCache {
public:
  /// Makes the folder. Throws std::runtime_error.
  PromptCache(const Model &model, const std::string &folder, uint64_t limitBytes);

  /// A session after the longest prefix of the tokens that is stored, which is not all of them: the last token must be
  /// evaluated for its logits. A damaged file is removed.
  std::optional<Session> find(const std::vector<int32_t> &tokens) const;
  /// The lengths of the prefixes of a prompt that are worth storing, in order: all but the last token, and before that
  /// at most eight at equal distances, for prompts that have only their beginning in common.
  static std::vector<int64_t> lengths(int64_t tokens);
  /// Stores the state after the first `session.position()` tokens, then removes the files that were not used for
  /// longest until the folder is within its limit. Returns a warning if that failed, else "".
  std::string store(const Session &session, const std::vector<int32_t> &tokens) const;

private:
  std::string nameOf(const std::vector<int32_t> &tokens, int64_t count) const;
  void shrink() const;

  const Model &model;
  std::string folder;
  uint64_t limit;
};

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_PROMPTCACHE_H

//===- Normalizer.h - rewrites a text before it is cut ---------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_NORMALIZER_H
#define RUNTIME_TOKENIZER_NORMALIZER_H

#include "runtime/tokenizer/Regex.h"
#include "runtime/tokenizer/TokenizerSpec.h"

#include <optional>

namespace samba::runtime {

/// The normalizer of a tokenizer.json. Immutable.
class Normalizer {
public:
  Normalizer(const std::string &path, const std::vector<NormalizerStep> &steps);

  bool empty() const { return steps.empty(); }
  /// Valid UTF-8 to valid UTF-8.
  std::string apply(std::string_view text) const;

private:
  struct Step {
    NormalizerStep spec;
    std::optional<Regex> pattern;
  };
  std::vector<Step> steps;
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_NORMALIZER_H

//===- Detokenizer.h - token ids to text, one at a time --------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_DETOKENIZER_H
#define RUNTIME_DETOKENIZER_H

#include "runtime/Tokenizer.h"

#include <string>
#include <vector>

namespace samba::runtime {

/// Streams text. The pieces together are Tokenizer::decode of all ids; each is valid UTF-8.
///
/// A piece's text depends on what is around it in two ways only: the first piece of a text loses its leading space, and
/// byte pieces in a row make up characters. So a piece is decoded by itself, after an ordinary piece (the anchor) whose
/// text is then taken away, and bytes wait until they are a character or cannot become one.
class Detokenizer {
public:
  explicit Detokenizer(const Tokenizer &tokenizer);

  /// The text that is ready after this id.
  std::string push(int32_t id);
  /// The text held back; starts afresh.
  std::string finish();

private:
  std::string decode(const std::vector<int32_t> &ids);
  std::string takeBytes(bool all);

  const Tokenizer &tokenizer;
  std::vector<int32_t> anchor; // one ordinary id, or none in a vocabulary of bytes
  std::string anchorText;
  std::vector<int32_t> head;  // all ids up to the first text; empty from then on
  bool started = false;       // some text is out
  std::vector<int32_t> bytes; // byte pieces that are not decoded yet
};

} // namespace samba::runtime

#endif // RUNTIME_DETOKENIZER_H

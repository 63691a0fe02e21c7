//===- PipelineDetokenizer.h - ids to text by the decoder of a file *- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_PIPELINEDETOKENIZER_H
#define RUNTIME_TOKENIZER_PIPELINEDETOKENIZER_H

#include "runtime/tokenizer/Pipeline.h"

namespace samba::runtime {

/// Applies the decoder of a tokenizer.json to one token after the other. Bytes wait until they are a character or
/// cannot become one: then ByteLevel puts one U+FFFD for the longest beginning of a character, ByteFallback one for
/// each byte.
class PipelineDetokenizer : public Detokenizer {
public:
  explicit PipelineDetokenizer(const Pipeline &tokenizer);

  std::string push(int32_t id) override;
  std::string finish() override;

private:
  std::string takeBytes(bool all);
  std::string stripStart(std::string text);

  const Pipeline &tokenizer;
  bool byteLevel = false, byteFallback = false;
  std::string stripped;      // the character that Strip takes away at the start of the whole text
  uint32_t stripAtStart = 0; // how many at most
  // Of the running text:
  size_t tokens = 0;
  uint32_t stripsLeft = 0;
  std::string held; // bytes
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_PIPELINEDETOKENIZER_H

//===- LlamaNames.h - what families with Llama's names share ----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_FAMILIES_LLAMANAMES_H
#define FRONTEND_FAMILIES_LLAMANAMES_H

#include "frontend/KeyReader.h"
#include "frontend/ModelDescription.h"

namespace samba {

struct LlamaSizes {
  int64_t vocab = 0, hidden = 0;
  double eps = 0;
};

/// num_attention_heads, num_key_value_heads, head_dim, and what must hold between them. No window, default theta.
AttentionSpec readHeads(KeyReader &keys, int64_t hidden, std::optional<int64_t> kvHeadsByDefault,
                        int64_t headsByDefault = 32);

/// All but the layers and the tokens: model.embed_tokens, `finalNorm`, lm_head.
ModelDescription startLlama(llvm::StringRef family, llvm::StringRef path, const LlamaSizes &sizes,
                            llvm::StringRef finalNorm, bool tied);

/// `prefix` + "q_proj.weight" and so on, for a block whose body is an AttentionSpec or a MlpSpec.
void addAttentionWeights(BlockSpec &block, const std::string &prefix, int64_t hidden, bool qkvBias, bool oBias);
void addMlpWeights(BlockSpec &block, const std::string &prefix, int64_t hidden, bool bias);

/// Ids of special tokens, where there are any.
struct LlamaTokens {
  std::optional<int64_t> bos, pad;
  std::vector<int64_t> eos;
};
LlamaTokens readTokens(KeyReader &keys, int64_t vocab);
/// What comes last: the tokens, and a warning for each key that nobody has read.
void finishLlama(ModelDescription &model, const LlamaTokens &tokens, const KeyReader &keys);

} // namespace samba

#endif // FRONTEND_FAMILIES_LLAMANAMES_H

//===- TokenizerSection.cpp - tokenizer and chat template -----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-compile/TokenizerSection.h"

#include "frontend/Error.h"
#include "samba/samba.h"

using namespace samba;

static llvm::Expected<std::string> pack(const TokenizerConfig &config, int64_t vocabSize) {
  auto flag = [](std::optional<bool> given) { return given ? int(*given) : -1; };
  auto token = [&](llvm::StringRef key) {
    const std::string *text = config.specialToken(key);
    return text ? text->c_str() : nullptr;
  };
  samba_tokenizer_source source = {};
  source.size = sizeof(source);
  source.name = config.jsonPath.c_str();
  source.json = config.json.data();
  source.bytes = config.json.size();
  source.vocab_size = static_cast<int32_t>(vocabSize);
  source.add_bos = flag(config.addBosToken);
  source.add_eos = flag(config.addEosToken);
  source.bos_token = token("bos_token");
  source.eos_token = token("eos_token");
  source.added_tokens = config.addedTokensJson.empty() ? nullptr : config.addedTokensJson.c_str();
  source.added_tokens_name = config.configPath.c_str();

  std::string section(config.json.size(), '\0');
  size_t size = 0;
  samba_status status = samba_pack_tokenizer(&source, section.data(), section.size(), &size);
  section.resize(size);
  if (status == SAMBA_ERROR_LIMIT)
    status = samba_pack_tokenizer(&source, section.data(), section.size(), &size);
  if (status != SAMBA_OK)
    return makeError(samba_last_error());
  return section;
}

llvm::Expected<std::string> samba::makeTokenizerSection(const TokenizerConfig &config, int64_t vocabSize,
                                                        Manifest &manifest, std::string &warning) {
  std::string section = config.model;
  if (!config.json.empty()) {
    llvm::Expected<std::string> packed = pack(config, vocabSize);
    if (!packed)
      return packed.takeError();
    section = std::move(*packed);
    manifest.setTokenizer({"pipeline", false, false, {}});
  } else if (!config.model.empty()) {
    manifest.setTokenizer(
        {"sentencepiece", config.addBosToken.value_or(true), config.addEosToken.value_or(false), config.addedTokens});
  }
  if (!config.endTokens.empty())
    manifest.addEndTokens(config.endTokens);
  if (config.chatTemplate.empty() || section.empty())
    return section;
  if (samba_check_template(config.chatTemplate.c_str()) != SAMBA_OK)
    warning = std::string(samba_last_error()) + ": the compiled model has no chat template";
  else
    manifest.setChat({config.chatTemplate, config.specialTokens});
  return section;
}

//===- TokenizerApi.cpp - the C interface, tokenizers --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Api.h"
#include "runtime/tokenizer/Pipeline.h"

#include <cstring>

using namespace samba::runtime;

int samba_has_tokenizer(const samba_model *model) { return model->model->tokenizer() != nullptr; }

int samba_is_end_token(const samba_model *model, int32_t token) { return model->model->manifest().ends(token); }

samba_status samba_tokenize(const samba_model *model, const char *text, size_t bytes, int special, int32_t *tokens,
                            size_t capacity, size_t *count) {
  return guard([&] {
    require(model && count && (text || bytes == 0) && (tokens || capacity == 0), "samba_tokenize: null argument");
    Tokenizer::Special meaning = special == SAMBA_SPECIAL_PARSE ? Tokenizer::Special::Parse
                                 : special                      ? Tokenizer::Special::Add
                                                                : Tokenizer::Special::None;
    copyOut(model->model->requireTokenizer().encode({text, bytes}, meaning), tokens, capacity, count);
  });
}

samba_status samba_detokenize(const samba_model *model, const int32_t *tokens, size_t count, char *text,
                              size_t capacity, size_t *bytes) {
  return guard([&] {
    require(model && bytes && (tokens || count == 0) && (text || capacity == 0), "samba_detokenize: null argument");
    std::vector<int32_t> ids(tokens, tokens + count);
    copyOut(model->model->requireTokenizer().decode(ids), text, capacity, bytes);
  });
}

samba_status samba_detokenizer_create(const samba_model *model, samba_detokenizer **detokenizer) {
  return guard([&] {
    require(model && detokenizer, "samba_detokenizer_create: null argument");
    *detokenizer = new samba_detokenizer{model->model, model->model->requireTokenizer().detokenizer(), {}};
  });
}

void samba_detokenizer_free(samba_detokenizer *detokenizer) { delete detokenizer; }

static void giveText(samba_detokenizer *detokenizer, std::string text, const char **out, size_t *bytes) {
  detokenizer->text = std::move(text);
  *out = detokenizer->text.c_str();
  if (bytes)
    *bytes = detokenizer->text.size();
}

samba_status samba_detokenizer_push(samba_detokenizer *detokenizer, int32_t token, const char **text, size_t *bytes) {
  return guard([&] {
    require(detokenizer && text, "samba_detokenizer_push: null argument");
    giveText(detokenizer, detokenizer->detokenizer->push(token), text, bytes);
  });
}

samba_status samba_detokenizer_finish(samba_detokenizer *detokenizer, const char **text, size_t *bytes) {
  return guard([&] {
    require(detokenizer && text, "samba_detokenizer_finish: null argument");
    giveText(detokenizer, detokenizer->detokenizer->finish(), text, bytes);
  });
}

samba_status samba_pack_tokenizer(const samba_tokenizer_source *source, char *buffer, size_t capacity, size_t *size) {
  return guard([&] {
    require(source && size && (buffer || capacity == 0), "samba_pack_tokenizer: null argument");
    require(source->size >= sizeof(samba_tokenizer_source) && source->size <= 4096,
            "samba_pack_tokenizer: source.size is not set");
    require(source->name && source->json && source->vocab_size > 0, "samba_pack_tokenizer: incomplete source");
    TokenizerSpec spec = TokenizerSpec::fromJson(*source);
    std::string bytes = spec.toBytes();
    Pipeline check(source->name, std::move(spec), source->vocab_size); // patterns are compiled, too
    copyOut(bytes, buffer, capacity, size);
  });
}

//===- Api.cpp - the C interface -----------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Detokenizer.h"
#include "runtime/Error.h"
#include "runtime/Model.h"
#include "runtime/Sampler.h"
#include "samba/abi.h"

#include <algorithm>
#include <cstring>

using namespace samba::runtime;

struct samba_model {
  std::shared_ptr<Model> model;
};

struct samba_session : Session {
  using Session::Session;
};

struct samba_detokenizer {
  std::shared_ptr<Model> model; // owns the tokenizer
  Detokenizer detokenizer;
  std::string text;
};

struct samba_sampler : Sampler {
  using Sampler::Sampler;
};

static void require(bool condition, const char *message) {
  if (!condition)
    throw Error(SAMBA_ERROR_ARGUMENT, message);
}

#define SAMBA_STRINGIZE(x) #x
#define SAMBA_DOTTED(a, b, c) SAMBA_STRINGIZE(a) "." SAMBA_STRINGIZE(b) "." SAMBA_STRINGIZE(c)

const char *samba_version(void) { return SAMBA_DOTTED(SAMBA_VERSION_MAJOR, SAMBA_VERSION_MINOR, SAMBA_VERSION_PATCH); }

uint32_t samba_abi_version(void) { return SAMBA_ABI_VERSION; }

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

samba_status samba_open(const char *path, const samba_options *options, samba_model **model) {
  return guard([&] {
    require(path && model, "samba_open: null argument");
    samba_options given = SAMBA_OPTIONS_INIT;
    if (options) {
      require(options->size >= sizeof(size_t) && options->size <= 4096, "samba_open: options.size is not set");
      std::memcpy(&given, options, std::min(options->size, sizeof(given)));
    }
    *model = new samba_model{std::make_shared<Model>(path, given)};
  });
}

void samba_close(samba_model *model) { delete model; }

int samba_is_artefact(const char *path) {
  try {
    return path && endsLikeArtefact(path);
  } catch (...) {
    return 0;
  }
}

const char *samba_manifest(const samba_model *model) { return model->model->manifest().text.c_str(); }
const char *samba_model_name(const samba_model *model) { return model->model->manifest().name.c_str(); }
int32_t samba_vocab_size(const samba_model *model) { return model->model->manifest().vocabSize; }
int64_t samba_max_context(const samba_model *model) { return model->model->manifest().maxContext.value_or(-1); }
int32_t samba_bos_token(const samba_model *model) { return model->model->manifest().bos.value_or(-1); }
int32_t samba_eos_token(const samba_model *model) { return model->model->manifest().eos.value_or(-1); }
int32_t samba_threads(const samba_model *model) { return model->model->threads(); }
int64_t samba_chunk(const samba_model *model) { return model->model->chunk(); }

//===----------------------------------------------------------------------===//
// Sessions
//===----------------------------------------------------------------------===//

samba_status samba_session_create(samba_model *model, samba_session **session) {
  return guard([&] {
    require(model && session, "samba_session_create: null argument");
    *session = new samba_session(model->model);
  });
}

void samba_session_free(samba_session *session) { delete session; }
void samba_session_reset(samba_session *session) { session->reset(); }
int64_t samba_session_position(const samba_session *session) { return session->position; }

samba_status samba_session_copy(samba_session *to, const samba_session *from) {
  return guard([&] {
    require(to && from, "samba_session_copy: null argument");
    require(to->model == from->model, "samba_session_copy: sessions of two models");
    if (to == from)
      return;
    std::memcpy(to->state.data(), from->state.data(), from->model->manifest().stateBytes);
    to->position = from->position;
  });
}

samba_status samba_session_restore(samba_session *session, const void *state, size_t bytes, int64_t position) {
  return guard([&] {
    require(session && (state || bytes == 0), "samba_session_restore: null argument");
    require(bytes == session->model->manifest().stateBytes, "samba_session_restore: wrong size of the state");
    require(position >= 0, "samba_session_restore: negative position");
    session->model->checkContext(position, 0);
    if (bytes > 0)
      std::memcpy(session->state.data(), state, bytes);
    session->position = position;
  });
}

size_t samba_state_bytes(const samba_model *model) { return model->model->manifest().stateBytes; }
size_t samba_state_field_count(const samba_model *model) { return model->model->stateFields().size(); }

const samba_state_field *samba_state_field_at(const samba_model *model, size_t index) {
  const auto &fields = model->model->stateFields();
  return index < fields.size() ? &fields[index] : nullptr;
}

void *samba_session_state(samba_session *session) { return session->state.data(); }

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

samba_status samba_evaluate(samba_model *model, const samba_segment *segments, size_t count, samba_rows rows,
                            float *logits, size_t capacity) {
  return guard([&] {
    require(model && (segments || count == 0), "samba_evaluate: null argument");
    require(rows == SAMBA_ROWS_NONE || rows == SAMBA_ROWS_LAST || rows == SAMBA_ROWS_ALL,
            "samba_evaluate: unknown choice of rows");
    std::vector<samba_segment> filled;
    std::vector<Session *> sessions;
    for (size_t i = 0; i < count; ++i) {
      require(segments[i].session, "samba_evaluate: null session");
      if (segments[i].count == 0)
        continue;
      filled.push_back(segments[i]);
      sessions.push_back(segments[i].session);
    }
    model->model->evaluate(filled, sessions, rows, logits, capacity);
  });
}

void samba_set_probe(samba_model *model, samba_probe_callback callback, void *user) {
  model->model->setProbe(callback, user);
}

size_t samba_probe_count(const samba_model *model) { return model->model->manifest().probes.size(); }

const char *samba_probe_name(const samba_model *model, size_t index) {
  const auto &probes = model->model->manifest().probes;
  return index < probes.size() ? probes[index].name.c_str() : nullptr;
}

int64_t samba_probe_width(const samba_model *model, size_t index) {
  const auto &probes = model->model->manifest().probes;
  return index < probes.size() ? probes[index].width : 0;
}

//===----------------------------------------------------------------------===//
// Tokenizer
//===----------------------------------------------------------------------===//

template <typename Element, typename Result>
static void copyOut(const Result &result, Element *buffer, size_t capacity, size_t *size) {
  *size = result.size();
  if (result.size() > capacity)
    throw Error(SAMBA_ERROR_LIMIT,
                "the buffer has room for " + std::to_string(capacity) + ", expected " + std::to_string(result.size()));
  if (!result.empty())
    std::memcpy(buffer, result.data(), result.size() * sizeof(Element));
}

int samba_has_tokenizer(const samba_model *model) { return model->model->tokenizer() != nullptr; }

samba_status samba_tokenize(const samba_model *model, const char *text, size_t bytes, int special, int32_t *tokens,
                            size_t capacity, size_t *count) {
  return guard([&] {
    require(model && count && (text || bytes == 0) && (tokens || capacity == 0), "samba_tokenize: null argument");
    copyOut(model->model->requireTokenizer().encode({text, bytes}, special != 0), tokens, capacity, count);
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
    *detokenizer = new samba_detokenizer{model->model, Detokenizer(model->model->requireTokenizer()), {}};
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
    giveText(detokenizer, detokenizer->detokenizer.push(token), text, bytes);
  });
}

samba_status samba_detokenizer_finish(samba_detokenizer *detokenizer, const char **text, size_t *bytes) {
  return guard([&] {
    require(detokenizer && text, "samba_detokenizer_finish: null argument");
    giveText(detokenizer, detokenizer->detokenizer.finish(), text, bytes);
  });
}

//===----------------------------------------------------------------------===//
// Sampling
//===----------------------------------------------------------------------===//

samba_status samba_sampler_create(const samba_sampling *sampling, samba_sampler **sampler) {
  return guard([&] {
    require(sampler, "samba_sampler_create: null argument");
    samba_sampling given = SAMBA_SAMPLING_INIT;
    if (sampling) {
      require(sampling->size >= sizeof(size_t) && sampling->size <= 4096, "sampling.size is not set");
      std::memcpy(&given, sampling, std::min(sampling->size, sizeof(given)));
    }
    *sampler = new samba_sampler(given);
  });
}

void samba_sampler_free(samba_sampler *sampler) { delete sampler; }

samba_status samba_sampler_accept(samba_sampler *sampler, int32_t token) {
  return guard([&] {
    require(sampler, "samba_sampler_accept: null argument");
    sampler->accept(token);
  });
}

samba_status samba_sampler_sample(samba_sampler *sampler, const float *logits, size_t vocab_size, int32_t *token) {
  return guard([&] {
    require(sampler && logits && token && vocab_size > 0 && vocab_size <= INT32_MAX,
            "samba_sampler_sample: invalid argument");
    *token = sampler->sample(logits, vocab_size);
  });
}

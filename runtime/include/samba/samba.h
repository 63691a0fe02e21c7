/* The C interface of the samba runtime: loads a compiled model (an artefact) and generates text with it.
 *
 * Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *   samba_model *model;
 *   if (samba_open("model.so", NULL, &model) != SAMBA_OK)
 *     return complain(samba_last_error());
 *   samba_session *session;
 *   samba_session_create(model, &session);
 *   samba_segment segment = {session, prompt, prompt_size};
 *   samba_evaluate(model, &segment, 1, SAMBA_ROWS_LAST, logits, samba_vocab_size(model));
 *
 * Errors. Functions that can fail return a samba_status; samba_last_error() then says in one line what was wrong. A
 * function that fails changes nothing. No function ends the process or lets a C++ exception out.
 *
 * Ownership. Objects are made by *_create and samba_open and given back to *_free and samba_close, which accept NULL.
 * Sessions, samplers and detokenisers keep alive what they need of their model: any order of freeing is right. Pointers
 * returned by getters belong to the object that they were asked of and live as long as it does.
 *
 * Threads. A model may be used by any number of threads at once; samba_evaluate calls on one model take turns. One
 * session, sampler or detokeniser must not be used by two threads at the same time.
 */
#ifndef SAMBA_SAMBA_H
#define SAMBA_SAMBA_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SAMBA_API __attribute__((visibility("default")))
#else
#define SAMBA_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version and errors --------------------------------------------------------------------------------------------
 * Within one major version, functions, enumerators and struct members are only added (members at the end of structs
 * that begin with their size). */

#define SAMBA_VERSION_MAJOR 0
#define SAMBA_VERSION_MINOR 1
#define SAMBA_VERSION_PATCH 0

/* The version of the library that runs, "0.1.0". */
SAMBA_API const char *samba_version(void);
/* The artefact version that it loads (SAMBA_ABI_VERSION of samba/abi.h). */
SAMBA_API uint32_t samba_abi_version(void);

typedef enum samba_status {
  SAMBA_OK = 0,
  SAMBA_ERROR_IO = 1,           /* a file cannot be opened, read or mapped */
  SAMBA_ERROR_FORMAT = 2,       /* not an artefact, or a damaged one */
  SAMBA_ERROR_ABI = 3,          /* an artefact for another version of the runtime */
  SAMBA_ERROR_CPU = 4,          /* an artefact for another CPU */
  SAMBA_ERROR_ARGUMENT = 5,     /* the call is wrong: token id out of range, foreign session, ... */
  SAMBA_ERROR_CONTEXT_FULL = 6, /* the sequence is longer than the full-attention layers can hold */
  SAMBA_ERROR_MEMORY = 7,       /* out of memory */
  SAMBA_ERROR_LIMIT = 8,        /* the result does not fit the caller's buffer */
  SAMBA_ERROR_TOKENIZER = 9,    /* the model has no tokenizer, or the tokenizer refused the input */
  SAMBA_ERROR_NUMERIC = 10,     /* nothing to choose from: every logit is NaN */
  SAMBA_ERROR_INTERNAL = 11     /* a bug in the runtime */
} samba_status;

/* A short name of a status, "context full". Never NULL. */
SAMBA_API const char *samba_status_string(samba_status status);
/* The message of the last call that failed on the calling thread, one line without a newline; "" if none did. Valid
 * until the next call that fails on this thread. */
SAMBA_API const char *samba_last_error(void);

/* ---- Models ------------------------------------------------------------------------------------------------------ */

typedef struct samba_model samba_model;

typedef struct samba_options {
  size_t size;            /* sizeof(samba_options) */
  int32_t threads;        /* 0: OMP_NUM_THREADS, or else as many as there are usable cores */
  int32_t verify_weights; /* not 0: check the checksum of weights of any size, not only up to 256 MiB */
  int64_t chunk;          /* most tokens in one step, which bounds the scratch memory; 0: SAMBA_DEFAULT_CHUNK */
} samba_options;

#define SAMBA_DEFAULT_CHUNK 512
#define SAMBA_MAX_CHUNK 65536
#define SAMBA_MAX_THREADS 1024
#define SAMBA_OPTIONS_INIT {sizeof(samba_options), 0, 0, 0}

/* Opens an artefact, or a self-contained program. Checks all of the file (code, manifest and tokenizer by checksum,
 * weights as said above) and that this CPU can run it, before any of its code is loaded. `options` may be NULL. */
SAMBA_API samba_status samba_open(const char *path, const samba_options *options, samba_model **model);
SAMBA_API void samba_close(samba_model *model);
/* 1 if the file at `path` ends like an artefact, whole or damaged; else 0. */
SAMBA_API int samba_is_artefact(const char *path);

/* The manifest, UTF-8 JSON, null-terminated. */
SAMBA_API const char *samba_manifest(const samba_model *model);
SAMBA_API const char *samba_model_name(const samba_model *model);
SAMBA_API int32_t samba_vocab_size(const samba_model *model);
/* Most tokens of one sequence; -1: no limit (no full-attention layer). */
SAMBA_API int64_t samba_max_context(const samba_model *model);
/* Ids of the begin and end of a sequence; -1: none. */
SAMBA_API int32_t samba_bos_token(const samba_model *model);
SAMBA_API int32_t samba_eos_token(const samba_model *model);
SAMBA_API int32_t samba_threads(const samba_model *model);
SAMBA_API int64_t samba_chunk(const samba_model *model);

/* ---- Sessions ------------------------------------------------------------------------------------------------------
 * A session is one sequence: its state, of constant size, and its position. */

typedef struct samba_session samba_session;

/* A fresh session: position 0, state all zero. */
SAMBA_API samba_status samba_session_create(samba_model *model, samba_session **session);
SAMBA_API void samba_session_free(samba_session *session);
/* Makes it fresh again. */
SAMBA_API void samba_session_reset(samba_session *session);
/* Tokens seen so far. */
SAMBA_API int64_t samba_session_position(const samba_session *session);
/* Makes `to` the same as `from`, a session of the same model: a fork or a rollback. */
SAMBA_API samba_status samba_session_copy(samba_session *to, const samba_session *from);
/* Sets state and position from a snapshot (samba_session_state and samba_session_position of a session of the same
 * artefact). `bytes` must be samba_state_bytes; a `position` beyond the context is SAMBA_ERROR_CONTEXT_FULL. */
SAMBA_API samba_status samba_session_restore(samba_session *session, const void *state, size_t bytes, int64_t position);

/* One named tensor of the state, dense and row-major. Of layer N (K taps, D inner channels, window of W keys, G heads
 * of P values): "layers.N.conv" [K-1, D], "layers.N.ssm" [states, D], "layers.N.key", "layers.N.value" [G, W, P]. */
typedef struct samba_state_field {
  const char *name;
  const char *dtype; /* "f32", "bf16" or "f16" */
  size_t offset;     /* in bytes from the start of the state */
  size_t bytes;
  const int64_t *shape;
  size_t rank;
} samba_state_field;

/* Size of a session's state in bytes. */
SAMBA_API size_t samba_state_bytes(const samba_model *model);
SAMBA_API size_t samba_state_field_count(const samba_model *model);
/* NULL if there are not so many. */
SAMBA_API const samba_state_field *samba_state_field_at(const samba_model *model, size_t index);
/* The state of a session, 64-byte aligned, to read or to change between evaluations. */
SAMBA_API void *samba_session_state(samba_session *session);

/* ---- Evaluation -------------------------------------------------------------------------------------------------- */

/* The next tokens of one session. */
typedef struct samba_segment {
  samba_session *session;
  const int32_t *tokens;
  size_t count; /* may be 0 */
} samba_segment;

typedef enum samba_rows {
  SAMBA_ROWS_NONE = 0, /* no logits */
  SAMBA_ROWS_LAST = 1, /* of the last token of each segment that is not empty */
  SAMBA_ROWS_ALL = 2   /* of every token */
} samba_rows;

/* Feeds tokens to any number of sessions at once, prompts and single tokens mixed. The tokens of all segments in order
 * are cut into steps of at most samba_chunk tokens, so scratch memory does not grow with their number. How they are cut
 * and batched changes results by rounding only; the number of threads does not change them at all.
 *
 * `logits` receives one row of samba_vocab_size floats for each token that `rows` selects, in order; `capacity` is its
 * size in floats. It may be NULL for SAMBA_ROWS_NONE. A session may occur once.
 *
 * Everything is checked before the first step: SAMBA_ERROR_ARGUMENT for a token id outside the vocabulary, a session of
 * another model or one that occurs twice, SAMBA_ERROR_LIMIT for too small a `capacity`, SAMBA_ERROR_CONTEXT_FULL for a
 * sequence that would get longer than samba_max_context. */
SAMBA_API samba_status samba_evaluate(samba_model *model, const samba_segment *segments, size_t count, samba_rows rows,
                                      float *logits, size_t capacity);

/* Receives hidden values, a [rows, columns] matrix that is valid during the call. `name` is the probe's: "embeddings",
 * "layers.N" (the residual stream after layer N) or "norm_f"; `first` is the index of the step's first token among the
 * tokens of the samba_evaluate call. "norm_f" sees only tokens whose logits are wanted; the others see all of the step.
 * Called once per step and probe, on any of the model's threads, never on two at once. Must not call back into the
 * model, and must not throw. */
typedef void (*samba_probe_callback)(void *user, const char *name, int64_t first, const float *data, int64_t rows,
                                     int64_t columns);

/* Hooks a callback into all later evaluations of the model; NULL removes it. */
SAMBA_API void samba_set_probe(samba_model *model, samba_probe_callback callback, void *user);
SAMBA_API size_t samba_probe_count(const samba_model *model);
/* Name and columns of a probe; NULL and 0 if there are not so many. */
SAMBA_API const char *samba_probe_name(const samba_model *model, size_t index);
SAMBA_API int64_t samba_probe_width(const samba_model *model, size_t index);

/* ---- Tokenizer ----------------------------------------------------------------------------------------------------
 * Both functions set the size to what the whole result takes, also when it does not fit: they then write nothing and
 * return SAMBA_ERROR_LIMIT. A capacity of 0 with a null buffer asks for the size. */

SAMBA_API int samba_has_tokenizer(const samba_model *model);
/* UTF-8 text to ids. With `special` not 0, adds begin and end ids as the manifest says ("tokenizer.add_bos"). */
SAMBA_API samba_status samba_tokenize(const samba_model *model, const char *text, size_t bytes, int special,
                                      int32_t *tokens, size_t capacity, size_t *count);
/* Ids to UTF-8 text, not null-terminated. Ids of the vocabulary that the tokenizer does not know give no text. */
SAMBA_API samba_status samba_detokenize(const samba_model *model, const int32_t *tokens, size_t count, char *text,
                                        size_t capacity, size_t *bytes);

/* Turns ids to text one at a time. The pieces together are what samba_detokenize makes of all ids, and each of them is
 * valid UTF-8: bytes of an unfinished character are held back. */
typedef struct samba_detokenizer samba_detokenizer;

SAMBA_API samba_status samba_detokenizer_create(const samba_model *model, samba_detokenizer **detokenizer);
SAMBA_API void samba_detokenizer_free(samba_detokenizer *detokenizer);
/* Adds an id. `text` gets the text that is ready now (maybe none), null-terminated; it and `bytes` (may be NULL) are
 * valid until the next call. */
SAMBA_API samba_status samba_detokenizer_push(samba_detokenizer *detokenizer, int32_t token, const char **text,
                                              size_t *bytes);
/* Gives out what was held back, with U+FFFD for bytes that never became a character, and starts afresh. */
SAMBA_API samba_status samba_detokenizer_finish(samba_detokenizer *detokenizer, const char **text, size_t *bytes);

/* ---- Sampling ------------------------------------------------------------------------------------------------------
 * In this order: the repeat penalty; then greedy choice if temperature is 0 (the lowest id wins a tie); else logits are
 * divided by the temperature, and of the softmax the top_k best are kept, of these the ones with at least min_p times
 * the best one's probability, of these the fewest that together have at least top_p of what is left. One is drawn.
 * The same seed and logits give the same choices. NaN logits are never chosen. */

typedef struct samba_sampling {
  size_t size;           /* sizeof(samba_sampling) */
  float temperature;     /* >= 0; 0: greedy */
  int32_t top_k;         /* >= 0; 0: off */
  float top_p;           /* 0 < top_p <= 1; 1: off */
  float min_p;           /* 0 <= min_p <= 1; 0: off */
  float repeat_penalty;  /* > 0; 1: off. Positive logits of recent tokens are divided by it, others multiplied */
  int32_t repeat_window; /* how many tokens are recent, 0 .. 65536 */
  uint64_t seed;
} samba_sampling;

#define SAMBA_SAMPLING_INIT {sizeof(samba_sampling), 0.0f, 0, 1.0f, 0.0f, 1.0f, 64, 0}

typedef struct samba_sampler samba_sampler;

/* `sampling` may be NULL: greedy. */
SAMBA_API samba_status samba_sampler_create(const samba_sampling *sampling, samba_sampler **sampler);
SAMBA_API void samba_sampler_free(samba_sampler *sampler);
/* Tells it of a token of the sequence, of the prompt or chosen, for the repeat penalty. */
SAMBA_API samba_status samba_sampler_accept(samba_sampler *sampler, int32_t token);
/* Chooses the next token; does not accept it. */
SAMBA_API samba_status samba_sampler_sample(samba_sampler *sampler, const float *logits, size_t vocab_size,
                                            int32_t *token);

#ifdef __cplusplus
}
#endif
#endif /* SAMBA_SAMBA_H */

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
  SAMBA_ERROR_INTERNAL = 11,    /* a bug in the runtime */
  SAMBA_ERROR_MISMATCH = 12,    /* a saved state of another model */
  SAMBA_ERROR_DEVICE = 13,      /* no such device, a model that is not for it, or a failure of it */
  SAMBA_ERROR_TEMPLATE = 14     /* a chat template is wrong, cannot be rendered, or is not there */
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
  const char *device;     /* NULL: "cpu" if the artefact has code for it, else "cuda"; see below */
  int32_t check_device;   /* not 0: wait for each kernel and name the one that fails; on the virtual device also check
                           * every access and all synchronisation */
} samba_options;

#define SAMBA_DEFAULT_CHUNK 512
#define SAMBA_MAX_CHUNK 65536
#define SAMBA_MAX_THREADS 1024
#define SAMBA_OPTIONS_INIT {sizeof(samba_options), 0, 0, 0, NULL, 0}

/* Devices: "cpu"; "cuda" or "cuda:N", the first or the N-th GPU (from 0), through the driver's libcuda.so.1 or the
 * library that $SAMBA_LIBCUDA names; "virtual", a GPU that the CPU imitates slowly, for tests, with settings after a
 * colon: "virtual:arch=90,seed=3" (docs/gpu.md). A GPU takes fewer tokens per step if the artefact says so:
 * samba_chunk. */

/* Opens an artefact, or a self-contained program. Checks all of the file (code, manifest and tokenizer by checksum,
 * weights as said above) and that this CPU can run it, before any of its code is loaded. `options` may be NULL. */
SAMBA_API samba_status samba_open(const char *path, const samba_options *options, samba_model **model);
SAMBA_API void samba_close(samba_model *model);
/* 1 if the file at `path` ends like an artefact, whole or damaged; else 0. */
SAMBA_API int samba_is_artefact(const char *path);

/* The manifest, UTF-8 JSON, null-terminated. */
SAMBA_API const char *samba_manifest(const samba_model *model);
SAMBA_API const char *samba_model_name(const samba_model *model);
/* The CPU that the code in use was compiled for, one of those in the manifest ("target" and "variants"); "" on a GPU. An
 * artefact with code for several CPUs runs the best one for the machine; the environment variable SAMBA_CPU asks for one. */
SAMBA_API const char *samba_cpu(const samba_model *model);
SAMBA_API int32_t samba_vocab_size(const samba_model *model);
/* Most tokens of one sequence; -1: no limit (no full-attention layer). */
SAMBA_API int64_t samba_max_context(const samba_model *model);
/* Ids of the begin and end of a sequence; -1: none. */
SAMBA_API int32_t samba_bos_token(const samba_model *model);
SAMBA_API int32_t samba_eos_token(const samba_model *model);
SAMBA_API int32_t samba_threads(const samba_model *model);
SAMBA_API int64_t samba_chunk(const samba_model *model);
/* The device that it runs on, for people: "cpu", "cuda:0 NVIDIA H100 (sm_90)". */
SAMBA_API const char *samba_device(const samba_model *model);
/* Of the virtual device: what each kernel did since the model was opened, as JSON (docs/gpu.md), with a null at the
 * end. Sets `bytes` to what it takes, also with SAMBA_ERROR_LIMIT, when it does not fit. SAMBA_ERROR_DEVICE on other
 * devices. */
SAMBA_API samba_status samba_device_counters(const samba_model *model, char *buffer, size_t capacity, size_t *bytes);

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
/* Makes `to` the same as `from`, a session of the same model, by copying all of the state. Forgets the marks of `to`.
 */
SAMBA_API samba_status samba_session_copy(samba_session *to, const samba_session *from);
/* Makes a session that is the same as `parent` and independent of it, but shares the memory of its state until one of
 * them changes it, page by page. The first fork of a state copies it once; more of them cost a few microseconds and a
 * few kilobytes each, whatever the size of the state. A child's first evaluation copies the pages that it changes: all
 * of the convolution and SSM state, and the pages of the rings that its tokens go to. Marks are not inherited. */
SAMBA_API samba_status samba_session_fork(samba_session *parent, samba_session **child);
/* A number of the caller's own, at first 0, that goes with a session when it is copied, forked and saved, and back to 0
 * when it is reset. samba-run keeps there the token to feed next, plus 1; 0: none. */
SAMBA_API int64_t samba_session_note(const samba_session *session);
SAMBA_API void samba_session_set_note(samba_session *session, int64_t note);
/* Bytes of the caller's own that go with a session in the same way, at first none. samba-run keeps there what
 * samba_sampler_serialize gives. SAMBA_ERROR_ARGUMENT for more than SAMBA_MAX_ATTACHMENT. */
#define SAMBA_MAX_ATTACHMENT (1 << 20)
SAMBA_API samba_status samba_session_attach(samba_session *session, const void *data, size_t bytes);
/* Valid until the session changes. `bytes` gets their number and may be NULL. */
SAMBA_API const void *samba_session_attachment(const samba_session *session, size_t *bytes);
/* Sets state and position from a snapshot (samba_session_state and samba_session_position of a session of the same
 * artefact). `bytes` must be samba_state_bytes; a `position` beyond the context is SAMBA_ERROR_CONTEXT_FULL. */
SAMBA_API samba_status samba_session_restore(samba_session *session, const void *state, size_t bytes, int64_t position);

/* One named tensor of the state, dense and row-major. Of layer N (K taps, D inner channels, window of W keys, G heads
 * of P values): "layers.N.conv" [K-1, D], "layers.N.ssm" [states, D], "layers.N.key", "layers.N.value" [G, W, P]. */
typedef struct samba_state_field {
  const char *name;
  const char *dtype; /* "f32", "bf16", "f16", or "i8": each row of the last dimension is its integers and then an f32, its
                      * scale */
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

/* ---- Going back ----------------------------------------------------------------------------------------------------
 * A mark is a place to which a session can return without computing anything: the state is then, bit for bit, what it
 * was there. Setting one copies the convolution and SSM state; while there is a mark, each token also saves the ring
 * slots that it overwrites. A mark is forgotten when more than samba_max_rollback tokens came after it, and by reset,
 * copy and restore. A session without marks pays nothing. */

/* Marks the present place. */
SAMBA_API samba_status samba_session_mark(samba_session *session);
/* Goes back `tokens` tokens, to a mark; SAMBA_ERROR_ARGUMENT if there is none. That mark stays, later ones are gone. */
SAMBA_API samba_status samba_session_rollback(samba_session *session, int64_t tokens);
SAMBA_API void samba_session_forget_marks(samba_session *session);
/* How far a mark reaches: the tokens of the longest attention window; -1: any distance (no attention). */
SAMBA_API int64_t samba_max_rollback(const samba_model *model);

/* ---- Saved states --------------------------------------------------------------------------------------------------
 * State, position, note and attachment of a session as bytes, samba_saved_bytes and those of the attachment, whatever its
 * length; docs/runtime.md describes them. What earlier versions of the runtime have saved can be loaded. They tell what model they belong to, and a checksum covers all of them. Loading makes a new session:
 * SAMBA_ERROR_FORMAT for something else or any damage, SAMBA_ERROR_ABI for another version of the form,
 * SAMBA_ERROR_MISMATCH for a state of another model. The same weights compiled for another CPU are another model. */

/* Tells models apart: architecture, layout of the state, and the stored weights. */
SAMBA_API uint64_t samba_fingerprint(const samba_model *model);
/* Without attachment. */
SAMBA_API size_t samba_saved_bytes(const samba_model *model);
/* Sets `bytes` to what it takes, also with SAMBA_ERROR_LIMIT, when it does not fit. */
SAMBA_API samba_status samba_session_serialize(const samba_session *session, void *buffer, size_t capacity,
                                               size_t *bytes);
SAMBA_API samba_status samba_session_deserialize(samba_model *model, const void *data, size_t bytes,
                                                 samba_session **session);
/* The file appears under its name when it is whole; a failure leaves what was there. */
SAMBA_API samba_status samba_session_save(const samba_session *session, const char *path);
SAMBA_API samba_status samba_session_load(samba_model *model, const char *path, samba_session **session);

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

/* The same, with the number of last tokens of each segment whose logits are wanted, last[0] .. last[count-1]. */
SAMBA_API samba_status samba_evaluate_last(samba_model *model, const samba_segment *segments, size_t count,
                                           const size_t *last, float *logits, size_t capacity);

/* The same, but in place of each row of logits it gives the token that a greedy sampler without penalties and biases
 * would choose by them: the lowest id of the greatest logits, or -1 if all of them are NaN. A GPU finds it itself, and
 * the logits stay there. `last` may be NULL: the last token of each segment that is not empty. `capacity` is that of
 * `tokens`. */
SAMBA_API samba_status samba_evaluate_greedy(samba_model *model, const samba_segment *segments, size_t count,
                                             const size_t *last, int32_t *tokens, size_t capacity);

/* ---- Scheduling ----------------------------------------------------------------------------------------------------
 * Continuous batching: tokens are queued for any number of sessions, and each step evaluates at most `budget` of them,
 * pieces of prompts and single tokens mixed. A session gets what it has queued or an equal part of what others leave
 * over; if there are more sessions than tokens in a step, they take turns. So none waits for another's long prompt.
 *
 *   samba_scheduler_feed(scheduler, session, prompt, prompt_size);        for each session
 *   until all sequences are at their end:
 *     samba_scheduler_step(scheduler, &ready, &count);
 *     for each of ready[0 .. count-1]: choose a token by its logits, and feed it or end the sequence
 *
 * What a session computes does not depend on its neighbours but by rounding: matrix products take rows in tiles, and
 * how sums are split depends on the tile. docs/runtime.md has the measured size of that. */

typedef struct samba_scheduler samba_scheduler;

/* A session whose queue has become empty, with the logits of its last token. */
typedef struct samba_ready {
  samba_session *session;
  const float *logits; /* samba_vocab_size of them, valid until the next step */
} samba_ready;

/* `budget`: most tokens in one step, up to samba_chunk; 0: samba_chunk. */
SAMBA_API samba_status samba_scheduler_create(samba_model *model, int64_t budget, samba_scheduler **scheduler);
SAMBA_API void samba_scheduler_free(samba_scheduler *scheduler);
/* Queues tokens. They are checked now, so that one session's error does not stop the others. The session must not be
 * used otherwise, and not be freed, until its queue is empty or removed. */
SAMBA_API samba_status samba_scheduler_feed(samba_scheduler *scheduler, samba_session *session, const int32_t *tokens,
                                            size_t count);
/* Drops what is queued for a session. */
SAMBA_API void samba_scheduler_remove(samba_scheduler *scheduler, const samba_session *session);
/* Does nothing if nothing is queued. `ready` belongs to the scheduler, until the next step. */
SAMBA_API samba_status samba_scheduler_step(samba_scheduler *scheduler, const samba_ready **ready, size_t *count);

/* The same, with the token that samba_evaluate_greedy would give. */
typedef struct samba_chosen {
  samba_session *session;
  int32_t token; /* -1 if all logits are NaN */
} samba_chosen;
SAMBA_API samba_status samba_scheduler_step_greedy(samba_scheduler *scheduler, const samba_chosen **chosen,
                                                   size_t *count);

/* ---- Probes ------------------------------------------------------------------------------------------------------ */

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
/* What `special` of samba_tokenize means. */
typedef enum samba_special {
  SAMBA_SPECIAL_NONE = 0, /* nothing is added */
  SAMBA_SPECIAL_ADD = 1,  /* begin and end ids are added as the model says */
  SAMBA_SPECIAL_PARSE = 2 /* nothing is added, and names of special tokens in the text are those tokens: for text that
                             a chat template has made */
} samba_special;

/* UTF-8 text to ids. Bytes that are not UTF-8 become U+FFFD. A tokenizer of the tokenizer.json kind finds its added
 * tokens in any text. */
SAMBA_API samba_status samba_tokenize(const samba_model *model, const char *text, size_t bytes, int special,
                                      int32_t *tokens, size_t capacity, size_t *count);
/* Ids to UTF-8 text, not null-terminated. Ids of the vocabulary that the tokenizer does not know give no text. */
SAMBA_API samba_status samba_detokenize(const samba_model *model, const int32_t *tokens, size_t count, char *text,
                                        size_t capacity, size_t *bytes);

/* True for a token that ends a text, of which a model may have several. */
SAMBA_API int samba_is_end_token(const samba_model *model, int32_t token);

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

/* What a compiler reads of a tokenizer. */
typedef struct samba_tokenizer_source {
  size_t size;      /* sizeof(samba_tokenizer_source) */
  const char *name; /* of the file, for messages */
  const char *json; /* the text of tokenizer.json */
  size_t bytes;
  int32_t vocab_size;            /* of the model: all ids are below */
  int add_bos, add_eos;          /* 1 or 0: whether samba_tokenize adds the token; -1: as the file says */
  const char *bos_token;         /* names of tokens; NULL: none */
  const char *eos_token;
  const char *added_tokens;      /* JSON, "added_tokens_decoder" of tokenizer_config.json; NULL: none */
  const char *added_tokens_name; /* of the file that has them, for messages */
} samba_tokenizer_source;

/* Checks a tokenizer.json and makes the section of an artefact from it. Sets `size` to what it takes, also with
 * SAMBA_ERROR_LIMIT, when it does not fit. SAMBA_ERROR_FORMAT names file and key of what is wrong or not supported. */
SAMBA_API samba_status samba_pack_tokenizer(const samba_tokenizer_source *source, char *buffer, size_t capacity,
                                            size_t *size);

/* ---- Chat templates ------------------------------------------------------------------------------------------------
 * A template, in the part of the Jinja language that docs/chat.md describes, makes the text of a conversation, which
 * samba_tokenize with SAMBA_SPECIAL_PARSE turns to ids. */

/* The template of a model; NULL if it has none. */
SAMBA_API const char *samba_chat_template(const samba_model *model);
/* Renders a conversation. `text` may be another template, or NULL: the model's own. `variables` is a JSON object with
 * "messages", a list of {"role": ..., "content": ...}, and any other variables; "bos_token" and other names of special
 * tokens, "add_generation_prompt" (true), "tools" and "documents" (none) are added unless they are there. Sets `bytes` to
 * what it takes, also with SAMBA_ERROR_LIMIT. SAMBA_ERROR_TEMPLATE tells line and column. */
SAMBA_API samba_status samba_render_chat(const samba_model *model, const char *text, const char *variables, char *buffer,
                                         size_t capacity, size_t *bytes);
/* Whether a template can be parsed. */
SAMBA_API samba_status samba_check_template(const char *text);

/* ---- Sampling ------------------------------------------------------------------------------------------------------
 * In this order: biases; the penalties on tokens that are recent; then greedy choice if temperature is 0 (the lowest id
 * wins a tie); else logits are divided by the temperature, and of the softmax the top_k best are kept, of these the
 * ones with at least min_p times the best one's probability, of these the fewest that together have at least top_p of
 * what is left. One is drawn. The same seed and logits give the same choices. NaN logits are never chosen. */

typedef struct samba_sampling {
  size_t size;           /* sizeof(samba_sampling) */
  float temperature;     /* >= 0; 0: greedy */
  int32_t top_k;         /* >= 0; 0: off */
  float top_p;           /* 0 < top_p <= 1; 1: off */
  float min_p;           /* 0 <= min_p <= 1; 0: off */
  float repeat_penalty;  /* > 0; 1: off. Positive logits of recent tokens are divided by it, others multiplied */
  int32_t repeat_window; /* how many tokens are recent, 0 .. 65536 */
  uint64_t seed;
  float presence_penalty;  /* taken from the logit of each recent token; 0: off */
  float frequency_penalty; /* taken for each time that it is there; 0: off */
} samba_sampling;

#define SAMBA_SAMPLING_INIT {sizeof(samba_sampling), 0.0f, 0, 1.0f, 0.0f, 1.0f, 64, 0, 0.0f, 0.0f}

typedef struct samba_sampler samba_sampler;

/* `sampling` may be NULL: greedy. */
SAMBA_API samba_status samba_sampler_create(const samba_sampling *sampling, samba_sampler **sampler);
SAMBA_API void samba_sampler_free(samba_sampler *sampler);
/* Tells it of a token of the sequence, of the prompt or chosen, for the penalties. */
SAMBA_API samba_status samba_sampler_accept(samba_sampler *sampler, int32_t token);
/* Chooses the next token; does not accept it. */
SAMBA_API samba_status samba_sampler_sample(samba_sampler *sampler, const float *logits, size_t vocab_size,
                                            int32_t *token);
/* Adds `bias` to the logit of a token from now on; -INFINITY forbids it, 0 takes it back. */
SAMBA_API samba_status samba_sampler_bias(samba_sampler *sampler, int32_t token, float bias);
/* Begins with the random numbers of another seed. */
SAMBA_API samba_status samba_sampler_reseed(samba_sampler *sampler, uint64_t seed);
/* What a sampler has come to, as bytes: its random numbers and the recent tokens, but not its parameters and biases. With
 * them, and the same parameters, another sampler goes on in the same way. Sets `bytes` to what it takes, also with
 * SAMBA_ERROR_LIMIT, when it does not fit. */
SAMBA_API samba_status samba_sampler_serialize(const samba_sampler *sampler, void *buffer, size_t capacity,
                                               size_t *bytes);
/* SAMBA_ERROR_FORMAT for bytes of something else. Of more recent tokens than the sampler's window, the last are kept. */
SAMBA_API samba_status samba_sampler_restore(samba_sampler *sampler, const void *data, size_t bytes);
/* The probabilities with which it would choose, vocab_size of them; they draw no random number. */
SAMBA_API samba_status samba_sampler_probabilities(samba_sampler *sampler, const float *logits, size_t vocab_size,
                                                   float *probabilities);
/* Chooses as samba_sampler_sample does, with the same probabilities, but takes `proposed` as often as that allows. It
 * must have been drawn with the probabilities `proposal` [vocab_size]. For speculative decoding. */
SAMBA_API samba_status samba_sampler_choose(samba_sampler *sampler, const float *logits, size_t vocab_size,
                                            int32_t proposed, const float *proposal, int32_t *token);

#ifdef __cplusplus
}
#endif
#endif /* SAMBA_SAMBA_H */

/* The contract between a compiled model (the artefact) and the runtime.
 *
 * Both sides include this file and nothing else of each other. Whoever changes a struct, the meaning of a field or the
 * calling rules below changes SAMBA_ABI_VERSION in the same commit: the loader refuses an artefact of another version.
 *
 * Plain C11; no dependency but <stdint.h>.
 */
#ifndef SAMBA_ABI_H
#define SAMBA_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SAMBA_ABI_VERSION 2u

/* Name of the exported entry point of a compiled model. */
#define SAMBA_ENTRY_SYMBOL "samba_step"

/* ---- The team of threads -------------------------------------------------------------------------------------------
 *
 * An entry point is SPMD: every thread of the team calls it with the same `samba_call` and with its own `samba_team`.
 * Generated code is a sequence of parallel loops, the same for all threads; everything else it does, each thread does
 * for itself and without writing to shared memory. In each loop a thread claims chunks of the iteration space until
 * none is left and then waits at the barrier, which also publishes the writes of the loop to the whole team.
 */
typedef struct samba_team {
  /* Claims the next chunk of a loop over [0, total), total < 2^32.
   * Returns begin | end << 32; begin == end says that nothing is left. */
  uint64_t (*claim)(struct samba_team *team, uint64_t total);
  /* Waits until every iteration of the loop is done, by whichever threads claimed them, and makes the next loop's
   * iteration space fresh. A thread that claimed nothing need not have arrived. */
  void (*barrier)(struct samba_team *team);
  int32_t thread;  /* 0 .. threads-1 */
  int32_t threads; /* size of the team, >= 1 */
  void *shared;    /* the runtime's own */
} samba_team;

/* ---- One call -----------------------------------------------------------------------------------------------------
 */

/* A dense row-major tensor whose first size may be dynamic. `rows` is the first size, also where it is static. */
typedef struct samba_buffer {
  void *data;
  int64_t rows;
} samba_buffer;

/* Called by one thread of the team, between barriers, with a [rows, columns] f32 matrix that is valid during the call.
 * `index` counts the model's probes (manifest key "probes"). */
typedef void (*samba_probe)(void *user, int32_t index, const float *data, int64_t rows, int64_t columns);

/* Arguments of one entry point call. The caller owns everything.
 *
 * For a model's SAMBA_ENTRY_SYMBOL, with T tokens in S segments (one per sequence; a segment may be empty) and R rows
 * whose logits are wanted:
 *   inputs[0]  tokens    i32 [T]    ids, already checked against the vocabulary
 *   inputs[1]  segments  i64 [S+1]  segment s holds the tokens segments[s] .. segments[s+1]-1; segments[0]=0, [S]=T
 *   inputs[2]  positions i64 [S]    tokens of sequence s seen before this call
 *   inputs[3]  rows      i64 [R]    R <= T token indices
 *   outputs[0] logits    f32 [R, vocabulary]
 *   states[s]  the state of sequence s: manifest key "state", 64-byte aligned, all zero for a fresh sequence, updated
 *              in place. No two sequences of a call may share a state.
 */
typedef struct samba_call {
  const samba_buffer *inputs;  /* tensor arguments in order */
  const samba_buffer *outputs; /* tensor results in order */
  void *const *states;         /* one per sequence */
  const void *weights;         /* the weights section, 64-byte aligned */
  void *arena;                 /* scratch memory, 64-byte aligned: arena_rows * manifest "arena_bytes_per_token" */
  int64_t arena_rows;          /* a multiple of 16, >= T */
  samba_probe probe;           /* may be null */
  void *probe_user;
} samba_call;

typedef void (*samba_entry)(const samba_call *call, samba_team *team);

/* ---- The artefact file ---------------------------------------------------------------------------------------------
 *
 *   code         an ELF shared library (at offset 0 of a plain artefact, after the launcher in a self-contained program)
 *   weights      page-aligned packed weights, mapped read-only; absent if SAMBA_WEIGHTS_BESIDE
 *   gpu_weights  the same for the GPU, copied to it
 *   gpu          programs and images for the GPU, see below; 64-byte aligned
 *   tokenizer    a SentencePiece model, or empty
 *   manifest     UTF-8 JSON
 *   footer       this struct, the last bytes of the file
 *
 * An artefact has code, or a gpu section, or both; the weights of what it does not have are empty.
 *
 * The gpu section: the length of a JSON text in 8 bytes, the text (docs/formats.md), then images at offsets that count
 * from the first multiple of 64 behind it.
 *
 * Integers are little-endian. Checksums are XXH3-64 with seed 0.
 */
#define SAMBA_FOOTER_MAGIC "SAMBAART" /* 8 bytes, no terminator */
#define SAMBA_WEIGHTS_BESIDE 1u       /* weights and gpu_weights are a file of their own, in the same folder: manifest key
                                       * "weights.file" */
#define SAMBA_GPU_VERSION 1           /* of the JSON text in the gpu section */

typedef struct samba_section {
  uint64_t offset; /* from the start of its file */
  uint64_t size;   /* bytes */
  uint64_t checksum;
} samba_section;

typedef struct samba_footer {
  char magic[8];
  uint32_t abi_version;
  uint32_t flags;
  uint64_t file_size; /* of the whole file, footer included */
  samba_section code;
  samba_section weights;
  samba_section tokenizer;
  samba_section manifest;
  samba_section gpu;
  samba_section gpu_weights; /* in the file of the weights */
  uint64_t checksum; /* of all bytes of the footer before this field */
} samba_footer;

#ifdef __cplusplus
}
#endif
#endif /* SAMBA_ABI_H */

//===- Api.cpp - the C interface -----------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Api.h"
#include "samba/abi.h"

#include <algorithm>
#include <cstring>

using namespace samba::runtime;

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
const char *samba_cpu(const samba_model *model) { return model->model->cpu().c_str(); }
const char *samba_model_name(const samba_model *model) { return model->model->manifest().name.c_str(); }
int32_t samba_vocab_size(const samba_model *model) { return model->model->manifest().vocabSize; }
int64_t samba_max_context(const samba_model *model) { return model->model->manifest().maxContext.value_or(-1); }
int32_t samba_bos_token(const samba_model *model) { return model->model->manifest().bos.value_or(-1); }
int32_t samba_eos_token(const samba_model *model) { return model->model->manifest().eos.value_or(-1); }
int32_t samba_threads(const samba_model *model) { return model->model->threads(); }
int64_t samba_chunk(const samba_model *model) { return model->model->chunk(); }
const char *samba_device(const samba_model *model) { return model->model->device().c_str(); }

samba_status samba_device_counters(const samba_model *model, char *buffer, size_t capacity, size_t *bytes) {
  return guard([&] {
    require(model && bytes && (buffer || capacity == 0), "samba_device_counters: null argument");
    std::string text = model->model->counters();
    *bytes = text.size() + 1;
    if (*bytes > capacity)
      throw Error(SAMBA_ERROR_LIMIT,
                  "the buffer has room for " + std::to_string(capacity) + ", expected " + std::to_string(*bytes));
    std::memcpy(buffer, text.c_str(), *bytes);
  });
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

/// `wanted` gives the number of last tokens of segment i whose logits are wanted.
template <typename Wanted>
static std::vector<Model::Segment> filledSegments(const samba_segment *segments, size_t count, Wanted wanted) {
  std::vector<Model::Segment> filled;
  for (size_t i = 0; i < count; ++i) {
    require(segments[i].session, "samba_evaluate: null session");
    if (segments[i].count > 0)
      filled.push_back({segments[i].session, segments[i].tokens, segments[i].count, wanted(i)});
  }
  return filled;
}

samba_status samba_evaluate(samba_model *model, const samba_segment *segments, size_t count, samba_rows rows,
                            float *logits, size_t capacity) {
  return guard([&] {
    require(model && (segments || count == 0), "samba_evaluate: null argument");
    require(rows == SAMBA_ROWS_NONE || rows == SAMBA_ROWS_LAST || rows == SAMBA_ROWS_ALL,
            "samba_evaluate: unknown choice of rows");
    auto wanted = [&](size_t i) {
      return rows == SAMBA_ROWS_ALL ? segments[i].count : static_cast<size_t>(rows == SAMBA_ROWS_LAST);
    };
    model->model->evaluate(filledSegments(segments, count, wanted), logits, capacity);
  });
}

samba_status samba_evaluate_last(samba_model *model, const samba_segment *segments, size_t count, const size_t *last,
                                 float *logits, size_t capacity) {
  return guard([&] {
    require(model && ((segments && last) || count == 0), "samba_evaluate_last: null argument");
    for (size_t i = 0; i < count; ++i)
      require(last[i] <= segments[i].count, "samba_evaluate_last: more rows are wanted than a segment has tokens");
    model->model->evaluate(filledSegments(segments, count, [&](size_t i) { return last[i]; }), logits, capacity);
  });
}

samba_status samba_evaluate_greedy(samba_model *model, const samba_segment *segments, size_t count, const size_t *last,
                                   int32_t *tokens, size_t capacity) {
  return guard([&] {
    require(model && (segments || count == 0), "samba_evaluate_greedy: null argument");
    for (size_t i = 0; last && i < count; ++i)
      require(last[i] <= segments[i].count, "samba_evaluate_greedy: more rows are wanted than a segment has tokens");
    auto wanted = [&](size_t i) { return last ? last[i] : 1; };
    model->model->evaluateGreedy(filledSegments(segments, count, wanted), tokens, capacity);
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

samba_status samba_sampler_reseed(samba_sampler *sampler, uint64_t seed) {
  return guard([&] {
    require(sampler, "samba_sampler_reseed: null argument");
    sampler->reseed(seed);
  });
}

samba_status samba_sampler_serialize(const samba_sampler *sampler, void *buffer, size_t capacity, size_t *bytes) {
  return guard([&] {
    require(sampler && bytes && (buffer || capacity == 0), "samba_sampler_serialize: null argument");
    std::string saved = sampler->save();
    *bytes = saved.size();
    if (saved.size() > capacity)
      throw Error(SAMBA_ERROR_LIMIT,
                  "the buffer has room for " + std::to_string(capacity) + ", expected " + std::to_string(saved.size()));
    std::memcpy(buffer, saved.data(), saved.size());
  });
}

samba_status samba_sampler_restore(samba_sampler *sampler, const void *data, size_t bytes) {
  return guard([&] {
    require(sampler && (data || bytes == 0), "samba_sampler_restore: null argument");
    sampler->restore({static_cast<const char *>(data), bytes});
  });
}

samba_status samba_sampler_sample(samba_sampler *sampler, const float *logits, size_t vocab_size, int32_t *token) {
  return guard([&] {
    require(sampler && logits && token && vocab_size > 0 && vocab_size <= INT32_MAX,
            "samba_sampler_sample: invalid argument");
    *token = sampler->sample(logits, vocab_size);
  });
}

samba_status samba_sampler_bias(samba_sampler *sampler, int32_t token, float bias) {
  return guard([&] {
    require(sampler, "samba_sampler_bias: null argument");
    sampler->setBias(token, bias);
  });
}

samba_status samba_sampler_probabilities(samba_sampler *sampler, const float *logits, size_t vocab_size,
                                         float *probabilities) {
  return guard([&] {
    require(sampler && logits && probabilities && vocab_size > 0 && vocab_size <= INT32_MAX,
            "samba_sampler_probabilities: invalid argument");
    sampler->probabilities(logits, vocab_size, probabilities);
  });
}

samba_status samba_sampler_choose(samba_sampler *sampler, const float *logits, size_t vocab_size, int32_t proposed,
                                  const float *proposal, int32_t *token) {
  return guard([&] {
    require(sampler && logits && proposal && token && vocab_size > 0 && vocab_size <= INT32_MAX && proposed >= 0 &&
                static_cast<size_t>(proposed) < vocab_size,
            "samba_sampler_choose: invalid argument");
    *token = sampler->choose(logits, vocab_size, proposed, proposal);
  });
}

//===----------------------------------------------------------------------===//
// Scheduling
//===----------------------------------------------------------------------===//

samba_status samba_scheduler_create(samba_model *model, int64_t budget, samba_scheduler **scheduler) {
  return guard([&] {
    require(model && scheduler, "samba_scheduler_create: null argument");
    *scheduler = new samba_scheduler{Scheduler(model->model, budget), {}, {}};
  });
}

void samba_scheduler_free(samba_scheduler *scheduler) { delete scheduler; }

samba_status samba_scheduler_feed(samba_scheduler *scheduler, samba_session *session, const int32_t *tokens,
                                  size_t count) {
  return guard([&] {
    require(scheduler && session && (tokens || count == 0), "samba_scheduler_feed: null argument");
    scheduler->scheduler.feed(*session, tokens, count);
  });
}

void samba_scheduler_remove(samba_scheduler *scheduler, const samba_session *session) {
  if (session)
    scheduler->scheduler.remove(*session);
}

samba_status samba_scheduler_step(samba_scheduler *scheduler, const samba_ready **ready, size_t *count) {
  return guard([&] {
    require(scheduler && ready && count, "samba_scheduler_step: null argument");
    scheduler->ready.clear();
    scheduler->ready.reserve(scheduler->scheduler.size()); // before anything changes
    for (const Scheduler::Ready &one : scheduler->scheduler.step(Scheduler::Wanted::Logits))
      scheduler->ready.push_back({static_cast<samba_session *>(one.session), one.logits});
    *ready = scheduler->ready.data();
    *count = scheduler->ready.size();
  });
}

samba_status samba_scheduler_step_greedy(samba_scheduler *scheduler, const samba_chosen **chosen, size_t *count) {
  return guard([&] {
    require(scheduler && chosen && count, "samba_scheduler_step_greedy: null argument");
    scheduler->chosen.clear();
    scheduler->chosen.reserve(scheduler->scheduler.size()); // before anything changes
    for (const Scheduler::Ready &one : scheduler->scheduler.step(Scheduler::Wanted::Tokens))
      scheduler->chosen.push_back({static_cast<samba_session *>(one.session), one.token});
    *chosen = scheduler->chosen.data();
    *count = scheduler->chosen.size();
  });
}

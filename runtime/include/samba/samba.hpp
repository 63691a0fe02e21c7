//===- samba.hpp - C++ convenience over samba.h ----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Header-only, C++17. Owning objects in place of pointers, vectors in place of buffers, and samba::Exception in place
// of status codes. Ownership and threads are as in samba.h.
//
//===----------------------------------------------------------------------===//

#ifndef SAMBA_SAMBA_HPP
#define SAMBA_SAMBA_HPP

#include "samba/samba.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace samba {

/// A failed call: its status, and samba_last_error() as what().
class Exception : public std::runtime_error {
public:
  Exception(samba_status status, const char *message) : std::runtime_error(message), code(status) {}
  samba_status status() const { return code; }

private:
  samba_status code;
};

inline void check(samba_status status) {
  if (status != SAMBA_OK)
    throw Exception(status, samba_last_error());
}

namespace detail {
template <auto function> struct Free {
  template <typename Object> void operator()(Object *object) const { function(object); }
};
} // namespace detail

/// An open model. Movable, not copyable.
class Model {
public:
  explicit Model(const std::string &path, const samba_options &options = SAMBA_OPTIONS_INIT) {
    samba_model *opened = nullptr;
    check(samba_open(path.c_str(), &options, &opened));
    model.reset(opened);
  }

  samba_model *get() const { return model.get(); }

  std::string_view manifest() const { return samba_manifest(get()); }
  std::string_view name() const { return samba_model_name(get()); }
  std::string_view cpu() const { return samba_cpu(get()); }
  int32_t vocabSize() const { return samba_vocab_size(get()); }
  int64_t maxContext() const { return samba_max_context(get()); }
  int32_t bos() const { return samba_bos_token(get()); }
  int32_t eos() const { return samba_eos_token(get()); }
  int32_t threads() const { return samba_threads(get()); }
  int64_t chunk() const { return samba_chunk(get()); }
  std::string_view device() const { return samba_device(get()); }
  /// JSON: see samba_device_counters.
  std::string deviceCounters() const {
    size_t bytes = 0;
    samba_status status = samba_device_counters(get(), nullptr, 0, &bytes);
    std::string text(bytes, '\0');
    if (status == SAMBA_ERROR_LIMIT)
      status = samba_device_counters(get(), text.data(), text.size(), &bytes);
    check(status);
    text.resize(bytes - 1);
    return text;
  }
  uint64_t fingerprint() const { return samba_fingerprint(get()); }
  bool hasTokenizer() const { return samba_has_tokenizer(get()) != 0; }

  bool isEndToken(int32_t token) const { return samba_is_end_token(get(), token) != 0; }

  std::vector<int32_t> tokenize(std::string_view text, bool special = true) const {
    return tokenize(text, special ? SAMBA_SPECIAL_ADD : SAMBA_SPECIAL_NONE);
  }
  std::vector<int32_t> tokenize(std::string_view text, samba_special special) const {
    std::vector<int32_t> tokens(text.size() + 8);
    size_t count = 0;
    samba_status status =
        samba_tokenize(get(), text.data(), text.size(), special, tokens.data(), tokens.size(), &count);
    tokens.resize(count);
    if (status == SAMBA_ERROR_LIMIT)
      status = samba_tokenize(get(), text.data(), text.size(), special, tokens.data(), tokens.size(), &count);
    check(status);
    return tokens;
  }

  std::string detokenize(const std::vector<int32_t> &tokens) const {
    std::string text(tokens.size() * 8 + 8, '\0');
    size_t bytes = 0;
    samba_status status = samba_detokenize(get(), tokens.data(), tokens.size(), text.data(), text.size(), &bytes);
    text.resize(bytes);
    if (status == SAMBA_ERROR_LIMIT)
      status = samba_detokenize(get(), tokens.data(), tokens.size(), text.data(), text.size(), &bytes);
    check(status);
    return text;
  }

  /// See samba_render_chat; an empty template is the model's own.
  std::string renderChat(const std::string &variables, const std::string &text = "") const {
    const char *source = text.empty() ? nullptr : text.c_str();
    std::string result;
    size_t bytes = 0;
    samba_status status = samba_render_chat(get(), source, variables.c_str(), nullptr, 0, &bytes);
    if (status == SAMBA_ERROR_LIMIT) {
      result.resize(bytes);
      status = samba_render_chat(get(), source, variables.c_str(), result.data(), result.size(), &bytes);
    }
    check(status);
    return result;
  }

  void evaluate(const std::vector<samba_segment> &segments, samba_rows rows, std::vector<float> &logits) const {
    check(samba_evaluate(get(), segments.data(), segments.size(), rows, logits.data(), logits.size()));
  }

  void evaluate(const std::vector<samba_segment> &segments, const std::vector<size_t> &last,
                std::vector<float> &logits) const {
    check(samba_evaluate_last(get(), segments.data(), segments.size(), last.data(), logits.data(), logits.size()));
  }

  /// See samba_evaluate_greedy; an empty `last` is the last token of each segment.
  void evaluateGreedy(const std::vector<samba_segment> &segments, const std::vector<size_t> &last,
                      std::vector<int32_t> &tokens) const {
    check(samba_evaluate_greedy(get(), segments.data(), segments.size(), last.empty() ? nullptr : last.data(),
                                tokens.data(), tokens.size()));
  }

  void setProbe(samba_probe_callback callback, void *user) const { samba_set_probe(get(), callback, user); }

private:
  std::unique_ptr<samba_model, detail::Free<samba_close>> model;
};

/// One sequence.
class Session {
public:
  explicit Session(const Model &model) {
    samba_session *created = nullptr;
    check(samba_session_create(model.get(), &created));
    session.reset(created);
    owner = model.get();
  }

  /// A saved one. The model must stay open.
  static Session load(const Model &model, const std::string &path) {
    samba_session *loaded = nullptr;
    check(samba_session_load(model.get(), path.c_str(), &loaded));
    return {loaded, model.get()};
  }
  void save(const std::string &path) const { check(samba_session_save(get(), path.c_str())); }
  /// See samba_session_fork.
  Session fork() {
    samba_session *child = nullptr;
    check(samba_session_fork(get(), &child));
    return {child, owner};
  }
  void mark() { check(samba_session_mark(get())); }
  void rollback(int64_t tokens) { check(samba_session_rollback(get(), tokens)); }
  int64_t note() const { return samba_session_note(get()); }
  void setNote(int64_t note) { samba_session_set_note(get(), note); }
  std::string_view attachment() const {
    size_t bytes = 0;
    const void *data = samba_session_attachment(get(), &bytes);
    return {static_cast<const char *>(data), bytes};
  }
  void attach(std::string_view bytes) { check(samba_session_attach(get(), bytes.data(), bytes.size())); }

  samba_session *get() const { return session.get(); }
  int64_t position() const { return samba_session_position(get()); }
  void reset() { samba_session_reset(get()); }
  void copyFrom(const Session &other) { check(samba_session_copy(get(), other.get())); }
  const void *state() const { return samba_session_state(get()); }

  /// Feeds tokens to this session alone. The model that it was created from must be open.
  void evaluate(const int32_t *tokens, size_t count, samba_rows rows, float *logits, size_t capacity) {
    samba_segment segment = {get(), tokens, count};
    check(samba_evaluate(owner, &segment, 1, rows, logits, capacity));
  }
  /// The same, with the token that a greedy sampler would choose by the last one's logits; -1 if all of them are NaN.
  int32_t evaluateGreedy(const int32_t *tokens, size_t count) {
    samba_segment segment = {get(), tokens, count};
    int32_t token = -1;
    check(samba_evaluate_greedy(owner, &segment, 1, nullptr, &token, 1));
    return token;
  }

private:
  Session(samba_session *session, samba_model *owner) : session(session), owner(owner) {}

  std::unique_ptr<samba_session, detail::Free<samba_session_free>> session;
  samba_model *owner = nullptr;
};

/// Continuous batching, see samba_scheduler.
class Scheduler {
public:
  explicit Scheduler(const Model &model, int64_t budget = 0) {
    samba_scheduler *created = nullptr;
    check(samba_scheduler_create(model.get(), budget, &created));
    scheduler.reset(created);
  }

  void feed(Session &session, const int32_t *tokens, size_t count) {
    check(samba_scheduler_feed(scheduler.get(), session.get(), tokens, count));
  }
  void remove(const Session &session) { samba_scheduler_remove(scheduler.get(), session.get()); }
  std::vector<samba_ready> step() {
    const samba_ready *ready = nullptr;
    size_t count = 0;
    check(samba_scheduler_step(scheduler.get(), &ready, &count));
    return {ready, ready + count};
  }
  std::vector<samba_chosen> stepGreedy() {
    const samba_chosen *chosen = nullptr;
    size_t count = 0;
    check(samba_scheduler_step_greedy(scheduler.get(), &chosen, &count));
    return {chosen, chosen + count};
  }

private:
  std::unique_ptr<samba_scheduler, detail::Free<samba_scheduler_free>> scheduler;
};

/// Streams text, see samba_detokenizer.
class Detokenizer {
public:
  explicit Detokenizer(const Model &model) {
    samba_detokenizer *created = nullptr;
    check(samba_detokenizer_create(model.get(), &created));
    detokenizer.reset(created);
  }

  std::string push(int32_t token) {
    const char *text = nullptr;
    size_t bytes = 0;
    check(samba_detokenizer_push(detokenizer.get(), token, &text, &bytes));
    return {text, bytes};
  }
  std::string finish() {
    const char *text = nullptr;
    size_t bytes = 0;
    check(samba_detokenizer_finish(detokenizer.get(), &text, &bytes));
    return {text, bytes};
  }

private:
  std::unique_ptr<samba_detokenizer, detail::Free<samba_detokenizer_free>> detokenizer;
};

/// Chooses tokens, see samba_sampling.
class Sampler {
public:
  explicit Sampler(const samba_sampling &sampling = SAMBA_SAMPLING_INIT) {
    samba_sampler *created = nullptr;
    check(samba_sampler_create(&sampling, &created));
    sampler.reset(created);
  }

  void accept(int32_t token) { check(samba_sampler_accept(sampler.get(), token)); }
  void reseed(uint64_t seed) { check(samba_sampler_reseed(sampler.get(), seed)); }
  std::string serialize() const {
    std::string saved;
    size_t bytes = 0;
    while (samba_sampler_serialize(sampler.get(), saved.data(), saved.size(), &bytes) == SAMBA_ERROR_LIMIT)
      saved.resize(bytes);
    return saved;
  }
  void restore(std::string_view bytes) { check(samba_sampler_restore(sampler.get(), bytes.data(), bytes.size())); }
  void bias(int32_t token, float value) { check(samba_sampler_bias(sampler.get(), token, value)); }
  std::vector<float> probabilities(const float *logits, size_t vocabSize) {
    std::vector<float> result(vocabSize);
    check(samba_sampler_probabilities(sampler.get(), logits, vocabSize, result.data()));
    return result;
  }
  int32_t choose(const float *logits, const std::vector<float> &proposal, int32_t proposed) {
    int32_t token = 0;
    check(samba_sampler_choose(sampler.get(), logits, proposal.size(), proposed, proposal.data(), &token));
    return token;
  }
  int32_t sample(const float *logits, size_t vocabSize) {
    int32_t token = 0;
    check(samba_sampler_sample(sampler.get(), logits, vocabSize, &token));
    return token;
  }

private:
  std::unique_ptr<samba_sampler, detail::Free<samba_sampler_free>> sampler;
};

} // namespace samba

#endif // SAMBA_SAMBA_HPP

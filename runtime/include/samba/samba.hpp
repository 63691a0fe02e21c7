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
  int32_t vocabSize() const { return samba_vocab_size(get()); }
  int64_t maxContext() const { return samba_max_context(get()); }
  int32_t bos() const { return samba_bos_token(get()); }
  int32_t eos() const { return samba_eos_token(get()); }
  int32_t threads() const { return samba_threads(get()); }
  int64_t chunk() const { return samba_chunk(get()); }
  bool hasTokenizer() const { return samba_has_tokenizer(get()) != 0; }

  std::vector<int32_t> tokenize(std::string_view text, bool special = true) const {
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

  void evaluate(const std::vector<samba_segment> &segments, samba_rows rows, std::vector<float> &logits) const {
    check(samba_evaluate(get(), segments.data(), segments.size(), rows, logits.data(), logits.size()));
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

private:
  std::unique_ptr<samba_session, detail::Free<samba_session_free>> session;
  samba_model *owner = nullptr;
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

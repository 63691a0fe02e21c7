//===- StateApi.cpp - the C interface of sessions and states -------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Api.h"
#include "runtime/OutputFile.h"
#include "runtime/StateBlob.h"

#include <cstring>

using namespace samba::runtime;

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
int64_t samba_session_position(const samba_session *session) { return session->position(); }
int64_t samba_session_note(const samba_session *session) { return session->note(); }
void samba_session_set_note(samba_session *session, int64_t note) { session->setNote(note); }

samba_status samba_session_attach(samba_session *session, const void *data, size_t bytes) {
  return guard([&] {
    require(session && (data || bytes == 0), "samba_session_attach: null argument");
    if (bytes > SAMBA_MAX_ATTACHMENT)
      throw Error(SAMBA_ERROR_ARGUMENT, "samba_session_attach: expected at most " +
                                            std::to_string(SAMBA_MAX_ATTACHMENT) + " bytes, found " +
                                            std::to_string(bytes));
    session->attach(bytes > 0 ? std::string(static_cast<const char *>(data), bytes) : std::string());
  });
}

const void *samba_session_attachment(const samba_session *session, size_t *bytes) {
  if (bytes)
    *bytes = session->attachment().size();
  return session->attachment().data();
}

samba_status samba_session_copy(samba_session *to, const samba_session *from) {
  return guard([&] {
    require(to && from, "samba_session_copy: null argument");
    require(&to->owner() == &from->owner(), "samba_session_copy: sessions of two models");
    to->assign(*from);
  });
}

samba_status samba_session_fork(samba_session *parent, samba_session **child) {
  return guard([&] {
    require(parent && child, "samba_session_fork: null argument");
    *child = new samba_session(Session::Fork{*parent});
  });
}

samba_status samba_session_restore(samba_session *session, const void *state, size_t bytes, int64_t position) {
  return guard([&] {
    require(session && (state || bytes == 0), "samba_session_restore: null argument");
    require(bytes == session->owner().manifest().stateBytes, "samba_session_restore: wrong size of the state");
    require(position >= 0, "samba_session_restore: negative position");
    session->owner().checkContext(position, 0);
    session->restore(state, position);
  });
}

samba_status samba_session_mark(samba_session *session) {
  return guard([&] {
    require(session, "samba_session_mark: null argument");
    session->mark();
  });
}

samba_status samba_session_rollback(samba_session *session, int64_t tokens) {
  return guard([&] {
    require(session, "samba_session_rollback: null argument");
    require(tokens >= 0, "samba_session_rollback: negative number of tokens");
    session->rollback(tokens);
  });
}

void samba_session_forget_marks(samba_session *session) { session->forgetMarks(); }

int64_t samba_max_rollback(const samba_model *model) { return model->model->stateLayout().longestRing().value_or(-1); }

//===----------------------------------------------------------------------===//
// Saved states
//===----------------------------------------------------------------------===//

uint64_t samba_fingerprint(const samba_model *model) { return model->model->fingerprint(); }

size_t samba_saved_bytes(const samba_model *model) { return StateBlob::size(*model->model); }

samba_status samba_session_serialize(const samba_session *session, void *buffer, size_t capacity, size_t *bytes) {
  return guard([&] {
    require(session && bytes && (buffer || capacity == 0), "samba_session_serialize: null argument");
    *bytes = StateBlob::size(session->owner()) + session->attachment().size();
    if (*bytes > capacity)
      throw Error(SAMBA_ERROR_LIMIT,
                  "the buffer has room for " + std::to_string(capacity) + ", expected " + std::to_string(*bytes));
    char *to = static_cast<char *>(buffer);
    StateBlob::write(*session, [&](const void *data, uint64_t size) {
      if (size > 0)
        std::memcpy(to, data, size);
      to += size;
    });
  });
}

samba_status samba_session_deserialize(samba_model *model, const void *data, size_t bytes, samba_session **session) {
  return guard([&] {
    require(model && session && (data || bytes == 0), "samba_session_deserialize: null argument");
    auto loaded = std::make_unique<samba_session>(model->model);
    const char *from = static_cast<const char *>(data);
    StateBlob::read(*loaded, "the state in memory", bytes, [&](void *to, uint64_t size) {
      if (size > 0)
        std::memcpy(to, from, size);
      from += size;
    });
    *session = loaded.release();
  });
}

samba_status samba_session_save(const samba_session *session, const char *path) {
  return guard([&] {
    require(session && path, "samba_session_save: null argument");
    OutputFile file(path);
    uint64_t at = 0;
    StateBlob::write(*session, [&](const void *data, uint64_t size) {
      file.write(at, data, size);
      at += size;
    });
    file.commit();
  });
}

samba_status samba_session_load(samba_model *model, const char *path, samba_session **session) {
  return guard([&] {
    require(model && path && session, "samba_session_load: null argument");
    auto loaded = std::make_unique<samba_session>(model->model);
    File file(path);
    uint64_t at = 0;
    StateBlob::read(*loaded, "'" + file.path() + "'", file.size(), [&](void *to, uint64_t size) {
      file.read(at, to, size);
      at += size;
    });
    *session = loaded.release();
  });
}

//===----------------------------------------------------------------------===//
// The state as memory
//===----------------------------------------------------------------------===//

size_t samba_state_bytes(const samba_model *model) { return model->model->manifest().stateBytes; }
size_t samba_state_field_count(const samba_model *model) { return model->model->stateFields().size(); }

const samba_state_field *samba_state_field_at(const samba_model *model, size_t index) {
  const auto &fields = model->model->stateFields();
  return index < fields.size() ? &fields[index] : nullptr;
}

void *samba_session_state(samba_session *session) { return session->exposeState(); }

//===- Session.h - one sequence --------------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_SESSION_H
#define RUNTIME_SESSION_H

#include "runtime/SequenceState.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

namespace samba::runtime {

class Model;

/// One sequence: its state and its position, and how to get back to marked places.
class Session {
public:
  explicit Session(std::shared_ptr<Model> model);
  /// The same as `parent`, and independent of it.
  struct Fork {
    Session &parent;
  };
  explicit Session(Fork fork);

  Model &owner() const { return *model; }
  int64_t position() const { return tokens; }
  /// The bytes of the state, until the next evaluation.
  const char *state() const { return memory->read(); }
  /// For callers who may change it.
  char *exposeState() { return memory->expose(); }
  int64_t note() const { return number; }
  void setNote(int64_t value) { number = value; }
  const std::string &attachment() const { return attached; }
  void attach(std::string bytes) { attached = std::move(bytes); }

  void reset();
  /// A session of the same model.
  void assign(const Session &from);
  /// `bytes` is of the size of a state.
  void restore(const void *bytes, int64_t position);

  void mark();
  /// Throws SAMBA_ERROR_ARGUMENT.
  void rollback(int64_t back);
  void forgetMarks();

  /// What must be done before `count` tokens change the state. Throws if memory is short; the session is as it was.
  void prepare(int64_t count);
  /// The state, for a step after that.
  SequenceState *stateForStep() const { return memory.get(); }
  /// Where to write all bytes of another state.
  char *overwriteState() { return memory->overwrite(); }
  /// Says what state it is that was written there.
  void adopt(int64_t position, int64_t note, std::string attachment) {
    tokens = position;
    number = note;
    attached = std::move(attachment);
  }
  void advance(int64_t count) { tokens += count; }

private:
  struct Mark {
    int64_t position;
    std::unique_ptr<SavedParts> rest; // of the state, outside of the rings
  };
  /// The ring slots of some tokens, as they were before.
  struct Undo {
    int64_t position, count;
    std::unique_ptr<SavedParts> slots;
  };

  std::shared_ptr<Model> model; // first: the state is in its memory
  std::unique_ptr<SequenceState> memory;
  int64_t tokens = 0;
  int64_t number = 0;
  std::string attached;
  std::deque<Mark> marks; // by position
  std::deque<Undo> undos; // by position; none before the first mark
};

} // namespace samba::runtime

#endif // RUNTIME_SESSION_H

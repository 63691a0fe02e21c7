//===- Session.h - one sequence --------------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_SESSION_H
#define RUNTIME_SESSION_H

#include "runtime/StateMemory.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace samba::runtime {

class Model;

/// One sequence: its state and its position, and how to get back to marked places.
class Session {
public:
  explicit Session(std::shared_ptr<Model> model);
  /// Copy-on-write: shares the pages of `parent`'s image, which is made if there is none of its present state.
  struct Fork {
    Session &parent;
  };
  explicit Session(Fork fork);

  Model &owner() const { return *model; }
  int64_t position() const { return tokens; }
  const char *state() const { return memory.data(); }
  /// For callers who may change it.
  char *exposeState();
  int64_t note() const { return number; }
  void setNote(int64_t value) { number = value; }

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
  /// The state, for who changes it after that.
  void *stateForStep() const { return memory.data(); }
  /// Says what state it is that was written there.
  void adopt(int64_t position, int64_t note) {
    tokens = position;
    number = note;
  }
  void advance(int64_t count) { tokens += count; }

private:
  static std::shared_ptr<const StateImage> freeze(Session &session);
  void changed() { image.reset(); }

  struct Mark {
    int64_t position;
    std::vector<char> rest; // of the state, outside of the rings
  };
  /// The ring slots of some tokens, as they were before.
  struct Undo {
    int64_t position, count;
    std::vector<char> slots;
  };

  std::shared_ptr<Model> model;
  std::shared_ptr<const StateImage> image; // of the present state, unless a caller has changed that (exposed)
  StateMemory memory;
  bool exposed = false; // a caller has a pointer to the state
  int64_t tokens = 0;
  int64_t number = 0;
  std::deque<Mark> marks; // by position
  std::deque<Undo> undos; // by position; none before the first mark
};

} // namespace samba::runtime

#endif // RUNTIME_SESSION_H

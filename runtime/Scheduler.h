//===- Scheduler.h - many sequences in one step ----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_SCHEDULER_H
#define RUNTIME_SCHEDULER_H

#include "runtime/Model.h"

#include <vector>

namespace samba::runtime {

/// Continuous batching: the scheduler of samba.h.
class Scheduler {
public:
  /// `budget` 0: the model's chunk. Throws SAMBA_ERROR_ARGUMENT.
  Scheduler(std::shared_ptr<Model> model, int64_t budget);

  /// Throws SAMBA_ERROR_ARGUMENT or SAMBA_ERROR_CONTEXT_FULL.
  void feed(Session &session, const int32_t *tokens, size_t count);
  void remove(const Session &session);
  /// Sessions with queued tokens.
  size_t size() const { return queues.size(); }

  /// A session whose tokens are all evaluated, and its logits or the token that greatest() finds there.
  struct Ready {
    Session *session;
    const float *logits;
    int32_t token;
  };
  enum class Wanted { Logits, Tokens };
  std::vector<Ready> step(Wanted wanted);

private:
  struct Queue {
    Session *session;
    std::vector<int32_t> tokens;
    size_t done;
    size_t left() const { return tokens.size() - done; }
  };
  std::vector<size_t> share() const;

  std::shared_ptr<Model> model;
  size_t budget;
  std::vector<Queue> queues; // none is empty
  size_t turn = 0;           // the queue that is first if there is not enough for all
  std::vector<float> logits;
  std::vector<int32_t> chosen;
};

} // namespace samba::runtime

#endif // RUNTIME_SCHEDULER_H

//===- StateBlob.h - a session as bytes ------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_STATEBLOB_H
#define RUNTIME_STATEBLOB_H

#include "runtime/Session.h"

#include <functional>
#include <string>

namespace samba::runtime {

/// The form of a session outside of the process, of one size for all sessions of a model but for what is attached to
/// them: a header of 64 bytes, the field table as JSON padded to a multiple of 64 bytes, the state, and the attachment.
/// docs/runtime.md has the offsets.
class StateBlob {
public:
  /// The one that is written, and the oldest that is read: version 1 has no attachment.
  static constexpr uint32_t version = 2, oldest = 1;

  /// Receives consecutive pieces.
  using Sink = std::function<void(const void *data, uint64_t bytes)>;
  /// Fills `data` with the next `bytes` bytes.
  using Source = std::function<void(void *data, uint64_t bytes)>;

  /// Without attachment.
  static uint64_t size(const Model &model);
  static void write(const Session &session, const Sink &sink);
  /// Sets the session to what was written; it is undefined if this throws. `available` is the number of bytes that the
  /// source has, `name` is for messages. Throws SAMBA_ERROR_FORMAT if it is no blob or a damaged one, SAMBA_ERROR_ABI
  /// for another version, SAMBA_ERROR_MISMATCH for the state of another model.
  static void read(Session &session, const std::string &name, uint64_t available, const Source &source);
};

} // namespace samba::runtime

#endif // RUNTIME_STATEBLOB_H

//===- Error.cpp - failures inside the runtime ---------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Error.h"

#include <system_error>

using namespace samba::runtime;

static std::string &lastMessage() {
  static thread_local std::string message;
  return message;
}

std::string samba::runtime::withErrno(const std::string &message, int error) {
  return message + ": " + std::generic_category().message(error);
}

samba_status samba::runtime::report(samba_status status, const char *message) noexcept {
  try {
    lastMessage() = message;
  } catch (...) {
    lastMessage().clear();
  }
  return status;
}

const char *samba_last_error(void) { return lastMessage().c_str(); }

const char *samba_status_string(samba_status status) {
  switch (status) {
  case SAMBA_OK:
    return "ok";
  case SAMBA_ERROR_IO:
    return "input/output error";
  case SAMBA_ERROR_FORMAT:
    return "damaged artefact";
  case SAMBA_ERROR_ABI:
    return "wrong artefact version";
  case SAMBA_ERROR_CPU:
    return "wrong CPU";
  case SAMBA_ERROR_ARGUMENT:
    return "invalid argument";
  case SAMBA_ERROR_CONTEXT_FULL:
    return "context full";
  case SAMBA_ERROR_MEMORY:
    return "out of memory";
  case SAMBA_ERROR_LIMIT:
    return "buffer too small";
  case SAMBA_ERROR_TOKENIZER:
    return "tokenizer error";
  case SAMBA_ERROR_NUMERIC:
    return "numeric error";
  case SAMBA_ERROR_INTERNAL:
    return "internal error";
  case SAMBA_ERROR_DEVICE:
    return "device error";
  case SAMBA_ERROR_MISMATCH:
    return "state of another model";
  case SAMBA_ERROR_TEMPLATE:
    return "chat template error";
  }
  return "unknown status";
}

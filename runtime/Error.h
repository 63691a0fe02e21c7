//===- Error.h - failures inside the runtime -------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Inside the runtime a failure is a thrown Error. `guard` turns it, and every other exception, into a status and the
// calling thread's last message at the C interface.
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_ERROR_H
#define RUNTIME_ERROR_H

#include "samba/samba.h"

#include <new>
#include <stdexcept>
#include <string>

namespace samba::runtime {

class Error : public std::runtime_error {
public:
  Error(samba_status status, const std::string &message) : std::runtime_error(message), code(status) {}
  samba_status status() const { return code; }

private:
  samba_status code;
};

/// "message: reason" with the text of an errno value.
std::string withErrno(const std::string &message, int error);

/// Sets the calling thread's message; returns the status.
samba_status report(samba_status status, const char *message) noexcept;

/// Runs the body of a C function.
template <typename Body> samba_status guard(Body body) noexcept {
  try {
    body();
    return SAMBA_OK;
  } catch (const Error &error) {
    return report(error.status(), error.what());
  } catch (const std::bad_alloc &) {
    return report(SAMBA_ERROR_MEMORY, "out of memory");
  } catch (const std::exception &error) {
    return report(SAMBA_ERROR_INTERNAL, error.what());
  } catch (...) {
    return report(SAMBA_ERROR_INTERNAL, "unknown exception");
  }
}

} // namespace samba::runtime

#endif // RUNTIME_ERROR_H

//===- Code.cpp - the machine code of a compiled model -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Code.h"
#include "runtime/Error.h"

#include <cerrno>
#include <dlfcn.h>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

using namespace samba::runtime;

static File duplicate(const File &artefact) {
  int descriptor = ::fcntl(artefact.descriptor(), F_DUPFD_CLOEXEC, 0);
  if (descriptor < 0)
    throw Error(SAMBA_ERROR_IO, withErrno("cannot open '" + artefact.path() + "' again", errno));
  return File(descriptor, artefact.path());
}

static File copyToMemory(const std::string &path, const char *bytes, uint64_t size) {
  std::string message = "cannot copy the code of '" + path + "' to memory";
  int descriptor = ::memfd_create("samba-code", MFD_CLOEXEC);
  if (descriptor < 0)
    throw Error(SAMBA_ERROR_IO, withErrno(message, errno));
  File file(descriptor, path);
  while (size > 0) {
    ssize_t written = ::write(descriptor, bytes, size);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      throw Error(SAMBA_ERROR_MEMORY, withErrno(message, errno));
    bytes += written;
    size -= static_cast<uint64_t>(written);
  }
  return file;
}

Code::Code(const File &artefact, uint64_t offset, const char *bytes, uint64_t size)
    : file(offset == 0 ? duplicate(artefact) : copyToMemory(artefact.path(), bytes, size)) {
  std::string name = "/proc/self/fd/" + std::to_string(file.descriptor());
  handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = ::dlerror();
    throw Error(SAMBA_ERROR_FORMAT, "cannot load the code of '" + file.path() + "': " + (reason ? reason : "unknown"));
  }
  function = reinterpret_cast<samba_entry>(::dlsym(handle, SAMBA_ENTRY_SYMBOL));
  if (!function) {
    ::dlclose(handle);
    throw Error(SAMBA_ERROR_FORMAT, "the code of '" + file.path() + "' has no entry point " SAMBA_ENTRY_SYMBOL);
  }
}

Code::~Code() { ::dlclose(handle); }

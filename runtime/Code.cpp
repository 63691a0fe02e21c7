//===- Code.cpp - the machine code of a compiled model -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Code.h"
#include "runtime/Error.h"

#include <atomic>
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

/// A path of an open descriptor that this process has not used before. The dynamic linker remembers every name under
/// which a library was opened for as long as the library is loaded, also when the descriptor in that name has been
/// closed and means another file. So a count is written into the path with "./" and ".//", which lead nowhere else.
static std::string uniquePath(int descriptor) {
  static std::atomic<uint64_t> count{0};
  std::string path = "/proc/self/fd/";
  for (uint64_t rest = ++count; rest > 0; rest /= 2)
    path += rest % 2 ? ".//" : "./";
  return path + std::to_string(descriptor);
}

Code::Code(const File &artefact, uint64_t offset, const char *bytes, uint64_t size, const std::string &entry)
    : file(offset == 0 ? duplicate(artefact) : copyToMemory(artefact.path(), bytes, size)) {
  std::string name = uniquePath(file.descriptor());
  handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = ::dlerror();
    throw Error(SAMBA_ERROR_FORMAT, "cannot load the code of '" + file.path() + "': " + (reason ? reason : "unknown"));
  }
  function = reinterpret_cast<samba_entry>(::dlsym(handle, entry.c_str()));
  if (!function) {
    ::dlclose(handle);
    throw Error(SAMBA_ERROR_FORMAT, "the code of '" + file.path() + "' has no entry point " + entry);
  }
}

Code::~Code() { ::dlclose(handle); }

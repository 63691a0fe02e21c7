//===- OutputFile.cpp - files that appear whole or not at all ------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/OutputFile.h"
#include "runtime/Error.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace samba::runtime;

static Error failure(const std::string &path, int error) {
  return Error(SAMBA_ERROR_IO, withErrno("cannot write '" + path + "'", error));
}

OutputFile::OutputFile(const std::string &path, const std::string &aside) : path(path) {
  static std::atomic<uint64_t> count{0};
  struct stat info;
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  } else {
    partial = !aside.empty() ? aside : path + ".partial-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
    descriptor = ::open(partial.c_str(), O_WRONLY | O_CREAT | (aside.empty() ? O_EXCL : O_TRUNC) | O_CLOEXEC, 0666);
  }
  if (descriptor < 0)
    throw failure(path, errno);
}

void OutputFile::discard() {
  if (descriptor < 0)
    return;
  ::close(descriptor);
  descriptor = -1;
  if (!partial.empty())
    ::unlink(partial.c_str());
}

void OutputFile::write(uint64_t offset, const void *data, uint64_t bytes) {
  const char *from = static_cast<const char *>(data);
  while (bytes > 0) {
    ssize_t written = ::pwrite(descriptor, from, bytes, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      throw failure(path, written < 0 ? errno : EIO);
    from += written;
    offset += static_cast<uint64_t>(written);
    bytes -= static_cast<uint64_t>(written);
  }
}

void OutputFile::commit() {
  int closed = ::close(descriptor);
  int error = errno;
  descriptor = -1;
  if (closed == 0 && (partial.empty() || std::rename(partial.c_str(), path.c_str()) == 0))
    return;
  if (closed == 0)
    error = errno;
  if (!partial.empty())
    ::unlink(partial.c_str());
  throw failure(path, error);
}

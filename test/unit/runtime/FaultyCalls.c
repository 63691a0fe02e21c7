//===- FaultyCalls.c - a system that does as little as it may ------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Preloaded into a program: reads and writes move at most three bytes, and every fifth is interrupted. Both are within
// what the system promises, so nothing may change but the time that it takes. With DISK_BYTES, the disk is full after
// so many bytes have been written at some place of a file; with READ_BYTES, files end after so many have been read from
// some place; with NO_MEMORY_FILES, there is no memory for them.
//
//===----------------------------------------------------------------------===//

#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int interrupted(void) {
  static _Thread_local unsigned calls;
  if (++calls % 5 != 0)
    return 0;
  errno = EINTR;
  return 1;
}

static size_t few(size_t bytes) { return bytes < 3 ? bytes : 3; }

ssize_t read(int fd, void *data, size_t bytes) { return interrupted() ? -1 : syscall(SYS_read, fd, data, few(bytes)); }
ssize_t write(int fd, const void *data, size_t bytes) {
  return interrupted() ? -1 : syscall(SYS_write, fd, data, few(bytes));
}
static long limitOf(const char *name) {
  const char *limit = getenv(name);
  return limit ? atol(limit) : LONG_MAX;
}

ssize_t pread(int fd, void *data, size_t bytes, off_t offset) {
  static long left = -1; // -1: not known yet
  if (left < 0)
    left = limitOf("READ_BYTES");
  if (interrupted())
    return -1;
  size_t most = few(bytes) < (size_t)left ? few(bytes) : (size_t)left;
  left -= (long)most;
  return syscall(SYS_pread64, fd, data, most, offset);
}

int memfd_create(const char *name, unsigned flags) {
  if (!getenv("NO_MEMORY_FILES"))
    return (int)syscall(SYS_memfd_create, name, flags);
  errno = ENOMEM;
  return -1;
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset) {
  static long left = -1; // -1: not known yet
  if (left < 0)
    left = limitOf("DISK_BYTES");
  if (interrupted())
    return -1;
  if (left == 0 && bytes > 0) {
    errno = ENOSPC;
    return -1;
  }
  size_t most = few(bytes) < (size_t)left ? few(bytes) : (size_t)left;
  left -= (long)most;
  return syscall(SYS_pwrite64, fd, data, most, offset);
}

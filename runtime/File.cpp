//===- File.cpp - files opened and mapped for reading --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/File.h"
#include "runtime/Error.h"

#include <cerrno>
#include <fcntl.h>
#include <limits>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace samba::runtime;

File::File(const std::string &path) : filePath(path) {
  // O_NONBLOCK: opening a FIFO must fail below rather than wait for its writer.
  fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    throw Error(SAMBA_ERROR_IO, withErrno("cannot open '" + path + "'", errno));
  struct stat info;
  int failed = ::fstat(fd, &info) != 0 ? errno : 0;
  if (failed || !S_ISREG(info.st_mode)) {
    ::close(fd);
    fd = -1;
    throw Error(SAMBA_ERROR_IO, failed ? withErrno("cannot open '" + path + "'", failed)
                                       : "cannot open '" + path + "': not a regular file");
  }
  fileSize = static_cast<uint64_t>(info.st_size);
}

File::~File() {
  if (fd >= 0)
    ::close(fd);
}

void File::read(uint64_t offset, void *data, size_t bytes) const {
  char *to = static_cast<char *>(data);
  while (bytes > 0) {
    ssize_t got = ::pread(fd, to, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      throw Error(SAMBA_ERROR_IO, withErrno("cannot read '" + filePath + "'", errno));
    if (got == 0)
      throw Error(SAMBA_ERROR_IO, "cannot read '" + filePath + "': it got shorter while it was read");
    to += got;
    offset += static_cast<uint64_t>(got);
    bytes -= static_cast<size_t>(got);
  }
}

Mapping::Mapping(const File &file, uint64_t offset, uint64_t bytes) {
  if (bytes == 0)
    return;
  uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  uint64_t before = offset % page;
  if (bytes > std::numeric_limits<size_t>::max() - before)
    throw Error(SAMBA_ERROR_MEMORY, "'" + file.path() + "' is too large for this machine");
  void *address =
      ::mmap(nullptr, bytes + before, PROT_READ, MAP_PRIVATE, file.descriptor(), static_cast<off_t>(offset - before));
  if (address == MAP_FAILED)
    throw Error(errno == ENOMEM ? SAMBA_ERROR_MEMORY : SAMBA_ERROR_IO,
                withErrno("cannot map '" + file.path() + "'", errno));
  base = address;
  mapped = bytes + before;
  begin = static_cast<const char *>(address) + before;
  length = bytes;
}

Mapping::~Mapping() {
  if (base)
    ::munmap(base, mapped);
}

void Mapping::adviseHugePages() {
#ifdef MADV_HUGEPAGE
  if (base)
    ::madvise(base, mapped, MADV_HUGEPAGE);
#endif
}

void Mapping::swap(Mapping &other) noexcept {
  std::swap(base, other.base);
  std::swap(mapped, other.mapped);
  std::swap(begin, other.begin);
  std::swap(length, other.length);
}

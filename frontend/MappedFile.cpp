//===- MappedFile.cpp - a file mapped read-only ---------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/MappedFile.h"

#include "frontend/Error.h"
#include "llvm/Support/Errno.h"
#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

using namespace samba;

llvm::Expected<MappedFile> MappedFile::open(llvm::StringRef path, uint64_t maxBytes) {
  std::string name = path.str();
  // Without O_NONBLOCK, opening a pipe would wait for its writer.
  int descriptor = ::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return makeError(name + ": " + llvm::sys::StrError(errno));
  struct stat status;
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    return makeError(name + ": expected a regular file");
  }
  uint64_t size = status.st_size;
  if (size > maxBytes) {
    ::close(descriptor);
    return makeError(name + ": expected at most " + llvm::Twine(maxBytes) + " bytes, found " + llvm::Twine(size));
  }
  void *data = nullptr;
  if (size > 0) {
    data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED) {
      int error = errno;
      ::close(descriptor);
      return makeError(name + ": cannot be mapped: " + llvm::sys::StrError(error));
    }
  }
  ::close(descriptor);
  return MappedFile(name, static_cast<const uint8_t *>(data), size);
}

MappedFile::MappedFile(MappedFile &&other)
    : filePath(std::move(other.filePath)), data(std::exchange(other.data, nullptr)),
      size(std::exchange(other.size, 0)) {}

MappedFile::~MappedFile() {
  if (data)
    ::munmap(const_cast<uint8_t *>(data), size);
}

bool MappedFile::contains(llvm::ArrayRef<uint8_t> part) const {
  return data && part.begin() >= data && part.end() <= data + size;
}

void MappedFile::release(llvm::ArrayRef<uint8_t> part) const {
  if (part.empty() || !contains(part))
    return;
  // Rounded outwards: a page shared with a neighbour is merely read again.
  size_t page = ::sysconf(_SC_PAGESIZE);
  size_t begin = (part.begin() - data) / page * page, end = part.end() - data;
  ::madvise(const_cast<uint8_t *>(data) + begin, end - begin, MADV_DONTNEED);
}

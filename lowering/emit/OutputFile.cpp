//===- OutputFile.cpp - files that appear only when complete --------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/emit/OutputFile.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/raw_ostream.h"
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace samba;
namespace fs = llvm::sys::fs;

static llvm::Error cannotWrite(llvm::StringRef path, const llvm::Twine &reason) {
  return llvm::createStringError("cannot write '" + path + "': " + reason);
}

SignalBlock::SignalBlock() {
  sigset_t ending;
  sigemptyset(&ending);
  for (int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM})
    sigaddset(&ending, signal);
  pthread_sigmask(SIG_BLOCK, &ending, &before);
}

SignalBlock::~SignalBlock() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }

namespace {

/// The first temporary file installs LLVM's signal handlers, also for signals that whoever started the program wants to
/// be ignored (nohup, a job in the background). Those stay ignored.
class IgnoredSignals {
public:
  IgnoredSignals() {
    for (int signal : {SIGHUP, SIGINT}) {
      struct sigaction action;
      if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN)
        ignored.push_back(signal);
    }
  }
  ~IgnoredSignals() {
    for (int signal : ignored)
      std::signal(signal, SIG_IGN);
  }

private:
  llvm::SmallVector<int, 2> ignored;
};

} // namespace

llvm::Expected<OutputFile> OutputFile::create(llvm::StringRef path, bool executable) {
  fs::file_status status;
  if (!fs::status(path, status) && fs::exists(status) && !fs::is_regular_file(status))
    return cannotWrite(path, "it exists and is not a regular file");
  unsigned mode = fs::all_read | fs::all_write | (executable ? unsigned(fs::all_exe) : 0u);
  SignalBlock block; // no signal between the file's appearance and its registration for removal
  IgnoredSignals ignored;
  llvm::Expected<fs::TempFile> file = fs::TempFile::create(path + ".tmp%%%%%%%%", mode);
  if (!file)
    return cannotWrite(path, llvm::toString(file.takeError()));
  return OutputFile(path, std::move(*file));
}

OutputFile::OutputFile(llvm::StringRef path, fs::TempFile temporary)
    : name(path), file(std::make_unique<fs::TempFile>(std::move(temporary))) {}

OutputFile::~OutputFile() {
  if (file)
    llvm::consumeError(file->discard());
}

llvm::Error OutputFile::failure(int error) const { return cannotWrite(name, llvm::sys::StrError(error)); }

llvm::Error OutputFile::reserve(uint64_t size) {
  int result;
  do
    result = fallocate(file->FD, 0, 0, off_t(size));
  while (result != 0 && errno == EINTR);
  // Not every file system can reserve; there, a full disk shows when it is written.
  if (result != 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
    result = ftruncate(file->FD, off_t(size));
  return result == 0 ? llvm::Error::success() : failure(errno);
}

void OutputFile::useHugePages(uint64_t offset, uint64_t size) {
#ifdef MADV_HUGEPAGE
  // What is read through such a mapping comes into the cache in huge pages; it is zeros, for which no disk is needed.
  // Writing itself makes them only where one write covers all of a page. In pieces, to map little at once.
  for (uint64_t end = offset + size; offset < end; offset += 16 * kHugePage) {
    size_t bytes = std::min(end - offset, 16 * kHugePage);
    void *data = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file->FD, off_t(offset));
    if (data == MAP_FAILED)
      return;
    bool advised = madvise(data, bytes, MADV_HUGEPAGE) == 0;
    for (size_t at = 0; advised && at < bytes; at += kHugePage)
      (void)*(static_cast<const volatile char *>(data) + at);
    munmap(data, bytes);
    if (!advised)
      return;
  }
#endif
}

llvm::Error OutputFile::write(uint64_t offset, llvm::ArrayRef<uint8_t> bytes) {
  while (!bytes.empty()) {
    ssize_t written = llvm::sys::RetryAfterSignal(-1, pwrite, file->FD, bytes.data(), bytes.size(), off_t(offset));
    if (written <= 0)
      return failure(written < 0 ? errno : ENOSPC);
    offset += written;
    bytes = bytes.drop_front(written);
  }
  return llvm::Error::success();
}

llvm::Error OutputFile::write(uint64_t offset, llvm::StringRef bytes) {
  return write(offset, llvm::ArrayRef(bytes.bytes_begin(), bytes.size()));
}

llvm::Error OutputFile::commit() {
  if (llvm::Error error = file->keep(name))
    return cannotWrite(name, llvm::toString(std::move(error)));
  return llvm::Error::success();
}

llvm::Error samba::writeOutput(llvm::StringRef path, llvm::StringRef bytes) {
  fs::file_status status;
  bool special = path == "-" || (!fs::status(path, status) && fs::exists(status) && !fs::is_regular_file(status) &&
                                 !fs::is_directory(status));
  if (!special) {
    llvm::Expected<OutputFile> file = OutputFile::create(path);
    if (!file)
      return file.takeError();
    if (llvm::Error error = file->write(0, bytes))
      return error;
    return file->commit();
  }
  std::error_code code;
  llvm::raw_fd_ostream stream(path, code);
  if (!code) {
    stream << bytes;
    stream.flush();
    code = stream.error();
    stream.clear_error();
  }
  if (code)
    return cannotWrite(path == "-" ? "standard output" : path, code.message());
  return llvm::Error::success();
}

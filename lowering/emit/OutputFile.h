//===- OutputFile.h - files that appear only when complete -------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_EMIT_OUTPUTFILE_H
#define LOWERING_EMIT_OUTPUTFILE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include <csignal>
#include <memory>
#include <string>

namespace samba {

/// Holds back the signals that end a process, for the thread that makes one, as long as it lives.
class SignalBlock {
public:
  SignalBlock();
  SignalBlock(const SignalBlock &) = delete;
  ~SignalBlock();

private:
  sigset_t before;
};

/// What one entry of the higher page tables maps, on x86-64 and on AArch64 with pages of 4 KiB.
constexpr uint64_t kHugePage = 2 << 20;

/// A file that is written under a temporary name in its folder and gets its own name only by commit(). Without a
/// commit it is removed: by the destructor, and on signals that end the process.
class OutputFile {
public:
  /// Fails if the folder is missing or not writable, or if `path` is something but not a regular file.
  static llvm::Expected<OutputFile> create(llvm::StringRef path, bool executable = false);
  OutputFile(OutputFile &&) = default;
  ~OutputFile();

  const std::string &path() const { return name; }
  /// Makes room for that many bytes, all zero, so that a full disk is noticed early.
  llvm::Error reserve(uint64_t size);
  /// Lets the page cache hold `size` bytes from `offset` on, which are reserved and not written yet, in huge pages
  /// where the file system has them, at multiples of kHugePage. They stay so for those who map the file, until the
  /// memory is needed for something else.
  void useHugePages(uint64_t offset, uint64_t size);
  /// Safe to call from several threads, for different places.
  llvm::Error write(uint64_t offset, llvm::ArrayRef<uint8_t> bytes);
  llvm::Error write(uint64_t offset, llvm::StringRef bytes);
  llvm::Error commit();

private:
  OutputFile(llvm::StringRef path, llvm::sys::fs::TempFile file);
  llvm::Error failure(int error) const;

  std::string name;
  std::unique_ptr<llvm::sys::fs::TempFile> file; // null if moved from
};

/// Writes text or bytes to `path`: standard output if it is "-", directly if it is a device or a pipe, else as an
/// OutputFile.
llvm::Error writeOutput(llvm::StringRef path, llvm::StringRef bytes);

} // namespace samba

#endif // LOWERING_EMIT_OUTPUTFILE_H

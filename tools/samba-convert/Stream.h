//===- Stream.h - a file that is written from start to end ------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_CONVERT_STREAM_H
#define TOOLS_SAMBA_CONVERT_STREAM_H

#include "frontend/Error.h"
#include "tools/samba-convert/Writers.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

namespace samba::convert {

/// Bytes of a checkpoint that are read at a time.
constexpr size_t kStep = 16 << 20;

/// After the first error nothing is written any more; close() returns it.
class Stream {
public:
  Stream(llvm::StringRef path, const Checkpoint &checkpoint, const Progress &progress)
      : path(path.str()), checkpoint(checkpoint), progress(progress), os(path, code, llvm::sys::fs::CD_CreateNew) {}

  void write(llvm::StringRef text) {
    if (!failed())
      os << text;
  }

  void write(const OutputTensor &tensor) {
    for (llvm::ArrayRef<uint8_t> piece : tensor.pieces)
      for (; !piece.empty() && !failed(); piece = piece.drop_front(std::min(kStep, piece.size()))) {
        llvm::ArrayRef<uint8_t> step = piece.take_front(kStep);
        os.write(reinterpret_cast<const char *>(step.data()), step.size());
        release(step);
        interrupted = !progress(step.size());
      }
  }

  void release(llvm::ArrayRef<uint8_t> bytes) const { checkpoint.release(bytes); }
  uint64_t tell() const { return os.tell(); }

  llvm::Error close() {
    if (code)
      return makeError(path + ": " + code.message());
    os.close();
    if (os.has_error()) {
      std::string message = os.error().message();
      os.clear_error();
      return makeError(path + ": " + message);
    }
    return interrupted ? makeError("interrupted") : llvm::Error::success();
  }

private:
  bool failed() const { return code || interrupted || os.has_error(); }

  std::string path;
  const Checkpoint &checkpoint;
  const Progress &progress;
  std::error_code code;
  llvm::raw_fd_ostream os;
  bool interrupted = false;
};

} // namespace samba::convert

#endif // TOOLS_SAMBA_CONVERT_STREAM_H

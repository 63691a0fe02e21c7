//===- Console.h - standard output and interruption ------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_CONSOLE_H
#define TOOLS_SAMBA_RUN_CONSOLE_H

#include <string>
#include <string_view>

namespace samba::run {

/// Thrown when nobody reads standard output any more.
struct ClosedPipe {};

/// Writes to standard output at once. Throws ClosedPipe, or std::runtime_error if it cannot be written (disk full).
void print(std::string_view text);

/// One line on standard error.
void warn(const std::string &message);

/// Makes Ctrl-C (the first one; a second one ends the program) only set a mark, a closed pipe an error of print(), and
/// a file that may not grow an error of its writer.
void installSignals();
/// From now on each Ctrl-C sets the mark, and interrupts a read.
void catchInterrupts();
/// Takes the mark away; true if there was one.
bool takeInterrupt();
/// Waits until standard input can be read; false if Ctrl-C came first, whose mark it takes away. After catchInterrupts.
bool waitForInput();
/// True after Ctrl-C.
bool interrupted();

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_CONSOLE_H

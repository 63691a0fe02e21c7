//===- Cpu.h - what the running machine can execute ------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_CPU_H
#define RUNTIME_CPU_H

#include <string>
#include <vector>

namespace samba::runtime {

/// The architecture as the first part of a target triple spells it: "x86_64", "aarch64".
const char *machineArchitecture();

/// True if CPU and operating system support the feature, by LLVM's name ("avx512bw"). Features that the runtime does
/// not know are not supported.
bool cpuSupports(const std::string &feature);

/// Throws SAMBA_ERROR_CPU, naming what is missing, unless this machine can run code for `triple` with `features`.
/// `path` is for messages.
void checkCpu(const std::string &path, const std::string &triple, const std::vector<std::string> &features);

} // namespace samba::runtime

#endif // RUNTIME_CPU_H

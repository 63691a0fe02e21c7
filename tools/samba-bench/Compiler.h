//===- Compiler.h - runs samba-compile --------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// This program knows no LLVM, so what it needs compiled it leaves to the samba-compile that lies beside it.
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_BENCH_COMPILER_H
#define TOOLS_SAMBA_BENCH_COMPILER_H

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace samba::bench {

struct FusionName {
  std::string name;
  bool isDefault;
};

class Compiler {
public:
  /// The samba-compile in the folder of this program.
  Compiler();

  /// The fusions that it offers.
  std::vector<FusionName> fusions() const;
  /// Compiles with these arguments and returns the summary of --json. Throws std::runtime_error with the compiler's
  /// words.
  nlohmann::ordered_json compile(std::vector<std::string> arguments) const;

private:
  std::string run(std::vector<std::string> arguments) const;

  std::string program;
};

/// What tells artefacts apart: checksums of code and weights. Throws std::runtime_error.
struct Digests {
  unsigned long long code, weights;

  explicit Digests(const std::string &artefact);
};

/// A folder for files that nobody needs later; it goes with this object.
class TemporaryFolder {
public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  ~TemporaryFolder();

  const std::string &path() const { return name; }

private:
  std::string name;
};

} // namespace samba::bench

#endif // TOOLS_SAMBA_BENCH_COMPILER_H

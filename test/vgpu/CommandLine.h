//===- CommandLine.h - what the tools of tests share -----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TEST_VGPU_COMMANDLINE_H
#define TEST_VGPU_COMMANDLINE_H

#include "runtime/vgpu/Vgpu.h"

#include <cstdio>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>

namespace samba::vgpu {

/// Throws Error if the file cannot be read.
inline std::string contents(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw Error(path + ": cannot be read");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// `setOption` gets name and value of each --NAME=VALUE and says whether there is such an option; the other words are
/// files, as many as there are in `files`. If that is not what was given, shows the usage and returns the exit status.
inline std::optional<int>
parseCommandLine(int argc, char **argv, const char *usage, std::initializer_list<std::string *> files,
                 const std::function<bool(const std::string &, const std::string &)> &setOption) {
  auto file = files.begin();
  bool good = true;
  for (int k = 1; k < argc && good; ++k) {
    std::string word = argv[k];
    size_t equals = word.find('=');
    if (word.substr(0, 2) == "--")
      good = setOption(word.substr(0, equals), equals == std::string::npos ? "" : word.substr(equals + 1));
    else if ((good = file != files.end()))
      **file++ = word;
  }
  if (good && file == files.end())
    return std::nullopt;
  bool help = argc == 2 && std::string(argv[1]) == "--help";
  fputs(usage, help ? stdout : stderr);
  return help ? 0 : 1;
}

} // namespace samba::vgpu

#endif // TEST_VGPU_COMMANDLINE_H

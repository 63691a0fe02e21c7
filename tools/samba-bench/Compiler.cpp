//===- Compiler.cpp - runs samba-compile ----------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/Compiler.h"

#include "runtime/File.h"
#include "samba/abi.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <spawn.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

using namespace samba::bench;
using nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace {

std::runtime_error systemError(const std::string &what, int code) {
  return std::runtime_error(what + ": " + std::strerror(code));
}

/// What a child process writes to one of its descriptors, in a file: a pipe that nobody reads in time would fill up.
class Output {
public:
  Output() : file(std::tmpfile()) {
    if (!file)
      throw systemError("cannot create a temporary file", errno);
  }
  Output(const Output &) = delete;
  Output &operator=(const Output &) = delete;
  ~Output() { std::fclose(file); }

  int descriptor() const { return fileno(file); }
  std::string text() const {
    std::rewind(file);
    std::string result;
    for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file))
      result += static_cast<char>(c);
    return result;
  }

private:
  std::FILE *file;
};

/// The last line, without the name of the program.
std::string reasonOf(std::string errors) {
  while (!errors.empty() && errors.back() == '\n')
    errors.pop_back();
  std::string line = errors.substr(errors.rfind('\n') + 1);
  for (const char *start : {"samba-compile: ", "error: "})
    if (line.rfind(start, 0) == 0)
      line = line.substr(std::strlen(start));
  return line;
}

} // namespace

Compiler::Compiler() {
  std::error_code code;
  fs::path self = fs::read_symlink("/proc/self/exe", code);
  program = (self.parent_path() / "samba-compile").string();
  if (code || access(program.c_str(), X_OK) != 0)
    throw std::runtime_error("expected the compiler beside samba-bench, found no '" + program + "'");
}

std::string Compiler::run(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), program);
  std::vector<char *> pointers;
  for (std::string &argument : arguments)
    pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  Output out, errors;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out.descriptor(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors.descriptor(), STDERR_FILENO);
  pid_t child = 0;
  int failure = posix_spawn(&child, program.c_str(), &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure)
    throw systemError("cannot run '" + program + "'", failure);
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      throw systemError("cannot wait for '" + program + "'", errno);
  if (WIFSIGNALED(status))
    throw std::runtime_error("samba-compile was ended by signal " + std::to_string(WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0)
    throw std::runtime_error("samba-compile: " + reasonOf(errors.text()));
  return out.text();
}

std::vector<FusionName> Compiler::fusions() const {
  std::string text = run({"--fusion=help"});
  std::vector<FusionName> names;
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    std::string line = text.substr(begin, end - begin);
    names.push_back({line.substr(0, line.find(' ')), line.find("(default)") != std::string::npos});
  }
  return names;
}

ordered_json Compiler::compile(std::vector<std::string> arguments) const {
  arguments.push_back("--json");
  ordered_json summary = ordered_json::parse(run(std::move(arguments)), nullptr, false);
  if (!summary.is_object() || !summary.contains("predicted"))
    throw std::runtime_error("expected a summary with predictions from '" + program + "', which is another version");
  return summary;
}

Digests::Digests(const std::string &artefact) {
  runtime::File file(artefact);
  samba_footer footer;
  if (file.size() < sizeof(footer))
    throw std::runtime_error("'" + artefact + "' is not a compiled model");
  file.read(file.size() - sizeof(footer), &footer, sizeof(footer));
  code = footer.code.checksum;
  weights = footer.weights.checksum;
}

TemporaryFolder::TemporaryFolder() {
  name = (fs::temp_directory_path() / "samba-bench-XXXXXX").string();
  if (!mkdtemp(name.data()))
    throw systemError("cannot create '" + name + "'", errno);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(name, ignored);
}

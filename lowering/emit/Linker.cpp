//===- Linker.cpp - object to shared library ------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/emit/Linker.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace samba;

namespace {

// A file in memory that a child process can open by path.
class MemoryFile {
public:
  MemoryFile() : fd(memfd_create("samba-link", 0)) {} // inherited by children: no MFD_CLOEXEC
  MemoryFile(const MemoryFile &) = delete;
  ~MemoryFile() {
    if (fd >= 0)
      close(fd);
  }

  std::string path() const { return "/proc/self/fd/" + std::to_string(fd); }

  llvm::Error write(llvm::ArrayRef<char> bytes) const {
    while (fd >= 0 && !bytes.empty()) {
      ssize_t written = llvm::sys::RetryAfterSignal(-1, ::write, fd, bytes.data(), bytes.size());
      if (written < 0)
        break;
      bytes = bytes.drop_front(written);
    }
    if (fd < 0 || !bytes.empty())
      return llvm::createStringError("cannot link: no memory for a temporary file: " + llvm::sys::StrError());
    return llvm::Error::success();
  }

  llvm::SmallVector<char, 0> read() const {
    llvm::SmallVector<char, 0> bytes;
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0)
      return bytes;
    bytes.resize_for_overwrite(status.st_size);
    size_t done = 0;
    while (done < bytes.size()) {
      ssize_t got = llvm::sys::RetryAfterSignal(-1, ::pread, fd, bytes.data() + done, bytes.size() - done, off_t(done));
      if (got <= 0)
        break;
      done += got;
    }
    bytes.truncate(done);
    return bytes;
  }

private:
  int fd;
};

llvm::Expected<std::string> findLinker() {
  if (std::optional<std::string> chosen = llvm::sys::Process::GetEnv("SAMBA_LLD"); chosen && !chosen->empty()) {
    if (llvm::sys::fs::can_execute(*chosen))
      return *chosen;
    return llvm::createStringError("cannot link: SAMBA_LLD names '" + *chosen + "', which is not a program");
  }
  if (llvm::sys::fs::can_execute(SAMBA_LLD))
    return std::string(SAMBA_LLD);
  for (const char *name : {"ld.lld-22", "ld.lld"})
    if (llvm::ErrorOr<std::string> found = llvm::sys::findProgramByName(name))
      return *found;
  return llvm::createStringError("cannot link: ld.lld was not found (install lld-22, or set SAMBA_LLD to its path)");
}

llvm::Error checkSymbols(llvm::ArrayRef<char> object, llvm::StringRef exported) {
  static const llvm::StringSet<> everywhere = {"memcpy", "memmove", "memset", "memcmp", "_GLOBAL_OFFSET_TABLE_"};
  auto file = llvm::object::ObjectFile::createObjectFile(
      llvm::MemoryBufferRef(llvm::StringRef(object.data(), object.size()), "object"));
  if (!file)
    return file.takeError();
  bool found = false;
  for (const llvm::object::SymbolRef &symbol : (*file)->symbols()) {
    llvm::Expected<uint32_t> flags = symbol.getFlags();
    llvm::Expected<llvm::StringRef> name = symbol.getName();
    if (!flags || !name)
      return llvm::joinErrors(flags.takeError(), name.takeError());
    bool undefined = *flags & llvm::object::SymbolRef::SF_Undefined;
    if (undefined && !name->empty() && !everywhere.contains(*name))
      return llvm::createStringError("cannot link: generated code refers to '" + *name + "', which nothing provides");
    found |= !undefined && *name == exported;
  }
  if (!found)
    return llvm::createStringError("cannot link: generated code does not define '" + exported + "'");
  return llvm::Error::success();
}

} // namespace

llvm::Expected<llvm::SmallVector<char, 0>> samba::linkSharedLibrary(llvm::ArrayRef<ObjectCode> objects,
                                                                    llvm::StringRef soname) {
  for (const ObjectCode &object : objects)
    if (llvm::Error error = checkSymbols(object.bytes, object.symbol))
      return error;
  llvm::Expected<std::string> linker = findLinker();
  if (!linker)
    return linker.takeError();

  MemoryFile script, output, messages;
  std::vector<MemoryFile> inputs(objects.size());
  std::string exports = "{ global: ";
  for (auto [input, object] : llvm::zip(inputs, objects)) {
    exports += object.symbol + "; ";
    if (llvm::Error error = input.write(object.bytes))
      return error;
  }
  exports += "local: *; };\n";
  if (llvm::Error error = script.write(exports))
    return error;
  std::string scriptOption = "--version-script=" + script.path();
  std::string outputPath = output.path(), messagesPath = messages.path();
  // Undefined symbols were checked above; those that remain come from the process.
  std::vector<std::string> paths;
  for (const MemoryFile &input : inputs)
    paths.push_back(input.path());
  std::vector<llvm::StringRef> arguments = {
      *linker, "-shared", "--gc-sections", "-O2",  "--hash-style=gnu", "-z", "relro", "-z", "now", "-z", "noexecstack",
      "-z",    "undefs",  "-soname",       soname, scriptOption,       "-o", "-"};
  arguments.insert(arguments.end(), paths.begin(), paths.end());
  std::string reason;
  std::optional<llvm::StringRef> redirects[] = {llvm::StringRef(), llvm::StringRef(outputPath),
                                                llvm::StringRef(messagesPath)};
  int status = llvm::sys::ExecuteAndWait(*linker, arguments, std::nullopt, redirects, 0, 0, &reason);
  if (status == 0)
    return output.read();
  llvm::SmallVector<char, 0> text = messages.read();
  llvm::StringRef line = llvm::StringRef(text.data(), text.size()).split('\n').first;
  return llvm::createStringError("cannot link: " + *linker + ": " + (line.empty() ? llvm::StringRef(reason) : line));
}

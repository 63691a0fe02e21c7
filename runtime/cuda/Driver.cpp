//===- Driver.cpp - the CUDA driver, opened at run time ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/cuda/Driver.h"
#include "runtime/Error.h"

#include <cstdlib>
#include <dlfcn.h>
#include <map>
#include <mutex>
#include <unistd.h>
#include <vector>

using namespace samba::runtime;
using namespace samba::runtime::cuda;

// PTX of version 8.0, and graphs with flags.
static constexpr int oldestVersion = 12000;

static std::string versionText(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

Driver::Driver(void *library, std::string file) : path(std::move(file)) {
  const char *missing = nullptr;
#define SAMBA_CUDA_RESOLVE(member, name, parameters)                                                                   \
  member = reinterpret_cast<Result(*) parameters>(::dlsym(library, #name));                                            \
  if (!member && !missing)                                                                                             \
    missing = #name;
  SAMBA_CUDA_ENTRIES(SAMBA_CUDA_RESOLVE)
  const char *needed = missing;
  SAMBA_CUDA_NEW_ENTRIES(SAMBA_CUDA_RESOLVE)
  SAMBA_VGPU_ENTRIES(SAMBA_CUDA_RESOLVE)
#undef SAMBA_CUDA_RESOLVE
  if (!driverGetVersion)
    throw Error(SAMBA_ERROR_DEVICE, "'" + path + "' is not a CUDA driver: it has no cuDriverGetVersion");
  if (needed) {
    int version = 0;
    driverGetVersion(&version);
    throw Error(SAMBA_ERROR_DEVICE, "the CUDA driver '" + path + "' is too old: it is of version " +
                                        versionText(version) + " and has no " + needed + ", expected version " +
                                        versionText(oldestVersion) + " or later");
  }
}

std::shared_ptr<const Driver> Driver::openPath(const std::string &path) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const Driver>> opened;
  std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<const Driver> &driver = opened[path];
  if (driver)
    return driver;
  void *library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = ::dlerror();
    throw Error(SAMBA_ERROR_DEVICE, "no CUDA driver: cannot load '" + path + "': " + (reason ? reason : "unknown"));
  }
  driver.reset(new Driver(library, path));
  return driver;
}

std::shared_ptr<const Driver> Driver::open() {
  const char *named = std::getenv("SAMBA_LIBCUDA");
  return openPath(named && *named ? named : "libcuda.so.1");
}

static std::string folderOf(const std::string &path) {
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

std::shared_ptr<const Driver> Driver::openVirtual() {
  const std::string name = "libsamba-vgpu.so";
  // The library or program that this code is in, and the program.
  std::vector<std::string> folders;
  Dl_info self;
  if (::dladdr(reinterpret_cast<void *>(&versionText), &self) && self.dli_fname)
    folders.push_back(folderOf(self.dli_fname));
  if (char *program = ::realpath("/proc/self/exe", nullptr)) {
    folders.push_back(folderOf(program));
    std::free(program);
  }
  for (const std::string &folder : folders)
    for (const char *between : {"", "../lib/"}) {
      std::string path = folder + between + name;
      if (!folder.empty() && ::access(path.c_str(), R_OK) == 0)
        return openPath(path);
    }
  return openPath(name);
}

void Driver::initialise() const {
  int version = 0;
  check(driverGetVersion(&version), "asking the CUDA driver for its version");
  if (version < oldestVersion)
    throw Error(SAMBA_ERROR_DEVICE, "the CUDA driver '" + path + "' is too old: it is of version " +
                                        versionText(version) + ", expected version " + versionText(oldestVersion) +
                                        " or later");
  int count = 0;
  Result result = init(0);
  if (result == Success)
    result = deviceGetCount(&count);
  if (result == NoDevice || (result == Success && count == 0))
    throw Error(SAMBA_ERROR_DEVICE, "no CUDA device: the driver '" + path + "' finds none");
  check(result, "starting the CUDA driver");
}

std::string Driver::describe(Result result) const {
  const char *name = nullptr, *text = nullptr;
  if (getErrorName(result, &name) != Success || !name)
    return "error " + std::to_string(result);
  std::string description = name;
  if (getErrorString(result, &text) == Success && text)
    description += std::string(" (") + text + ")";
  const char *more = nullptr;
  if (vgpuMessage && vgpuMessage(&more) == Success && more && *more)
    description += std::string(": ") + more;
  return description;
}

void Driver::fail(Result result, const std::string &what) const {
  throw Error(result == OutOfMemory ? SAMBA_ERROR_MEMORY : SAMBA_ERROR_DEVICE, what + ": " + describe(result));
}

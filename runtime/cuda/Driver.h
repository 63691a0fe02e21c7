//===- Driver.h - the CUDA driver, opened at run time ----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_CUDA_DRIVER_H
#define RUNTIME_CUDA_DRIVER_H

#include "runtime/cuda/DriverApi.h"

#include <memory>
#include <string>

namespace samba::runtime::cuda {

/// The entry points of a driver library. A library once opened stays open: drivers do not like to be unloaded.
class Driver {
public:
  /// libcuda.so.1, or what $SAMBA_LIBCUDA names. Throws SAMBA_ERROR_DEVICE if there is none or if it is too old.
  static std::shared_ptr<const Driver> open();
  /// The virtual device, from beside this program or library.
  static std::shared_ptr<const Driver> openVirtual();

  /// Throws SAMBA_ERROR_DEVICE, or SAMBA_ERROR_MEMORY for a lack of it, unless it was a success.
  void check(Result result, const std::string &what) const {
    if (result != Success)
      fail(result, what);
  }
  [[noreturn]] void fail(Result result, const std::string &what) const;
  /// "CUDA_ERROR_NO_DEVICE (no CUDA-capable device is detected)", and what the virtual device says.
  std::string describe(Result result) const;
  /// Initialises it; it may be called again. Throws if it is too old or if there is no device.
  void initialise() const;
  bool isVirtual() const { return vgpuConfigure != nullptr; }

#define SAMBA_CUDA_MEMBER(member, name, parameters) Result(*member) parameters = nullptr;
  SAMBA_CUDA_ENTRIES(SAMBA_CUDA_MEMBER)
  SAMBA_CUDA_NEW_ENTRIES(SAMBA_CUDA_MEMBER) // null in an older driver
  SAMBA_VGPU_ENTRIES(SAMBA_CUDA_MEMBER)     // null in a real driver
#undef SAMBA_CUDA_MEMBER

private:
  static std::shared_ptr<const Driver> openPath(const std::string &path);
  Driver(void *library, std::string path);

  std::string path;
};

} // namespace samba::runtime::cuda

#endif // RUNTIME_CUDA_DRIVER_H

//===- DriverApi.h - the part of the CUDA driver API in use ----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Own declarations of what libcuda.so.1 exports, so that neither a toolkit nor a driver is needed to build. Names with
// a version are those that the driver keeps as they are. The virtual device exports the same ones.
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_CUDA_DRIVERAPI_H
#define RUNTIME_CUDA_DRIVERAPI_H

#include <cstddef>
#include <cstdint>

namespace samba::runtime::cuda {

using Result = int;
using DevicePointer = unsigned long long;
using ContextHandle = struct OpaqueContext *;
using ModuleHandle = struct OpaqueModule *;
using FunctionHandle = struct OpaqueFunction *;
using StreamHandle = struct OpaqueStream *;
using GraphHandle = struct OpaqueGraph *;
using GraphExecHandle = struct OpaqueGraphExec *;

/// Results that are told apart.
enum : Result {
  Success = 0,
  InvalidValue = 1,
  OutOfMemory = 2,
  NotInitialised = 3,
  NoDevice = 100,
  InvalidDevice = 101,
  InvalidImage = 200,
  InvalidContext = 201,
  NoBinaryForGpu = 209,
  InvalidPtx = 218,
  UnsupportedPtxVersion = 222,
  InvalidHandle = 400,
  NotFound = 500,
  IllegalAddress = 700,
  MisalignedAddress = 716,
  LaunchFailed = 719,
  StreamCaptureUnsupported = 900,
};

/// Attributes of devices.
enum : int { ComputeCapabilityMajor = 75, ComputeCapabilityMinor = 76 };
/// Of functions.
enum : int { MaxDynamicSharedBytes = 8 };
/// Options of cuModuleLoadDataEx.
enum : int { JitErrorLogBuffer = 5, JitErrorLogBytes = 6 };
/// A capture that watches no other work of the process.
constexpr int captureRelaxed = 2;
constexpr unsigned streamNonBlocking = 1;
constexpr unsigned memoryTypeDevice = 2;

/// CUtensorMap: what cuTensorMapEncodeTiled makes, as kernels take it.
struct alignas(64) EncodedMap {
  uint64_t words[16];
};
/// Of tensors: the type of elements, how a box lies in shared memory, how much of a line is fetched.
enum : int { ElementsBf16 = 9, NotInterleaved = 0, Swizzle128 = 3, PromoteTo256 = 3, FillZeros = 0 };

/// CUDA_MEMCPY2D.
struct Copy2D {
  size_t fromX, fromY;
  unsigned fromType;
  const void *fromHost;
  DevicePointer fromDevice;
  void *fromArray;
  size_t fromPitch;
  size_t toX, toY;
  unsigned toType;
  void *toHost;
  DevicePointer toDevice;
  void *toArray;
  size_t toPitch;
  size_t width, height; // bytes, rows
};

/// X(member of Driver, exported name, parameters).
#define SAMBA_CUDA_ENTRIES(X)                                                                                          \
  X(init, cuInit, (unsigned flags))                                                                                    \
  X(driverGetVersion, cuDriverGetVersion, (int *version))                                                              \
  X(getErrorName, cuGetErrorName, (Result result, const char **name))                                                  \
  X(getErrorString, cuGetErrorString, (Result result, const char **text))                                              \
  X(deviceGetCount, cuDeviceGetCount, (int *count))                                                                    \
  X(deviceGet, cuDeviceGet, (int *device, int ordinal))                                                                \
  X(deviceGetName, cuDeviceGetName, (char *name, int bytes, int device))                                               \
  X(deviceGetAttribute, cuDeviceGetAttribute, (int *value, int attribute, int device))                                 \
  X(devicePrimaryCtxRetain, cuDevicePrimaryCtxRetain, (ContextHandle * context, int device))                           \
  X(devicePrimaryCtxRelease, cuDevicePrimaryCtxRelease_v2, (int device))                                               \
  X(ctxSetCurrent, cuCtxSetCurrent, (ContextHandle context))                                                           \
  X(moduleLoadDataEx, cuModuleLoadDataEx,                                                                              \
    (ModuleHandle * module, const void *image, unsigned count, int *options, void **values))                           \
  X(moduleUnload, cuModuleUnload, (ModuleHandle module))                                                               \
  X(moduleGetFunction, cuModuleGetFunction, (FunctionHandle * function, ModuleHandle module, const char *name))        \
  X(funcSetAttribute, cuFuncSetAttribute, (FunctionHandle function, int attribute, int value))                         \
  X(memAlloc, cuMemAlloc_v2, (DevicePointer * pointer, size_t bytes))                                                  \
  X(memFree, cuMemFree_v2, (DevicePointer pointer))                                                                    \
  X(memGetInfo, cuMemGetInfo_v2, (size_t *free, size_t *total))                                                        \
  X(memHostAlloc, cuMemHostAlloc, (void **pointer, size_t bytes, unsigned flags))                                      \
  X(memFreeHost, cuMemFreeHost, (void *pointer))                                                                       \
  X(memcpyHtoDAsync, cuMemcpyHtoDAsync_v2, (DevicePointer to, const void *from, size_t bytes, StreamHandle stream))    \
  X(memcpyDtoHAsync, cuMemcpyDtoHAsync_v2, (void *to, DevicePointer from, size_t bytes, StreamHandle stream))          \
  X(memcpyDtoDAsync, cuMemcpyDtoDAsync_v2, (DevicePointer to, DevicePointer from, size_t bytes, StreamHandle stream))  \
  X(memcpy2DAsync, cuMemcpy2DAsync_v2, (const Copy2D *copy, StreamHandle stream))                                      \
  X(memsetD8Async, cuMemsetD8Async, (DevicePointer to, unsigned char value, size_t bytes, StreamHandle stream))        \
  X(streamCreate, cuStreamCreate, (StreamHandle * stream, unsigned flags))                                             \
  X(streamDestroy, cuStreamDestroy_v2, (StreamHandle stream))                                                          \
  X(streamSynchronize, cuStreamSynchronize, (StreamHandle stream))                                                     \
  X(streamBeginCapture, cuStreamBeginCapture_v2, (StreamHandle stream, int mode))                                      \
  X(streamEndCapture, cuStreamEndCapture, (StreamHandle stream, GraphHandle * graph))                                  \
  X(graphInstantiate, cuGraphInstantiateWithFlags,                                                                     \
    (GraphExecHandle * executable, GraphHandle graph, unsigned long long flags))                                       \
  X(graphLaunch, cuGraphLaunch, (GraphExecHandle executable, StreamHandle stream))                                     \
  X(graphDestroy, cuGraphDestroy, (GraphHandle graph))                                                                 \
  X(graphExecDestroy, cuGraphExecDestroy, (GraphExecHandle executable))                                                \
  X(tensorMapEncodeTiled, cuTensorMapEncodeTiled,                                                                      \
    (EncodedMap * map, int elements, uint32_t rank, void *address, const uint64_t *sizes, const uint64_t *strides,      \
     const uint32_t *box, const uint32_t *steps, int interleave, int swizzle, int promotion, int fill))                \
  X(launchKernel, cuLaunchKernel,                                                                                      \
    (FunctionHandle function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,        \
     unsigned blockZ, unsigned sharedBytes, StreamHandle stream, void **parameters, void **extra))

/// What only newer drivers have.
#define SAMBA_CUDA_NEW_ENTRIES(X)                                                                                      \
  X(funcGetParamInfo, cuFuncGetParamInfo, (FunctionHandle function, size_t index, size_t *offset, size_t *bytes))

/// What the virtual device exports beside. Texts are valid until the next call on the same thread.
#define SAMBA_VGPU_ENTRIES(X)                                                                                          \
  /* Takes settings of docs/gpu.md for the next context. InvalidValue if they are wrong, InvalidContext if a context   \
   */                                                                                                                  \
  /* is in use with others. */                                                                                         \
  X(vgpuConfigure, sambaVgpuConfigure, (const char *settings))                                                         \
  /* What was wrong with the last failed call, or "". */                                                               \
  X(vgpuMessage, sambaVgpuMessage, (const char **text))                                                                \
  X(vgpuCounters, sambaVgpuCounters, (const char **json))                                                              \
  /* Names an allocation, for messages. */                                                                             \
  X(vgpuName, sambaVgpuName, (DevicePointer pointer, const char *name))                                                \
  /* Says that the contents of an allocation mean nothing: kernels must write before they read. */                     \
  X(vgpuForget, sambaVgpuForget, (DevicePointer pointer))

} // namespace samba::runtime::cuda

#endif // RUNTIME_CUDA_DRIVERAPI_H

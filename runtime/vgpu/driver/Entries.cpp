//===- Entries.cpp - the virtual device as libcuda -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/TensorMap.h"
#include "runtime/vgpu/driver/VirtualDriver.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

using namespace samba::runtime::cuda;
using namespace samba::vgpu;

// Definitions below must be of the types that the runtime calls.
#define SAMBA_CUDA_DECLARE(member, name, parameters)                                                                   \
  extern "C" __attribute__((visibility("default"))) Result name parameters;
SAMBA_CUDA_ENTRIES(SAMBA_CUDA_DECLARE)
SAMBA_CUDA_NEW_ENTRIES(SAMBA_CUDA_DECLARE)
SAMBA_VGPU_ENTRIES(SAMBA_CUDA_DECLARE)
#undef SAMBA_CUDA_DECLARE

namespace {

VirtualDriver &driver() { return VirtualDriver::get(); }

void require(bool condition, Result result = InvalidValue, const char *message = "") {
  if (!condition)
    throw Refusal{result, message};
}

template <typename Handle, typename Object>
Object &lookUp(std::map<Handle, std::unique_ptr<Object>> &objects, Handle handle) {
  auto found = objects.find(handle);
  require(found != objects.end(), InvalidHandle);
  return *found->second;
}

template <typename Handle, typename Object>
Handle insert(std::map<Handle, std::unique_ptr<Object>> &objects, std::unique_ptr<Object> object) {
  Handle handle = object.get();
  objects.emplace(handle, std::move(object));
  return handle;
}

OpaqueStream &streamOf(OpaqueContext &context, StreamHandle handle) { return lookUp(context.streams, handle); }

/// A copy to or from memory that is not pinned: the driver needs the bytes at once.
void copyPageable(OpaqueContext &context, OpaqueStream &stream, const void *host, size_t bytes, Work copy) {
  if (!stream.recording && !context.isPinned(host, bytes)) {
    context.flush(stream);
    require(context.failure == Success, context.failure, context.failureText.c_str());
    return copy();
  }
  context.submit(stream, std::move(copy));
}

OpaqueFunction &functionOf(OpaqueContext &context, FunctionHandle handle) {
  for (auto &[key, module] : context.modules)
    for (auto &[name, function] : module->functions)
      if (&function == handle)
        return function;
  throw Refusal{InvalidHandle, ""};
}

bool isBinary(const char *image) {
  constexpr unsigned char elf[] = {0x7f, 'E', 'L', 'F'}, fatbin[] = {0x50, 0xed, 0x55, 0xba};
  return std::memcmp(image, elf, 4) == 0 || std::memcmp(image, fatbin, 4) == 0;
}

} // namespace

//===----------------------------------------------------------------------===//
// The driver and its device
//===----------------------------------------------------------------------===//

Result cuInit(unsigned flags) {
  return driver().entry("cuInit", [&] {
    require(flags == 0);
    require(driver().settings.devices > 0, NoDevice);
    driver().initialised = true;
  });
}

Result cuDriverGetVersion(int *version) {
  return driver().entry("cuDriverGetVersion", [&] { *version = driver().settings.version; });
}

Result cuGetErrorName(Result result, const char **name) {
  *name = resultName(result);
  return *name ? Success : InvalidValue;
}

Result cuGetErrorString(Result result, const char **text) {
  *text = resultText(result);
  return *text ? Success : InvalidValue;
}

Result cuDeviceGetCount(int *count) {
  return driver().entry("cuDeviceGetCount", [&] {
    driver().requireInitialised();
    *count = driver().settings.devices;
  });
}

Result cuDeviceGet(int *device, int ordinal) {
  return driver().entry("cuDeviceGet", [&] {
    driver().requireInitialised();
    require(ordinal == 0, InvalidDevice);
    *device = 0;
  });
}

Result cuDeviceGetName(char *name, int bytes, int device) {
  return driver().entry("cuDeviceGetName", [&] {
    driver().requireInitialised();
    require(device == 0, InvalidDevice);
    require(bytes > 0);
    std::strncpy(name, "PTX interpreter", static_cast<size_t>(bytes));
    name[bytes - 1] = '\0';
  });
}

Result cuDeviceGetAttribute(int *value, int attribute, int device) {
  return driver().entry("cuDeviceGetAttribute", [&] {
    driver().requireInitialised();
    require(device == 0, InvalidDevice);
    require(attribute == ComputeCapabilityMajor || attribute == ComputeCapabilityMinor);
    int arch = driver().settings.options.arch;
    *value = attribute == ComputeCapabilityMajor ? arch / 10 : arch % 10;
  });
}

Result cuDevicePrimaryCtxRetain(ContextHandle *context, int device) {
  return driver().entry("cuDevicePrimaryCtxRetain", [&] {
    driver().requireInitialised();
    require(device == 0, InvalidDevice);
    if (!driver().primary)
      driver().primary = std::make_unique<OpaqueContext>(driver().settings);
    ++driver().retained;
    *context = driver().primary.get();
  });
}

Result cuDevicePrimaryCtxRelease_v2(int device) {
  return driver().entry("cuDevicePrimaryCtxRelease_v2", [&] {
    require(device == 0, InvalidDevice);
    require(driver().retained > 0, InvalidContext);
    if (--driver().retained == 0)
      driver().primary.reset();
  });
}

Result cuCtxSetCurrent(ContextHandle context) {
  return driver().entry("cuCtxSetCurrent", [&] {
    require(!context || context == driver().primary.get(), InvalidContext);
    VirtualDriver::current = context;
  });
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

// The text of a module, or that of the file that the settings name instead.
static std::string replacement(const char *text) {
  const std::string &path = driver().settings.ptx;
  if (path.empty())
    return text;
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw Error(path + ": cannot be read");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Result cuModuleLoadDataEx(ModuleHandle *module, const void *image, unsigned count, int *options, void **values) {
  return driver().entry("cuModuleLoadDataEx", [&] {
    OpaqueContext &context = driver().context();
    const char *text = static_cast<const char *>(image);
    require(!isBinary(text), NoBinaryForGpu, "the virtual device runs PTX only");
    auto loaded = std::make_unique<OpaqueModule>();
    try {
      loaded->code = Module::parse(replacement(text), driver().settings.options.arch);
    } catch (const Error &error) {
      char *log = nullptr;
      size_t room = 0;
      for (unsigned i = 0; i < count; ++i)
        if (options[i] == JitErrorLogBuffer)
          log = static_cast<char *>(values[i]);
        else if (options[i] == JitErrorLogBytes)
          room = reinterpret_cast<size_t>(values[i]);
      if (log && room > 0) {
        std::strncpy(log, error.what(), room);
        log[room - 1] = '\0';
      }
      throw Refusal{InvalidPtx, ""};
    }
    for (const std::string &name : loaded->code->kernels()) {
      const Kernel *kernel = loaded->code->find(name);
      loaded->functions[name] = {name, kernel, info(*kernel)};
    }
    *module = insert(context.modules, std::move(loaded));
  });
}

Result cuModuleUnload(ModuleHandle handle) {
  return driver().entry("cuModuleUnload", [&] {
    OpaqueContext &context = driver().context();
    OpaqueModule &module = lookUp(context.modules, handle);
    context.flushAll();
    context.executor.unload(*module.code);
    context.modules.erase(handle);
  });
}

Result cuModuleGetFunction(FunctionHandle *function, ModuleHandle handle, const char *name) {
  return driver().entry("cuModuleGetFunction", [&] {
    OpaqueModule &module = lookUp(driver().context().modules, handle);
    auto found = module.functions.find(name);
    require(found != module.functions.end(), NotFound);
    *function = &found->second;
  });
}

Result cuFuncSetAttribute(FunctionHandle handle, int attribute, int value) {
  return driver().entry("cuFuncSetAttribute", [&] {
    OpaqueFunction &function = functionOf(driver().context(), handle);
    require(attribute == MaxDynamicSharedBytes && value >= 0);
    uint64_t bytes = static_cast<uint64_t>(value);
    require(bytes + function.info.staticShared <= driver().settings.options.sharedLimit, InvalidValue,
            "more shared memory than a block can have");
    function.dynamicShared = bytes;
  });
}

Result cuFuncGetParamInfo(FunctionHandle handle, size_t index, size_t *offset, size_t *bytes) {
  return driver().entry("cuFuncGetParamInfo", [&] {
    OpaqueFunction &function = functionOf(driver().context(), handle);
    require(index < function.info.parameters.size());
    *offset = function.info.parameters[index].first;
    *bytes = function.info.parameters[index].second;
  });
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Result cuMemAlloc_v2(DevicePointer *pointer, size_t bytes) {
  return driver().entry("cuMemAlloc_v2", [&] {
    OpaqueContext &context = driver().context();
    require(bytes > 0);
    *pointer = context.memory.allocate(bytes, "an allocation", 256, driver().settings.options.check);
  });
}

Result cuMemFree_v2(DevicePointer pointer) {
  return driver().entry("cuMemFree_v2", [&] {
    OpaqueContext &context = driver().context();
    context.flushAll();
    context.memory.release(pointer);
  });
}

Result cuMemGetInfo_v2(size_t *free, size_t *total) {
  return driver().entry("cuMemGetInfo_v2", [&] {
    Memory &memory = driver().context().memory;
    *total = memory.total();
    *free = memory.total() - memory.used();
  });
}

Result cuMemHostAlloc(void **pointer, size_t bytes, unsigned) {
  return driver().entry("cuMemHostAlloc", [&] {
    OpaqueContext &context = driver().context();
    require(bytes > 0);
    void *memory = nullptr;
    if (::posix_memalign(&memory, 4096, bytes) != 0)
      throw std::bad_alloc();
    context.pinned.emplace(static_cast<const char *>(memory), bytes);
    *pointer = memory;
  });
}

Result cuMemFreeHost(void *pointer) {
  return driver().entry("cuMemFreeHost", [&] {
    OpaqueContext &context = driver().context();
    require(context.pinned.count(static_cast<const char *>(pointer)) > 0);
    context.flushAll();
    context.pinned.erase(static_cast<const char *>(pointer));
    std::free(pointer);
  });
}

Result cuMemcpyHtoDAsync_v2(DevicePointer to, const void *from, size_t bytes, StreamHandle handle) {
  return driver().entry("cuMemcpyHtoDAsync_v2", [&] {
    OpaqueContext &context = driver().context();
    OpaqueStream &stream = streamOf(context, handle);
    context.memory.host(to, bytes);
    copyPageable(context, stream, from, bytes,
                 [=, &context] { std::memcpy(context.memory.host(to, bytes), from, bytes); });
  });
}

Result cuMemcpyDtoHAsync_v2(void *to, DevicePointer from, size_t bytes, StreamHandle handle) {
  return driver().entry("cuMemcpyDtoHAsync_v2", [&] {
    OpaqueContext &context = driver().context();
    OpaqueStream &stream = streamOf(context, handle);
    context.memory.host(from, bytes);
    context.submit(stream, [=, &context] { std::memcpy(to, context.memory.host(from, bytes), bytes); });
  });
}

Result cuMemcpyDtoDAsync_v2(DevicePointer to, DevicePointer from, size_t bytes, StreamHandle handle) {
  return driver().entry("cuMemcpyDtoDAsync_v2", [&] {
    OpaqueContext &context = driver().context();
    OpaqueStream &stream = streamOf(context, handle);
    context.memory.host(to, bytes);
    context.memory.host(from, bytes);
    context.submit(stream, [=, &context] {
      std::memmove(context.memory.host(to, bytes), context.memory.host(from, bytes), bytes);
    });
  });
}

Result cuMemcpy2DAsync_v2(const Copy2D *given, StreamHandle handle) {
  return driver().entry("cuMemcpy2DAsync_v2", [&] {
    OpaqueContext &context = driver().context();
    OpaqueStream &stream = streamOf(context, handle);
    Copy2D copy = *given;
    require(copy.fromType == memoryTypeDevice && copy.toType == memoryTypeDevice);
    require(copy.width <= copy.fromPitch && copy.width <= copy.toPitch && copy.height > 0);
    uint64_t from = copy.fromDevice + copy.fromY * copy.fromPitch + copy.fromX;
    uint64_t to = copy.toDevice + copy.toY * copy.toPitch + copy.toX;
    context.memory.host(from, (copy.height - 1) * copy.fromPitch + copy.width);
    context.memory.host(to, (copy.height - 1) * copy.toPitch + copy.width);
    context.submit(stream, [=, &context] {
      for (size_t row = 0; row < copy.height; ++row)
        std::memmove(context.memory.host(to + row * copy.toPitch, copy.width),
                     context.memory.host(from + row * copy.fromPitch, copy.width), copy.width);
    });
  });
}

Result cuMemsetD8Async(DevicePointer to, unsigned char value, size_t bytes, StreamHandle handle) {
  return driver().entry("cuMemsetD8Async", [&] {
    OpaqueContext &context = driver().context();
    OpaqueStream &stream = streamOf(context, handle);
    context.memory.host(to, bytes);
    context.submit(stream, [=, &context] { std::memset(context.memory.host(to, bytes), value, bytes); });
  });
}

// Plain boxes of elements of a power of two up to 8 bytes; those of a copy with another order are refused.
Result cuTensorMapEncodeTiled(EncodedMap *to, int elements, uint32_t rank, void *address, const uint64_t *sizes,
                              const uint64_t *strides, const uint32_t *box, const uint32_t *steps, int interleave,
                              int swizzle, int promotion, int fill) {
  return driver().entry("cuTensorMapEncodeTiled", [&] {
    driver().context();
    // By the number of the type: u8, u16, u32, i32, u64, i64, f16, f32, f64, bf16, and three that are f32 at rest.
    constexpr uint8_t bytes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
    require(elements >= 0 && elements < 13 && rank >= 1 && rank <= 5);
    require(interleave == 0 && swizzle >= 0 && swizzle <= 3 && promotion >= 0 && promotion <= 3);
    TensorMap map;
    map.elementBytes = bytes[elements];
    map.rank = static_cast<uint8_t>(rank);
    map.swizzle = static_cast<uint8_t>(swizzle == 0 ? 0 : 16 << swizzle);
    map.fillsNan = static_cast<uint8_t>(fill);
    map.address = reinterpret_cast<uint64_t>(address);
    for (uint32_t k = 0; k < rank; ++k) {
      require(steps[k] == 1 && box[k] <= 256);
      map.sizes[k] = sizes[k];
      map.box[k] = static_cast<uint16_t>(box[k]);
      if (k > 0)
        map.strides[k - 1] = strides[k - 1];
    }
    const char *problem = problemOf(map);
    require(!problem, InvalidValue, problem ? problem : "");
    std::memcpy(to, &map, sizeof(map));
  });
}

//===----------------------------------------------------------------------===//
// Streams, launches and graphs
//===----------------------------------------------------------------------===//

Result cuStreamCreate(StreamHandle *stream, unsigned) {
  return driver().entry("cuStreamCreate",
                        [&] { *stream = insert(driver().context().streams, std::make_unique<OpaqueStream>()); });
}

Result cuStreamDestroy_v2(StreamHandle handle) {
  return driver().entry("cuStreamDestroy_v2", [&] {
    OpaqueContext &context = driver().context();
    context.flush(streamOf(context, handle));
    context.streams.erase(handle);
  });
}

Result cuStreamSynchronize(StreamHandle handle) {
  return driver().entry("cuStreamSynchronize", [&] {
    OpaqueContext &context = driver().context();
    OpaqueStream &stream = streamOf(context, handle);
    require(!stream.recording, StreamCaptureUnsupported);
    context.flush(stream);
    require(context.failure == Success, context.failure, context.failureText.c_str());
  });
}

Result cuStreamBeginCapture_v2(StreamHandle handle, int) {
  return driver().entry("cuStreamBeginCapture_v2", [&] {
    OpaqueStream &stream = streamOf(driver().context(), handle);
    require(!stream.recording, StreamCaptureUnsupported);
    stream.recording = std::make_unique<OpaqueGraph>();
  });
}

Result cuStreamEndCapture(StreamHandle handle, GraphHandle *graph) {
  return driver().entry("cuStreamEndCapture", [&] {
    OpaqueContext &context = driver().context();
    OpaqueStream &stream = streamOf(context, handle);
    require(stream.recording != nullptr);
    *graph = insert(context.graphs, std::move(stream.recording));
  });
}

Result cuGraphInstantiateWithFlags(GraphExecHandle *executable, GraphHandle graph, unsigned long long) {
  return driver().entry("cuGraphInstantiateWithFlags", [&] {
    OpaqueContext &context = driver().context();
    auto made = std::make_unique<OpaqueGraphExec>();
    made->work = lookUp(context.graphs, graph).work;
    *executable = insert(context.executables, std::move(made));
  });
}

Result cuGraphLaunch(GraphExecHandle executable, StreamHandle handle) {
  return driver().entry("cuGraphLaunch", [&] {
    OpaqueContext &context = driver().context();
    OpaqueStream &stream = streamOf(context, handle);
    for (const Work &work : lookUp(context.executables, executable).work)
      context.submit(stream, work);
  });
}

Result cuGraphDestroy(GraphHandle graph) {
  return driver().entry("cuGraphDestroy", [&] { require(driver().context().graphs.erase(graph) > 0, InvalidHandle); });
}

Result cuGraphExecDestroy(GraphExecHandle executable) {
  return driver().entry("cuGraphExecDestroy", [&] {
    OpaqueContext &context = driver().context();
    context.flushAll();
    require(context.executables.erase(executable) > 0, InvalidHandle);
  });
}

Result cuLaunchKernel(FunctionHandle handle, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                      unsigned blockY, unsigned blockZ, unsigned sharedBytes, StreamHandle streamHandle,
                      void **parameters, void **extra) {
  return driver().entry("cuLaunchKernel", [&] {
    OpaqueContext &context = driver().context();
    OpaqueStream &stream = streamOf(context, streamHandle);
    OpaqueFunction &function = functionOf(context, handle);
    require(gridX > 0 && gridY > 0 && gridZ > 0 && blockX > 0 && blockY > 0 && blockZ > 0 && !extra);
    require(gridX <= 0x7fffffff && gridY <= 65535 && gridZ <= 65535, InvalidValue, "the grid is too large");
    uint64_t threads = uint64_t(blockX) * blockY * blockZ;
    require(threads <= function.info.maxThreads, InvalidValue, "the block has more threads than the kernel allows");
    require(sharedBytes <= function.dynamicShared, InvalidValue, "more dynamic shared memory than was asked for");
    Launch launch;
    launch.kernel = function.kernel;
    launch.grid[0] = gridX, launch.grid[1] = gridY, launch.grid[2] = gridZ;
    launch.block[0] = blockX, launch.block[1] = blockY, launch.block[2] = blockZ;
    launch.dynamicShared = sharedBytes;
    launch.parameters.resize(function.info.parameterBytes);
    for (size_t i = 0; i < function.info.parameters.size(); ++i) {
      auto [offset, bytes] = function.info.parameters[i];
      std::memcpy(launch.parameters.data() + offset, parameters[i], bytes);
    }
    context.submit(stream, [launch = std::move(launch), &context] {
      if (context.recorder)
        context.recorder->take(context.memory, launch);
      context.executor.run(launch);
    });
  });
}

//===----------------------------------------------------------------------===//
// Of this driver alone
//===----------------------------------------------------------------------===//

Result sambaVgpuConfigure(const char *settings) {
  return driver().entry("sambaVgpuConfigure", [&] { driver().configure(settings); });
}

Result sambaVgpuMessage(const char **text) {
  *text = VirtualDriver::message.c_str();
  return Success;
}

Result sambaVgpuCounters(const char **json) {
  return driver().entry("sambaVgpuCounters", [&] {
    OpaqueContext &context = driver().context();
    context.flushAll();
    static thread_local std::string text;
    text = toJson(context.executor.counters());
    *json = text.c_str();
  });
}

Result sambaVgpuName(DevicePointer pointer, const char *name) {
  return driver().entry("sambaVgpuName", [&] {
    Allocation *allocation = driver().context().memory.find(pointer, 1);
    require(allocation != nullptr);
    allocation->name = name;
  });
}

Result sambaVgpuForget(DevicePointer pointer) {
  return driver().entry("sambaVgpuForget", [&] {
    OpaqueContext &context = driver().context();
    context.flushAll();
    context.memory.forget(pointer);
  });
}

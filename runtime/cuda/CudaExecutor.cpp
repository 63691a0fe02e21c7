//===- CudaExecutor.cpp - steps on a GPU ---------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/cuda/CudaExecutor.h"
#include "runtime/Error.h"
#include "runtime/cuda/DeviceState.h"
#include "runtime/cuda/GraphCache.h"
#include "runtime/cuda/StepInputs.h"
#include "runtime/cuda/WeightUpload.h"

#include <algorithm>
#include <cstring>

using namespace samba::runtime;
using namespace samba::runtime::cuda;
using Kind = GpuArgument::Kind;

namespace {

// Kernels that want more dynamic shared memory than this must say so.
constexpr uint32_t plainSharedBytes = 48 << 10;

/// A launch with everything but its grid.
struct ReadyLaunch {
  const GpuLaunch *launch;
  FunctionHandle function;
  std::vector<uint64_t> values; // of the parameters
  std::vector<void *> pointers; // to them
};

struct ReadyProgram {
  const GpuProgram *program;
  InputLayout inputs;
  std::vector<std::variant<ReadyLaunch, GpuProbe>> items;
};

class CudaExecutor : public Executor {
public:
  CudaExecutor(const Artefact &artefact, std::shared_ptr<const Context> opened, bool check)
      : artefact(artefact), context(std::move(opened)), eachKernel(check), image(context, artefact), graphs(context) {
    const GpuSection &gpu = artefact.gpu();
    weights = DeviceBuffer(context, gpu.weightsBytes, "weights");
    uploadWeights(context, artefact.weights(), artefact.weightsBytes(), weights.address());
    arena = DeviceBuffer(context, gpu.arenaBytes, "the arena");
    uint64_t inputBytes = 0;
    int64_t rows = 0;
    bool argmax = false;
    for (const GpuProgram &program : gpu.programs) {
      inputBytes = std::max(inputBytes, InputLayout(program.limits).bytes);
      rows = std::max(rows, program.limits.rows);
      argmax |= program.hasArgmax();
    }
    inputs = DeviceBuffer(context, inputBytes, "the inputs of a step");
    staging = PinnedBuffer(context, inputBytes, "the inputs of a step");
    uint64_t logitsBytes = static_cast<uint64_t>(rows * artefact.manifest().vocabSize) * sizeof(float);
    logitsBuffer = DeviceBuffer(context, logitsBytes, "logits");
    hostLogits = PinnedBuffer(context, logitsBytes, "logits");
    if (argmax) {
      uint64_t tokenBytes = static_cast<uint64_t>(rows) * sizeof(int32_t);
      argmaxBuffer = DeviceBuffer(context, tokenBytes, "chosen tokens");
      hostTokens = PinnedBuffer(context, tokenBytes, "chosen tokens");
    }
    for (const GpuProgram &program : gpu.programs)
      programs.push_back(prepare(program));
  }

  std::unique_ptr<SequenceState> createState() override {
    return std::make_unique<DeviceState>(context, artefact.manifest().stateBytes);
  }
  StepSizes limits() const override { return artefact.gpu().limits(image.programs()); }
  void reserve(int64_t, int64_t) override {} // the arena is for the largest step
  int32_t threads() const override { return 1; }
  std::string device() const override { return context->description(); }

  void run(const Step &step, const StepResult &result, samba_probe probe, void *probeUser) override {
    StepSizes sizes = step.sizes();
    const GpuProgram *chosen = artefact.gpu().programFor(sizes, image.programs());
    size_t index = static_cast<size_t>(chosen - artefact.gpu().programs.data());
    const ReadyProgram &program = programs[index];
    Context::Lock lock(*context);
    program.inputs.fill(staging.data(), step, sizes);
    if (eachKernel && context->driver().vgpuForget)
      context->driver().vgpuForget(arena.address());
    bool chooses = result.tokens && chosen->hasArgmax();
    if (eachKernel || probe)
      enqueue(program, sizes, chooses, probe, probeUser);
    else
      graphs.run(2 * index + chooses, sizes, [&] { enqueue(program, sizes, chooses, nullptr, nullptr); });
    Result status = context->driver().streamSynchronize(context->stream());
    if (status != Success)
      context->driver().fail(status, "program '" + chosen->name + "' failed on the GPU (with checks it is said where)");
    give(sizes, chooses, result);
    for (SequenceState *state : step.states)
      static_cast<DeviceState *>(state)->stepped();
  }

  std::string counters() const override {
    const Driver &driver = context->driver();
    if (!driver.vgpuCounters)
      throw Error(SAMBA_ERROR_DEVICE, "a GPU counts nothing: counters are those of the virtual device");
    Context::Lock lock(*context);
    const char *text = "";
    context->check(driver.vgpuCounters(&text), "asking the virtual device for its counters");
    return text;
  }

private:
  uint64_t logitsBytes(const StepSizes &sizes) const {
    return static_cast<uint64_t>(sizes.rows * artefact.manifest().vocabSize) * sizeof(float);
  }

  static uint64_t tokenBytes(const StepSizes &sizes) { return static_cast<uint64_t>(sizes.rows) * sizeof(int32_t); }

  /// What has come to the host.
  void give(const StepSizes &sizes, bool chosen, const StepResult &result) const {
    if (sizes.rows == 0)
      return;
    if (chosen) {
      std::memcpy(result.tokens, hostTokens.data(), tokenBytes(sizes));
    } else if (result.tokens) { // by a model whose kernels do not choose
      size_t vocabSize = static_cast<size_t>(artefact.manifest().vocabSize);
      for (size_t i = 0; i < static_cast<size_t>(sizes.rows); ++i)
        result.tokens[i] = greatest(reinterpret_cast<const float *>(hostLogits.data()) + i * vocabSize, vocabSize);
    } else {
      std::memcpy(result.logits, hostLogits.data(), logitsBytes(sizes));
    }
  }

  ReadyProgram prepare(const GpuProgram &program) {
    ReadyProgram ready = {&program, InputLayout(program.limits), {}};
    if (program.exact != image.programs()) // of kernels that are not here
      return ready;
    for (const auto &item : program.items)
      if (const auto *probe = std::get_if<GpuProbe>(&item))
        ready.items.emplace_back(*probe);
      else
        ready.items.emplace_back(prepare(std::get<GpuLaunch>(item), ready.inputs));
    return ready;
  }

  ReadyLaunch prepare(const GpuLaunch &launch, const InputLayout &layout) {
    ReadyLaunch ready = {&launch, image.function(launch.kernel), {}, {}};
    if (launch.sharedBytes > plainSharedBytes) {
      Context::Lock lock(*context);
      context->driver().check(context->driver().funcSetAttribute(ready.function, MaxDynamicSharedBytes,
                                                                 static_cast<int>(launch.sharedBytes)),
                              "giving kernel '" + launch.kernel + "' " + std::to_string(launch.sharedBytes) +
                                  " bytes of shared memory");
    }
    for (const GpuArgument &argument : launch.arguments)
      ready.values.push_back(valueOf(argument, layout));
    checkParameters(ready);
    for (uint64_t &value : ready.values)
      ready.pointers.push_back(&value);
    return ready;
  }

  /// The driver reads as many arguments as the kernel has parameters, of their sizes.
  void checkParameters(const ReadyLaunch &ready) const {
    Context::Lock lock(*context);
    const Driver &driver = context->driver();
    const GpuLaunch &launch = *ready.launch;
    if (!driver.funcGetParamInfo)
      return;
    auto wrong = [&](const std::string &what) {
      throw Error(SAMBA_ERROR_FORMAT,
                  "'" + artefact.path() + "': kernel '" + launch.kernel + "' (" + launch.name + ") " + what);
    };
    size_t offset = 0, bytes = 0, count = launch.arguments.size();
    for (size_t i = 0; i < count; ++i) {
      if (driver.funcGetParamInfo(ready.function, i, &offset, &bytes) != Success)
        wrong("has " + std::to_string(i) + " parameters, its launch " + std::to_string(count));
      if (bytes != launch.arguments[i].bytes())
        wrong("has " + std::to_string(bytes) + " bytes in parameter " + std::to_string(i) + ", its launch " +
              std::to_string(launch.arguments[i].bytes()));
    }
    if (driver.funcGetParamInfo(ready.function, count, &offset, &bytes) == Success)
      wrong("has more than the " + std::to_string(count) + " parameters of its launch");
  }

  /// The bytes of a parameter, the first ones of a word.
  uint64_t valueOf(const GpuArgument &argument, const InputLayout &layout) const {
    DevicePointer begin = inputs.address();
    uint64_t value = 0;
    switch (argument.kind) {
    case Kind::Arena:
      return arena.address() + argument.offset;
    case Kind::Weights:
      return weights.address() + argument.offset;
    case Kind::Tokens:
      return begin + layout.tokens;
    case Kind::Segments:
      return begin + layout.segments;
    case Kind::Positions:
      return begin + layout.positions;
    case Kind::Rows:
      return begin + layout.rows;
    case Kind::States:
      return begin + layout.states;
    case Kind::Sizes:
      return begin + layout.sizes;
    case Kind::Logits:
      return logitsBuffer.address();
    case Kind::Argmax:
      return argmaxBuffer.address();
    case Kind::Map: // made for each step
      return 0;
    case Kind::I32:
    case Kind::I64:
      return static_cast<uint64_t>(argument.integer);
    case Kind::F32:
      std::memcpy(&value, &argument.real, sizeof(argument.real));
      return value;
    }
    return value;
  }

  /// Gives the stream the work of a step, from the staged inputs to the logits, or the tokens, on the host.
  void enqueue(const ReadyProgram &program, const StepSizes &sizes, bool chooses, samba_probe probe, void *probeUser) {
    const Driver &driver = context->driver();
    context->check(driver.memcpyHtoDAsync(inputs.address(), staging.data(), program.inputs.bytes, context->stream()),
                   "copying the inputs of a step to the GPU");
    for (const auto &item : program.items)
      if (const auto *launch = std::get_if<ReadyLaunch>(&item)) {
        if (chooses || !launch->launch->chooses)
          enqueue(*launch, sizes);
      } else if (probe) {
        show(std::get<GpuProbe>(item), sizes, probe, probeUser);
      }
    if (sizes.rows > 0 && chooses)
      context->check(
          driver.memcpyDtoHAsync(hostTokens.data(), argmaxBuffer.address(), tokenBytes(sizes), context->stream()),
          "copying chosen tokens from the GPU");
    else if (sizes.rows > 0)
      context->check(
          driver.memcpyDtoHAsync(hostLogits.data(), logitsBuffer.address(), logitsBytes(sizes), context->stream()),
          "copying logits from the GPU");
  }

  void enqueue(const ReadyLaunch &ready, const StepSizes &sizes) {
    const GpuLaunch &launch = *ready.launch;
    unsigned grid[3];
    for (size_t i = 0; i < 3; ++i)
      if ((grid[i] = static_cast<unsigned>(launch.grid[i].count(sizes))) == 0)
        return;
    const Driver &driver = context->driver();
    std::vector<void *> pointers = ready.pointers;
    std::vector<EncodedMap> maps(launch.maps.size());
    for (size_t i = 0; i < pointers.size() && !maps.empty(); ++i)
      if (launch.arguments[i].kind == Kind::Map)
        pointers[i] = encode(maps[launch.arguments[i].map], launch, launch.arguments[i].map, sizes);
    Result result =
        driver.launchKernel(ready.function, grid[0], grid[1], grid[2], launch.block[0], launch.block[1],
                            launch.block[2], launch.sharedBytes, context->stream(), pointers.data(), nullptr);
    if (result == Success && eachKernel)
      result = driver.streamSynchronize(context->stream());
    if (result != Success)
      driver.fail(result, "kernel '" + launch.kernel + "' (" + launch.name + ") failed on the GPU");
  }

  /// Rows beyond those of the step read as zeros.
  EncodedMap *encode(EncodedMap &encoded, const GpuLaunch &launch, size_t index, const StepSizes &sizes) const {
    const GpuMap &map = launch.maps[index];
    DevicePointer base = (map.ofWeights ? weights : arena).address() + map.offset;
    const uint64_t size[] = {static_cast<uint64_t>(map.width), static_cast<uint64_t>(map.rows.count(sizes))};
    const uint64_t stride = static_cast<uint64_t>(map.stride);
    const uint32_t box[] = {GpuMap::boxWidth, map.boxRows}, steps[] = {1, 1};
    const Driver &driver = context->driver();
    driver.check(driver.tensorMapEncodeTiled(&encoded, ElementsBf16, 2, reinterpret_cast<void *>(base), size, &stride,
                                             box, steps, NotInterleaved, Swizzle128, PromoteTo256, FillZeros),
                 "describing a matrix to kernel '" + launch.kernel + "' (" + launch.name + ")");
    return &encoded;
  }

  void show(const GpuProbe &probe, const StepSizes &sizes, samba_probe callback, void *user) {
    int64_t rows = probe.ofRows ? sizes.rows : sizes.tokens;
    std::vector<float> values(static_cast<size_t>(rows * probe.width));
    if (!values.empty())
      context->check(context->driver().memcpyDtoHAsync(values.data(), arena.address() + probe.offset,
                                                       values.size() * sizeof(float), context->stream()),
                     "copying a probe from the GPU");
    context->synchronise("copying a probe from the GPU");
    callback(user, static_cast<int32_t>(probe.index), values.data(), rows, probe.width);
  }

  const Artefact &artefact;
  std::shared_ptr<const Context> context;
  bool eachKernel;
  LoadedImage image;
  GraphCache graphs;
  DeviceBuffer weights, arena, inputs, logitsBuffer, argmaxBuffer;
  PinnedBuffer staging, hostLogits, hostTokens;
  std::vector<ReadyProgram> programs;
};

} // namespace

std::unique_ptr<Executor> samba::runtime::cuda::createCudaExecutor(const Artefact &artefact, const DeviceChoice &choice,
                                                                   bool check) {
  std::shared_ptr<const Driver> driver;
  if (choice.kind == DeviceChoice::Kind::Virtual) {
    driver = Driver::openVirtual();
    if (!driver->isVirtual())
      throw Error(SAMBA_ERROR_DEVICE, "libsamba-vgpu.so is not a virtual device");
  } else {
    driver = Driver::open();
  }
  if (driver->isVirtual()) { // also by $SAMBA_LIBCUDA
    std::string settings = std::string("check=") + (check ? "1" : "0");
    if (!choice.settings.empty())
      settings += "," + choice.settings;
    driver->check(driver->vgpuConfigure(settings.c_str()), "setting up the virtual device");
  }
  auto context = std::make_shared<Context>(std::move(driver), choice.ordinal);
  return std::make_unique<CudaExecutor>(artefact, std::move(context), check);
}

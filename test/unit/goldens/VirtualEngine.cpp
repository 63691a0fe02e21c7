//===- VirtualEngine.cpp - a model on the virtual device ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/unit/goldens/VirtualEngine.h"

#include "dialect/Samba.h"
#include "lowering/emit/DiagnosticCapture.h"
#include "lowering/emit/PtxEmitter.h"
#include "lowering/emit/WeightPacker.h"
#include "lowering/gpu/Pipeline.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Pipelines.h"
#include "test/unit/goldens/VirtualDevice.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>

using namespace samba;
using namespace samba::reference;
using namespace samba::reference::test;
using mlir::ArrayAttr;
using mlir::DenseI64ArrayAttr;
using mlir::DictionaryAttr;
using mlir::IntegerAttr;
using mlir::StringAttr;

namespace {

int64_t number(DictionaryAttr entry, llvm::StringRef key, int64_t otherwise = 0) {
  auto attribute = entry.getAs<IntegerAttr>(key);
  return attribute ? attribute.getInt() : otherwise;
}

/// Sizes of a step by their names in programs.
struct Sizes {
  int64_t tokens, sequences, rows, longest;
  int64_t of(llvm::StringRef name) const {
    return name == "tokens"      ? tokens
           : name == "sequences" ? sequences
           : name == "rows"      ? rows
           : name == "longest"   ? longest
                                 : 1;
  }
};

class VirtualEngine : public Engine {
public:
  VirtualEngine(mlir::ModuleOp module, const WeightSource *weights, const VirtualOptions &options)
      : source(module), weights(weights), options(options), device(options.seed, options.hopper ? 90 : 80) {}

  ~VirtualEngine() override {
    // For whoever looks at the counters.
    if (const char *path = std::getenv("SAMBA_COUNTERS"))
      std::ofstream(path) << device.counters() << "\n";
  }

  llvm::Expected<Values> run(llvm::StringRef name, Values arguments) override {
    if (!module)
      if (llvm::Error error = compile())
        return std::move(error);
    return step(arguments);
  }

  void onProbe(Probe hook) override { probe = std::move(hook); }

private:
  llvm::Error passes(mlir::ModuleOp module, llvm::function_ref<void(mlir::OpPassManager &)> build) {
    DiagnosticCapture diagnostics(module.getContext());
    mlir::PassManager pm(module.getContext());
    build(pm);
    return failed(pm.run(module)) ? diagnostics.takeError("lowering failed") : llvm::Error::success();
  }

  llvm::Error compile() {
    llvm::Expected<FusionOptions> fusion = FusionOptions::parse(options.fusion);
    if (!fusion)
      return fusion.takeError();
    fusion->force = true;
    mlir::OwningOpRef<mlir::ModuleOp> planned = source.clone();
    if (llvm::Error error = passes(*planned, [&](mlir::OpPassManager &pm) {
          buildOptimisePipeline(pm, options.precision, /*roundActivations=*/true, "f32", /*quantiseRows=*/false);
          buildFusePipeline(pm, *fusion);
          buildSchedulePipeline(pm, /*panelWidth=*/0);
        }))
      return error;
    llvm::Expected<WeightPacker> packer = WeightPacker::create(*planned, *weights);
    if (!packer)
      return packer.takeError();
    std::vector<uint8_t> section(packer->sizeInBytes());
    llvm::Expected<uint64_t> checksum = packer->packToMemory(section, {});
    if (!checksum)
      return checksum.takeError();
    auto entry = planned->lookupSymbol<mlir::func::FuncOp>("samba_step");
    for (mlir::BlockArgument argument : llvm::drop_begin(entry.getArguments(), 4))
      offsets.push_back(entry.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), "samba.offset").getInt());
    vocabulary = llvm::cast<mlir::RankedTensorType>(entry.getResultTypes()[0]).getDimSize(1);
    stateBytes = (*planned)->getAttrOfType<IntegerAttr>("samba.state_bytes").getInt();
    planned->walk([&](ProbeOp op) {
      probeNames.resize(std::max<size_t>(probeNames.size(), op.getIndex() + 1));
      probeNames[op.getIndex()] = op.getName().str();
    });

    if (llvm::Error error = passes(*planned, [&](mlir::OpPassManager &pm) {
          buildGpuKernelPipeline(pm, options.hopper);
          buildGpuToNvvmPipeline(pm);
        }))
      return error;
    llvm::Expected<std::string> ptx = emitPtx(*planned, {options.hopper ? 90 : 80, options.hopper});
    if (!ptx)
      return ptx.takeError();
    if (std::string error = device.load(*ptx); !error.empty())
      return llvm::createStringError("PTX: " + error);
    exact = options.hopper && hasHopperKernels(*planned) ? 90 : 0;
    weightsAt = device.allocate(std::max<size_t>(section.size(), 1), "weights");
    device.write(weightsAt, section.data(), section.size());
    arenaAt = device.allocate((*planned)->getAttrOfType<IntegerAttr>("samba.gpu_arena_bytes").getInt(), "arena", true);
    module = std::move(planned);
    return llvm::Error::success();
  }

  /// A copy on the device, freed at the end of the step.
  template <class T> uint64_t upload(const std::vector<T> &data, const char *name) {
    uint64_t address = device.allocate(std::max<size_t>(1, data.size() * sizeof(T)), name);
    device.write(address, data.data(), data.size() * sizeof(T));
    temporary.push_back(address);
    return address;
  }

  llvm::Expected<DictionaryAttr> chooseProgram(const Sizes &sizes) {
    for (mlir::Attribute attribute : (*module)->getAttrOfType<ArrayAttr>("samba.programs")) {
      auto program = llvm::cast<DictionaryAttr>(attribute);
      if (number(program, "exact") == exact && sizes.tokens <= number(program, "max_tokens") &&
          sizes.sequences <= number(program, "max_sequences") && sizes.rows <= number(program, "max_rows") &&
          sizes.longest <= number(program, "longest", INT64_MAX))
        return program;
    }
    return llvm::createStringError("no program for a step of " + llvm::Twine(sizes.tokens) + " tokens");
  }

  llvm::Expected<Values> step(const Values &arguments) {
    std::vector<int32_t> tokens;
    auto wide = [&](size_t i) { return std::get<IntTensor>(arguments[i]).data; };
    for (int64_t token : wide(0))
      tokens.push_back(int32_t(token));
    std::vector<int64_t> segments = wide(1), positions = wide(2), rows = wide(3);
    Sizes sizes{int64_t(tokens.size()), int64_t(positions.size()), int64_t(rows.size()), 0};
    for (size_t s = 0; s < positions.size(); ++s)
      sizes.longest = std::max(sizes.longest, segments[s + 1] - segments[s]);
    std::vector<uint64_t> states;
    for (size_t s = 0; s < positions.size(); ++s) {
      std::vector<uint8_t> blob(stateBytes);
      for (size_t i = 4; i < arguments.size(); ++i) {
        const Tensor<double> &state = std::get<StateBatch<double>>(arguments[i]).sequences[s];
        std::vector<float> narrow(state.data.begin(), state.data.end());
        std::memcpy(blob.data() + offsets[i - 4], narrow.data(), narrow.size() * sizeof(float));
      }
      states.push_back(upload(blob, "state"));
    }
    std::vector<int32_t> sizesOnDevice{int32_t(sizes.tokens), int32_t(sizes.sequences), int32_t(sizes.rows),
                                       int32_t(sizes.longest)};
    Tensor<float> logits({sizes.rows, vocabulary});
    std::map<std::string, uint64_t> inputs{
        {"tokens", upload(tokens, "tokens")},
        {"segments", upload(segments, "segments")},
        {"positions", upload(positions, "positions")},
        {"rows", upload(rows, "rows")},
        {"states", upload(states, "states")},
        {"sizes", upload(sizesOnDevice, "sizes")},
        {"logits", upload(logits.data, "logits")},
        {"argmax", upload(std::vector<int32_t>(size_t(sizes.rows), -2), "chosen tokens")}};
    device.forget(arenaAt);
    llvm::Expected<DictionaryAttr> program = chooseProgram(sizes);
    if (!program)
      return program.takeError();
    for (mlir::Attribute launch : program->getAs<ArrayAttr>("launches"))
      if (llvm::Error error = perform(llvm::cast<DictionaryAttr>(launch), sizes, inputs))
        return std::move(error);
    device.read(inputs["logits"], logits.data.data(), logits.data.size() * sizeof(float));
    if (llvm::Error error = checkChoice(*program, logits, inputs["argmax"]))
      return std::move(error);

    Values results;
    results.emplace_back(Tensor<double>(logits.shape, std::vector<double>(logits.data.begin(), logits.data.end())));
    for (size_t i = 4; i < arguments.size(); ++i) {
      StateBatch<double> batch = std::get<StateBatch<double>>(arguments[i]);
      for (size_t s = 0; s < states.size(); ++s) {
        std::vector<float> narrow(batch.sequences[s].data.size());
        device.read(states[s] + offsets[i - 4], narrow.data(), narrow.size() * sizeof(float));
        batch.sequences[s].data.assign(narrow.begin(), narrow.end());
      }
      results.emplace_back(std::move(batch));
    }
    for (uint64_t address : temporary)
      device.release(address);
    temporary.clear();
    return results;
  }

  /// The launches that choose tokens run too; what they choose is the first of the greatest logits.
  llvm::Error checkChoice(DictionaryAttr program, const Tensor<float> &logits, uint64_t address) {
    bool chooses = false;
    for (mlir::Attribute launch : program.getAs<ArrayAttr>("launches"))
      chooses |= llvm::cast<DictionaryAttr>(launch).contains("chooses");
    size_t width = size_t(vocabulary), rows = chooses ? logits.data.size() / width : 0;
    std::vector<int32_t> chosen(rows);
    device.read(address, chosen.data(), rows * sizeof(int32_t));
    for (size_t r = 0; r < rows; ++r) {
      auto row = logits.data.begin() + ptrdiff_t(r * width);
      if (auto best = std::max_element(row, row + ptrdiff_t(width)) - row; best != chosen[r])
        return llvm::createStringError("row " + llvm::Twine(r) + ": the device chooses " + llvm::Twine(chosen[r]) +
                                       ", the greatest logit is that of " + llvm::Twine(best));
    }
    return llvm::Error::success();
  }

  static int64_t count(DictionaryAttr extent, const Sizes &sizes) {
    int64_t size = sizes.of(extent.getAs<StringAttr>("of").getValue());
    return llvm::divideCeil(size, number(extent, "per", 1)) * number(extent, "times", 1);
  }

  llvm::Error perform(DictionaryAttr entry, const Sizes &sizes, const std::map<std::string, uint64_t> &inputs) {
    if (auto index = entry.getAs<IntegerAttr>("probe")) {
      if (!probe)
        return llvm::Error::success();
      Tensor<float> x({sizes.of(entry.getAs<StringAttr>("of").getValue()), number(entry, "width")});
      device.read(arenaAt + number(entry, "arena"), x.data.data(), x.data.size() * sizeof(float));
      probe(probeNames[index.getInt()], index.getInt(),
            Tensor<double>(x.shape, std::vector<double>(x.data.begin(), x.data.end())));
      return llvm::Error::success();
    }
    VirtualDevice::Launch launch{entry.getAs<StringAttr>("kernel").str(), {}, 0, 0, {}};
    launch.sharedBytes = uint32_t(number(entry, "shared"));
    launch.threads = uint32_t(entry.getAs<DenseI64ArrayAttr>("block")[0]);
    for (auto [i, attribute] : llvm::enumerate(entry.getAs<ArrayAttr>("grid"))) {
      launch.grid[i] = uint32_t(count(llvm::cast<DictionaryAttr>(attribute), sizes));
      if (launch.grid[i] == 0)
        return llvm::Error::success();
    }
    for (mlir::Attribute attribute : entry.getAs<ArrayAttr>("args")) {
      mlir::NamedAttribute argument = *llvm::cast<DictionaryAttr>(attribute).begin();
      llvm::StringRef kind = argument.getName();
      if (auto name = llvm::dyn_cast<StringAttr>(argument.getValue())) {
        launch.arguments.push_back(inputs.at(name.str()));
        continue;
      }
      if (auto map = llvm::dyn_cast<DictionaryAttr>(argument.getValue())) {
        int64_t rows = count(map.getAs<DictionaryAttr>("rows"), sizes);
        uint64_t base = map.get("arena") ? arenaAt + number(map, "arena") : weightsAt + number(map, "weights");
        VirtualDevice::appendMap(launch.arguments, base, uint64_t(number(map, "width")), uint64_t(rows),
                                 uint64_t(number(map, "stride")), uint16_t(number(map, "box")));
        continue;
      }
      uint64_t base = kind == "arena" ? arenaAt : kind == "weights" ? weightsAt : 0;
      launch.arguments.push_back(base + llvm::cast<IntegerAttr>(argument.getValue()).getInt());
    }
    std::string error = device.launch(launch);
    if (!error.empty())
      return llvm::createStringError("launch '" + entry.getAs<StringAttr>("name").getValue() + "': " + error);
    return llvm::Error::success();
  }

  mlir::ModuleOp source;
  const WeightSource *weights;
  VirtualOptions options;
  VirtualDevice device;
  mlir::OwningOpRef<mlir::ModuleOp> module; // lowered
  std::vector<int64_t> offsets;             // of the states
  std::vector<uint64_t> temporary;
  std::vector<std::string> probeNames;
  int64_t vocabulary = 0, stateBytes = 0, exact = 0;
  uint64_t weightsAt = 0, arenaAt = 0;
  Probe probe;
};

} // namespace

std::unique_ptr<Engine> samba::reference::test::createVirtualEngine(mlir::ModuleOp module, const WeightSource *weights,
                                                                    const VirtualOptions &options) {
  return std::make_unique<VirtualEngine>(module, weights, options);
}

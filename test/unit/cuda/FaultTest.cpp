//===- FaultTest.cpp - what can go wrong with a GPU ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "samba/samba.hpp"
#include "test/unit/runtime/FakeArtefact.h"

#include <cstdlib>
#include <gtest/gtest.h>

using namespace samba;
using namespace samba::test;
using nlohmann::json;

namespace {

/// A run of the model on a device: what fails, or "".
struct Outcome {
  samba_status status = SAMBA_OK;
  std::string message;
};

class GpuFault : public testing::Test {
protected:
  Outcome run(const char *device, bool check = false) {
    artefact.manifest["state"]["fields"][2]["shape"] = {2, 1, 2}; // two heads: what a mark saves is strided
    artefact.write(folder / "model.so");
    Outcome outcome;
    try {
      samba_options options = {sizeof(samba_options), 1, 0, 0, device, check};
      Model model(folder / "model.so", options);
      Session session(model);
      std::vector<float> logits(tokens.size() * vocabSize);
      for (int round = 0; round < 2; ++round)
        session.evaluate(tokens.data(), tokens.size(), SAMBA_ROWS_ALL, logits.data(), logits.size());
      session.mark();
      Session fork = session.fork();
      session.evaluate(tokens.data(), 1, SAMBA_ROWS_ALL, logits.data(), logits.size());
      session.rollback(1);
      fork.save(folder / "state");
    } catch (const Exception &error) {
      outcome = {error.status(), error.what()};
      EXPECT_EQ(outcome.message.find('\n'), std::string::npos) << outcome.message;
    }
    return outcome;
  }
  void expect(const Outcome &outcome, samba_status status, const std::string &part) {
    EXPECT_EQ(outcome.status, status) << outcome.message;
    EXPECT_NE(outcome.message.find(part), std::string::npos) << outcome.message << "\n  lacks: " << part;
  }
  Outcome runWith(const char *library) {
    ::setenv("SAMBA_LIBCUDA", library, 1);
    Outcome outcome = run("cuda");
    ::unsetenv("SAMBA_LIBCUDA");
    return outcome;
  }
  /// The launch of the fake model's embedding.
  json &embed() { return artefact.gpu["programs"][1]["launches"][1]; }

  Folder folder;
  FakeArtefact artefact;
  std::vector<int32_t> tokens = someTokens(20);
};

TEST_F(GpuFault, None) {
  expect(run("virtual"), SAMBA_OK, "");
  expect(run("virtual", true), SAMBA_OK, "");
}

TEST_F(GpuFault, Names) {
  for (const char *device : {"gpu", "", "cpu:1", "cuda:", "cuda:x", "cuda:-1", "cuda:12345", "virtual:", "CUDA"})
    expect(run(device), SAMBA_ERROR_ARGUMENT,
           std::string("device is '") + device + "', expected cpu, cuda, cuda:N, virtual or virtual:KEY=VALUE,...");
  expect(run("virtual:speed=9"), SAMBA_ERROR_DEVICE, "unknown setting 'speed', expected arch, seed, threads");
  expect(run("virtual:seed=x"), SAMBA_ERROR_DEVICE, "'seed': expected a number up to");
  expect(run("virtual:seed"), SAMBA_ERROR_DEVICE, "expected KEY=VALUE, found 'seed'");
  expect(run("virtual:fail=x"), SAMBA_ERROR_DEVICE, "'fail': expected ENTRY@CALL:RESULT, found 'x'");
  expect(run("virtual:ptx=/nowhere/k.ptx"), SAMBA_ERROR_DEVICE, "/nowhere/k.ptx: cannot be read");
  expect(run("virtual:record=/nowhere/launches"), SAMBA_ERROR_DEVICE, "/nowhere/launches: cannot be written");
}

TEST_F(GpuFault, NoDriver) {
  expect(runWith("/nowhere/libcuda.so.1"), SAMBA_ERROR_DEVICE, "no CUDA driver: cannot load '/nowhere/libcuda.so.1'");
  expect(runWith(SAMBA_INCOMPLETE_DRIVER), SAMBA_ERROR_DEVICE, "is not a CUDA driver: it has no cuDriverGetVersion");
  expect(runWith(SAMBA_OLD_DRIVER), SAMBA_ERROR_DEVICE,
         "is too old: it is of version 11.2 and has no cuGetErrorName, expected version 12.0 or later");
}

TEST_F(GpuFault, NoDevice) {
  expect(run("virtual:devices=0"), SAMBA_ERROR_DEVICE, "no CUDA device: the driver '");
  expect(run("virtual:version=11080"), SAMBA_ERROR_DEVICE, "is too old: it is of version 11.8, expected version 12.0");
  ::setenv("SAMBA_LIBCUDA", SAMBA_VGPU, 1);
  expect(run("cuda:3"), SAMBA_ERROR_DEVICE, "no CUDA device 3: there are 1");
  ::unsetenv("SAMBA_LIBCUDA");
}

TEST_F(GpuFault, NoImage) {
  expect(run("virtual:arch=75"), SAMBA_ERROR_DEVICE,
         "has no image for virtual PTX interpreter (sm_75), it has PTX sm_80");
  artefact.gpu["images"][0]["kind"] = "cubin";
  artefact.gpuImages.replace(0, 4,
                             "\x7f"
                             "ELF");
  expect(run("virtual"), SAMBA_ERROR_DEVICE,
         "it has cubin sm_80; cubin sm_80: CUDA_ERROR_NO_BINARY_FOR_GPU (no kernel image is available");
  expect(run("virtual:arch=90"), SAMBA_ERROR_DEVICE,
         "has no image for virtual PTX interpreter (sm_90), it has cubin sm_80");
  artefact.gpu["images"] = json::array();
  expect(run("virtual"), SAMBA_ERROR_DEVICE, "it has none");
}

TEST_F(GpuFault, BestImage) {
  // A cubin comes first, and the driver does not take it; the exact PTX would be better if the device were it.
  std::string ptx = artefact.gpuImages;
  artefact.gpuImages.resize((ptx.size() + 63) / 64 * 64);
  artefact.gpu["images"].push_back(
      {{"kind", "cubin"}, {"arch", 80}, {"offset", artefact.gpuImages.size()}, {"size", 8}});
  artefact.gpuImages += "\x7f"
                        "ELF    ";
  artefact.gpuImages.resize((artefact.gpuImages.size() + 63) / 64 * 64);
  artefact.gpu["images"].push_back(
      {{"kind", "ptx"}, {"arch", 90}, {"exact", true}, {"offset", artefact.gpuImages.size()}, {"size", 3}});
  artefact.gpuImages += "bad";
  expect(run("virtual"), SAMBA_OK, "");
  expect(run("virtual:arch=90"), SAMBA_ERROR_DEVICE, "cannot load its kernels: PTX sm_90a: CUDA_ERROR_INVALID_PTX");
}

TEST_F(GpuFault, BadPtx) {
  artefact.gpuImages[artefact.gpuImages.find(".entry")] = '!';
  expect(run("virtual"), SAMBA_ERROR_DEVICE,
         "cannot load its kernels: PTX sm_80: CUDA_ERROR_INVALID_PTX (a PTX JIT compilation failed): ");
  artefact = FakeArtefact();
  embed()["kernel"] = "nothing";
  expect(run("virtual"), SAMBA_ERROR_FORMAT, "its image for the GPU has no kernel 'nothing'");
}

TEST_F(GpuFault, Parameters) {
  embed()["args"].erase(3);
  expect(run("virtual"), SAMBA_ERROR_FORMAT,
         "kernel 'embed' (embeddings) has more than the 3 parameters of its launch");
  embed()["args"].push_back({{"i32", 4}});
  expect(run("virtual"), SAMBA_ERROR_FORMAT, "has 8 bytes in parameter 3, its launch 4");
  embed()["args"][3] = {{"i64", 4}};
  embed()["args"].push_back({{"i32", 4}});
  expect(run("virtual"), SAMBA_ERROR_FORMAT, "has 4 parameters, its launch 5");
}

TEST_F(GpuFault, Memory) {
  expect(run("virtual:memory=2500"), SAMBA_ERROR_MEMORY,
         "out of memory on the GPU: " + std::to_string(artefact.gpu["arena_bytes"].get<int>()) +
             " bytes asked for the arena, ");
  expect(run("virtual:memory=500"), SAMBA_ERROR_MEMORY, "bytes asked for weights, 500 of 500 free");
}

TEST_F(GpuFault, BlockIsTooLarge) {
  embed()["shared"] = 100000;
  embed()["block"] = {512, 2, 1};
  expect(run("virtual"), SAMBA_OK, "");
  expect(run("virtual:fail=cuFuncSetAttribute@1:1"), SAMBA_ERROR_DEVICE,
         "giving kernel 'embed' 100000 bytes of shared memory: CUDA_ERROR_INVALID_VALUE");
}

TEST_F(GpuFault, StrayAccess) {
  json stray = {{"kernel", "stray"},
                {"name", "layers.1.mlp"},
                {"block", {1, 1, 1}},
                {"grid", {{{"of", "one"}}, {{"of", "one"}}, {{"of", "one"}}}},
                {"args", {{{"arena", 0}}, {{"i64", artefact.gpu["arena_bytes"].get<int64_t>() / 4 + 2}}}}};
  json &launches = artefact.gpu["programs"][1]["launches"];
  launches.insert(launches.begin() + 2, stray);
  // A device says no more than that something is wrong; this one names the kernel.
  expect(run("virtual"), SAMBA_ERROR_DEVICE,
         "program 'prefill' failed on the GPU (with checks it is said where): CUDA_ERROR_ILLEGAL_ADDRESS");
  Outcome outcome = run("virtual", true);
  expect(outcome, SAMBA_ERROR_DEVICE,
         "kernel 'stray' (layers.1.mlp) failed on the GPU: CUDA_ERROR_ILLEGAL_ADDRESS (an "
         "illegal memory access was encountered): stray: out-of-bounds: ");
  expect(outcome, SAMBA_ERROR_DEVICE, "8 bytes past the end of 'the arena'");
}

TEST_F(GpuFault, AfterAFailureTheModelIsDead) {
  json &launch = artefact.gpu["programs"][0]["launches"][1];
  launch["kernel"] = "stray";
  launch["args"] = {{{"arena", 0}}, {{"i64", -1}}};
  artefact.write(folder / "model.so");
  samba_options options = {sizeof(samba_options), 1, 0, 0, "virtual", 0};
  {
    Model model(folder / "model.so", options);
    Session session(model);
    std::vector<float> logits(vocabSize);
    for (int i = 0; i < 3; ++i)
      EXPECT_THROW(session.evaluate(tokens.data(), 1, SAMBA_ROWS_LAST, logits.data(), logits.size()), Exception);
    EXPECT_EQ(session.position(), 0);
    session.save(folder / "state"); // as it was before
  }
  artefact = FakeArtefact(); // another one on the same device is not
  expect(run("virtual"), SAMBA_OK, "");
}

TEST_F(GpuFault, Watchdog) {
  embed()["kernel"] = "endless";
  embed()["args"] = {{{"arena", 0}}};
  expect(run("virtual:watchdog=100000"), SAMBA_ERROR_DEVICE, "CUDA_ERROR_LAUNCH_FAILED");
}

TEST_F(GpuFault, ReadsOfWhatWasNotWritten) {
  artefact.gpu["programs"][1]["launches"].erase(1); // the embedding
  Outcome outcome = run("virtual", true);
  expect(outcome, SAMBA_ERROR_DEVICE, "kernel 'add' (layers.0) failed on the GPU");
  expect(outcome, SAMBA_ERROR_DEVICE, "uninitialised");
  expect(run("virtual", false), SAMBA_OK, "");
}

/// Every entry point that runs can fail the first time and later, and nothing but an error comes of it.
TEST_F(GpuFault, EveryCallMayFail) {
  const char *entries[] = {"cuInit",
                           "cuDriverGetVersion",
                           "cuDeviceGetCount",
                           "cuDeviceGet",
                           "cuDeviceGetName",
                           "cuDeviceGetAttribute",
                           "cuDevicePrimaryCtxRetain",
                           "cuCtxSetCurrent",
                           "cuModuleLoadDataEx",
                           "cuModuleGetFunction",
                           "cuMemAlloc_v2",
                           "cuMemHostAlloc",
                           "cuMemcpyHtoDAsync_v2",
                           "cuMemcpyDtoHAsync_v2",
                           "cuMemcpyDtoDAsync_v2",
                           "cuMemcpy2DAsync_v2",
                           "cuMemsetD8Async",
                           "cuStreamCreate",
                           "cuStreamSynchronize",
                           "cuStreamBeginCapture_v2",
                           "cuStreamEndCapture",
                           "cuGraphInstantiateWithFlags",
                           "cuGraphLaunch",
                           "cuLaunchKernel"};
  tokens = someTokens(40);
  for (const char *entry : entries) {
    int failures = 0;
    for (int call = 1; call <= 40; ++call) {
      Outcome outcome = run(("virtual:fail=" + std::string(entry) + "@" + std::to_string(call) + ":2").c_str());
      if (outcome.status == SAMBA_OK)
        break;
      ++failures;
      EXPECT_NE(outcome.message.find("memory"), std::string::npos) << entry << call << outcome.message;
      EXPECT_NE(outcome.status, SAMBA_ERROR_INTERNAL) << entry << call << outcome.message;
    }
    EXPECT_GT(failures, 0) << entry;
  }
  expect(run("virtual"), SAMBA_OK, "");
}

} // namespace

//===- RunDeviceTest.cpp - samba-run on devices --------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "samba/samba.hpp"
#include "test/unit/runtime/RunFixture.h"

using namespace samba::test;

namespace {

class RunDevice : public Run {
protected:
  RunDevice() { ::setenv("VGPU", SAMBA_VGPU, 1); }

  /// The tokens that are generated on a device, with further options.
  std::string tokens(const std::string &options) {
    Result result = shell(folder, "$RUN $D/model.so --tokens $D/tokens.json -n 12 --ignore-eos --json " + options);
    EXPECT_EQ(result.status, 0) << result.err;
    return tokensOf(result);
  }
  static std::string tokensOf(const Result &result) {
    auto json = nlohmann::json::parse(result.out, nullptr, false);
    return json.is_object() && json.contains("tokens") ? json["tokens"].dump() : "no tokens: " + result.err;
  }
  void expectError(int status, const std::string &options, const std::string &part) {
    Result result = shell(folder, "$RUN $D/model.so --tokens $D/tokens.json --json -n 1 " + options);
    EXPECT_EQ(result.status, status) << options;
    EXPECT_EQ(result.err.rfind("samba-run: error: ", 0), 0u) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err << "\n  lacks: " << part;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
};

TEST_F(RunDevice, TheSameEverywhere) {
  std::string expected = tokens("");
  for (const char *options :
       {"--device=cpu", "--device=virtual", "--device virtual --check", "--device=virtual:seed=7,threads=1 --check",
        "--device=virtual:arch=90 --chunk 3", "--device=virtual --speculate=lookup:2"})
    EXPECT_EQ(tokens(options), expected) << options;
  Result result = shell(folder, "SAMBA_LIBCUDA=$VGPU $RUN $D/model.so --tokens $D/tokens.json -n 12 --ignore-eos "
                                "--json --device=cuda:0 --check");
  EXPECT_EQ(tokensOf(result), expected);
}

TEST_F(RunDevice, StatesCachesAndDumps) {
  auto both = [&](const std::string &options) {
    for (const char *device : {"cpu", "virtual"}) {
      ::setenv("DEVICE", device, 1);
      Result result = shell(folder, "$RUN $D/model.so --tokens $D/tokens.json --json --device=$DEVICE " + options);
      ASSERT_EQ(result.status, 0) << options << result.err;
    }
  };
  both("-n 3 --save-state $D/$DEVICE.state --dump-logits $D/$DEVICE.logits");
  EXPECT_EQ(readBytes(folder / "cpu.state"), readBytes(folder / "virtual.state"));
  EXPECT_EQ(readBytes(folder / "cpu.logits"), readBytes(folder / "virtual.logits"));
  both("-n 1 --dump-hidden $D/$DEVICE.hidden --dump-state $D/$DEVICE.fields");
  EXPECT_EQ(readBytes(folder / "cpu.hidden"), readBytes(folder / "virtual.hidden"));
  EXPECT_EQ(readBytes(folder / "cpu.fields"), readBytes(folder / "virtual.fields"));
  // A state of one device, continued on the other.
  Result onCpu = shell(folder, "$RUN $D/model.so --load-state $D/virtual.state -n 9 --device=cpu --ignore-eos --json");
  Result onGpu = shell(folder, "$RUN $D/model.so --load-state $D/cpu.state -n 9 --device=virtual --ignore-eos --json");
  EXPECT_EQ(onCpu.status, 0) << onCpu.err;
  EXPECT_EQ(tokensOf(onCpu), tokensOf(onGpu));
  both("-n 2 --prompt-cache $D/cache"); // the second one goes on from the first one's
  both("-n 2 --prompt-cache $D/cache");
}

TEST_F(RunDevice, Batch) {
  std::string lines;
  for (uint32_t i = 0; i < 20; ++i)
    lines += nlohmann::json{{"tokens", someTokens(1 + i * 7 % 30, i + 1)}, {"n", 1 + i % 6}}.dump() + "\n";
  writeBytes(folder / "lines", lines);
  Result onCpu = shell(folder, "$RUN $D/model.so --batch $D/lines --device=cpu");
  Result onGpu = shell(folder, "$RUN $D/model.so --batch $D/lines --device=virtual --check --concurrency 20");
  EXPECT_EQ(onGpu.status, 0) << onGpu.err;
  EXPECT_EQ(onCpu.out, onGpu.out);
  EXPECT_EQ(std::count(onGpu.out.begin(), onGpu.out.end(), '\n'), 20);
}

TEST_F(RunDevice, Counters) {
  tokens("--device=virtual --counters=" + folder / "counters.json");
  auto counters = nlohmann::json::parse(readBytes(folder / "counters.json"));
  EXPECT_EQ(counters["head"]["launches"], 12); // the last token is not fed
  Result result = shell(folder, "$RUN $D/model.so --tokens $D/tokens.json -n 1 --json --device=virtual --counters");
  EXPECT_EQ(nlohmann::json::parse(result.err)["head"]["launches"], 1);
}

TEST_F(RunDevice, CommandLine) {
  expectError(2, "--check", "--check needs --device=virtual or --device=cuda");
  expectError(2, "--device=cpu --check", "--check needs --device");
  expectError(2, "--counters", "--counters needs --device=virtual");
  expectError(2, "--device=cuda --counters", "--counters needs --device=virtual");
  expectError(2, "--device=virtual --counters=", "--counters: expected a file, found nothing");
  expectError(1, "--device=tpu", "device is 'tpu', expected cpu, cuda, cuda:N, virtual");
  expectError(1, "--device=virtual --counters=/nowhere/x", "cannot write '/nowhere/x': No such file or directory");
}

TEST_F(RunDevice, Devices) {
  ::setenv("SAMBA_LIBCUDA", "/nowhere/libcuda.so.1", 1);
  expectError(1, "--device=cuda", "no CUDA driver: cannot load '/nowhere/libcuda.so.1'");
  tokens("--device=virtual"); // which does not need it
  tokens("");
  artefact.dropCode();
  artefact.write(folder / "model.so");
  expectError(1, "", "no CUDA driver: cannot load '/nowhere/libcuda.so.1'"); // the default of a model for GPUs alone
  ::unsetenv("SAMBA_LIBCUDA");
  expectError(1, "--device=cpu", "is compiled for CUDA only, it cannot run on the CPU");
  expectError(1, "--device=virtual:devices=0", "no CUDA device");
  artefact = FakeArtefact();
  artefact.gpu = nullptr;
  artefact.gpuWeights = "";
  artefact.write(folder / "model.so");
  expectError(1, "--device=virtual", "is compiled for the CPU only, it cannot run on a GPU");
  expectError(1, "--device=cuda", "is compiled for the CPU only, it cannot run on a GPU");
}

// One program for machines with and without a GPU: the driver is not among what it is linked with.
TEST_F(RunDevice, ProgramNeedsNoDriver) {
  Result result = shell(folder, "ldd $RUN");
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out.find("libcuda"), std::string::npos) << result.out;
  EXPECT_EQ(result.out.find("vgpu"), std::string::npos) << result.out;
}

} // namespace

//===- GpuProgramTest.cpp - the checks of the gpu section ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/GpuProgram.h"
#include "runtime/Artefact.h"
#include "runtime/Error.h"
#include "test/unit/runtime/FakeArtefact.h"

#include <gtest/gtest.h>

using namespace samba::runtime;
using namespace samba::test;
using nlohmann::json;

namespace {

FakeArtefact gpuArtefact() {
  FakeArtefact artefact;
  artefact.gpu = json::parse(R"({
    "version": 1,
    "images": [{"kind": "ptx", "arch": 80, "offset": 0, "size": 10},
               {"kind": "cubin", "arch": 90, "exact": true, "offset": 64, "size": 20}],
    "weights_bytes": 256, "arena_bytes": 4096,
    "programs": [
      {"name": "decode", "max_tokens": 16, "max_sequences": 16, "max_rows": 16, "longest": 1, "launches": []},
      {"name": "prefill", "max_tokens": 64, "max_sequences": 8, "max_rows": 8, "launches": [
        {"kernel": "k", "name": "layers.0", "block": [128, 1, 1], "shared": 512, "chooses": true,
         "grid": [{"of": "tokens", "per": 16, "times": 3}, {"of": "one"}, {"of": "one", "times": 2}],
         "args": [{"arena": 64}, {"weights": 128}, {"input": "tokens"}, {"input": "segments"}, {"input": "positions"},
                  {"input": "rows"}, {"input": "states"}, {"input": "sizes"}, {"output": "logits"},
                  {"output": "argmax"}, {"state": 64}, {"i32": -5}, {"i64": 7}, {"f32": 1e-5}]},
        {"probe": 1, "arena": 1024, "width": 8}]}]})");
  artefact.gpuImages = std::string(84, 'i');
  artefact.gpuWeights = std::string(256, 'w');
  return artefact;
}

std::string errorOf(const FakeArtefact &artefact) {
  Folder folder;
  artefact.write(folder / "model.so");
  try {
    Artefact opened(folder / "model.so", true, Artefact::Target::Gpu);
    return "";
  } catch (const Error &error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
}

TEST(GpuSection, Reads) {
  Folder folder;
  gpuArtefact().write(folder / "model.so");
  Artefact artefact(folder / "model.so", true, Artefact::Target::Gpu);
  const GpuSection &gpu = artefact.gpu();
  EXPECT_EQ(artefact.image(gpu.images[1]), std::string(20, 'i'));
  EXPECT_EQ(std::string(artefact.weights(), artefact.weightsBytes()), std::string(256, 'w'));
  EXPECT_TRUE(gpu.images[0].runsOn(80) && gpu.images[0].runsOn(90) && gpu.images[0].runsOn(120));
  EXPECT_FALSE(gpu.images[0].runsOn(75));
  EXPECT_TRUE(gpu.images[1].runsOn(90));
  EXPECT_FALSE(gpu.images[1].runsOn(100) || gpu.images[1].runsOn(80));
  GpuImage cubin = {false, false, 80, 0, 1};
  EXPECT_TRUE(cubin.runsOn(86));
  EXPECT_FALSE(cubin.runsOn(90));

  ASSERT_EQ(gpu.programs.size(), 2u);
  const auto &launch = std::get<GpuLaunch>(gpu.programs[1].items[0]);
  EXPECT_EQ(launch.grid[0].count({17, 1, 1, 17}), 6);
  EXPECT_EQ(launch.grid[2].count({17, 1, 1, 17}), 2);
  EXPECT_TRUE(launch.chooses);
  EXPECT_TRUE(gpu.programs[1].hasArgmax());
  EXPECT_FALSE(gpu.programs[0].hasArgmax());
  EXPECT_EQ(launch.arguments.size(), 14u);
  EXPECT_EQ(launch.arguments[10].kind, GpuArgument::Kind::I64);
  EXPECT_EQ(launch.arguments[10].integer, 64);
  EXPECT_EQ(launch.arguments[13].real, 1e-5f);
  EXPECT_EQ(std::get<GpuProbe>(gpu.programs[1].items[1]).index, 1u);
  EXPECT_FALSE(gpu.programs[0].hasArgmax());
  EXPECT_TRUE(gpu.programs[1].hasArgmax());

  EXPECT_EQ(gpu.programFor({16, 16, 16, 1}), &gpu.programs[0]);
  EXPECT_EQ(gpu.programFor({16, 8, 8, 2}), &gpu.programs[1]);
  EXPECT_EQ(gpu.programFor({17, 17, 17, 1}), nullptr);
  EXPECT_EQ(gpu.limits().tokens, 64);
  EXPECT_EQ(gpu.limits().sequences, 8);
}

FakeArtefact withMap() {
  FakeArtefact artefact = gpuArtefact();
  json hopper = artefact.gpu["programs"][1];
  hopper["exact"] = 90;
  hopper["launches"] = json::parse(R"([{"kernel": "h", "name": "h", "block": [128, 1, 1], "shared": 100000,
    "grid": [{"of": "one"}, {"of": "one"}, {"of": "one"}],
    "args": [{"map": {"arena": 64, "width": 24, "stride": 48, "rows": {"of": "tokens"}, "box": 64}}, {"i32": 1},
             {"map": {"weights": 128, "width": 8, "stride": 16, "rows": {"of": "one", "times": 8}, "box": 16}}]}])");
  artefact.gpu["programs"].push_back(hopper);
  return artefact;
}

TEST(GpuSection, ProgramsOfAnExactImage) {
  Folder folder;
  withMap().write(folder / "model.so");
  Artefact artefact(folder / "model.so", true, Artefact::Target::Gpu);
  const GpuSection &gpu = artefact.gpu();
  EXPECT_EQ(gpu.programsOf(gpu.images[0]), 0);
  EXPECT_EQ(gpu.programsOf(gpu.images[1]), 90);
  EXPECT_EQ(gpu.programFor({16, 8, 8, 2}), &gpu.programs[1]);
  EXPECT_EQ(gpu.programFor({16, 8, 8, 2}, 90), &gpu.programs[2]);
  EXPECT_EQ(gpu.programFor({17, 17, 17, 1}, 90), nullptr);
  EXPECT_EQ(gpu.limits(90).tokens, 64);
  const auto &launch = std::get<GpuLaunch>(gpu.programs[2].items[0]);
  ASSERT_EQ(launch.maps.size(), 2u);
  EXPECT_EQ(launch.arguments[0].bytes(), 128u);
  EXPECT_EQ(launch.arguments[2].map, 1u);
  EXPECT_FALSE(launch.maps[0].ofWeights);
  EXPECT_EQ(launch.maps[0].rows.count({17, 1, 1, 17}), 17);
  EXPECT_TRUE(launch.maps[1].ofWeights);
  EXPECT_EQ(launch.maps[1].offset, 128u);
  EXPECT_EQ(launch.maps[1].boxRows, 16u);
}

TEST(GpuSection, MapsAreWithinTheirMemory) {
  auto with = [](const std::function<void(json &)> &change) {
    FakeArtefact artefact = withMap();
    change(artefact.gpu["programs"][2]["launches"][0]["args"][0]["map"]);
    return errorOf(artefact);
  };
  auto has = [](const std::string &message, const char *part) { return message.find(part) != std::string::npos; };
  EXPECT_PRED2(has, with([](json &map) { map["arena"] = 4096 - 48; }), "expected a matrix within the 4096 bytes");
  EXPECT_PRED2(has, with([](json &map) { map["stride"] = 46; }), "'programs[2].launches[0].args[0].map.stride'");
  EXPECT_PRED2(has, with([](json &map) { map["stride"] = 56; }), "expected a multiple of 16 as stride");
  EXPECT_PRED2(has, with([](json &map) { map["arena"] = 8; }), "expected a multiple of 16 as offset");
  EXPECT_PRED2(has, with([](json &map) { map["box"] = 257; }), "map.box': expected an integer from 1 to 256, found 257");
  EXPECT_PRED2(has, with([](json &map) { map["rows"]["of"] = "words"; }), "expected \"one\", \"tokens\"");
  FakeArtefact artefact = withMap();
  artefact.gpu["programs"].erase(1);
  artefact.gpu["programs"].erase(0);
  EXPECT_PRED2(has, errorOf(artefact), "expected a program for all images");
}

TEST(GpuSection, Targets) {
  Folder folder;
  FakeArtefact artefact = gpuArtefact();
  artefact.write(folder / "both.so");
  EXPECT_EQ(Artefact(folder / "both.so", true).target(), Artefact::Target::Cpu);
  artefact.dropCode();
  artefact.write(folder / "gpu.so");
  EXPECT_EQ(Artefact(folder / "gpu.so", true).target(), Artefact::Target::Gpu);
  EXPECT_THROW(Artefact(folder / "gpu.so", true, Artefact::Target::Cpu), Error);
  EXPECT_EQ(errorOf(FakeArtefact()).substr(folder.operator/("model.so").size() + 2),
            " is compiled for the CPU only, it cannot run on a GPU");
}

TEST(GpuSection, CpuIsNotNeeded) {
  FakeArtefact artefact = gpuArtefact();
  artefact.manifest["target"]["features"] = {"no-such-feature"};
  EXPECT_EQ(errorOf(artefact), "");
}

TEST(GpuSection, Beside) {
  Folder folder;
  FakeArtefact artefact = gpuArtefact();
  artefact.flags = SAMBA_WEIGHTS_BESIDE;
  artefact.manifest["weights"]["file"] = "fake.weights";
  std::string weights = artefact.weights;
  weights.resize(4096);
  writeBytes(folder / "fake.weights", weights + artefact.gpuWeights);
  artefact.write(folder / "model.so");
  EXPECT_EQ(Artefact(folder / "model.so", true, Artefact::Target::Gpu).weights()[255], 'w');
  writeBytes(folder / "fake.weights", weights);
  EXPECT_THROW(Artefact(folder / "model.so", true, Artefact::Target::Gpu), Error);
}

TEST(GpuSection, Damage) {
  FakeArtefact artefact = gpuArtefact();
  auto with = [&](const std::function<void(samba_footer &)> &change) {
    artefact.changeFooter = change;
    return errorOf(artefact);
  };
  auto has = [](const std::string &message, const char *part) { return message.find(part) != std::string::npos; };
  EXPECT_PRED2(has, with([](samba_footer &f) { f.gpu.checksum ^= 1; }), "wrong checksum of section gpu");
  EXPECT_PRED2(has, with([](samba_footer &f) { f.gpu_weights.checksum ^= 1; }),
               "wrong checksum of section gpu_weights");
  EXPECT_PRED2(has, with([](samba_footer &f) { f.gpu.offset += 8, f.gpu.size -= 8; }), "section gpu begins at");
  EXPECT_PRED2(has, with([](samba_footer &f) { f.gpu_weights = f.weights; }), "weights and gpu_weights overlap");
  EXPECT_PRED2(has, with([](samba_footer &f) { f.gpu.size = 0; }), "section gpu is empty, section gpu_weights is not");
  EXPECT_PRED2(has, with([](samba_footer &f) { f.gpu_weights.size = uint64_t(1) << 40; }), "lies beyond");
  EXPECT_PRED2(has, with([](samba_footer &f) { f.code.size = 0; }), "section code is empty, section weights is not");
  artefact.changeFooter = nullptr;
  artefact.gpuWeights.resize(200);
  EXPECT_PRED2(has, errorOf(artefact), "gpu key 'weights_bytes' is 256, the section has 200");
  artefact = gpuArtefact();
  artefact.manifest["target"] = nullptr;
  EXPECT_PRED2(has, errorOf(artefact), "manifest key 'target' and the section code disagree");
  artefact = gpuArtefact();
  artefact.gpu = "text";
  EXPECT_PRED2(has, errorOf(artefact), "the text of section gpu is not a JSON object");
  artefact = gpuArtefact();
  artefact.gpu["version"] = 9;
  EXPECT_PRED2(has, errorOf(artefact), "section gpu has version 9, this runtime loads version 1");
}

TEST(GpuSection, LengthOfTheText) {
  FakeArtefact artefact;
  samba::runtime::Manifest manifest = samba::runtime::Manifest::parse("m", artefact.manifest.dump());
  auto messageOf = [&](std::string bytes) -> std::string {
    try {
      GpuSection::parse("m", bytes, manifest);
      return "";
    } catch (const Error &error) {
      return error.what();
    }
  };
  EXPECT_EQ(messageOf("1234567"), "'m' is damaged: section gpu has only 7 bytes");
  EXPECT_EQ(messageOf(std::string("\x03\0\0\0\0\0\0\0{}", 10)), "'m' is damaged: section gpu has 10 bytes, its text 3");
  EXPECT_EQ(messageOf(std::string(16, '\xff')),
            "'m' is damaged: section gpu has 16 bytes, its text 18446744073709551615");
  EXPECT_EQ(messageOf(std::string("\x02\0\0\0\0\0\0\0{}", 10)),
            "'m': gpu key 'version': expected an integer from 0 to 2147483647, found nothing");
}

struct BadKey {
  const char *pointer, *value, *message;
};
class GpuKeys : public testing::TestWithParam<BadKey> {};

TEST_P(GpuKeys, Refused) {
  FakeArtefact artefact = gpuArtefact();
  artefact.gpu[json::json_pointer(GetParam().pointer)] = json::parse(GetParam().value);
  std::string message = errorOf(artefact);
  EXPECT_NE(message.find(std::string("gpu key '") + GetParam().message), std::string::npos) << message;
}

const BadKey badKeys[] = {
    {"/images", "7", "images': expected an array, found 7"},
    {"/images/0/kind", "\"elf\"", "images[0].kind': expected \"ptx\" or \"cubin\""},
    {"/images/0/arch", "\"80\"", "images[0].arch': expected an integer"},
    {"/images/1/offset", "1", "images[1].offset': expected a multiple of 64"},
    {"/images/1/size", "21", "images[1].size': expected an image within the 84 bytes"},
    {"/images/1/offset", "70368744177664", "images[1].size'"},
    {"/images/0/size", "0", "images[0].size'"},
    {"/weights_bytes", "-1", "weights_bytes'"},
    {"/arena_bytes", "null", "arena_bytes': expected an integer from 0 to 70368744177664, found null"},
    {"/programs", "[]", "programs': expected a program, found []"},
    {"/programs/0/max_tokens", "0", "programs[0].max_tokens': expected an integer from 1 to 65536"},
    {"/programs/0/longest", "17", "programs[0].longest': expected an integer from 1 to 16"},
    {"/programs/0/max_rows", "1.5", "programs[0].max_rows'"},
    {"/programs/1/launches/0/kernel", "null", "programs[1].launches[0].kernel': expected a string"},
    {"/programs/1/launches/0/grid", "[]", "programs[1].launches[0].grid': expected three sizes"},
    {"/programs/1/launches/0/grid/0/of", "\"words\"", "programs[1].launches[0].grid[0].of'"},
    {"/programs/1/launches/0/grid/0/per", "0", "programs[1].launches[0].grid[0].per'"},
    {"/programs/1/launches/0/grid/2/times", "65536",
     "programs[1].launches[0].grid[2]': expected at most 65535 blocks for the largest step"},
    {"/programs/1/launches/0/grid/0/times", "2147483647", "programs[1].launches[0].grid[0]'"},
    {"/programs/1/launches/0/block/0", "0", "programs[1].launches[0].block[0]'"},
    {"/programs/1/launches/0/block/2", "16", "programs[1].launches[0].block': expected at most 1024 threads"},
    {"/programs/1/launches/0/shared", "232449", "programs[1].launches[0].shared'"},
    {"/programs/1/launches/0/args", "{}", "programs[1].launches[0].args': expected an array"},
    {"/programs/1/launches/0/args/0", "{\"arena\": 4096}", "programs[1].launches[0].args[0].arena'"},
    {"/programs/1/launches/0/args/0", "{\"weights\": 256}", "programs[1].launches[0].args[0].weights'"},
    {"/programs/1/launches/0/args/0", "{\"state\": 128}", "programs[1].launches[0].args[0].state'"},
    {"/programs/1/launches/0/args/0", "{\"state\": 1, \"i32\": 1}",
     "programs[1].launches[0].args[0]': expected an object of one member"},
    {"/programs/1/launches/0/args/0", "{\"input\": \"text\"}",
     "programs[1].launches[0].args[0].input': expected one of"},
    {"/programs/1/launches/0/args/0", "{\"output\": 1}", "programs[1].launches[0].args[0].output'"},
    {"/programs/1/launches/0/args/0", "{\"i32\": 2147483648}", "programs[1].launches[0].args[0].i32'"},
    {"/programs/1/launches/0/args/0", "{\"f32\": 1e39}", "programs[1].launches[0].args[0].f32'"},
    {"/programs/1/launches/0/args/0", "{\"f64\": 1}", "programs[1].launches[0].args[0]': expected arena, weights"},
    {"/programs/1/launches/1/probe", "3", "programs[1].launches[1].probe': expected an integer from 0 to 2"},
    {"/programs/1/launches/1/of", "\"one\"", "programs[1].launches[1].of': expected \"tokens\" or \"rows\""},
    {"/programs/1/launches/1/width", "9", "programs[1].launches[1].width': expected the manifest's width 8"},
    {"/programs/1/launches/1/arena", "2049", "programs[1].launches[1].arena': expected room for 2048 bytes"},
};
INSTANTIATE_TEST_SUITE_P(Keys, GpuKeys, testing::ValuesIn(badKeys));

} // namespace

//===- GpuProgram.cpp - what a model launches on a GPU -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/GpuProgram.h"
#include "runtime/Error.h"
#include "runtime/JsonValue.h"
#include "samba/abi.h"
#include "samba/samba.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <map>

using namespace samba::runtime;
using Kind = GpuArgument::Kind;
using Of = GpuExtent::Of;

namespace {

// What CUDA can launch on any GPU that it supports.
constexpr int64_t maxGrid[3] = {std::numeric_limits<int32_t>::max(), 65535, 65535};
constexpr int64_t maxBlock[3] = {1024, 1024, 64};
constexpr int64_t maxBlockThreads = 1024;
constexpr int64_t maxSharedBytes = 227 << 10;
constexpr size_t maxParameterBytes = 4096;
constexpr uint32_t maxBoxRows = 256, mapAlignment = 16;
constexpr uint64_t imageAlignment = 64;
constexpr uint64_t maxTextBytes = uint64_t(64) << 20;
constexpr int64_t maxInt32 = std::numeric_limits<int32_t>::max();

GpuImage parseImage(const JsonValue &value, uint64_t available) {
  GpuImage image;
  std::string kind = value["kind"].string();
  image.isPtx = kind == "ptx";
  if (!image.isPtx && kind != "cubin")
    value["kind"].wrong("\"ptx\" or \"cubin\"");
  image.arch = static_cast<int>(value["arch"].integer(10, 9999));
  image.exact = !value["exact"].isNull() && value["exact"].boolean();
  image.offset = static_cast<uint64_t>(value["offset"].integer(0, JsonValue::maxBytes));
  image.size = static_cast<uint64_t>(value["size"].integer(1, JsonValue::maxBytes));
  if (image.offset % imageAlignment != 0)
    value["offset"].wrong("a multiple of " + std::to_string(imageAlignment));
  if (image.offset > available || image.size > available - image.offset)
    value["size"].wrong("an image within the " + std::to_string(available) + " bytes of images");
  return image;
}

GpuExtent parseExtent(const JsonValue &value, int64_t most, const StepSizes &limits) {
  static const std::map<std::string, Of> names = {{"one", Of::One},
                                                  {"tokens", Of::Tokens},
                                                  {"sequences", Of::Sequences},
                                                  {"rows", Of::Rows},
                                                  {"longest", Of::Longest}};
  GpuExtent extent;
  auto of = names.find(value["of"].string());
  if (of == names.end())
    value["of"].wrong("\"one\", \"tokens\", \"sequences\", \"rows\" or \"longest\"");
  extent.of = of->second;
  if (!value["per"].isNull())
    extent.per = value["per"].integer(1, maxInt32);
  if (!value["times"].isNull())
    extent.times = value["times"].integer(1, maxInt32);
  if (extent.count(limits) > most)
    value.wrong("at most " + std::to_string(most) + " blocks for the largest step");
  return extent;
}

class ProgramParser {
public:
  ProgramParser(const GpuSection &section, const Manifest &manifest) : section(section), manifest(manifest) {}

  GpuProgram program(const JsonValue &value) {
    GpuProgram program;
    program.name = value["name"].string();
    if (!value["exact"].isNull())
      program.exact = static_cast<int>(value["exact"].integer(10, 9999));
    program.limits.tokens = value["max_tokens"].integer(1, SAMBA_MAX_CHUNK);
    program.limits.sequences = value["max_sequences"].integer(1, SAMBA_MAX_CHUNK);
    program.limits.rows = value["max_rows"].integer(1, SAMBA_MAX_CHUNK);
    program.limits.longest = program.limits.tokens;
    if (!value["longest"].isNull())
      program.limits.longest = value["longest"].integer(1, program.limits.tokens);
    limits = program.limits;
    JsonValue launches = value["launches"];
    for (size_t i = 0; i < launches.arraySize(); ++i) {
      JsonValue item = launches.at(i);
      if (item["probe"].isNull())
        program.items.emplace_back(launch(item));
      else
        program.items.emplace_back(probe(item));
    }
    return program;
  }

private:
  GpuProbe probe(const JsonValue &value) {
    GpuProbe probe;
    int64_t known = static_cast<int64_t>(manifest.probes.size());
    probe.index = static_cast<size_t>(value["probe"].integer(0, known - 1));
    probe.width = manifest.probes[probe.index].width;
    if (value["width"].integer(1, maxInt32) != probe.width)
      value["width"].wrong("the manifest's width " + std::to_string(probe.width));
    probe.offset = offset(value["arena"], section.arenaBytes);
    probe.ofRows = !value["of"].isNull() && value["of"].string() == "rows";
    if (!probe.ofRows && !value["of"].isNull() && value["of"].string() != "tokens")
      value["of"].wrong("\"tokens\" or \"rows\"");
    uint64_t bytes = static_cast<uint64_t>((probe.ofRows ? limits.rows : limits.tokens) * probe.width) * sizeof(float);
    if (bytes > section.arenaBytes - probe.offset)
      value["arena"].wrong("room for " + std::to_string(bytes) + " bytes in the arena of " +
                           std::to_string(section.arenaBytes));
    return probe;
  }

  GpuLaunch launch(const JsonValue &value) {
    GpuLaunch launch;
    launch.kernel = value["kernel"].string();
    launch.name = value["name"].string();
    JsonValue grid = value["grid"], block = value["block"];
    if (grid.arraySize() != 3)
      grid.wrong("three sizes");
    if (block.arraySize() != 3)
      block.wrong("three sizes");
    int64_t threads = 1;
    for (size_t i = 0; i < 3; ++i) {
      launch.grid[i] = parseExtent(grid.at(i), maxGrid[i], limits);
      int64_t size = block.at(i).integer(1, maxBlock[i]);
      launch.block[i] = static_cast<uint32_t>(size);
      threads *= size;
    }
    if (threads > maxBlockThreads)
      block.wrong("at most " + std::to_string(maxBlockThreads) + " threads");
    launch.sharedBytes =
        value["shared"].isNull() ? 0 : static_cast<uint32_t>(value["shared"].integer(0, maxSharedBytes));
    launch.chooses = !value["chooses"].isNull() && value["chooses"].boolean();
    JsonValue arguments = value["args"];
    if (arguments.arraySize() > maxParameterBytes / 4)
      arguments.wrong("at most " + std::to_string(maxParameterBytes / 4) + " arguments");
    size_t bytes = 0;
    for (size_t i = 0; i < arguments.arraySize(); ++i) {
      launch.arguments.push_back(argument(arguments.at(i), launch.maps));
      bytes += launch.arguments.back().bytes();
    }
    if (bytes > maxParameterBytes)
      arguments.wrong("at most " + std::to_string(maxParameterBytes) + " bytes of arguments");
    return launch;
  }

  GpuMap map(const JsonValue &value) {
    GpuMap map;
    map.ofWeights = value["arena"].isNull();
    uint64_t available = map.ofWeights ? section.weightsBytes : section.arenaBytes;
    JsonValue at = value[map.ofWeights ? "weights" : "arena"];
    map.offset = offset(at, available);
    map.width = value["width"].integer(1, maxInt32);
    map.stride = value["stride"].integer(map.width * 2, int64_t(1) << 39);
    for (auto [number, key] : {std::pair(map.offset, "offset"), std::pair(uint64_t(map.stride), "stride")})
      if (number % mapAlignment != 0)
        value.wrong(std::string("a multiple of ") + std::to_string(mapAlignment) + " as " + key);
    map.rows = parseExtent(value["rows"], maxInt32, limits);
    map.boxRows = static_cast<uint32_t>(value["box"].integer(1, maxBoxRows));
    uint64_t most = static_cast<uint64_t>(map.rows.count(limits));
    if (most > 0 && (most - 1) * uint64_t(map.stride) + uint64_t(map.width) * 2 > available - map.offset)
      value.wrong("a matrix within the " + std::to_string(available) + " bytes");
    return map;
  }

  GpuArgument argument(const JsonValue &value, std::vector<GpuMap> &maps) {
    JsonValue::Member member = value.onlyMember();
    GpuArgument argument = {};
    if (member.name == "arena") {
      argument.kind = Kind::Arena;
      argument.offset = offset(member.value, section.arenaBytes);
    } else if (member.name == "weights") {
      argument.kind = Kind::Weights;
      argument.offset = offset(member.value, section.weightsBytes);
    } else if (member.name == "input") {
      argument.kind = named(member.value, {{"tokens", Kind::Tokens},
                                           {"segments", Kind::Segments},
                                           {"positions", Kind::Positions},
                                           {"rows", Kind::Rows},
                                           {"states", Kind::States},
                                           {"sizes", Kind::Sizes}});
    } else if (member.name == "output") {
      argument.kind = named(member.value, {{"logits", Kind::Logits}, {"argmax", Kind::Argmax}});
    } else if (member.name == "state") {
      argument.kind = Kind::I64;
      argument.integer = static_cast<int64_t>(offset(member.value, manifest.stateBytes));
    } else if (member.name == "i32") {
      argument.kind = Kind::I32;
      argument.integer = member.value.integer(std::numeric_limits<int32_t>::min(), maxInt32);
    } else if (member.name == "i64") {
      argument.kind = Kind::I64;
      argument.integer = member.value.integer(std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max());
    } else if (member.name == "f32") {
      double number = member.value.number();
      if (std::fabs(number) > std::numeric_limits<float>::max())
        member.value.wrong("a number that f32 can hold");
      argument.kind = Kind::F32;
      argument.real = static_cast<float>(number);
    } else if (member.name == "map") {
      argument.kind = Kind::Map;
      argument.map = maps.size();
      maps.push_back(map(member.value));
    } else {
      value.wrong("arena, weights, input, output, state, i32, i64, f32 or map");
    }
    return argument;
  }

  /// A place before the end, also of nothing: an argument that no kernel uses may point to an empty arena.
  static uint64_t offset(const JsonValue &value, uint64_t bytes) {
    return static_cast<uint64_t>(value.integer(0, bytes == 0 ? 0 : static_cast<int64_t>(bytes) - 1));
  }

  static Kind named(const JsonValue &value, const std::map<std::string, Kind> &kinds) {
    auto found = kinds.find(value.string());
    if (found != kinds.end())
      return found->second;
    std::string expected;
    for (const auto &[name, kind] : kinds)
      expected += (expected.empty() ? "" : ", ") + name;
    value.wrong("one of " + expected);
  }

  const GpuSection &section;
  const Manifest &manifest;
  StepSizes limits;
};

} // namespace

bool GpuImage::runsOn(int capability) const {
  if (exact || capability < arch)
    return capability == arch;
  return isPtx || capability / 10 == arch / 10;
}

int64_t GpuExtent::count(const StepSizes &sizes) const {
  int64_t value = 1;
  switch (of) {
  case Of::One:
    break;
  case Of::Tokens:
    value = sizes.tokens;
    break;
  case Of::Sequences:
    value = sizes.sequences;
    break;
  case Of::Rows:
    value = sizes.rows;
    break;
  case Of::Longest:
    value = sizes.longest;
    break;
  }
  return (value + per - 1) / per * times; // at most 2^16 * 2^31
}

bool GpuProgram::accepts(const StepSizes &sizes) const {
  return sizes.tokens <= limits.tokens && sizes.sequences <= limits.sequences && sizes.rows <= limits.rows &&
         sizes.longest <= limits.longest;
}

bool GpuProgram::hasArgmax() const {
  for (const auto &item : items)
    if (const auto *launch = std::get_if<GpuLaunch>(&item))
      for (const GpuArgument &argument : launch->arguments)
        if (argument.kind == Kind::Argmax)
          return true;
  return false;
}

GpuSection GpuSection::parse(const std::string &path, std::string_view bytes, const Manifest &manifest) {
  auto damaged = [&](const std::string &what) {
    throw Error(SAMBA_ERROR_FORMAT, "'" + path + "' is damaged: section gpu " + what);
  };
  uint64_t textBytes = 0;
  if (bytes.size() < sizeof(textBytes))
    damaged("has only " + std::to_string(bytes.size()) + " bytes");
  for (size_t i = sizeof(textBytes); i > 0; --i)
    textBytes = textBytes << 8 | static_cast<uint8_t>(bytes[i - 1]);
  if (textBytes > maxTextBytes || textBytes > bytes.size() - sizeof(textBytes))
    damaged("has " + std::to_string(bytes.size()) + " bytes, its text " + std::to_string(textBytes));
  nlohmann::json document = parseObject(path, "the text of section gpu", bytes.substr(sizeof(textBytes), textBytes));
  JsonValue root(path, "gpu key", document);

  GpuSection section;
  int64_t version = root["version"].integer(0, maxInt32);
  if (version != SAMBA_GPU_VERSION)
    throw Error(SAMBA_ERROR_ABI, "'" + path + "': section gpu has version " + std::to_string(version) +
                                     ", this runtime loads version " + std::to_string(SAMBA_GPU_VERSION));
  section.imagesBegin = (sizeof(textBytes) + textBytes + imageAlignment - 1) / imageAlignment * imageAlignment;
  uint64_t available = bytes.size() - std::min<uint64_t>(bytes.size(), section.imagesBegin);
  JsonValue images = root["images"];
  for (size_t i = 0; i < images.arraySize(); ++i)
    section.images.push_back(parseImage(images.at(i), available));
  section.weightsBytes = static_cast<uint64_t>(root["weights_bytes"].integer(0, JsonValue::maxBytes));
  section.arenaBytes = static_cast<uint64_t>(root["arena_bytes"].integer(0, JsonValue::maxBytes));
  JsonValue programs = root["programs"];
  if (programs.arraySize() == 0)
    programs.wrong("a program");
  for (size_t i = 0; i < programs.arraySize(); ++i)
    section.programs.push_back(ProgramParser(section, manifest).program(programs.at(i)));
  if (section.limits().tokens == 0)
    programs.wrong("a program for all images");
  return section;
}

int GpuSection::programsOf(const GpuImage &image) const {
  for (const GpuProgram &program : programs)
    if (image.exact && program.exact == image.arch)
      return program.exact;
  return 0;
}

StepSizes GpuSection::limits(int exact) const {
  StepSizes largest;
  for (const GpuProgram &program : programs)
    if (program.exact == exact && program.limits.longest > largest.longest)
      largest = program.limits;
  return largest;
}

const GpuProgram *GpuSection::programFor(const StepSizes &sizes, int exact) const {
  for (const GpuProgram &program : programs)
    if (program.exact == exact && program.accepts(sizes))
      return &program;
  return nullptr;
}

//===- Synthesize.cpp - writes a checkpoint of random weights -------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-synthesize/Synthesize.h"

#include "frontend/Error.h"
#include "frontend/families/Samba.h"
#include "tools/samba-synthesize/Initialiser.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Parallel.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <cstring>

using namespace llvm;
using namespace samba;

namespace {

constexpr int64_t kPiece = 4096;          // elements made at a time, in cache
constexpr int64_t kBlock = 1024 * kPiece; // elements written at a time

uint16_t toBF16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

uint16_t toF16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  uint16_t sign = bits >> 16 & 0x8000;
  float size = std::fabs(value);
  if (size >= 65520)
    return sign | 0x7c00;
  if (size < 0x1p-14f) // subnormal: a multiple of 2^-24
    return sign | uint16_t(std::lrint(size * 0x1p24f));
  bits &= 0x7fffffff;
  bits += 0xfff + (bits >> 13 & 1);
  return sign | uint16_t((bits - (112u << 23)) >> 13);
}

void store(float value, DType dtype, uint8_t *to) {
  if (dtype == DType::F32)
    return std::memcpy(to, &value, 4), void();
  uint16_t half = dtype == DType::BF16 ? toBF16(value) : toF16(value);
  std::memcpy(to, &half, 2);
}

int64_t elementsOf(const TensorSpec &tensor) {
  int64_t elements = 1;
  for (int64_t size : tensor.shape)
    elements *= size;
  return elements;
}

class Writer {
public:
  Writer(const SambaConfig &config, StringRef directory, const SynthesizeOptions &options, Progress progress)
      : config(config), directory(directory), options(options), progress(progress),
        model(describeSamba(config, /*checkpoint=*/nullptr)), tensors(model.tensors()),
        total(uint64_t(model.numParameters()) * dtypeSize(options.dtype)) {}

  uint64_t size() const { return total; }

  Error write() {
    if (options.shards < 1 || uint64_t(options.shards) > tensors.size())
      return makeError("--shards: expected between 1 and " + Twine(tensors.size()) +
                       " (the number of tensors), found " + Twine(options.shards));
    json::Object weightMap;
    size_t first = 0;
    for (int64_t shard = 0; shard < options.shards; ++shard) {
      size_t end = endOfShard(shard, first);
      std::string name = options.shards == 1
                             ? "model.safetensors"
                             : formatv("model-{0,0+5}-of-{1,0+5}.safetensors", shard + 1, options.shards).str();
      ArrayRef<TensorSpec> part = ArrayRef(tensors).slice(first, end - first);
      for (const TensorSpec &tensor : part)
        weightMap[tensor.name] = name;
      if (Error failed = writeShard(name, part))
        return failed;
      first = end;
    }
    if (options.shards == 1)
      return Error::success();
    return writeJson("model.safetensors.index.json", json::Object{{"metadata", json::Object{{"total_size", total}}},
                                                                  {"weight_map", std::move(weightMap)}});
  }

  Error writeJson(StringRef name, json::Object object) {
    return writeFile(name, [&](raw_fd_ostream &os) {
      os << formatv("{0:2}", json::Value(std::move(object))) << "\n";
      return Error::success();
    });
  }

private:
  /// Shards are about equal in size, and none is empty.
  size_t endOfShard(int64_t shard, size_t first) {
    size_t end = first, last = tensors.size() - size_t(options.shards - 1 - shard);
    uint64_t limit = total / options.shards * (shard + 1);
    while (end < last && (end == first || planned < limit || shard == options.shards - 1))
      planned += elementsOf(tensors[end++]) * dtypeSize(options.dtype);
    return end;
  }

  Error writeFile(StringRef name, function_ref<Error(raw_fd_ostream &)> contents) {
    SmallString<128> path(directory);
    sys::path::append(path, name);
    std::error_code code;
    raw_fd_ostream os(path, code, sys::fs::CD_CreateNew);
    if (code)
      return makeError(path + ": " + code.message());
    Error failed = contents(os);
    os.close();
    if (os.has_error()) {
      if (!failed)
        failed = makeError(path + ": " + os.error().message());
      os.clear_error();
    }
    return failed;
  }

  Error writeShard(StringRef name, ArrayRef<TensorSpec> part) {
    return writeFile(name, [&](raw_fd_ostream &os) -> Error {
      std::string header = headerOf(part);
      char length[8];
      support::endian::write64le(length, header.size());
      os.write(length, 8);
      os << header;
      for (const TensorSpec &tensor : part)
        if (Error failed = writeTensor(os, tensor))
          return failed;
      return Error::success();
    });
  }

  /// Padded to a multiple of 8 bytes, so that tensors are aligned.
  std::string headerOf(ArrayRef<TensorSpec> part) {
    std::string header;
    raw_string_ostream text(header);
    json::OStream out(text);
    int64_t offset = 0;
    out.objectBegin();
    out.attributeObject("__metadata__", [&] { out.attribute("format", "pt"); });
    for (const TensorSpec &tensor : part) {
      int64_t begin = offset;
      offset += elementsOf(tensor) * dtypeSize(options.dtype);
      out.attribute(tensor.name, json::Object{{"dtype", dtypeName(options.dtype)},
                                              {"shape", json::Array(tensor.shape)},
                                              {"data_offsets", json::Array{begin, offset}}});
    }
    out.objectEnd();
    header.resize(alignTo(header.size(), 8), ' ');
    return header;
  }

  Error writeTensor(raw_fd_ostream &os, const TensorSpec &tensor) {
    Initialiser initialiser(config, tensor, options.seed);
    int64_t elements = elementsOf(tensor), width = dtypeSize(options.dtype);
    for (int64_t begin = 0; begin < elements; begin += kBlock) {
      int64_t count = std::min(kBlock, elements - begin);
      block.resize(count * width);
      parallelFor(0, divideCeil(uint64_t(count), kPiece), [&](size_t piece) {
        float values[kPiece];
        int64_t first = int64_t(piece) * kPiece, size = std::min(kPiece, count - first);
        initialiser.fill(begin + first, {values, size_t(size)});
        for (int64_t i = 0; i < size; ++i)
          store(values[i], options.dtype, block.data() + (first + i) * width);
      });
      os.write(reinterpret_cast<const char *>(block.data()), block.size());
      if (os.has_error())
        return Error::success(); // reported when the file is closed
      done += block.size();
      if (!progress(done, total))
        return makeError("interrupted");
    }
    return Error::success();
  }

  const SambaConfig &config;
  StringRef directory;
  const SynthesizeOptions &options;
  Progress progress;
  ModelDescription model;
  std::vector<TensorSpec> tensors;
  uint64_t total, planned = 0, done = 0;
  std::vector<uint8_t> block;
};

} // namespace

Error samba::synthesize(json::Object object, StringRef configName, StringRef directory,
                        const SynthesizeOptions &options, Progress progress) {
  object["torch_dtype"] = options.dtype == DType::F32    ? "float32"
                          : options.dtype == DType::BF16 ? "bfloat16"
                                                         : "float16";
  Expected<SambaConfig> config = SambaConfig::parse(object, configName);
  if (!config)
    return config.takeError();

  while (directory.size() > 1 && directory.ends_with("/"))
    directory = directory.drop_back();
  std::error_code code;
  if (sys::fs::exists(directory) && (!sys::fs::is_directory(directory) ||
                                     sys::fs::directory_iterator(directory, code) != sys::fs::directory_iterator()))
    return makeError(directory + ": expected no such file or an empty directory, found one with contents");
  SmallString<128> partial;
  sys::fs::createUniquePath(directory + ".partial-%%%%%%", partial, /*MakeAbsolute=*/false);
  if ((code = sys::fs::create_directory(partial, /*IgnoreExisting=*/false, sys::fs::all_all)))
    return makeError(directory + ": cannot be made: " + code.message());

  Writer writer(*config, partial, options, progress);
  auto run = [&]() -> Error {
    if (ErrorOr<sys::fs::space_info> space = sys::fs::disk_space(partial); space && space->available < writer.size())
      return makeError(directory + ": expected " + Twine(writer.size()) + " bytes of free space, found " +
                       Twine(space->available));
    if (Error error = writer.write())
      return error;
    if (Error error = writer.writeJson("config.json", std::move(object)))
      return error;
    if (std::error_code code = sys::fs::rename(partial, directory))
      return makeError(directory + ": " + code.message());
    return Error::success();
  };
  Error failed = run();
  if (failed)
    sys::fs::remove_directories(partial);
  return failed;
}

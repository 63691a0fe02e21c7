//===- GpuSection.cpp - the programs of a model for the GPU ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/emit/GpuSection.h"

#include "samba/abi.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace samba;
namespace json = llvm::json;

// Of the text and of each image; a loader of the driver may want words aligned.
static constexpr uint64_t kAlignment = 64;

static void pad(std::string &bytes) { bytes.resize(llvm::alignTo(bytes.size(), kAlignment), '\0'); }

std::string samba::gpuSection(const GpuContents &contents) {
  std::string images;
  json::Array imageEntries;
  for (const GpuImage &image : contents.images) {
    pad(images);
    json::Object entry{{"kind", image.kind == GpuImage::Kind::Ptx ? "ptx" : "cubin"},
                       {"arch", image.arch},
                       {"offset", int64_t(images.size())},
                       {"size", int64_t(image.bytes.size())}};
    if (image.exact)
      entry["exact"] = true;
    imageEntries.push_back(std::move(entry));
    images += image.bytes;
  }
  json::Value text = json::Object{{"version", SAMBA_GPU_VERSION},
                                  {"images", std::move(imageEntries)},
                                  {"weights_bytes", int64_t(contents.weights ? contents.weights->sizeInBytes() : 0)},
                                  {"arena_bytes", contents.arenaBytes},
                                  {"programs", json::Array(contents.programs)}};
  std::string section(sizeof(uint64_t), '\0');
  section += llvm::formatv("{0}", text).str();
  llvm::support::endian::write64le(section.data(), section.size() - sizeof(uint64_t));
  pad(section);
  return section + images;
}

//===- Safetensors.cpp - writing safetensors files -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Safetensors.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

using namespace samba::run;

SafetensorsWriter::SafetensorsWriter(const std::string &path, const std::vector<TensorInfo> &tensors)
    : path(path), file(path) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  uint64_t end = 0;
  for (const TensorInfo &tensor : tensors) {
    uint64_t bytes = tensor.dtype == "F32" ? 4 : 2;
    for (int64_t size : tensor.shape)
      bytes *= static_cast<uint64_t>(size);
    header[tensor.name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {end, end + bytes}}};
    extents.push_back({end, bytes});
    end += bytes;
  }
  std::string text = header.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  for (Extent &extent : extents)
    extent.begin += 8 + text.size();

  uint8_t length[8];
  for (int i = 0; i < 8; ++i)
    length[i] = static_cast<uint8_t>(static_cast<uint64_t>(text.size()) >> (8 * i));
  file.write(0, length, sizeof(length));
  file.write(8, text.data(), text.size());
}

void SafetensorsWriter::write(size_t tensor, uint64_t offset, const void *data, uint64_t bytes) {
  const Extent &extent = extents.at(tensor);
  if (offset > extent.bytes || bytes > extent.bytes - offset)
    throw std::runtime_error("cannot write '" + path + "': values beyond the end of tensor " + std::to_string(tensor));
  file.write(extent.begin + offset, data, bytes);
}

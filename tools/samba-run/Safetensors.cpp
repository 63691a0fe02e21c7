//===- Safetensors.cpp - writing safetensors files -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Safetensors.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <sys/stat.h>
#include <unistd.h>

using namespace samba::run;

static std::runtime_error failure(const std::string &path, int error) {
  return std::runtime_error("cannot write '" + path + "': " + std::strerror(error));
}

SafetensorsWriter::SafetensorsWriter(const std::string &path, const std::vector<TensorInfo> &tensors) : path(path) {
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

  struct stat info;
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  } else {
    partial = path + ".partial-" + std::to_string(::getpid());
    descriptor = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  }
  if (descriptor < 0) {
    int error = errno;
    throw failure(path, error);
  }
  uint8_t length[8];
  for (int i = 0; i < 8; ++i)
    length[i] = static_cast<uint8_t>(static_cast<uint64_t>(text.size()) >> (8 * i));
  try {
    put(0, length, sizeof(length));
    put(8, text.data(), text.size());
  } catch (...) {
    discard();
    throw;
  }
}

SafetensorsWriter::~SafetensorsWriter() { discard(); }

void SafetensorsWriter::discard() {
  if (descriptor < 0)
    return;
  ::close(descriptor);
  descriptor = -1;
  if (!partial.empty())
    ::unlink(partial.c_str());
}

void SafetensorsWriter::write(size_t tensor, uint64_t offset, const void *data, uint64_t bytes) {
  const Extent &extent = extents.at(tensor);
  if (offset > extent.bytes || bytes > extent.bytes - offset)
    throw std::runtime_error("cannot write '" + path + "': values beyond the end of tensor " + std::to_string(tensor));
  put(extent.begin + offset, data, bytes);
}

void SafetensorsWriter::put(uint64_t offset, const void *data, uint64_t bytes) {
  const char *from = static_cast<const char *>(data);
  while (bytes > 0) {
    ssize_t written = ::pwrite(descriptor, from, bytes, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      throw failure(path, written < 0 ? errno : EIO);
    from += written;
    offset += static_cast<uint64_t>(written);
    bytes -= static_cast<uint64_t>(written);
  }
}

void SafetensorsWriter::commit() {
  int closed = ::close(descriptor);
  int error = errno;
  descriptor = -1;
  if (closed == 0 && (partial.empty() || std::rename(partial.c_str(), path.c_str()) == 0))
    return;
  if (closed == 0)
    error = errno;
  if (!partial.empty())
    ::unlink(partial.c_str());
  throw failure(path, error);
}

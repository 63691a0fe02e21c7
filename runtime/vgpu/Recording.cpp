//===- Recording.cpp - launches and the memory before them ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Recording.h"
#include "runtime/vgpu/Program.h"

#include <algorithm>
#include <cstring>
#include <iterator>

using namespace samba::vgpu;

static const std::string magic = "samba vgpu recording 1\n";
static constexpr uint64_t pageBytes = 256;

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

Recorder::Recorder(const std::string &path) : path(path), file(path, std::ios::binary | std::ios::trunc) {
  if (!(file << magic).flush())
    throw Error(path + ": cannot be written");
}

void Recorder::number(uint64_t value) { file.write(reinterpret_cast<const char *>(&value), sizeof(value)); }

void Recorder::text(const void *bytes, uint64_t count) {
  number(count);
  file.write(static_cast<const char *>(bytes), static_cast<std::streamsize>(count));
}

void Recorder::changes(char tag, uint64_t address, const uint8_t *now, std::vector<uint8_t> &before) {
  for (uint64_t begin = 0; begin < before.size(); begin += pageBytes) {
    uint64_t bytes = std::min(pageBytes, before.size() - begin);
    if (std::memcmp(now + begin, before.data() + begin, bytes) == 0)
      continue;
    file.put(tag);
    number(address);
    number(begin);
    text(now + begin, bytes);
    std::memcpy(before.data() + begin, now + begin, bytes);
  }
}

void Recorder::take(const Memory &memory, const Launch &launch) {
  const auto &allocations = memory.allocations();
  for (auto copy = known.begin(); copy != known.end();) {
    if (allocations.count(copy->first)) {
      ++copy;
      continue;
    }
    file.put('f');
    number(copy->first);
    copy = known.erase(copy);
  }
  for (const auto &[address, allocation] : allocations) {
    auto [copy, added] = known.try_emplace(address);
    if (added) {
      file.put('a');
      number(address);
      number(allocation->bytes);
      number(allocation->readOnly);
      number(!allocation->written.empty());
      text(allocation->name.data(), allocation->name.size());
      copy->second.data.resize(allocation->bytes);
      copy->second.written.resize(allocation->written.size());
    }
    changes('d', address, allocation->data, copy->second.data);
    changes('w', address, allocation->written.data(), copy->second.written);
  }
  file.put('l');
  text(launch.kernel->name.data(), launch.kernel->name.size());
  for (unsigned k = 0; k < 3; ++k) {
    number(launch.grid[k]);
    number(launch.block[k]);
  }
  number(launch.dynamicShared);
  text(launch.parameters.data(), launch.parameters.size());
  if (!file.flush())
    throw Error(path + ": cannot be written");
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

Recording::Recording(const std::string &path) : path(path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw Error(path + ": cannot be read");
  content.assign(std::istreambuf_iterator<char>(file), {});
  if (content.compare(0, magic.size(), magic) != 0)
    throw Error(path + ": no recording of launches");
  rewind();
}

void Recording::rewind() { at = magic.size(); }

uint64_t Recording::number() {
  uint64_t value;
  if (content.size() - at < sizeof(value))
    throw Error(path + ": ends at byte " + std::to_string(at) + " within a number");
  std::memcpy(&value, content.data() + at, sizeof(value));
  at += sizeof(value);
  return value;
}

std::string Recording::text() {
  uint64_t bytes = number();
  if (content.size() - at < bytes)
    throw Error(path + ": ends at byte " + std::to_string(at) + ", expected " + std::to_string(bytes) + " more");
  std::string result = content.substr(at, bytes);
  at += bytes;
  return result;
}

bool Recording::next(Memory &memory, std::string &kernel, Launch &launch) {
  auto allocation = [&](uint64_t address) -> Allocation & {
    Allocation *found = memory.find(address, 0);
    if (!found || found->address != address)
      throw Error(path + ": no allocation at " + std::to_string(address));
    return *found;
  };
  while (at < content.size()) {
    size_t start = at;
    char tag = content[at++];
    if (tag == 'a') {
      uint64_t address = number(), bytes = number();
      bool readOnly = number(), tracked = number();
      memory.place(address, bytes, text(), tracked);
      allocation(address).readOnly = readOnly;
    } else if (tag == 'f') {
      memory.release(number());
    } else if (tag == 'd' || tag == 'w') {
      Allocation &changed = allocation(number());
      uint64_t begin = number(), size = tag == 'd' ? changed.bytes : changed.written.size();
      std::string bytes = text();
      if (begin > size || bytes.size() > size - begin)
        throw Error(path + ": byte " + std::to_string(start) + ": " + std::to_string(bytes.size()) +
                    " bytes, expected at most " + std::to_string(size - std::min(begin, size)));
      std::memcpy((tag == 'd' ? changed.data : changed.written.data()) + begin, bytes.data(), bytes.size());
    } else if (tag == 'l') {
      kernel = text();
      launch = Launch();
      for (unsigned k = 0; k < 3; ++k) {
        launch.grid[k] = static_cast<uint32_t>(number());
        launch.block[k] = static_cast<uint32_t>(number());
      }
      launch.dynamicShared = static_cast<uint32_t>(number());
      std::string parameters = text();
      launch.parameters.assign(parameters.begin(), parameters.end());
      return true;
    } else {
      throw Error(path + ": byte " + std::to_string(start) + " is " + std::to_string(static_cast<uint8_t>(tag)) +
                  ", expected a, f, d, w or l");
    }
  }
  return false;
}

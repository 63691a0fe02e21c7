//===- PromptCache.cpp - states of prompts on disk -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/PromptCache.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace samba;
using namespace samba::run;
namespace fs = std::filesystem;

static const char *const suffix = ".state";

/// "FINGERPRINT-COUNT-HASH.state": other files in the folder are none of its business.
static bool isEntry(const std::string &name) {
  const std::string hexadecimal = "0123456789abcdef";
  size_t second = name.find('-', 17), end = second + 33;
  return name.size() > 17 && name.find_first_not_of(hexadecimal) == 16 && name[16] == '-' &&
         second != std::string::npos && name.find_first_not_of("0123456789", 17) == second &&
         name.find_first_not_of(hexadecimal, second + 1) == end && name.compare(end, 6, suffix) == 0;
}

PromptCache::PromptCache(const Model &model, const std::string &folder, uint64_t limitBytes)
    : model(model), folder(folder), limit(limitBytes) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!fs::is_directory(folder))
    throw std::runtime_error("cannot make the prompt cache '" + folder + "'" + (error ? ": " + error.message() : ""));
}

std::string PromptCache::nameOf(const std::vector<int32_t> &tokens, int64_t count) const {
  XXH128_hash_t hash = XXH3_128bits(tokens.data(), static_cast<size_t>(count) * sizeof(int32_t));
  char name[96];
  std::snprintf(name, sizeof(name), "%016llx-%lld-%016llx%016llx%s",
                static_cast<unsigned long long>(model.fingerprint()), static_cast<long long>(count),
                static_cast<unsigned long long>(hash.high64), static_cast<unsigned long long>(hash.low64), suffix);
  return name;
}

std::optional<Session> PromptCache::find(const std::vector<int32_t> &tokens) const {
  char prefix[32];
  std::snprintf(prefix, sizeof(prefix), "%016llx-", static_cast<unsigned long long>(model.fingerprint()));
  std::set<int64_t, std::greater<int64_t>> counts; // of the entries of this model, longest first
  std::error_code error;
  for (const fs::directory_entry &entry : fs::directory_iterator(folder, error)) {
    std::string name = entry.path().filename().string();
    if (name.compare(0, 17, prefix) != 0)
      continue;
    long long count = std::atoll(name.c_str() + 17);
    if (count > 0 && static_cast<size_t>(count) < tokens.size())
      counts.insert(count);
  }
  for (int64_t count : counts) {
    fs::path path = fs::path(folder) / nameOf(tokens, count);
    if (!fs::exists(path, error))
      continue;
    try {
      Session session = Session::load(model, path.string());
      if (session.position() == count) {
        fs::last_write_time(path, fs::file_time_type::clock::now(), error); // used just now
        return session;
      }
    } catch (const Exception &failure) {
      if (failure.status() == SAMBA_ERROR_IO || failure.status() == SAMBA_ERROR_MEMORY)
        continue;
    }
    fs::remove(path, error);
  }
  return std::nullopt;
}

std::vector<int64_t> PromptCache::lengths(int64_t tokens) {
  int64_t stride = 256;
  while (stride * 8 < tokens)
    stride *= 2;
  std::vector<int64_t> result;
  for (int64_t at = stride; at < tokens - 1; at += stride)
    result.push_back(at);
  if (tokens > 1)
    result.push_back(tokens - 1);
  return result;
}

std::string PromptCache::store(const Session &session, const std::vector<int32_t> &tokens) const {
  if (samba_saved_bytes(model.get()) > limit)
    return "";
  try {
    session.save((fs::path(folder) / nameOf(tokens, session.position())).string());
    shrink();
  } catch (const std::exception &failure) {
    return failure.what();
  }
  return "";
}

void PromptCache::shrink() const {
  struct File {
    fs::file_time_type used;
    fs::path path;
    uint64_t bytes;
  };
  std::vector<File> files;
  uint64_t total = 0;
  std::error_code error; // a file that another process has just removed
  for (const fs::directory_entry &entry : fs::directory_iterator(folder, error)) {
    std::string name = entry.path().filename().string();
    if (!isEntry(name))
      continue;
    uint64_t bytes = entry.file_size(error);
    if (error)
      continue;
    fs::file_time_type used = entry.last_write_time(error);
    bool whole = name.compare(name.size() - 6, 6, suffix) == 0;
    if (whole) {
      files.push_back({used, entry.path(), bytes});
      total += bytes;
    } else if (used < fs::file_time_type::clock::now() - std::chrono::hours(1)) {
      fs::remove(entry.path(), error); // its writer was killed
    }
  }
  std::sort(files.begin(), files.end(), [](const File &a, const File &b) { return a.used < b.used; });
  for (const File &file : files) {
    if (total <= limit)
      break;
    fs::remove(file.path, error);
    total -= file.bytes;
  }
}

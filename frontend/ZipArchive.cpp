//===- ZipArchive.cpp - the entries of a ZIP file -------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/ZipArchive.h"

#include "frontend/Error.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include <algorithm>
#include <vector>

using namespace llvm;
using namespace samba;
using support::endian::read16le;
using support::endian::read32le;
using support::endian::read64le;

namespace {

constexpr uint32_t kLocalHeader = 0x04034b50, kDirectoryHeader = 0x02014b50, kDirectoryEnd = 0x06054b50,
                   kDirectoryEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr size_t kLocalHeaderBytes = 30, kDirectoryHeaderBytes = 46, kDirectoryEndBytes = 22, kDirectoryEnd64Bytes = 56,
                 kLocator64Bytes = 20;
constexpr uint16_t kExtra64 = 1;
constexpr uint16_t kEncrypted = 1 << 0, kStrongEncryption = 1 << 6, kMaskedHeader = 1 << 13;

/// What a header of 32 bits says if the value is in the extra field of 64-bit values.
constexpr uint32_t kIn64 = UINT32_MAX;

struct Span {
  uint64_t begin, end;
  StringRef name;
};

} // namespace

class ZipArchive::Reader {
public:
  Reader(ArrayRef<uint8_t> file, const std::string &path) : file(file), path(path) {}

  Expected<ZipArchive> read() {
    if (Error failed = findDirectory())
      return std::move(failed);
    archive.file = file;
    for (uint64_t i = 0; i < count; ++i)
      if (Error failed = readEntry(i))
        return std::move(failed);
    if (at != directoryEnd)
      return error("the central directory to end after " + Twine(count) + " entries, at byte " + Twine(directoryEnd),
                   "its end at byte " + Twine(at));
    if (Error failed = checkOverlaps())
      return std::move(failed);
    return std::move(archive);
  }

private:
  Error error(const Twine &expected, const Twine &found) const {
    return makeError(path + ": expected " + expected + ", found " + found);
  }
  Error entryError(StringRef name, const Twine &expected, const Twine &found) const {
    return makeError(path + ": entry " + quoted(name) + ": expected " + expected + ", found " + found);
  }
  /// Are there so many bytes from that place on?
  bool has(uint64_t begin, uint64_t size) const { return begin <= file.size() && size <= file.size() - begin; }

  /// The record at the end of the file says where the central directory is.
  Error findDirectory() {
    size_t longestComment = UINT16_MAX, last = file.size() < kDirectoryEndBytes ? 0 : file.size() - kDirectoryEndBytes;
    size_t first = last > longestComment ? last - longestComment : 0, record = last;
    auto isRecord = [&](size_t place) {
      return has(place, kDirectoryEndBytes) && read32le(&file[place]) == kDirectoryEnd &&
             read16le(&file[place + 20]) == file.size() - place - kDirectoryEndBytes;
    };
    while (record > first && !isRecord(record))
      --record;
    if (!isRecord(record))
      return error("a ZIP file that ends with its directory", "no end record (the file may be cut short)");
    count = read16le(&file[record + 10]);
    uint64_t size = read32le(&file[record + 12]), begin = read32le(&file[record + 16]), end = record;
    bool oneDisk =
        read16le(&file[record + 4]) == 0 && read16le(&file[record + 6]) == 0 && read16le(&file[record + 8]) == count;
    if (record >= kLocator64Bytes && read32le(&file[record - kLocator64Bytes]) == kLocator64) {
      end = read64le(&file[record - kLocator64Bytes + 8]);
      if (record < kLocator64Bytes + kDirectoryEnd64Bytes || end > record - kLocator64Bytes - kDirectoryEnd64Bytes ||
          read32le(&file[end]) != kDirectoryEnd64)
        return error("a 64-bit end record where its locator says", "none");
      oneDisk = read32le(&file[end + 16]) == 0 && read32le(&file[end + 20]) == 0 &&
                read64le(&file[end + 24]) == read64le(&file[end + 32]);
      count = read64le(&file[end + 32]);
      size = read64le(&file[end + 40]);
      begin = read64le(&file[end + 48]);
    } else if (begin == kIn64 || size == kIn64 || count == UINT16_MAX) {
      return error("a 64-bit end record, as the sizes need it", "none");
    }
    if (!oneDisk)
      return error("a ZIP file of one part", "one of several");
    if (begin > end || size != end - begin)
      return error("a central directory that ends at byte " + Twine(end),
                   Twine(size) + " bytes at byte " + Twine(begin));
    if (count > size / kDirectoryHeaderBytes)
      return error("at most " + Twine(size / kDirectoryHeaderBytes) + " entries in a directory of " + Twine(size) +
                       " bytes",
                   Twine(count));
    at = begin;
    directoryBegin = begin;
    directoryEnd = end;
    return Error::success();
  }

  Error readEntry(uint64_t index) {
    if (directoryEnd - at < kDirectoryHeaderBytes || read32le(&file[at]) != kDirectoryHeader)
      return error("the header of entry " + Twine(index) + " at byte " + Twine(at), "none");
    const uint8_t *header = &file[at];
    uint16_t flags = read16le(header + 8), method = read16le(header + 10);
    uint64_t packed = read32le(header + 20), size = read32le(header + 24), local = read32le(header + 42);
    uint64_t nameBytes = read16le(header + 28), extraBytes = read16le(header + 30), comment = read16le(header + 32);
    if (nameBytes + extraBytes + comment > directoryEnd - at - kDirectoryHeaderBytes)
      return error("the header of entry " + Twine(index) + " inside the directory", "one that is longer");
    StringRef name = toStringRef(file.slice(at + kDirectoryHeaderBytes, nameBytes));
    ArrayRef<uint8_t> extra = file.slice(at + kDirectoryHeaderBytes + nameBytes, extraBytes);
    at += kDirectoryHeaderBytes + nameBytes + extraBytes + comment;

    if (flags & (kEncrypted | kStrongEncryption | kMaskedHeader))
      return entryError(name, "no encryption", "some");
    if (method != 0)
      return entryError(name, "stored data (method 0)", "compressed data (method " + Twine(method) + ")");
    if (Error failed = read64(name, extra, size, packed, local))
      return failed;
    if (packed != size)
      return entryError(name, Twine(size) + " stored bytes", Twine(packed));

    // The local header repeats the name; its sizes may be missing.
    if (!has(local, kLocalHeaderBytes) || read32le(&file[local]) != kLocalHeader)
      return entryError(name, "its header at byte " + Twine(local), "none");
    uint64_t localName = read16le(&file[local + 26]), localExtra = read16le(&file[local + 28]);
    uint64_t begin = local + kLocalHeaderBytes + localName + localExtra;
    if (begin > directoryBegin || size > directoryBegin - begin)
      return entryError(name, "its " + Twine(size) + " bytes before the directory at byte " + Twine(directoryBegin),
                        "them at byte " + Twine(begin));
    if (toStringRef(file.slice(local + kLocalHeaderBytes, localName)) != name)
      return entryError(name, "the same name in its own header",
                        quoted(toStringRef(file.slice(local + kLocalHeaderBytes, localName))));
    if (!archive.directory.try_emplace(name, Entry{begin, size}).second)
      return entryError(name, "one entry of that name", "two");
    spans.push_back({local, begin + size, name});
    return Error::success();
  }

  /// Sizes that 32 bits do not hold, in the order of the format.
  Error read64(StringRef name, ArrayRef<uint8_t> extra, uint64_t &size, uint64_t &packed, uint64_t &local) const {
    while (extra.size() >= 4) {
      uint16_t kind = read16le(extra.data()), length = read16le(extra.data() + 2);
      if (length > extra.size() - 4)
        return entryError(name, "extra fields inside the header", "one that is longer");
      ArrayRef<uint8_t> field = extra.slice(4, length);
      extra = extra.drop_front(4 + length);
      if (kind != kExtra64)
        continue;
      for (uint64_t *value : {&size, &packed, &local}) {
        if (*value != kIn64)
          continue;
        if (field.size() < 8)
          return entryError(name, "64-bit sizes in its header", "too few of them");
        *value = read64le(field.data());
        field = field.drop_front(8);
      }
      return Error::success();
    }
    if (size == kIn64 || packed == kIn64 || local == kIn64)
      return entryError(name, "64-bit sizes in its header", "none");
    return Error::success();
  }

  Error checkOverlaps() {
    llvm::sort(spans, [](const Span &a, const Span &b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
    for (size_t i = 1; i < spans.size(); ++i)
      if (spans[i].begin < spans[i - 1].end)
        return entryError(spans[i].name,
                          "it after entry " + quoted(spans[i - 1].name) + ", which ends at byte " +
                              Twine(spans[i - 1].end),
                          "it at byte " + Twine(spans[i].begin) + " (they overlap)");
    return Error::success();
  }

  ArrayRef<uint8_t> file;
  const std::string &path;
  ZipArchive archive;
  std::vector<Span> spans; // of header and data
  uint64_t count = 0, directoryBegin = 0, directoryEnd = 0;
  uint64_t at = 0; // where the next header of the directory is
};

Expected<ZipArchive> ZipArchive::read(ArrayRef<uint8_t> file, const std::string &path) {
  return Reader(file, path).read();
}

const ZipArchive::Entry *ZipArchive::find(StringRef name) const {
  auto it = directory.find(name);
  return it == directory.end() ? nullptr : &it->second;
}

//===- TorchWriter.cpp - a file of torch.save -----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The format is described in frontend/TorchFile.h.
//
//===----------------------------------------------------------------------===//

#include "frontend/Error.h"
#include "tools/samba-convert/Stream.h"
#include "tools/samba-convert/Writers.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/CRC.h"
#include "llvm/Support/EndianStream.h"
#include "llvm/Support/MathExtras.h"
#include <map>

using namespace llvm;
using namespace samba;
using namespace samba::convert;

namespace {

/// Data starts at multiples of this.
constexpr uint64_t kAlignment = 64;
constexpr uint32_t kIn64 = UINT32_MAX;

/// The program of a pickle, instruction by instruction.
class PickleWriter {
public:
  PickleWriter() : stream(bytes) { op("\x80\x02"); }

  void op(StringRef instruction) { stream << instruction; }
  void text(StringRef text) {
    op("X");
    support::endian::write<uint32_t>(stream, uint32_t(text.size()), endianness::little);
    stream << text;
  }
  void integer(int64_t value) {
    if (isInt<32>(value)) {
      op("J");
      support::endian::write<int32_t>(stream, int32_t(value), endianness::little);
    } else {
      op(StringRef("\x8a\x08", 2));
      support::endian::write<int64_t>(stream, value, endianness::little);
    }
  }
  void tuple(ArrayRef<int64_t> values) {
    op("(");
    for (int64_t value : values)
      integer(value);
    op("t");
  }
  void emptyOrderedDict() { op("ccollections\nOrderedDict\n)R"); }

  void tensor(const OutputTensor &tensor, StringRef key, int64_t elements) {
    op("ctorch._utils\n_rebuild_tensor_v2\n((");
    text("storage");
    op(StringSwitch<StringRef>(tensor.dtypeName)
           .Case("BF16", "ctorch\nBFloat16Storage\n")
           .Case("F16", "ctorch\nHalfStorage\n")
           .Default("ctorch\nFloatStorage\n"));
    text(key);
    text("cpu");
    integer(elements);
    op("tQ");
    integer(0);
    SmallVector<int64_t> strides(tensor.shape.size(), 1);
    for (size_t i = strides.size(); i-- > 1;)
      strides[i - 1] = strides[i] * tensor.shape[i];
    tuple(tensor.shape);
    tuple(strides);
    op("\x89");
    emptyOrderedDict();
    op("tR");
  }

  std::string bytes;

private:
  raw_string_ostream stream;
};

/// Stored entries, with 64-bit sizes where they are needed.
class ZipWriter {
public:
  explicit ZipWriter(Stream &out) : out(out), directory(directoryBytes) {}

  void add(StringRef name, ArrayRef<ArrayRef<uint8_t>> pieces, uint64_t size, function_ref<void()> writeData) {
    uint32_t checksum = 0;
    for (ArrayRef<uint8_t> piece : pieces)
      for (; !piece.empty(); piece = piece.drop_front(std::min(kStep, piece.size()))) {
        checksum = crc32(checksum, piece.take_front(kStep));
        out.release(piece.take_front(kStep));
      }
    uint64_t begin = out.tell();
    bool large = size >= kIn64;
    std::string extra;
    if (large)
      extra = field(1, words({size, size}));
    uint64_t dataBegin = begin + 30 + name.size() + extra.size() + 4;
    extra += field(0x4246, std::string(offsetToAlignment(dataBegin, Align(kAlignment)), 'Z'));
    std::string header;
    raw_string_ostream local(header);
    put<uint32_t>(local, 0x04034b50);
    putCommon(local, checksum, size, name, extra.size());
    local << name << extra;
    out.write(header);
    writeData();

    bool far = begin >= kIn64;
    extra.clear();
    if (large || far) {
      std::string values = large ? words({size, size}) : "";
      extra = field(1, far ? values + words({begin}) : values);
    }
    put<uint32_t>(directory, 0x02014b50);
    put<uint16_t>(directory, 45);
    putCommon(directory, checksum, size, name, extra.size());
    put<uint16_t>(directory, 0); // comment
    put<uint32_t>(directory, 0); // part, kind
    put<uint32_t>(directory, 0); // attributes
    put<uint32_t>(directory, far ? kIn64 : uint32_t(begin));
    directory << name << extra;
    ++count;
  }
  void add(StringRef name, StringRef data) {
    add(name, arrayRefFromStringRef(data), data.size(), [&] { out.write(data); });
  }

  void finish() {
    uint64_t begin = out.tell(), size = directoryBytes.size();
    out.write(directoryBytes);
    std::string end;
    raw_string_ostream stream(end);
    bool large = begin >= kIn64 || size >= kIn64 || count >= UINT16_MAX;
    if (large) {
      put<uint32_t>(stream, 0x06064b50);
      put<uint64_t>(stream, 44);
      put<uint32_t>(stream, 45 | 45 << 16);
      stream << std::string(8, '\0') << words({count, count, size, begin});
      put<uint32_t>(stream, 0x07064b50);
      put<uint32_t>(stream, 0);
      put<uint64_t>(stream, begin + size);
      put<uint32_t>(stream, 1);
    }
    put<uint32_t>(stream, 0x06054b50);
    put<uint32_t>(stream, 0);
    for (int i = 0; i < 2; ++i)
      put<uint16_t>(stream, large ? UINT16_MAX : uint16_t(count));
    put<uint32_t>(stream, large ? kIn64 : uint32_t(size));
    put<uint32_t>(stream, large ? kIn64 : uint32_t(begin));
    put<uint16_t>(stream, 0);
    out.write(end);
  }

private:
  template <class T> static void put(raw_ostream &stream, T value) {
    support::endian::write<T>(stream, value, endianness::little);
  }
  static std::string words(ArrayRef<uint64_t> values) {
    std::string text;
    raw_string_ostream stream(text);
    for (uint64_t value : values)
      put(stream, value);
    return text;
  }
  static std::string field(uint16_t kind, StringRef contents) {
    std::string text;
    raw_string_ostream stream(text);
    put(stream, kind);
    put(stream, uint16_t(contents.size()));
    stream << contents;
    return text;
  }
  /// What local and central headers share: version, flags, method, time, checksum, sizes, lengths.
  static void putCommon(raw_ostream &stream, uint32_t checksum, uint64_t size, StringRef name, size_t extra) {
    put<uint16_t>(stream, size >= kIn64 ? 45 : 0);
    put<uint32_t>(stream, 0); // flags, method
    put<uint32_t>(stream, 0); // time
    put<uint32_t>(stream, checksum);
    for (int i = 0; i < 2; ++i)
      put<uint32_t>(stream, uint32_t(std::min<uint64_t>(size, kIn64)));
    put<uint16_t>(stream, uint16_t(name.size()));
    put<uint16_t>(stream, uint16_t(extra));
  }

  Stream &out;
  std::string directoryBytes;
  raw_string_ostream directory;
  uint64_t count = 0;
};

} // namespace

Error samba::convert::writeTorchFile(StringRef path, ArrayRef<OutputTensor> tensors, const Checkpoint &checkpoint,
                                     const Progress &progress) {
  // Tensors of one piece that are the same bytes of the checkpoint are one storage.
  std::vector<const OutputTensor *> storages;
  std::map<const uint8_t *, size_t> storageOf;
  PickleWriter pickle;
  pickle.op("}");
  pickle.text("model");
  pickle.emptyOrderedDict();
  pickle.op("(");
  for (const OutputTensor &tensor : tensors) {
    auto [entry, isNew] = storageOf.try_emplace(tensor.pieces.front().data(), storages.size());
    size_t key = entry->second;
    bool shares = !isNew && tensor.pieces.size() == 1 && storages[key]->pieces.size() == 1 &&
                  storages[key]->pieces.front().size() == tensor.pieces.front().size();
    if (!shares) {
      key = storages.size();
      storages.push_back(&tensor);
    }
    int64_t elements = 1;
    for (int64_t size : tensor.shape)
      elements *= size;
    pickle.text(tensor.name);
    pickle.tensor(tensor, std::to_string(key), elements);
  }
  pickle.op("us.");

  Stream out(path, checkpoint, progress);
  ZipWriter zip(out);
  zip.add("archive/data.pkl", pickle.bytes);
  zip.add("archive/byteorder", "little");
  for (size_t key = 0; key < storages.size(); ++key) {
    const OutputTensor &tensor = *storages[key];
    zip.add(("archive/data/" + Twine(key)).str(), tensor.pieces, tensor.size(), [&] { out.write(tensor); });
  }
  zip.add("archive/version", "3\n");
  zip.finish();
  return out.close();
}

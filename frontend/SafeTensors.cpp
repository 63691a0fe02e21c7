//===- SafeTensors.cpp - one safetensors file -----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/SafeTensors.h"

#include "frontend/Error.h"
#include "frontend/Json.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include <tuple>

using namespace llvm;
using namespace samba;

namespace {

struct DTypeEntry {
  StringLiteral name;
  uint64_t bits;
  std::optional<DType> dtype;
};

constexpr DTypeEntry kDTypes[] = {
    {"F32", 32, DType::F32},      {"BF16", 16, DType::BF16},    {"F16", 16, DType::F16},
    {"F64", 64, std::nullopt},    {"C64", 64, std::nullopt},    {"F8_E4M3", 8, std::nullopt},
    {"F8_E5M2", 8, std::nullopt}, {"F8_E8M0", 8, std::nullopt}, {"F6_E2M3", 6, std::nullopt},
    {"F6_E3M2", 6, std::nullopt}, {"F4", 4, std::nullopt},      {"I64", 64, std::nullopt},
    {"I32", 32, std::nullopt},    {"I16", 16, std::nullopt},    {"I8", 8, std::nullopt},
    {"U64", 64, std::nullopt},    {"U32", 32, std::nullopt},    {"U16", 16, std::nullopt},
    {"U8", 8, std::nullopt},      {"BOOL", 8, std::nullopt},
};

/// Reads the header's entry of one tensor; offsets are checked against the data, not against other tensors.
class EntryReader {
public:
  EntryReader(StringRef file, StringRef name, uint64_t dataSize) : dataSize(dataSize) {
    tensor.name = name.str();
    where = (file + ": tensor " + quoted(name) + ": ").str();
  }

  Expected<TensorInfo> read(const json::Value &value) {
    const json::Object *entry = value.getAsObject();
    if (!entry)
      return error("an object", describe(&value));
    for (auto &[key, unused] : *entry)
      if (key != "dtype" && key != "shape" && key != "data_offsets")
        return error("the keys dtype, shape and data_offsets", quoted(key));
    if (Error failed = readDType(entry->get("dtype")))
      return std::move(failed);
    if (Error failed = readShape(entry->get("shape")))
      return std::move(failed);
    if (Error failed = readOffsets(entry->get("data_offsets")))
      return std::move(failed);
    return std::move(tensor);
  }

private:
  Error error(const Twine &expected, const Twine &found) {
    return makeError(where + "expected " + expected + ", found " + found);
  }

  Error readDType(const json::Value *value) {
    std::optional<StringRef> name = value ? value->getAsString() : std::nullopt;
    for (const DTypeEntry &entry : kDTypes)
      if (name && *name == entry.name) {
        tensor.dtypeName = entry.name;
        tensor.dtype = entry.dtype;
        bitsPerElement = entry.bits;
        return Error::success();
      }
    return error("a dtype such as F32 or BF16", describe(value));
  }

  Error readShape(const json::Value *value) {
    const json::Array *sizes = value ? value->getAsArray() : nullptr;
    if (!sizes)
      return error("shape to be a list of sizes", describe(value));
    int64_t elements = 1, bits;
    for (const json::Value &entry : *sizes) {
      std::optional<int64_t> size = entry.getAsInteger();
      if (!size || *size < 0)
        return error("sizes that are non-negative 64-bit integers", describe(&entry));
      if (MulOverflow(elements, *size, elements))
        return error("a shape of fewer than 2^63 elements", describe(value));
      tensor.shape.push_back(*size);
    }
    if (MulOverflow(elements, int64_t(bitsPerElement), bits))
      return error("a shape of fewer than 2^63 bits", describe(value));
    if (bits % 8)
      return error("a whole number of bytes", Twine(bits) + " bits");
    byteSize = bits / 8;
    return Error::success();
  }

  Error readOffsets(const json::Value *value) {
    const json::Array *offsets = value ? value->getAsArray() : nullptr;
    std::optional<int64_t> begin, end;
    if (offsets && offsets->size() == 2) {
      begin = (*offsets)[0].getAsInteger();
      end = (*offsets)[1].getAsInteger();
    }
    if (!begin || !end || *begin < 0 || *begin > *end)
      return error("data_offsets to be [begin, end] with 0 <= begin <= end", describe(value));
    if (uint64_t(*end) > dataSize)
      return error("data_offsets within the " + Twine(dataSize) + " bytes of data", describe(value));
    if (uint64_t(*end - *begin) != byteSize)
      return error(Twine(byteSize) + " bytes for " + tensor.dtypeName + shapeText(tensor.shape),
                   Twine(*end - *begin) + " (data_offsets " + describe(value) + ")");
    tensor.begin = *begin;
    tensor.end = *end;
    return Error::success();
  }

  std::string where;
  uint64_t dataSize, bitsPerElement = 0, byteSize = 0;
  TensorInfo tensor;
};

} // namespace

Expected<std::unique_ptr<SafeTensors>> SafeTensors::open(StringRef path) {
  Expected<MappedFile> file = MappedFile::open(path);
  return file ? read(std::move(*file)) : file.takeError();
}

Expected<std::unique_ptr<SafeTensors>> SafeTensors::read(MappedFile file) {
  std::unique_ptr<SafeTensors> result(new SafeTensors(std::move(file)));
  if (Error failed = result->readHeader())
    return std::move(failed);
  if (Error failed = result->checkLayout())
    return std::move(failed);
  return std::move(result);
}

Error SafeTensors::readHeader() {
  ArrayRef<uint8_t> bytes = mapping.bytes();
  const std::string &path = mapping.path();
  if (bytes.size() < 8)
    return makeError(path + ": expected a safetensors file of at least 8 bytes, found " + Twine(bytes.size()));
  uint64_t length = support::endian::read64le(bytes.data());
  uint64_t longest = std::min<uint64_t>(kMaxJsonBytes, bytes.size() - 8);
  if (length > longest)
    return makeError(path + ": expected a safetensors header of at most " + Twine(longest) +
                     " bytes, found the length " + Twine(length));
  StringRef header = mapping.text().substr(8, length);
  if (!header.starts_with("{"))
    return makeError(path + ": expected a safetensors header that starts with '{'");
  data = bytes.drop_front(8 + length);

  Expected<json::Value> value = parseJson(header, path);
  if (!value)
    return value.takeError();
  const json::Object &object = *value->getAsObject();
  for (auto &[key, entry] : object) {
    if (StringRef(key) == "__metadata__") {
      const json::Object *pairs = entry.getAsObject();
      if (!pairs)
        return makeError(path + ": expected __metadata__ to be an object, found " + describe(&entry));
      for (auto &[name, text] : *pairs) {
        if (!text.getAsString())
          return makeError(path + ": __metadata__ " + quoted(name) + ": expected a string, found " + describe(&text));
        meta[StringRef(name).str()] = text.getAsString()->str();
      }
      continue;
    }
    Expected<TensorInfo> tensor = EntryReader(path, key, data.size()).read(entry);
    if (!tensor)
      return tensor.takeError();
    infos.push_back(std::move(*tensor));
  }
  llvm::sort(infos, [](const TensorInfo &a, const TensorInfo &b) { return a.name < b.name; });
  return Error::success();
}

/// The tensors must tile the data: each begins where the one before it ends, and the last ends with the file.
Error SafeTensors::checkLayout() const {
  std::vector<const TensorInfo *> order;
  for (const TensorInfo &tensor : infos)
    order.push_back(&tensor);
  llvm::sort(order, [](const TensorInfo *a, const TensorInfo *b) {
    return std::tie(a->begin, a->end, a->name) < std::tie(b->begin, b->end, b->name);
  });
  uint64_t end = 0;
  std::string before = "the data begins";
  for (const TensorInfo *tensor : order) {
    if (tensor->begin != end)
      return makeError(mapping.path() + ": tensor " + quoted(tensor->name) + ": expected data at offset " + Twine(end) +
                       ", where " + before + ", found it at " + Twine(tensor->begin) +
                       (tensor->begin < end ? " (they overlap)" : " (a gap)"));
    end = tensor->end;
    before = "tensor " + quoted(tensor->name) + " ends";
  }
  if (end != data.size())
    return makeError(mapping.path() + ": expected " + Twine(end) + " bytes of data, as the header says, found " +
                     Twine(data.size()));
  return Error::success();
}

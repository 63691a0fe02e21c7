//===- TorchFile.cpp - one file of torch.save -----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/TorchFile.h"

#include "frontend/Error.h"
#include "frontend/Pickle.h"
#include "frontend/ZipArchive.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;
using namespace samba;

namespace {

/// The number that begins a file of the old format, as a pickle.
constexpr uint8_t kOldMagic[] = {0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

constexpr size_t kMaxRank = 8;

struct StorageClass {
  StringLiteral name, dtypeName;
  int64_t bytes;
  std::optional<DType> dtype;
};

constexpr StorageClass kStorageClasses[] = {
    {"torch.FloatStorage", "F32", 4, DType::F32},          {"torch.BFloat16Storage", "BF16", 2, DType::BF16},
    {"torch.HalfStorage", "F16", 2, DType::F16},           {"torch.DoubleStorage", "F64", 8, std::nullopt},
    {"torch.LongStorage", "I64", 8, std::nullopt},         {"torch.IntStorage", "I32", 4, std::nullopt},
    {"torch.ShortStorage", "I16", 2, std::nullopt},        {"torch.CharStorage", "I8", 1, std::nullopt},
    {"torch.ByteStorage", "U8", 1, std::nullopt},          {"torch.BoolStorage", "BOOL", 1, std::nullopt},
    {"torch.ComplexFloatStorage", "C64", 8, std::nullopt}, {"torch.ComplexDoubleStorage", "C128", 16, std::nullopt},
};

/// Finds the elements of one tensor of the state dict.
class TensorReader {
public:
  TensorReader(const std::string &path, StringRef prefix, const ZipArchive &zip, StringRef name)
      : prefix(prefix), zip(zip) {
    tensor.name = name.str();
    where = path + ": tensor " + quoted(name) + ": ";
  }

  Expected<TensorInfo> read(const PickleValue &value) {
    if (!value.is(PickleValue::Tensor))
      return error("a tensor", value.describe());
    if (Error failed = readSizes(*value.items[2], *value.items[3]))
      return std::move(failed);
    if (Error failed = place(*value.items[0], value.items[1]->integer))
      return std::move(failed);
    return std::move(tensor);
  }

private:
  Error error(const Twine &expected, const Twine &found) const {
    return makeError(where + "expected " + expected + ", found " + found);
  }

  /// Rows that follow each other: transposed matrices and columns of matrices are not copied here.
  Error readSizes(const PickleValue &sizes, const PickleValue &strides) {
    if (sizes.items.size() > kMaxRank || sizes.items.size() != strides.items.size())
      return error("at most " + Twine(kMaxRank) + " sizes with a stride each",
                   Twine(sizes.items.size()) + " sizes and " + Twine(strides.items.size()) + " strides");
    SmallVector<int64_t> steps;
    for (auto [size, stride] : llvm::zip(sizes.items, strides.items)) {
      if (!size->is(PickleValue::Int) || size->integer < 0)
        return error("non-negative sizes", size->describe());
      if (!stride->is(PickleValue::Int) || stride->integer < 0)
        return error("non-negative strides", stride->describe());
      tensor.shape.push_back(size->integer);
      steps.push_back(stride->integer);
      if (MulOverflow(elements, size->integer, elements))
        return error("fewer than 2^63 elements", "more");
    }
    int64_t step = 1;
    for (auto [size, stride] : llvm::reverse(llvm::zip(tensor.shape, steps))) {
      if (elements > 0 && size != 1 && stride != step)
        return error("its elements to be contiguous", "shape " + shapeText(tensor.shape) + " with strides " +
                                                          shapeText(steps) + " (save the result of contiguous())");
      step *= std::max<int64_t>(size, 1);
    }
    return Error::success();
  }

  Error place(const PickleValue &storage, int64_t offset) {
    const auto *storageClass =
        llvm::find_if(kStorageClasses, [&](const StorageClass &entry) { return entry.name == storage.items[1]->text; });
    StringRef key = storage.items[2]->text;
    int64_t count = storage.items[4]->integer, bytes;
    const ZipArchive::Entry *entry = zip.find((prefix + "data/" + key).str());
    if (!entry)
      return error("its storage " + quoted(key) + " in the file", "no such entry");
    if (count < 0 || MulOverflow(count, storageClass->bytes, bytes) || uint64_t(bytes) != entry->size)
      return error("a storage of " + Twine(count) + " elements of " + storageClass->dtypeName,
                   Twine(entry->size) + " bytes");
    if (offset < 0 || offset > count || elements > count - offset)
      return error(Twine(elements) + " elements from number " + Twine(offset) + " of its storage on",
                   "a storage of " + Twine(count));
    tensor.dtypeName = storageClass->dtypeName;
    tensor.dtype = storageClass->dtype;
    tensor.begin = entry->begin + uint64_t(offset * storageClass->bytes);
    tensor.end = tensor.begin + uint64_t(elements * storageClass->bytes);
    return Error::success();
  }

  std::string where;
  StringRef prefix; // of the names of entries: "archive/"
  const ZipArchive &zip;
  TensorInfo tensor;
  int64_t elements = 1;
};

bool hasTensors(const PickleValue &value) {
  for (size_t i = 1; value.is(PickleValue::Dict) && i < value.items.size(); i += 2)
    if (value.items[i]->is(PickleValue::Tensor))
      return true;
  return false;
}

/// Null if the saved object is something else.
const PickleValue *findStateDict(const PickleValue &root) {
  if (!root.is(PickleValue::Dict))
    return nullptr;
  for (StringRef key : {"model", "state_dict"})
    if (const PickleValue *inner = root.find(key); inner && inner->is(PickleValue::Dict))
      return inner;
  return hasTensors(root) ? &root : nullptr;
}

} // namespace

bool TorchFile::isTorchFile(const MappedFile &file) {
  ArrayRef<uint8_t> bytes = file.bytes();
  return ZipArchive::isZip(bytes) ||
         bytes.drop_front(std::min<size_t>(2, bytes.size())).take_front(12) == ArrayRef(kOldMagic);
}

Expected<std::unique_ptr<TorchFile>> TorchFile::read(MappedFile file) {
  std::unique_ptr<TorchFile> result(new TorchFile(std::move(file)));
  if (Error failed = result->readContents())
    return std::move(failed);
  return std::move(result);
}

Error TorchFile::readContents() {
  const std::string &path = mapping.path();
  data = mapping.bytes();
  if (!ZipArchive::isZip(data))
    return makeError(path + ": expected a file of PyTorch 1.6 or later (a ZIP file), found the older format; load it "
                            "with PyTorch and save it again");
  Expected<ZipArchive> zip = ZipArchive::read(data, path);
  if (!zip)
    return zip.takeError();

  // The names of all entries start with the same folder.
  const std::string kPickle = "data.pkl";
  std::vector<StringRef> pickles;
  for (auto &entry : zip->entries())
    if (entry.first().ends_with("/" + kPickle))
      pickles.push_back(entry.first());
  if (pickles.size() != 1)
    return makeError(path + ": expected a ZIP file of torch.save with one entry NAME/" + kPickle + ", found " +
                     (pickles.empty() ? "none" : Twine(pickles.size())));
  StringRef prefix = pickles.front().drop_back(kPickle.size());
  if (const ZipArchive::Entry *order = zip->find((prefix + "byteorder").str()))
    if (StringRef text = toStringRef(zip->bytes(*order)); text.trim() != "little")
      return makeError(path + ": expected little-endian data, found the byte order " + quoted(text));
  Expected<Pickle> pickle =
      Pickle::read(zip->bytes(*zip->find(pickles.front())), path + ": entry " + quoted(pickles.front()));
  if (!pickle)
    return pickle.takeError();

  const PickleValue *state = findStateDict(pickle->root());
  if (!state)
    return makeError(path +
                     ": expected a state dict (a dict of tensors, by itself or under 'model' or 'state_dict'), "
                     "found " +
                     pickle->root().describe() + (pickle->root().is(PickleValue::Dict) ? " without any" : ""));
  // As the training code of microsoft/Samba saves it.
  if (const PickleValue *parameters = pickle->root().find("hparams"); parameters && parameters->is(PickleValue::Dict))
    if (const PickleValue *name = parameters->find("model_name"); name && name->is(PickleValue::Text))
      model = name->text.str();
  for (size_t i = 0; i < state->items.size(); i += 2) {
    const PickleValue *key = state->items[i];
    if (!key->is(PickleValue::Text))
      return makeError(path + ": expected the names of tensors, found " + key->describe());
    Expected<TensorInfo> tensor = TensorReader(path, prefix, *zip, key->text).read(*state->items[i + 1]);
    if (!tensor)
      return tensor.takeError();
    infos.push_back(std::move(*tensor));
  }
  llvm::sort(infos, [](const TensorInfo &a, const TensorInfo &b) { return a.name < b.name; });
  for (size_t i = 1; i < infos.size(); ++i)
    if (infos[i - 1].name == infos[i].name)
      return makeError(path + ": tensor " + quoted(infos[i].name) + ": expected it once, found it twice");
  return Error::success();
}

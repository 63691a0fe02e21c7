//===- TensorFile.cpp - small safetensors files for tests and tools -------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The format: the length of the header in 8 bytes, the header in JSON, then the data of all tensors without gaps. All
// numbers are little-endian.
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/TensorFile.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>

using namespace llvm;

namespace samba::reference {

namespace {

constexpr uint64_t kMaxHeader = 100'000'000;

/// Bytes of one element; 0 if the type is not one of ours.
int64_t elementSize(StringRef dtype) {
  return StringSwitch<int64_t>(dtype)
      .Cases({"F64", "I64"}, 8)
      .Cases({"F32", "I32"}, 4)
      .Cases({"BF16", "F16"}, 2)
      .Default(0);
}

/// The JSON parser recurses, so the depth is bounded before it sees the text. A header needs three levels.
bool isShallow(StringRef text) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      quoted = !quoted;
    else if (!quoted && (text[i] == '{' || text[i] == '['))
      depth += 1;
    else if (!quoted && (text[i] == '}' || text[i] == ']'))
      depth -= 1;
    if (depth > 8)
      return false;
  }
  return true;
}

template <class T> T load(const uint8_t *data, int64_t index) {
  T value;
  std::memcpy(&value, data + index * sizeof(T), sizeof(T));
  return value;
}

} // namespace

Expected<TensorFile> TensorFile::open(StringRef path) {
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return makeError("{0}: {1}", path, buffer.getError().message());
  TensorFile file;
  file.path = path.str();
  file.buffer = std::move(*buffer);
  if (Error error = file.parse())
    return makeError("{0}: {1}", path, toString(std::move(error)));
  return file;
}

Error TensorFile::parse() {
  StringRef text = buffer->getBuffer();
  if (text.size() < 8)
    return makeError("expected at least 8 bytes, got {0}", text.size());
  uint64_t length = support::endian::read64le(text.data()), most = std::min<uint64_t>(text.size() - 8, kMaxHeader);
  if (length > most)
    return makeError("expected a header of at most {0} bytes, got {1}", most, length);
  StringRef headerText = text.substr(8, length);
  if (!isShallow(headerText))
    return makeError("expected a header of three levels, found it nested more deeply");
  Expected<json::Value> json = json::parse(headerText);
  if (!json)
    return makeError("expected a JSON header: {0}", toString(json.takeError()));
  json::Object *header = json->getAsObject();
  if (!header)
    return makeError("expected a JSON object as header");

  auto *begin = reinterpret_cast<const uint8_t *>(text.data());
  ArrayRef<uint8_t> data(begin + 8 + length, begin + text.size());
  for (const auto &[key, value] : *header) {
    if (StringRef(key) != "__metadata__") {
      if (Error error = parseTensor(key, value, data))
        return makeError("tensor '{0}': {1}", StringRef(key), toString(std::move(error)));
      continue;
    }
    const json::Object *metadata = value.getAsObject();
    if (!metadata)
      return makeError("expected __metadata__ to be an object");
    for (const auto &[name, entry] : *metadata) {
      std::optional<StringRef> string = entry.getAsString();
      if (!string)
        return makeError("expected a string as metadata '{0}'", StringRef(name));
      strings[StringRef(name).str()] = string->str();
    }
  }

  // Tensors side by side from the first byte to the last: no gap and no overlap, so no tensor was lost either.
  std::vector<const Entry *> order;
  for (const auto &[name, entry] : tensors)
    order.push_back(&entry);
  sort(order, [](const Entry *a, const Entry *b) {
    return std::make_pair(a->bytes.begin(), a->bytes.end()) < std::make_pair(b->bytes.begin(), b->bytes.end());
  });
  const uint8_t *next = data.begin();
  for (const Entry *entry : order) {
    if (entry->bytes.begin() != next)
      return makeError("expected a tensor at byte {0} of the data, found the next one at {1}", next - data.begin(),
                       entry->bytes.begin() - data.begin());
    next = entry->bytes.end();
  }
  if (next != data.end())
    return makeError("expected {0} bytes of data, got {1}", next - data.begin(), data.size());
  return Error::success();
}

Error TensorFile::parseTensor(StringRef name, const json::Value &value, ArrayRef<uint8_t> data) {
  const json::Object *object = value.getAsObject();
  if (!object)
    return makeError("expected an object");
  std::optional<StringRef> dtype = object->getString("dtype");
  int64_t size = elementSize(dtype.value_or(""));
  if (!size)
    return makeError("expected dtype F64, F32, BF16, F16, I64 or I32, got '{0}'", dtype.value_or("nothing"));
  const json::Array *sizes = object->getArray("shape");
  if (!sizes)
    return makeError("expected an array as shape");
  Entry entry{dtype->str(), {}, {}};
  // Bounded by the file (plus one element for empty ones), so products cannot overflow.
  int64_t most = std::max<int64_t>(1, data.size()), elements = 1;
  bool empty = false;
  for (const json::Value &element : *sizes) {
    std::optional<int64_t> length = element.getAsInteger();
    if (!length || *length < 0)
      return makeError("expected sizes that are not negative");
    entry.shape.push_back(*length);
    empty |= *length == 0;
    if (*length > 0 && *length > most / elements)
      return makeError("expected a shape that fits into the file's {0} bytes, got {1} and more", data.size(),
                       shapeText(entry.shape));
    elements *= std::max<int64_t>(1, *length);
  }
  elements = empty ? 0 : elements;

  const json::Array *offsets = object->getArray("data_offsets");
  std::optional<int64_t> begin, end;
  if (offsets && offsets->size() == 2) {
    begin = (*offsets)[0].getAsInteger();
    end = (*offsets)[1].getAsInteger();
  }
  if (!begin || !end || *begin < 0 || *end < *begin || *end > int64_t(data.size()))
    return makeError("expected data_offsets of two ascending numbers up to {0}", data.size());
  if (elements > (*end - *begin) / size || elements * size != *end - *begin)
    return makeError("expected {0} elements of {1} in its bytes, got {2} bytes", elements, *dtype, *end - *begin);
  entry.bytes = data.slice(*begin, *end - *begin);
  tensors[name.str()] = std::move(entry);
  return Error::success();
}

std::vector<StringRef> TensorFile::names() const {
  std::vector<StringRef> all;
  for (const auto &[name, entry] : tensors)
    all.push_back(name);
  return all;
}

Expected<const TensorFile::Entry *> TensorFile::find(StringRef name) const {
  auto found = tensors.find(name.str());
  if (found == tensors.end())
    return makeError("{0}: expected a tensor '{1}', found none", path, name);
  return &found->second;
}

template <class F> Expected<Tensor<F>> TensorFile::floats(StringRef name) const {
  Expected<const Entry *> entry = find(name);
  if (!entry)
    return entry.takeError();
  const auto &[dtype, shape, bytes] = **entry;
  Tensor<F> tensor(shape);
  if (dtype == "F64") {
    for (size_t i = 0; i < tensor.data.size(); ++i)
      tensor.data[i] = F(load<double>(bytes.data(), i));
    return tensor;
  }
  Expected<TensorView> view = lookup(name);
  if (!view)
    return view.takeError();
  for (size_t i = 0; i < tensor.data.size(); ++i)
    tensor.data[i] = F(loadElement(view->bytes.data(), view->dtype, i));
  return tensor;
}

template Expected<Tensor<float>> TensorFile::floats(StringRef) const;
template Expected<Tensor<double>> TensorFile::floats(StringRef) const;

Expected<IntTensor> TensorFile::integers(StringRef name) const {
  Expected<const Entry *> entry = find(name);
  if (!entry)
    return entry.takeError();
  const auto &[dtype, shape, bytes] = **entry;
  if (dtype != "I32" && dtype != "I64")
    return makeError("{0}: expected tensor '{1}' of I32 or I64, got {2}", path, name, dtype);
  IntTensor tensor(shape);
  for (size_t i = 0; i < tensor.data.size(); ++i)
    tensor.data[i] = dtype == "I32" ? load<int32_t>(bytes.data(), i) : load<int64_t>(bytes.data(), i);
  return tensor;
}

Expected<TensorView> TensorFile::lookup(StringRef name) const {
  Expected<const Entry *> entry = find(name);
  if (!entry)
    return entry.takeError();
  for (DType dtype : {DType::F32, DType::BF16, DType::F16})
    if (dtypeName(dtype) == (*entry)->dtype)
      return TensorView{dtype, (*entry)->shape, (*entry)->bytes};
  return makeError("{0}: expected tensor '{1}' of F32, BF16 or F16, got {2}", path, name, (*entry)->dtype);
}

void TensorFileWriter::add(StringRef name, StringRef dtype, ArrayRef<int64_t> shape, StringRef bytes) {
  int64_t begin = data.size();
  data += bytes;
  header[name.str()] = json::Object{
      {"dtype", dtype}, {"shape", json::Array(shape)}, {"data_offsets", json::Array({begin, int64_t(data.size())})}};
}

Error TensorFileWriter::write(StringRef path) const {
  std::string text = formatv("{0}", json::Value(json::Object(header))).str();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  char length[8];
  support::endian::write64le(length, text.size());

  std::error_code code;
  raw_fd_ostream os(path, code);
  if (!code) {
    os << StringRef(length, 8) << text << data;
    os.close();
    code = os.error();
    os.clear_error();
  }
  if (code)
    return makeError("{0}: {1}", path, code.message());
  return Error::success();
}

} // namespace samba::reference

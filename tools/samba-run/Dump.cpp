//===- Dump.cpp - writing what a model computes for its prompt -----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Dump.h"

#include <cstring>

using namespace samba;
using namespace samba::run;

std::string samba::run::dumpName(const std::string &name) {
  const std::string prefix = "layers.";
  if (name.compare(0, prefix.size(), prefix) != 0)
    return name;
  std::string rest = name.substr(prefix.size());
  if (size_t dot = rest.find('.'); dot != std::string::npos)
    rest[dot] = '/';
  return "layer" + rest;
}

LogitsDump::LogitsDump(const std::string &path, const Model &model, int64_t tokens)
    : vocabSize(model.vocabSize()), writer(path, {{"logits", "F32", {tokens, model.vocabSize()}}}) {}

void LogitsDump::add(const float *logits, int64_t rows) {
  uint64_t rowBytes = static_cast<uint64_t>(vocabSize) * sizeof(float);
  writer.write(0, static_cast<uint64_t>(done) * rowBytes, logits, static_cast<uint64_t>(rows) * rowBytes);
  done += rows;
}

static std::vector<TensorInfo> hiddenTensors(const Model &model, int64_t tokens) {
  std::vector<TensorInfo> tensors;
  for (size_t i = 0; i < samba_probe_count(model.get()); ++i)
    tensors.push_back(
        {"hidden/" + dumpName(samba_probe_name(model.get(), i)), "F32", {tokens, samba_probe_width(model.get(), i)}});
  return tensors;
}

HiddenDump::HiddenDump(const std::string &path, const Model &model, int64_t tokens)
    : model(model), writer(path, hiddenTensors(model, tokens)) {
  model.setProbe(onProbe, this);
}

void HiddenDump::onProbe(void *user, const char *name, int64_t first, const float *data, int64_t rows,
                         int64_t columns) {
  HiddenDump &self = *static_cast<HiddenDump *>(user);
  if (!self.failure.empty())
    return;
  try {
    for (size_t i = 0; i < samba_probe_count(self.model.get()); ++i) {
      if (std::strcmp(samba_probe_name(self.model.get(), i), name) != 0)
        continue;
      if (columns != samba_probe_width(self.model.get(), i))
        throw std::runtime_error(std::string("probe ") + name + " has " + std::to_string(columns) +
                                 " columns, the manifest says " +
                                 std::to_string(samba_probe_width(self.model.get(), i)));
      uint64_t rowBytes = static_cast<uint64_t>(columns) * sizeof(float);
      self.writer.write(i, static_cast<uint64_t>(self.base + first) * rowBytes, data,
                        static_cast<uint64_t>(rows) * rowBytes);
    }
  } catch (const std::exception &error) {
    self.failure = error.what(); // it must not cross the runtime
  }
}

void HiddenDump::rethrow() {
  if (!failure.empty())
    throw std::runtime_error(failure);
}

void HiddenDump::begin(int64_t token) {
  rethrow();
  base = token;
}

void HiddenDump::commit() {
  rethrow();
  model.setProbe(nullptr, nullptr);
  writer.commit();
}

static bool endsWith(const std::string &text, const std::string &end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// A [rows, columns] matrix of elements of any size as [columns, rows].
static std::vector<char> transpose(const char *data, int64_t rows, int64_t columns, size_t element) {
  std::vector<char> result(static_cast<size_t>(rows * columns) * element);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      std::memcpy(&result[static_cast<size_t>(j * rows + i) * element],
                  data + static_cast<size_t>(i * columns + j) * element, element);
  return result;
}

/// The values of a field of integers with a scale for each row.
static std::vector<float> valuesOf(const samba_state_field &field, const char *data) {
  size_t row = static_cast<size_t>(field.shape[field.rank - 1]), rows = field.bytes / (row + sizeof(float));
  std::vector<float> values;
  values.reserve(row * rows);
  for (size_t r = 0; r < rows; ++r, data += row + sizeof(float)) {
    float scale;
    std::memcpy(&scale, data + row, sizeof(scale));
    for (size_t i = 0; i < row; ++i)
      values.push_back(static_cast<float>(static_cast<signed char>(data[i])) * scale);
  }
  return values;
}

void samba::run::dumpState(const std::string &path, const Model &model, const Session &session) {
  std::vector<TensorInfo> tensors;
  auto isScan = [](const samba_state_field &field) { return endsWith(field.name, ".ssm") && field.rank == 2; };
  for (size_t i = 0; const samba_state_field *field = samba_state_field_at(model.get(), i); ++i) {
    std::vector<int64_t> shape(field->shape, field->shape + field->rank);
    if (isScan(*field))
      std::swap(shape[0], shape[1]);
    std::string dtype = field->dtype;
    tensors.push_back({"state/" + dumpName(field->name),
                       dtype == "bf16"  ? "BF16"
                       : dtype == "f16" ? "F16"
                                        : "F32",
                       shape});
  }
  SafetensorsWriter writer(path, tensors);
  for (size_t i = 0; const samba_state_field *field = samba_state_field_at(model.get(), i); ++i) {
    const char *data = static_cast<const char *>(session.state()) + field->offset;
    if (std::strcmp(field->dtype, "i8") == 0 && field->rank > 0) {
      std::vector<float> values = valuesOf(*field, data);
      writer.write(i, 0, reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float));
      continue;
    }
    if (!isScan(*field)) {
      writer.write(i, 0, data, field->bytes);
      continue;
    }
    size_t element = std::strcmp(field->dtype, "f32") == 0 ? 4 : 2;
    std::vector<char> transposed = transpose(data, field->shape[0], field->shape[1], element);
    writer.write(i, 0, transposed.data(), transposed.size());
  }
  writer.commit();
}

//===- PackLoops.cpp - conversion and layout of one weight ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/emit/PackLoops.h"

#include "dialect/Quantisation.h"
#include <algorithm>
#include <cmath>
#include <cstring>

using namespace samba;

namespace {

// A tile of a panel fits the first-level cache: it is filled along the source's rows and emptied along its columns.
constexpr int64_t kTileRows = 32;
constexpr int64_t kTileColumns = 128;

uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

// The loops below are free of branches, so that they vectorise.

float widenHalf(uint16_t half) {
  uint32_t magnitude = uint32_t(half & 0x7fff) << 13;
  // Finite: moves the exponent's bias from 15 to 127, and makes subnormals normal. Exact.
  uint32_t finite = bitsOf(floatOf(magnitude) * 0x1p112f);
  uint32_t special = magnitude | 0x7f800000;
  uint32_t bits = (half & 0x7c00) == 0x7c00 ? special : finite;
  return floatOf(bits | uint32_t(half & 0x8000) << 16);
}

uint16_t roundToBf16(float value) {
  uint32_t bits = bitsOf(value);
  uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  uint32_t quietNan = (bits >> 16) | 0x40;
  return (bits & 0x7fffffff) > 0x7f800000 ? quietNan : rounded;
}

void load(const PackSource &from, int64_t first, int64_t count, float *values) {
  const uint8_t *source = from.bytes + first * dtypeSize(from.type);
  auto half = [&](int64_t i) {
    uint16_t bits;
    std::memcpy(&bits, source + 2 * i, 2);
    return bits;
  };
  switch (from.type) {
  case DType::F32:
    std::memcpy(values, source, 4 * count);
    break;
  case DType::BF16:
    for (int64_t i = 0; i < count; ++i)
      values[i] = floatOf(uint32_t(half(i)) << 16);
    break;
  case DType::F16:
    for (int64_t i = 0; i < count; ++i)
      values[i] = widenHalf(half(i));
    break;
  }
}

void load(const PanelPacking &packing, int64_t first, int64_t count, float *values) {
  int64_t done = 0;
  for (const PackSource &source : packing.sources) {
    if (done == count)
      break;
    if (first >= source.elements) {
      first -= source.elements;
      continue;
    }
    int64_t here = std::min(count - done, source.elements - first);
    load(source, first, here, values + done);
    done += here;
    first = 0;
  }
  if (packing.roundSource)
    for (int64_t i = 0; i < count; ++i)
      values[i] = floatOf(uint32_t(roundToBf16(values[i])) << 16);
  if (packing.plusOne)
    for (int64_t i = 0; i < count; ++i)
      values[i] += 1.0f;
  if (packing.negExp)
    for (int64_t i = 0; i < count; ++i)
      values[i] = float(-std::exp(double(values[i])));
}

void store(float value, float *packed) { *packed = value; }
void store(float value, uint16_t *packed) { *packed = roundToBf16(value); }

// Packs the groups `begin .. end-1` of one panel.
template <typename Element>
void packPanel(const PanelPacking &packing, int64_t panel, int64_t begin, int64_t end, Element *packed) {
  float tile[kTileRows * kTileColumns];
  int64_t width = packing.width, firstRow = panel * width, interleave = packing.interleave;
  for (int64_t column = begin * interleave; column < end * interleave; column += kTileColumns) {
    int64_t columns = std::min(kTileColumns, end * interleave - column);
    int64_t present = std::min(columns, packing.columns - column); // the last group may be short
    for (int64_t lane = 0; lane < width; lane += kTileRows) {
      int64_t lanes = std::min(kTileRows, width - lane);
      int64_t filled = std::clamp<int64_t>(packing.rows - firstRow - lane, 0, lanes);
      for (int64_t row = 0; row < filled; ++row)
        load(packing, (firstRow + lane + row) * packing.columns + column, present, tile + row * kTileColumns);
      std::fill(tile + filled * kTileColumns, tile + lanes * kTileColumns, 0.0f);
      for (int64_t c = 0; c < columns; ++c) {
        int64_t place = column - begin * interleave + c;
        Element *group = packed + (place / interleave * width + lane) * interleave + place % interleave;
        for (int64_t row = 0; row < lanes; ++row)
          store(c < present ? tile[row * kTileColumns + c] : 0.0f, group + row * interleave);
      }
    }
  }
}

template <typename Element>
void packRowMajor(const PanelPacking &packing, int64_t begin, int64_t end, Element *packed) {
  float values[kTileColumns];
  for (int64_t first = begin; first < end; first += kTileColumns) {
    int64_t count = std::min(kTileColumns, end - first);
    load(packing, first, count, values);
    for (int64_t i = 0; i < count; ++i)
      store(values[i], packed + first - begin + i);
  }
}

// Packs one block of quantised elements: the scales of its lanes, then their integers.
void packBlock(const PanelPacking &packing, int64_t panel, int64_t group, uint8_t *packed) {
  int64_t width = packing.width, size = packing.interleave, first = group * size;
  int64_t present = std::min(size, packing.columns - first), bias = int64_t(1) << (packing.bits - 1);
  std::vector<float> values(size);
  std::vector<int8_t> codes(size);
  for (int64_t lane = 0; lane < width; ++lane) {
    int64_t row = panel * width + lane;
    float scale = 0;
    std::fill(codes.begin(), codes.end(), 0);
    if (row < packing.rows) {
      load(packing, row * packing.columns + first, present, values.data());
      scale = quantiseWeights(llvm::ArrayRef(values).take_front(present), packing.bits, codes.data());
    }
    std::memcpy(packed + 4 * lane, &scale, 4);
    uint8_t *bytes = packed + 4 * width;
    auto place = [&](int64_t k) { return (k / 4 * width + lane) * 4 + k % 4; };
    for (int64_t k = 0; k < size; ++k) {
      uint8_t code = uint8_t(codes[k] + bias);
      if (packing.bits == 8)
        bytes[place(k)] = code;
      else if (k < size / 2)
        bytes[place(k)] = code;
      else
        bytes[place(k - size / 2)] |= code << 4;
    }
  }
}

template <typename Element> void pack(const PanelPacking &packing, int64_t begin, int64_t end, Element *packed) {
  if (packing.width == 1 && packing.interleave == 1)
    return packRowMajor(packing, begin, end, packed);
  while (begin < end) {
    int64_t perPanel = packing.groupsPerPanel(), panel = begin / perPanel, firstOfPanel = panel * perPanel;
    int64_t stop = std::min(end, firstOfPanel + perPanel);
    packPanel(packing, panel, begin - firstOfPanel, stop - firstOfPanel, packed);
    packed += (stop - begin) * packing.width * packing.interleave;
    begin = stop;
  }
}

} // namespace

void samba::packGroups(const PanelPacking &packing, int64_t begin, int64_t end, uint8_t *packed) {
  if (packing.bits) {
    for (int64_t i = begin; i < end; ++i, packed += packing.groupBytes())
      packBlock(packing, i / packing.groupsPerPanel(), i % packing.groupsPerPanel(), packed);
    return;
  }
  if (packing.packedType == DType::BF16)
    pack(packing, begin, end, reinterpret_cast<uint16_t *>(packed));
  else
    pack(packing, begin, end, reinterpret_cast<float *>(packed));
}

//===- Tensor.cpp - decodes and runs mma.sync ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each lane holds pieces of the matrices, as the PTX manual lays them out. The pieces are put together, multiplied, and
// taken apart again. Sums are made in f64 and rounded once; a device sums in another order and with fewer bits.
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Tensor.h"
#include "runtime/vgpu/Access.h"
#include "runtime/vgpu/Half.h"

#include <cmath>
#include <cstring>

using namespace samba::vgpu;
using ptx::Operand;
using ptx::Type;

template <TensorType type> static inline float elementAs(uint32_t word, unsigned index) {
  switch (type) {
  case TensorType::F16:
    return fromHalf(static_cast<uint16_t>(word >> 16 * index));
  case TensorType::Bf16:
    return fromBfloat(static_cast<uint16_t>(word >> 16 * index));
  case TensorType::Tf32:
    return bitsAs<float>(word & 0xffffe000u); // a device ignores the other bits
  case TensorType::S8:
    return static_cast<int8_t>(word >> 8 * index);
  case TensorType::U8:
    return static_cast<uint8_t>(word >> 8 * index);
  default:
    return bitsAs<float>(word);
  }
}

float samba::vgpu::elementOf(TensorType type, uint32_t word, unsigned index) {
  switch (type) {
  case TensorType::F16:
    return elementAs<TensorType::F16>(word, index);
  case TensorType::Bf16:
    return elementAs<TensorType::Bf16>(word, index);
  case TensorType::Tf32:
    return elementAs<TensorType::Tf32>(word, index);
  case TensorType::S8:
    return elementAs<TensorType::S8>(word, index);
  case TensorType::U8:
    return elementAs<TensorType::U8>(word, index);
  default:
    return bitsAs<float>(word);
  }
}

unsigned samba::vgpu::perWord(TensorType type) {
  switch (type) {
  case TensorType::F16:
  case TensorType::Bf16:
    return 2;
  case TensorType::S8:
  case TensorType::U8:
    return 4;
  default:
    return 1;
  }
}

bool samba::vgpu::takeTensorType(Decoder &d, TensorType &type) {
  static const std::map<std::string_view, TensorType> names = {
      {"f16", TensorType::F16}, {"bf16", TensorType::Bf16}, {"tf32", TensorType::Tf32}, {"f32", TensorType::F32},
      {"s8", TensorType::S8},   {"u8", TensorType::U8},     {"s32", TensorType::S32},   {"f64", TensorType::F64}};
  auto found = names.find(d.modifiers.next());
  if (found == names.end())
    return false;
  type = found->second;
  return true;
}

namespace {

// Instruction::flags: the types, four bits each, then the shape.
TensorType typeAt(uint32_t flags, unsigned index) { return static_cast<TensorType>(flags >> 4 * index & 15); }

/// Writes the elements of a register to where `place(lane, element)` says.
template <TensorType type, unsigned per, typename Place> void spreadAs(const uint32_t *words, Place place) {
  for (unsigned lane = 0; lane < lanes; ++lane)
    for (unsigned e = 0; e < per; ++e)
      *place(lane, e) = elementAs<type>(words[lane], e);
}
template <typename Place> void spread(TensorType type, const uint32_t *words, Place place) {
  switch (type) {
  case TensorType::F16:
    return spreadAs<TensorType::F16, 2>(words, place);
  case TensorType::Bf16:
    return spreadAs<TensorType::Bf16, 2>(words, place);
  case TensorType::S8:
    return spreadAs<TensorType::S8, 4>(words, place);
  case TensorType::U8:
    return spreadAs<TensorType::U8, 4>(words, place);
  default:
    return spreadAs<TensorType::Tf32, 1>(words, place);
  }
}

void multiply(Warp &w, const Instruction &i) {
  requireFullWarp(w, i);
  Block &block = *w.block;
  const int32_t *d = block.kernel.operands.data() + i.more;
  TensorType typeD = typeAt(i.flags, 0), typeA = typeAt(i.flags, 1), typeB = typeAt(i.flags, 2),
             typeC = typeAt(i.flags, 3);
  unsigned rows = i.flags >> 16 & 255, depth = i.flags >> 24 & 255, per = perWord(typeA);
  unsigned halves = rows / 8, wordsA = rows * depth / lanes / per, wordsB = 8 * depth / lanes / per;
  unsigned valuesD = halves * 2, wordsD = typeD == TensorType::F16 ? halves : valuesD;
  const int32_t *a = d + wordsD, *b = a + wordsA, *c = b + wordsB;
  float matrixA[16 * 32], matrixB[32 * 8], matrixC[16 * 8];
  for (unsigned k = 0; k < wordsA; ++k) {
    const uint32_t *words = w.at<uint32_t>(a[k]);
    float *corner = matrixA + 8 * (k % halves) * depth + 4 * per * (k / halves);
    spread(typeA, words, [=](unsigned lane, unsigned e) { return corner + lane / 4 * depth + lane % 4 * per + e; });
  }
  for (unsigned k = 0; k < wordsB; ++k) {
    const uint32_t *words = w.at<uint32_t>(b[k]);
    float *corner = matrixB + 4 * per * k * 8;
    spread(typeB, words, [=](unsigned lane, unsigned e) { return corner + (lane % 4 * per + e) * 8 + lane / 4; });
  }
  block.counters.mma += 1;
  block.counters.mmaFlops += uint64_t(rows) * 8 * depth * 2;
  auto place = [](unsigned lane, unsigned k) { return (lane / 4 + 8 * (k / 2)) * 8 + lane % 4 * 2 + k % 2; };
  if (typeD == TensorType::S32) {
    for (unsigned lane = 0; lane < lanes; ++lane)
      for (unsigned k = 0; k < valuesD; ++k) {
        unsigned row = place(lane, k) / 8, column = place(lane, k) % 8;
        int64_t sum = static_cast<int32_t>(w.at<uint32_t>(c[k])[lane]);
        for (unsigned n = 0; n < depth; ++n)
          sum += static_cast<int64_t>(matrixA[row * depth + n]) * static_cast<int64_t>(matrixB[n * 8 + column]);
        if (i.mode)
          sum = sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : sum;
        w.at<uint32_t>(d[k])[lane] = static_cast<uint32_t>(sum);
      }
    return;
  }
  for (unsigned lane = 0; lane < lanes; ++lane)
    for (unsigned k = 0; k < valuesD; ++k)
      matrixC[place(lane, k)] =
          typeC == TensorType::F16 ? elementOf(typeC, w.at<uint32_t>(c[k / 2])[lane], k % 2) : w.at<float>(c[k])[lane];
  laneTable().multiply(matrixA, matrixB, matrixC, rows, 8, depth);
  for (unsigned lane = 0; lane < lanes; ++lane)
    for (unsigned k = 0; k < valuesD; ++k) {
      float value = matrixC[place(lane, k)];
      if (typeD != TensorType::F16) {
        w.at<float>(d[k])[lane] = value != value ? bitsAs<float>(0x7fffffffu) : value;
        continue;
      }
      uint32_t &word = w.at<uint32_t>(d[k / 2])[lane];
      word = (word & (k % 2 ? 0xffffu : 0xffff0000u)) | uint32_t(toHalf(value)) << 16 * (k % 2);
    }
}

// m8n8k4 in f64: one element of A and B in each lane, two of C.
void multiplyDouble(Warp &w, const Instruction &i) {
  requireFullWarp(w, i);
  const int32_t *d = w.block->kernel.operands.data() + i.more, *a = d + 2, *b = a + 1, *c = b + 1;
  double results[2][lanes];
  for (unsigned lane = 0; lane < lanes; ++lane)
    for (unsigned k = 0; k < 2; ++k) {
      unsigned row = lane / 4, column = lane % 4 * 2 + k;
      double sum = w.at<double>(c[k])[lane];
      for (unsigned n = 0; n < 4; ++n)
        sum = std::fma(w.at<double>(a[0])[row * 4 + n], w.at<double>(b[0])[column * 4 + n], sum);
      results[k][lane] = sum;
    }
  for (unsigned k = 0; k < 2; ++k)
    std::memcpy(w.at<double>(d[k]), results[k], sizeof(results[k]));
  w.block->counters.mma += 1;
  w.block->counters.mmaFlops += 8 * 8 * 4 * 2;
}

void decode(Decoder &d) {
  if (!d.modifiers.take("sync") || !d.modifiers.take("aligned"))
    d.unsupported();
  unsigned rows = 16, depth = 0;
  const struct {
    const char *name;
    unsigned rows, depth;
  } shapes[] = {{"m16n8k4", 16, 4},   {"m16n8k8", 16, 8}, {"m16n8k16", 16, 16},
                {"m16n8k32", 16, 32}, {"m8n8k16", 8, 16}, {"m8n8k4", 8, 4}};
  for (const auto &shape : shapes)
    if (d.modifiers.take(shape.name))
      rows = shape.rows, depth = shape.depth;
  bool saturate = d.modifiers.take("satfinite");
  if (!depth || !d.modifiers.take("row") || !d.modifiers.take("col"))
    d.unsupported();
  TensorType types[4];
  for (TensorType &type : types)
    if (!takeTensorType(d, type))
      d.unsupported();
  auto [typeD, typeA, typeB, typeC] = types;
  d.expectOperands(4, 4);
  bool twice = typeA == TensorType::F64;
  if (twice) {
    if (rows != 8 || depth != 4 || typeB != typeA || typeC != typeA || typeD != typeA)
      d.unsupported();
  } else {
    bool bytes = typeA == TensorType::S8 || typeA == TensorType::U8;
    bool halves = typeA == TensorType::F16 || typeA == TensorType::Bf16;
    bool fits = bytes    ? (rows == 8 ? depth == 16 : depth == 16 || depth == 32)
                : halves ? rows == 16 && (depth == 8 || depth == 16)
                         : typeA == TensorType::Tf32 && rows == 16 && (depth == 4 || depth == 8);
    bool pair = bytes ? typeB == TensorType::S8 || typeB == TensorType::U8 : typeA == typeB;
    bool accumulators = bytes
                            ? typeD == TensorType::S32 && typeC == TensorType::S32
                            : (typeD == TensorType::F32 && typeC == TensorType::F32) ||
                                  (typeA == TensorType::F16 && (typeD == TensorType::F16 || typeD == TensorType::F32) &&
                                   (typeC == TensorType::F16 || typeC == TensorType::F32));
    if (!fits || !pair || !accumulators || (saturate && !bytes))
      d.unsupported();
  }
  unsigned per = perWord(typeA), halves = rows / 8;
  auto accumulator = [&](TensorType type) { return type == TensorType::F16 ? halves : halves * 2; };
  size_t counts[] = {accumulator(typeD), rows * depth / lanes / per, 8 * depth / lanes / per, accumulator(typeC)};
  std::vector<int32_t> registers;
  for (size_t operand = 0; operand < 4; ++operand) {
    std::vector<const Operand *> elements = Decoder::elements(d.operand(operand));
    if (elements.size() != counts[operand])
      d.fail("operand " + std::to_string(operand) + " of mma has " + std::to_string(elements.size()) +
             " registers, expected " + std::to_string(counts[operand]));
    for (const Operand *element : elements) {
      // Accumulators may be integers as constants: zero.
      Type type = twice ? Type{Type::Float, 64} : b32;
      registers.push_back(operand ? d.source(*element, type) : d.destination(*element, type));
    }
  }
  uint32_t more = d.more(registers);
  Instruction &i = d.emit(twice ? multiplyDouble : multiply, Class::Tensor);
  i.more = more;
  i.mode = saturate;
  for (unsigned k = 0; k < 4; ++k)
    i.flags |= static_cast<uint32_t>(types[k]) << 4 * k;
  i.flags |= rows << 16 | depth << 24;
}

} // namespace

const Opcode samba::vgpu::tensorOpcodes[] = {{"mma", decode}, {"wmma", decodeWmma}, {nullptr, nullptr}};

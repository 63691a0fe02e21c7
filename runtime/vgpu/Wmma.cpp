//===- Wmma.cpp - decodes and runs wmma ----------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How a fragment's elements lie in the lanes is left open by PTX. Here element e of a matrix is in lane e % 32; where a
// lane has more elements than that, they repeat.
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Access.h"
#include "runtime/vgpu/Half.h"
#include "runtime/vgpu/Tensor.h"

#include <algorithm>
#include <cstring>

using namespace samba::vgpu;
using ptx::Operand;
using ptx::Space;
using ptx::Type;

namespace {

// Instruction::flags of loads and stores: rows, columns, type, and whether columns are contiguous.
constexpr uint32_t columnMajor = 1 << 31;

float read(Warp &w, const int32_t *registers, TensorType type, unsigned e) {
  unsigned index = e / lanes, per = perWord(type);
  return elementOf(type, w.at<uint32_t>(registers[index / per])[e % lanes], index % per);
}

uint32_t encode(TensorType type, float value) {
  return type == TensorType::F16 ? toHalf(value) : type == TensorType::Bf16 ? toBfloat(value) : bitsAs<uint32_t>(value);
}

void put(Warp &w, const int32_t *registers, TensorType type, unsigned lane, unsigned index, uint32_t bits) {
  unsigned per = perWord(type);
  uint32_t &word = w.at<uint32_t>(registers[index / per])[lane];
  if (per == 1)
    word = bits;
  else
    word = (word & (index % 2 ? 0xffffu : 0xffff0000u)) | bits << 16 * (index % 2);
}

template <bool store> void access(Warp &w, const Instruction &i) {
  requireFullWarp(w, i);
  Block &block = *w.block;
  uint64_t addresses[lanes];
  addressesOf(w, i, addresses);
  unsigned rows = i.flags & 63, columns = i.flags >> 6 & 63;
  TensorType type = static_cast<TensorType>(i.flags >> 12 & 15);
  uint64_t stride = i.b >= 0 ? w.at<uint32_t>(i.b)[0] : i.flags & columnMajor ? rows : columns;
  const int32_t *registers = block.kernel.operands.data() + i.more;
  uint32_t bytes = i.size;
  for (unsigned lane = 1; lane < lanes; ++lane)
    if (addresses[lane] != addresses[0])
      fault(w, i, "full-warp", "the lanes give different addresses", static_cast<int>(lane));
  uint64_t base = addresses[0];
  Space space = resolve(spaceOf(i), base);
  if (base % 32 || stride * bytes % 16)
    fault(w, i, "misaligned", "the address must be a multiple of 32 bytes and the stride of 16");
  unsigned total = rows * columns, held = i.count * perWord(type);
  for (unsigned e = 0; e < total; ++e) {
    uint64_t row = e / columns, column = e % columns;
    uint64_t at = base + (i.flags & columnMajor ? column * stride + row : row * stride + column) * bytes;
    uint8_t *memory = pointer(w, i, e % lanes, space, at, bytes, store ? Use::Write : Use::Read, {nullptr, true});
    if (store) {
      uint32_t bits = encode(type, read(w, registers, type, e));
      std::memcpy(memory, &bits, bytes);
    } else {
      uint32_t bits = 0;
      std::memcpy(&bits, memory, bytes);
      for (unsigned index = e / lanes; index < held; index += total / lanes)
        put(w, registers, type, e % lanes, index, bits);
    }
  }
}

void multiply(Warp &w, const Instruction &i) {
  requireFullWarp(w, i);
  Block &block = *w.block;
  unsigned rows = i.flags & 63, columns = i.flags >> 6 & 63, depth = i.flags >> 12 & 63;
  auto type = [&](unsigned k) { return static_cast<TensorType>(i.flags >> (18 + 3 * k) & 7); };
  const int32_t *d = block.kernel.operands.data() + i.more;
  const int32_t *a = d + (i.count & 15), *b = a + (i.count >> 4 & 15), *c = b + (i.count >> 8 & 15);
  float matrixA[32 * 16], matrixB[16 * 32], matrixC[32 * 32];
  for (unsigned e = 0; e < rows * depth; ++e)
    matrixA[e] = read(w, a, type(1), e);
  for (unsigned e = 0; e < depth * columns; ++e)
    matrixB[e] = read(w, b, type(2), e);
  for (unsigned e = 0; e < rows * columns; ++e)
    matrixC[e] = read(w, c, type(3), e);
  laneTable().multiply(matrixA, matrixB, matrixC, rows, columns, depth);
  for (unsigned e = 0; e < rows * columns; ++e)
    put(w, d, type(0), e % lanes, e / lanes, encode(type(0), matrixC[e]));
  block.counters.mma += 1;
  block.counters.mmaFlops += uint64_t(rows) * columns * depth * 2;
}

void takeShape(Decoder &d, unsigned &m, unsigned &n, unsigned &k) {
  const struct {
    const char *name;
    unsigned m, n, k;
  } shapes[] = {{"m16n16k16", 16, 16, 16}, {"m32n8k16", 32, 8, 16}, {"m8n32k16", 8, 32, 16}, {"m16n16k8", 16, 16, 8}};
  for (const auto &shape : shapes)
    if (d.modifiers.take(shape.name)) {
      m = shape.m, n = shape.n, k = shape.k;
      return;
    }
  d.unsupported();
}

size_t registersOf(TensorType type, unsigned elements) {
  // f16 operands always have 8 registers, the others as many as they need.
  return elements / lanes / perWord(type);
}

void decodeAccess(Decoder &d, bool store) {
  char matrix = d.modifiers.take("a")                 ? 'a'
                : d.modifiers.take("b")               ? 'b'
                : d.modifiers.take(store ? "d" : "c") ? 'c'
                                                      : 0;
  bool row = d.modifiers.take("row"), column = d.modifiers.take("col");
  unsigned m = 0, n = 0, k = 0;
  takeShape(d, m, n, k);
  Space space = takeSpace(d);
  TensorType type;
  if (!takeTensorType(d, type) || !matrix || row == column)
    d.unsupported();
  bool tf32 = type == TensorType::Tf32;
  bool fits = matrix == 'c' ? type == TensorType::F16 || type == TensorType::F32
                            : type == TensorType::F16 || type == TensorType::Bf16 || tf32;
  if (!fits || (matrix != 'c' && (k == 8) != tf32) || (store && matrix != 'c'))
    d.unsupported();
  unsigned rows = matrix == 'b' ? k : m, columns = matrix == 'a' ? k : n;
  d.expectOperands(2, 3);
  const Operand &memory = d.operand(store ? 0 : 1), &fragment = d.operand(store ? 1 : 0);
  std::vector<const Operand *> elements = Decoder::elements(fragment);
  size_t count = type == TensorType::F16 && matrix != 'c' ? 8 : registersOf(type, rows * columns);
  if (elements.size() != count)
    d.fail(std::to_string(elements.size()) + " registers, expected " + std::to_string(count));
  Place place = placeOf(d, memory, space);
  int32_t stride = d.operandCount() > 2 ? d.source(d.operand(2), u32) : -1;
  std::vector<int32_t> registers;
  for (const Operand *element : elements)
    registers.push_back(store ? d.source(*element, b32) : d.destination(*element, b32));
  uint32_t more = d.more(registers);
  Instruction &i = d.emit(store ? access<true> : access<false>, Class::Matrix);
  i.a = place.address.base;
  i.immediate = place.address.offset;
  i.mode = place.mode;
  i.b = stride;
  i.more = more;
  i.count = static_cast<uint16_t>(count);
  i.size = type == TensorType::F16 || type == TensorType::Bf16 ? 2 : 4;
  i.flags = rows | columns << 6 | static_cast<uint32_t>(type) << 12 | (column ? columnMajor : 0);
}

void decodeMultiply(Decoder &d) {
  for (int k = 0; k < 2; ++k)
    if (!d.modifiers.take("row") && !d.modifiers.take("col"))
      d.unsupported();
  unsigned m = 0, n = 0, k = 0;
  takeShape(d, m, n, k);
  TensorType types[4] = {TensorType::F32, TensorType::F16, TensorType::F16, TensorType::F32};
  std::vector<TensorType> given;
  while (!d.modifiers.empty()) {
    TensorType type;
    if (!takeTensorType(d, type))
      d.unsupported();
    given.push_back(type);
  }
  if (given.size() == 2)
    types[0] = given[0], types[3] = given[1];
  else if (given.size() == 4)
    std::copy(given.begin(), given.end(), types);
  else
    d.unsupported();
  auto accumulates = [](TensorType type) { return type == TensorType::F32 || type == TensorType::F16; };
  bool fits = types[1] == types[2] && accumulates(types[0]) && accumulates(types[3]) &&
              (k == 8 ? types[1] == TensorType::Tf32 : types[1] == TensorType::F16 || types[1] == TensorType::Bf16);
  if (!fits)
    d.unsupported();
  d.expectOperands(4, 4);
  unsigned sizes[] = {m * n, m * k, k * n, m * n};
  std::vector<int32_t> registers;
  uint32_t counts = 0;
  for (unsigned operand = 0; operand < 4; ++operand) {
    std::vector<const Operand *> elements = Decoder::elements(d.operand(operand));
    bool input = operand == 1 || operand == 2;
    size_t count = input && types[operand] == TensorType::F16 ? 8 : registersOf(types[operand], sizes[operand]);
    if (elements.size() != count)
      d.fail("operand " + std::to_string(operand) + " of wmma.mma has " + std::to_string(elements.size()) +
             " registers, expected " + std::to_string(count));
    for (const Operand *element : elements)
      registers.push_back(operand ? d.source(*element, b32) : d.destination(*element, b32));
    counts |= static_cast<uint32_t>(count) << 4 * operand;
  }
  uint32_t more = d.more(registers);
  Instruction &i = d.emit(multiply, Class::Tensor);
  i.more = more;
  i.count = static_cast<uint16_t>(counts);
  i.flags = m | n << 6 | k << 12;
  for (unsigned operand = 0; operand < 4; ++operand)
    i.flags |= static_cast<uint32_t>(types[operand]) << (18 + 3 * operand);
}

} // namespace

void samba::vgpu::decodeWmma(Decoder &d) {
  bool load = d.modifiers.take("load"), store = d.modifiers.take("store"), mma = d.modifiers.take("mma");
  if (load + store + mma != 1 || !d.modifiers.take("sync") || !d.modifiers.take("aligned"))
    d.unsupported();
  if (mma)
    decodeMultiply(d);
  else
    decodeAccess(d, store);
}

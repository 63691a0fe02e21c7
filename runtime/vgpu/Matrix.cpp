//===- Matrix.cpp - decodes and runs ldmatrix and stmatrix ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Access.h"

#include <cstring>

using namespace samba::vgpu;
using ptx::Operand;
using ptx::Space;

void samba::vgpu::requireFullWarp(Warp &w, const Instruction &i) {
  if (w.active != allLanes)
    fault(w, i, "full-warp", "only " + std::to_string(__builtin_popcount(w.active)) + " of 32 lanes execute it");
}

namespace {

// Matrix k has its rows at the addresses of lanes 8k to 8k+7. Lane l holds elements 2(l%4) and the next of row l/4;
// with .trans, of column l/4.
template <bool trans, bool store> void matrices(Warp &w, const Instruction &i) {
  requireFullWarp(w, i);
  Block &block = *w.block;
  uint64_t addresses[lanes];
  addressesOf(w, i, addresses);
  const int32_t *registers = block.kernel.operands.data() + i.more;
  uint32_t used = i.count == 4 ? allLanes : (1u << 8 * i.count) - 1;
  if (block.context.counting)
    countShared(block, addresses, used, 16, store);
  (store ? block.counters.stmatrix : block.counters.ldmatrix) += 1;
  for (unsigned k = 0; k < i.count; ++k) {
    uint8_t *rows[8];
    uint32_t *values = w.at<uint32_t>(registers[k]);
    for (unsigned row = 0; row < 8; ++row) {
      unsigned lane = 8 * k + row;
      uint64_t address = addresses[lane];
      if (resolve(spaceOf(i), address) != Space::Shared)
        fault(w, i, "out-of-bounds", "a row is not in shared memory", static_cast<int>(lane));
      rows[row] = sharedPointer(w, i, lane, address, 16, store ? Use::Write : Use::Read, 16, {nullptr, true});
    }
    if (!trans) {
      for (unsigned lane = 0; lane < lanes; ++lane) {
        uint8_t *pair = rows[lane / 4] + lane % 4 * 4;
        store ? std::memcpy(pair, &values[lane], 4) : std::memcpy(&values[lane], pair, 4);
      }
      continue;
    }
    for (unsigned lane = 0; lane < lanes; ++lane)
      for (unsigned half = 0; half < 2; ++half) {
        uint8_t *at = rows[lane % 4 * 2 + half] + lane / 4 * 2;
        uint16_t element = static_cast<uint16_t>(values[lane] >> 16 * half);
        if (store) {
          std::memcpy(at, &element, 2);
        } else {
          std::memcpy(&element, at, 2);
          values[lane] = (values[lane] & (half ? 0xffffu : 0xffff0000u)) | uint32_t(element) << 16 * half;
        }
      }
  }
}

void decode(Decoder &d, bool store) {
  if (!d.modifiers.take("sync") || !d.modifiers.take("aligned") || !d.modifiers.take("m8n8"))
    d.unsupported();
  if (store)
    d.requireArch(90, "stmatrix");
  unsigned count = d.modifiers.take("x1") ? 1 : d.modifiers.take("x2") ? 2 : d.modifiers.take("x4") ? 4 : 0;
  bool trans = d.modifiers.take("trans");
  Space space = takeSpace(d);
  if (!count || !(d.type() == b16) || (space != Space::Shared && space != Space::Generic))
    d.unsupported();
  d.expectOperands(2, 2);
  std::vector<const Operand *> elements = Decoder::elements(d.operand(store ? 1 : 0));
  if (elements.size() != count)
    d.fail(std::to_string(elements.size()) + " registers, expected " + std::to_string(count));
  Place place = placeOf(d, d.operand(store ? 0 : 1), space);
  std::vector<int32_t> registers;
  for (const Operand *element : elements)
    registers.push_back(store ? d.source(*element, b32) : d.destination(*element, b32));
  uint32_t more = d.more(registers);
  Handler handler = store ? (trans ? matrices<true, true> : matrices<false, true>)
                          : (trans ? matrices<true, false> : matrices<false, false>);
  Instruction &i = d.emit(handler, Class::Matrix);
  i.a = place.address.base;
  i.immediate = place.address.offset;
  i.mode = place.mode;
  i.more = more;
  i.count = static_cast<uint16_t>(count);
}

// movmatrix.sync.aligned.m8n8.trans.b16 d, a: the transposed fragment.
void move(Warp &w, const Instruction &i) {
  requireFullWarp(w, i);
  const uint32_t *a = w.at<uint32_t>(i.a);
  uint32_t results[lanes];
  auto element = [&](unsigned row, unsigned column) { return a[row * 4 + column / 2] >> (column % 2 * 16) & 0xffff; };
  for (unsigned lane = 0; lane < lanes; ++lane)
    results[lane] = element(lane % 4 * 2, lane / 4) | element(lane % 4 * 2 + 1, lane / 4) << 16;
  std::memcpy(w.at<uint32_t>(i.d), results, sizeof(results));
}

void decodeMove(Decoder &d) {
  for (const char *word : {"sync", "aligned", "m8n8", "trans"})
    if (!d.modifiers.take(word))
      d.unsupported();
  if (!(d.type() == b16))
    d.unsupported();
  d.expectOperands(2, 2);
  int32_t a = d.source(d.operand(1), b32), to = d.destination(d.operand(0), b32);
  Instruction &i = d.emit(move, Class::Matrix);
  i.a = a;
  i.d = to;
}

} // namespace

const Opcode samba::vgpu::matrixOpcodes[] = {
    {"ldmatrix", [](Decoder &d) { decode(d, false); }},
    {"stmatrix", [](Decoder &d) { decode(d, true); }},
    {"movmatrix", decodeMove},
    {nullptr, nullptr},
};

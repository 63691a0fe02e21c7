//===- Bulk.cpp - decodes and runs cp.async.bulk -------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A load takes its source at once, marks its destination, and is delivered when somebody waits for its mbarrier. A
// store marks its source as being read, and is done at its bulk.wait_group. Tensors are boxes of a map (TensorMap.h).
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Access.h"
#include "runtime/vgpu/TensorMap.h"

#include <algorithm>
#include <cstring>

using namespace samba::vgpu;
using ptx::Operand;
using ptx::Space;

void Block::endReads(uint64_t operation) {
  asyncReads.erase(std::remove_if(asyncReads.begin(), asyncReads.end(),
                                  [&](const AsyncRead &read) { return read.operation == operation; }),
                   asyncReads.end());
}

const char *samba::vgpu::problemOf(const TensorMap &map) {
  if (map.magic != TensorMap::magicNumber)
    return "it is no tensor map";
  if (map.rank < 1 || map.rank > 5)
    return "its rank is not from 1 to 5";
  unsigned bytes = map.elementBytes;
  if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)
    return "its elements have no size that is supported";
  if (map.address % 16)
    return "its address is no multiple of 16";
  for (unsigned k = 0; k < map.rank; ++k) {
    if (map.box[k] < 1 || map.box[k] > 256)
      return "its box is not from 1 to 256 elements wide";
    if (map.sizes[k] < 1 || map.sizes[k] > uint64_t(1) << 32)
      return "a size is not from 1 to 2^32";
    if (k + 1 < map.rank && (map.strides[k] % 16 || map.strides[k] >= uint64_t(1) << 40))
      return "a stride is no multiple of 16 below 2^40";
  }
  unsigned row = map.box[0] * bytes;
  if (row % 16)
    return "the rows of its box are no multiple of 16 bytes";
  if (map.swizzle != 0 && map.swizzle != 32 && map.swizzle != 64 && map.swizzle != 128)
    return "its swizzle is unknown";
  if (map.swizzle && row > map.swizzle)
    return "the rows of its box are wider than the swizzle";
  if (map.fillsNan)
    return "it fills with NaN, which is unsupported";
  return nullptr;
}

namespace {

// Instruction::flags.
enum : uint32_t { Store = 1, Tensor = 2 };

uint64_t addressAt(Warp &w, int32_t base, bool wide, int64_t offset, unsigned lane) {
  return wide ? w.at<uint64_t>(base)[lane] + static_cast<uint64_t>(offset)
              : uint32_t(w.at<uint32_t>(base)[lane] + uint32_t(offset));
}

uint64_t sharedAt(Warp &w, const Instruction &i, unsigned lane, Space space, uint64_t address, uint32_t multiple) {
  if (resolve(space, address) != Space::Shared)
    fault(w, i, "out-of-bounds", "an address of cp.async.bulk is not in shared memory", static_cast<int>(lane));
  if (address % multiple)
    fault(w, i, "misaligned",
          "shared address of cp.async.bulk, which must be a multiple of " + std::to_string(multiple),
          static_cast<int>(lane));
  return address;
}

uint8_t *globalAt(Warp &w, const Instruction &i, unsigned lane, uint64_t address, uint64_t bytes) {
  if (resolve(Space::Generic, address) != Space::Global)
    fault(w, i, "out-of-bounds", "an address of cp.async.bulk is not in global memory", static_cast<int>(lane));
  uint8_t *data =
      globalPointer(w, i, lane, address, static_cast<uint32_t>(bytes), i.flags & Store ? Use::Write : Use::Read, 1);
  if (w.block->context.counting)
    touch(*w.block->recent, address - w.block->recent->address, bytes, i.flags & Store);
  return data;
}

// The pieces of a copy of a box at these coordinates: runs of 16 bytes, as the swizzle moves those.
void boxPieces(Warp &w, const Instruction &i, unsigned lane, const TensorMap &map, const int64_t (&at)[5],
               uint32_t shared, std::vector<Piece> &pieces) {
  uint64_t rows = 1;
  for (unsigned k = 1; k < map.rank; ++k)
    rows *= map.box[k];
  uint32_t rowBytes = map.box[0] * map.elementBytes;
  for (uint64_t row = 0; row < rows; ++row) {
    uint64_t rest = row, address = map.address;
    bool inside = true;
    for (unsigned k = 1; k < map.rank; ++k) {
      int64_t index = at[k] + static_cast<int64_t>(rest % map.box[k]);
      rest /= map.box[k];
      inside &= index >= 0 && static_cast<uint64_t>(index) < map.sizes[k];
      address += static_cast<uint64_t>(index) * map.strides[k - 1];
    }
    for (uint32_t column = 0; column < rowBytes; column += map.elementBytes) {
      int64_t index = at[0] + column / map.elementBytes;
      bool here = inside && index >= 0 && static_cast<uint64_t>(index) < map.sizes[0];
      uint8_t *global =
          here ? globalAt(w, i, lane, address + static_cast<uint64_t>(index) * map.elementBytes, map.elementBytes)
               : nullptr;
      uint32_t to = swizzled(shared + static_cast<uint32_t>(row) * rowBytes + column, map.swizzle);
      // Neighbours in both memories become one piece.
      if (!pieces.empty()) {
        Piece &last = pieces.back();
        bool follows = last.shared + last.bytes == to && to % 16 &&
                       (global ? last.global && last.global + last.bytes == global : !last.global);
        if (follows) {
          last.bytes += map.elementBytes;
          continue;
        }
      }
      pieces.push_back({to, map.elementBytes, global});
    }
  }
}

// a: shared address. b: global address or map. c: bytes. e: mbarrier. More operands: coordinates.
void copy(Warp &w, const Instruction &i) {
  Block &block = *w.block;
  WarpState &warp = block.state(w);
  Shadow &shared = block.shared;
  bool store = i.flags & Store;
  const int32_t *more = block.kernel.operands.data() + i.more;
  for (uint32_t rest = w.active; rest; rest &= rest - 1) {
    unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
    uint64_t local = addressAt(w, i.a, i.mode & wideBase, i.immediate, lane);
    uint64_t other = w.at<uint64_t>(i.b)[lane] + i.target;
    std::vector<Piece> pieces;
    uint32_t total = 0;
    if (i.flags & Tensor) {
      TensorMap map;
      uint64_t at = other;
      Space space = resolve(Space::Generic, at);
      if (at % 64)
        fault(w, i, "misaligned", "the tensor map's address is no multiple of 64", static_cast<int>(lane));
      for (unsigned k = 0; k < sizeof(map); k += 16)
        std::memcpy(reinterpret_cast<uint8_t *>(&map) + k, pointer(w, i, lane, space, at + k, 16, Use::Read), 16);
      if (const char *problem = problemOf(map))
        fault(w, i, "tensor-map", problem, static_cast<int>(lane));
      if (map.rank != i.count)
        fault(w, i, "tensor-map",
              std::to_string(i.count) + " coordinates for a tensor of rank " + std::to_string(map.rank),
              static_cast<int>(lane));
      local = sharedAt(w, i, lane, spaceOf(i), local, map.swizzle ? map.swizzle * 8 : 128);
      int64_t coordinates[5] = {};
      total = map.elementBytes;
      for (unsigned k = 0; k < map.rank; ++k) {
        coordinates[k] = static_cast<int32_t>(w.at<uint32_t>(more[k])[lane]);
        total *= map.box[k];
      }
      if (local + total > shared.data.size())
        sharedPointer(w, i, lane, local, total, Use::Read, 1); // says what is wrong
      boxPieces(w, i, lane, map, coordinates, static_cast<uint32_t>(local), pieces);
    } else {
      total = w.at<uint32_t>(i.c)[lane];
      local = sharedAt(w, i, lane, spaceOf(i), local, 16);
      if (total % 16 || other % 16)
        fault(w, i, "misaligned",
              "cp.async.bulk of " + std::to_string(total) + " bytes: size and addresses must be multiples of 16",
              static_cast<int>(lane));
      if (local + total > shared.data.size())
        sharedPointer(w, i, lane, local, total, Use::Read, 1);
      uint8_t *global = total ? globalAt(w, i, lane, other, total) : nullptr;
      for (uint32_t k = 0; k < total; k += 16)
        pieces.push_back({static_cast<uint32_t>(local) + k, 16, global + k});
    }
    block.counters.asyncBytes += total;
    Traffic &traffic = store ? block.counters.globalStores : block.counters.globalLoads;
    traffic.requests += 1;
    traffic.bytes += total;
    traffic.units += (total + 31) / 32;
    traffic.ideal += (total + 31) / 32;
    std::vector<uint8_t> data(total);
    size_t filled = 0;
    if (store) {
      uint64_t operation = ++block.operations;
      for (const Piece &piece : pieces) {
        std::memcpy(data.data() + filled, asyncSource(w, i, lane, piece.shared, piece.bytes), piece.bytes);
        filled += piece.bytes;
      }
      block.asyncReads.push_back(
          {static_cast<uint32_t>(local), static_cast<uint32_t>(local) + total, i.line, operation});
      Deferred deferred{&i, warp.storeGroup, operation, std::move(pieces), std::move(data)};
      warp.stores.push_back(std::move(deferred));
      continue;
    }
    uint64_t address = sharedAt(w, i, lane, Space::Generic,
                                w.at<uint64_t>(i.e)[lane] < sharedWindow ? w.at<uint64_t>(i.e)[lane] + sharedWindow
                                                                         : w.at<uint64_t>(i.e)[lane],
                                8);
    uint32_t initialised = mbarrierAt(w, i, lane, address).epoch;
    if (block.context.checking && shared.clocks[warp.id].fenced[initialised >> clockBits] < (initialised & clockMask))
      fault(w, i, "fence",
            "the mbarrier at byte " + block.sharedName(address) +
                " was initialised without a fence.proxy.async or fence.mbarrier_init after it",
            static_cast<int>(lane));
    uint32_t epoch = asyncAgent << clockBits | ++shared.asyncClock;
    for (const Piece &piece : pieces) {
      sharedPointer(w, i, lane, piece.shared, piece.bytes, Use::Write, 1);
      if (piece.global)
        std::memcpy(data.data() + filled, piece.global, piece.bytes);
      filled += piece.bytes;
      for (uint32_t k = piece.shared; k < piece.shared + piece.bytes; ++k) {
        shared.writer[k] = epoch;
        shared.state[k] |= block.context.checking ? Shadow::Pending : 0;
      }
    }
    block.loads.push_back(
        {std::move(pieces), std::move(data), static_cast<uint32_t>(address), total, shared.asyncClock});
  }
}

void commit(Warp &w, const Instruction &) { ++w.block->state(w).storeGroup; }

// With .read only the source may be used again; the global memory is written here in any case.
void wait(Warp &w, const Instruction &i) {
  WarpState &warp = w.block->state(w);
  auto done = [&](Deferred &store) {
    if (store.group + static_cast<uint32_t>(i.immediate) >= warp.storeGroup)
      return false;
    size_t at = 0;
    for (const Piece &piece : store.pieces) {
      if (piece.global)
        std::memcpy(piece.global, store.data.data() + at, piece.bytes);
      at += piece.bytes;
    }
    w.block->endReads(store.operation);
    return true;
  };
  warp.stores.erase(std::remove_if(warp.stores.begin(), warp.stores.end(), done), warp.stores.end());
}

void nothing(Warp &, const Instruction &) {}

} // namespace

void samba::vgpu::decodeBulk(Decoder &d) {
  d.requireArch(90, "cp.async.bulk");
  if (d.modifiers.take("commit_group")) {
    d.expectOperands(0, 0);
    d.emit(commit, Class::Async);
    return;
  }
  if (d.modifiers.take("wait_group")) {
    d.modifiers.take("read");
    d.expectOperands(1, 1);
    int64_t newer = d.immediate(d.operand(0), 0, 1 << 20);
    d.emit(wait, Class::Async).immediate = newer;
    return;
  }
  if (d.modifiers.take("prefetch")) {
    while (!d.modifiers.next().empty()) {
    }
    d.emit(nothing, Class::Async);
    return;
  }
  bool tensor = d.modifiers.take("tensor"), store = d.modifiers.take("bulk_group");
  unsigned rank = 0;
  for (unsigned k = 1; k <= 5; ++k)
    if (tensor && d.modifiers.take(std::to_string(k) + "d"))
      rank = k;
  d.modifiers.take("tile");
  bool shared = d.modifiers.take("shared::cluster") || d.modifiers.take("shared::cta") || d.modifiers.take("shared");
  if (!shared || !d.modifiers.take("global") || (tensor && !rank))
    d.unsupported();
  if (!store && !d.modifiers.take("mbarrier::complete_tx::bytes"))
    d.unsupported();
  bool policy = false;
  takeCacheHints(d, policy);
  size_t count = (tensor ? 2 : 3) + !store + policy;
  d.expectOperands(count, count);
  const Operand &local = d.operand(store ? 1 : 0), &global = d.operand(store ? 0 : 1);
  Place place = placeOf(d, local, Space::Shared);
  if (global.kind != Operand::Address || global.children.size() != (tensor ? 2u : 1u))
    d.unsupported("no address, or no coordinates");
  Operand base = global;
  std::vector<int32_t> coordinates;
  if (tensor) {
    for (const Operand *coordinate : Decoder::elements(global.children[1]))
      coordinates.push_back(d.source(*coordinate, u32));
    if (coordinates.size() != rank)
      d.fail(std::to_string(coordinates.size()) + " coordinates, expected " + std::to_string(rank));
    base.children.pop_back();
  }
  Address address = d.address(base);
  if (!address.wide || address.offset < 0 || address.offset > INT32_MAX)
    d.unsupported("this address");
  // A map that is a parameter of the kernel: its generic address.
  int32_t from = address.base;
  if (address.variable && address.space == Space::Parameter) {
    int32_t window = d.constant(parameterWindow, 64), sum = d.temporary(64);
    Instruction &add = d.emit(laneTable().integer(Op::Add, u64, 0), Class::Move);
    add.counted = false;
    add.d = sum;
    add.a = from;
    add.b = window;
    from = sum;
  }
  int32_t bytes = tensor ? -1 : d.source(d.operand(2), u32), mbarrier = -1;
  if (!store) {
    Address at = d.address(d.operand(tensor ? 2 : 3));
    int32_t wide = at.base;
    if (!at.wide) {
      wide = d.temporary(64);
      Instruction &widen = d.emit(laneTable().convert(u64, u32, 0, false), Class::Move);
      widen.counted = false;
      widen.d = wide;
      widen.a = at.base;
    }
    int32_t offset = d.constant(static_cast<uint64_t>(at.offset), 64);
    mbarrier = d.temporary(64);
    Instruction &add = d.emit(laneTable().integer(Op::Add, u64, 0), Class::Move);
    add.counted = false;
    add.d = mbarrier;
    add.a = wide;
    add.b = offset;
  }
  uint32_t more = d.more(coordinates);
  Instruction &i = d.emit(copy, Class::Async);
  i.a = place.address.base;
  i.immediate = place.address.offset;
  i.mode = place.mode;
  i.b = from;
  i.target = static_cast<uint32_t>(address.offset);
  i.c = bytes;
  i.e = mbarrier;
  i.more = more;
  i.count = static_cast<uint16_t>(rank);
  i.flags = (store ? Store : 0) | (tensor ? Tensor : 0);
}
